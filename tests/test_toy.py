"""The best return of every toy task is reached by the obvious policy, and by no other action more."""

import numpy as np
import pytest
from prefrl_envs.suite import find
from prefrl_envs.toy import ChainWalk, PixelGoal, PointGoal, TwoDials


def straight_to_the_goal(obs):
    return np.clip(-obs / PointGoal.SPEED, -1, 1)


def right(obs):
    return 1


def towards_the_grey_cell(obs):
    cells = obs[:: PixelGoal.SCALE, :: PixelGoal.SCALE, 0]
    if not (cells == 128).any():
        return 0
    (row, column), (goal_row, goal_column) = np.argwhere(cells == 255)[0], np.argwhere(cells == 128)[0]
    if row != goal_row:
        return 1 if row > goal_row else 2
    return 3 if column > goal_column else 4


def towards_the_targets(obs):
    return 1 + np.sign(np.round(10 * (obs["targets"] - obs["dials"]))).astype(int)


TOYS = [
    (PointGoal, straight_to_the_goal, -9.5),
    (ChainWalk, right, 36.0),
    (PixelGoal, towards_the_grey_cell, -45.0),
    (TwoDials, towards_the_targets, -10.0),
]


@pytest.mark.parametrize("toy, policy, best", TOYS, ids=lambda value: getattr(value, "__name__", ""))
class TestToy:
    def test_the_best_return_is_reached_from_every_start(self, toy, policy, best):
        horizon = find(f"prefrl/{toy.__name__}-v0").horizon
        assert toy.best_return() == pytest.approx(best)
        for seed in range(5):
            assert _return(toy(), policy, horizon, seed) == pytest.approx(best, abs=1e-5)

    def test_the_best_return_of_other_horizons(self, toy, policy, best):
        for horizon in (1, 3, 60):
            assert _return(toy(), policy, horizon, 0) == pytest.approx(toy.best_return(horizon), abs=1e-5)

    def test_random_actions_do_worse(self, toy, policy, best):
        env = toy()
        env.action_space.seed(0)
        horizon = find(f"prefrl/{toy.__name__}-v0").horizon
        assert all(_return(env, lambda obs: env.action_space.sample(), horizon, seed) < best for seed in range(5))

    def test_a_frame_shows_the_state(self, toy, policy, best):
        env = toy(render_mode="rgb_array")
        obs, _ = env.reset(seed=0)
        before = env.render()
        for _ in range(3):
            obs, *_ = env.step(policy(obs))
        assert before.shape == (128, 128, 3)
        assert before.dtype == np.uint8
        assert not np.array_equal(before, env.render())


def _return(env, policy, horizon, seed):
    obs, _ = env.reset(seed=seed)
    total = 0.0
    for _ in range(horizon):
        obs, reward, _, _, _ = env.step(policy(obs))
        total += reward
    return total
