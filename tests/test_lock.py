"""One trainer at a time, and signs of life of it."""

import os
import time

import pytest

from prefrl.runs import lock
from prefrl.runs.lock import GONE_AFTER_S, SIGN, only_trainer, trainer_is_present


def test_a_trainer_is_there_until_it_ends_and_keeps_others_out(tmp_path):
    assert not trainer_is_present(tmp_path)
    with only_trainer(tmp_path):
        assert trainer_is_present(tmp_path)
        with pytest.raises(ValueError, match="another process is training in .*; wait for it or stop it"):
            only_trainer(tmp_path).__enter__()
        assert trainer_is_present(tmp_path)
    assert not trainer_is_present(tmp_path)


@pytest.mark.parametrize("age, present", [(GONE_AFTER_S - 10, True), (GONE_AFTER_S + 10, False), (-3600, True)])
def test_one_that_was_killed_is_gone_after_a_while(tmp_path, age, present):
    """A clock that is ahead is another machine's."""
    (tmp_path / SIGN).touch()
    os.utime(tmp_path / SIGN, 2 * (time.time() - age,))
    assert trainer_is_present(tmp_path) == present


def test_a_trainer_that_is_busy_for_long_goes_on_giving_signs(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "SIGN_EVERY_S", 0.01)
    with only_trainer(tmp_path):
        os.utime(tmp_path / SIGN, (0, 0))
        ends = time.monotonic() + 60
        while not trainer_is_present(tmp_path) and time.monotonic() < ends:
            time.sleep(0.01)
        assert trainer_is_present(tmp_path)
