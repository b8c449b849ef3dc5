"""status.json: the same keys in the same order, and whatever is odd in it is not known."""

import json

import pytest

from prefrl.runs.status import Status, read_status, write_status


def test_a_status_comes_back_by_these_keys(tmp_path):
    status = Status(step=512, steps=3072, labels=0, labels_wanted=60, waiting_for=15)
    write_status(tmp_path / "status.json", status)
    written = json.loads((tmp_path / "status.json").read_text())
    assert list(written.items()) == [
        ("step", 512), ("steps", 3072), ("labels", 0), ("labels_wanted", 60), ("waiting_for", 15),
    ]  # fmt: skip
    assert read_status(tmp_path / "status.json") == status


@pytest.mark.parametrize(
    "text, status",
    [
        ('{"step": 5, "seconds": 2.5}', Status(step=5)),  # of another version
        ('{"step": 5, "steps": "many", "labels": true, "labels_wanted": NaN}', Status(step=5)),
        ("{", Status()),
        ("[5]", Status()),
        ("\xff", Status()),
    ],
)
def test_what_is_missing_or_odd_is_not_known(tmp_path, text, status):
    (tmp_path / "status.json").write_bytes(text.encode("latin-1"))
    assert read_status(tmp_path / "status.json") == status


def test_without_a_file_nothing_is_known(tmp_path):
    assert read_status(tmp_path / "status.json") == Status()
