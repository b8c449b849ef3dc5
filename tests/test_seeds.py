import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefrl_envs.task import TaskConfig

from prefrl.seeds import Purpose, generator_of, seed_of
from prefrl.vecenv import copy_seeds, make_vec_env

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.sampled_from(Purpose), st.integers(0, 2**40))
def test_a_seed_is_one_that_everything_takes(seed, purpose, step):
    made = seed_of(seed, purpose, step)
    assert 0 <= made < 2**31
    assert made == seed_of(seed, purpose, step)
    assert all(0 <= copy < 2**31 for copy in copy_seeds(made, 20))


@given(SEEDS)
def test_no_two_purposes_or_steps_draw_alike(seed):
    made = {seed_of(seed, purpose, step) for purpose in Purpose for step in range(3)}
    assert len(made) == 3 * len(Purpose)
    first, second = (generator_of(seed, Purpose.QUERIES, step).random(4) for step in (0, 1))
    assert not np.array_equal(first, second)


def test_neighboring_seeds_share_no_environment():
    """With seed + i, two neighbors shared 19 of 20 starts, and the noise of one was that of the other."""
    starts = [set(copy_seeds(seed_of(seed, Purpose.EVALUATION), 20)) for seed in range(50)]
    assert len(set.union(*starts)) == 50 * 20


def test_the_first_copies_of_many_are_those_of_few():
    assert copy_seeds(7, 20)[:3] == copy_seeds(7, 3)


@pytest.mark.parametrize("seed", [2**30 - 1, 2**31, 2**32 - 1])
def test_a_large_seed_starts_a_game(seed):
    venv = make_vec_env(TaskConfig("prefrl/Pong-v0"), 2, seed_of(seed, Purpose.EVALUATION))
    assert venv.reset().any()
    venv.close()
