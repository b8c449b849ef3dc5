import gymnasium as gym
import numpy as np
import pytest
from prefrl_envs.task import TaskConfig
from prefrl_envs.wrappers import FixedHorizon, HideReward, RenderState, TrueReward, make_env


class Countdown(gym.Env):
    """Terminates (or truncates) at step 3; the observation is the step, the reward 1."""

    observation_space = gym.spaces.Box(0, 10, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, truncates: bool = False) -> None:
        self.truncates = truncates
        self.resets = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count, self.resets = 0, self.resets + 1
        return self._obs(), {}

    def step(self, action):
        self.count += 1
        ended = self.count == 3
        return self._obs(), 1.0, ended and not self.truncates, ended and self.truncates, {"count": self.count}

    def _obs(self):
        return np.array([self.count], np.float32)


@pytest.mark.parametrize("truncates", [False, True])
class TestFixedHorizon:
    def test_absorb_repeats_the_last_observation_at_reward_zero(self, truncates):
        steps = _steps(FixedHorizon(Countdown(truncates)), 6)
        assert [obs for obs, *_ in steps] == [1, 2, 3, 3, 3, 3]
        assert [reward for _, reward, *_ in steps] == [1, 1, 1, 0, 0, 0]
        assert not any(terminated or truncated for _, _, terminated, truncated, _ in steps)

    def test_reset_goes_on_with_the_next_episode(self, truncates):
        env = FixedHorizon(Countdown(truncates), on_end="reset")
        steps = _steps(env, 7)
        assert [obs for obs, *_ in steps] == [1, 2, 0, 1, 2, 0, 1]
        assert [reward for _, reward, *_ in steps] == [1] * 7
        assert not any(terminated or truncated for _, _, terminated, truncated, _ in steps)
        assert env.unwrapped.resets == 3

    def test_a_reset_starts_anew(self, truncates):
        env = FixedHorizon(Countdown(truncates))
        _steps(env, 5)
        assert [obs for obs, *_ in _steps(env, 2)] == [1, 2]

    def test_a_time_limit_outside_still_truncates(self, truncates):
        env = gym.wrappers.TimeLimit(FixedHorizon(Countdown(truncates)), 5)
        assert [step[2:4] for step in _steps(env, 5)] == [(False, False)] * 4 + [(False, True)]


def test_fixed_horizon_knows_two_ends():
    with pytest.raises(ValueError, match=r"unknown on_end 'asorb'\. Known: absorb, reset"):
        FixedHorizon(Countdown(), on_end="asorb")


def test_true_reward_is_in_info_and_nothing_else_changes():
    assert _steps(TrueReward(Countdown()), 1) == [(1, 1.0, False, False, {"count": 1, "true_reward": 1.0})]


def test_hide_reward_leaves_it_in_info_alone():
    assert _steps(HideReward(Countdown()), 1) == [(1, 0.0, False, False, {"count": 1, "true_reward": 1.0})]


def test_hide_reward_keeps_a_true_reward_that_is_hidden_already():
    assert _steps(HideReward(HideReward(Countdown())), 1)[0][-1]["true_reward"] == 1.0


class TestRenderState:
    def test_mujoco_positions(self):
        env = RenderState(gym.make("prefrl/Hopper-v0"))
        env.reset(seed=0)
        env.step(env.action_space.sample())
        assert env.render_state().nbytes == 24
        np.testing.assert_array_equal(env.render_state(), env.unwrapped.data.qpos.astype(np.float32))

    def test_classic_control_state(self):
        env = RenderState(gym.make("prefrl/CartPole-v0"))
        obs, _ = env.reset(seed=0)
        np.testing.assert_array_equal(env.render_state(), obs)

    def test_pendulum_has_its_arrow_too(self):
        env = RenderState(gym.make("prefrl/Pendulum-v0"))
        env.reset(seed=0)
        env.step(np.array([0.5], np.float32))
        np.testing.assert_allclose(env.render_state(), [*env.unwrapped.state, 0.5], rtol=1e-6)

    def test_nothing_where_no_numbers_draw_it(self):
        env = RenderState(Countdown())
        env.reset()
        assert env.render_state() is None


class TestMakeEnv:
    def test_a_name_of_the_suite_has_its_own_horizon(self):
        assert len(_until_truncated(make_env(TaskConfig("pointgoal")))) == 50

    def test_a_horizon_overrides_it(self):
        assert len(_until_truncated(make_env(TaskConfig("prefrl/PointGoal-v0", horizon=7)))) == 7

    @pytest.mark.parametrize("on_end", ["absorb", "reset"])
    def test_another_environment_gets_a_fixed_horizon_beyond_its_own(self, on_end):
        steps = _until_truncated(make_env(TaskConfig("CartPole-v1", horizon=600, on_end=on_end)))
        assert len(steps) == 600  # CartPole-v1 ends after 500, and falls long before
        assert sum(step[-1]["true_reward"] for step in steps) == (
            600 if on_end == "reset" else pytest.approx(20, abs=15)
        )

    def test_without_a_horizon_it_says_why_not(self):
        with pytest.raises(
            ValueError, match=r"CartPole-v1 may end its episodes early.*tell the agent.*fix it with `horizon`"
        ):
            make_env(TaskConfig("CartPole-v1"))


def _steps(env, num):
    env.reset(seed=0)
    steps = (env.step(0) for _ in range(num))
    return [(obs.item(), *rest) for obs, *rest in steps]


def _until_truncated(env):
    env.reset(seed=0)
    env.action_space.seed(0)
    steps = [env.step(env.action_space.sample())]
    while not steps[-1][3]:
        steps.append(env.step(env.action_space.sample()))
    return steps
