import gymnasium as gym
import numpy as np
import pytest
from prefrl_envs.games import AtariOptions
from prefrl_envs.suite import tasks
from prefrl_envs.task import TaskConfig
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnvWrapper, VecMonitor

from prefrl.vecenv import copy_seeds, make_vec_env


@pytest.mark.parametrize("row", tasks(), ids=lambda row: row.id)
class TestPromises:
    def test_it_goes_as_single_environments_go(self, row):
        """Three episodes of 10 steps: observations, true rewards, ends."""
        venv = make_vec_env(TaskConfig(row.id, horizon=10), 2, seed=5)
        envs = [gym.make(row.id, max_episode_steps=10) for _ in range(2)]
        seeds = copy_seeds(5, 2)
        _assert_equal(venv.reset(), [env.reset(seed=seed)[0] for env, seed in zip(envs, seeds, strict=True)])
        row_space = venv.action_space
        row_space.seed(0)
        for _ in range(30):
            actions = np.stack([row_space.sample() for _ in range(2)])
            obs, rewards, dones, infos = venv.step(actions)
            singles = [env.step(action) for env, action in zip(envs, actions, strict=True)]
            true_rewards = [info["true_reward"] for *_, info in singles]
            assert [info["true_reward"] for info in infos] == true_rewards
            np.testing.assert_array_equal(rewards, np.float32(true_rewards))
            assert rewards.dtype == np.float32
            assert [info["TimeLimit.truncated"] for info in infos] == dones.tolist() == [s[3] for s in singles]
            if dones.all():
                _assert_equal(_stacked([i["terminal_observation"] for i in infos]), [s[0] for s in singles])
                _assert_equal(obs, [env.reset()[0] for env in envs])
            else:
                _assert_equal(obs, [s[0] for s in singles])

    def test_seed_and_reset_restart_it(self, row):
        venv = make_vec_env(TaskConfig(row.id, horizon=10), 2, seed=1)
        first = _play(venv)
        second = _play(venv)
        if row.id != "prefrl/ChainWalk-v0":  # it starts alike in every episode
            assert any(not np.array_equal(a, b) for a, b in zip(first, second, strict=True))
        venv.seed(1)
        for a, b in zip(first, _play(venv), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_render_states_through_wrappers(self, row):
        venv = VecMonitor(VecEnvWrapperThatPasses(make_vec_env(TaskConfig(row.id), 3, seed=0)))
        venv.reset()
        states = venv.render_states()
        assert len(states) == 3
        assert states.dtype == (np.uint8 if row.options is AtariOptions else np.float32)
        venv.step(np.stack([venv.action_space.sample() for _ in range(3)]))
        assert states.shape == venv.render_states().shape
        assert states is not venv.render_states()

    def test_what_sb3_asks(self, row):
        venv = make_vec_env(TaskConfig(row.id), 2, seed=0)
        venv.reset()
        assert venv.get_attr("render_mode") == [None, None]
        assert venv.get_attr("render_mode", indices=1) == [None]
        assert venv.env_is_wrapped(Monitor) == [False, False]
        assert venv.has_attr("observation_space")
        assert not venv.has_attr("no_such_attribute")
        venv.set_attr("mark", 3)
        assert venv.get_attr("mark") == [3, 3]
        venv.close()


class VecEnvWrapperThatPasses(VecEnvWrapper):
    def reset(self):
        return self.venv.reset()

    def step_wait(self):
        return self.venv.step_wait()


def test_a_hidden_reward_is_the_vec_envs_reward():
    venv = make_vec_env(TaskConfig("prefrl/HopperBackflip-v0"), 2, seed=0)
    venv.reset()
    _, rewards, _, infos = venv.step(np.ones((2, 3)))
    np.testing.assert_array_equal(rewards, np.float32([info["true_reward"] for info in infos]))
    assert (rewards != 0).all()


def test_a_game_says_what_its_observations_stack_and_what_an_oracle_compares_by():
    options = AtariOptions(boxes=((0, 100, 0, 160),), end_penalty=9.0, show_score=True)
    venv = VecMonitor(make_vec_env(TaskConfig("prefrl/Breakout-v0", 300, options=options), 2, seed=0))
    assert venv.frame_stack == 4
    obs = venv.reset()
    assert not obs[:, :, :39].any()
    assert venv.render_states()[:, :100].any()
    ends = []
    for _ in range(220):
        _, _, dones, infos = venv.step(np.array([1, 2]))
        assert not dones.any()  # a game's end is none of the agent's business
        ends += [info for info in infos if "game_score" in info]
        assert all(("oracle_reward" in info) == ("game_score" in info) for info in infos)
    assert ends
    assert all(info["oracle_reward"] == info["true_reward"] - 9 for info in ends)


def test_what_is_stepped_one_by_one_stacks_frames_or_does_not():
    assert make_vec_env(TaskConfig("prefrl/EnduroLevel-v0"), 1, seed=0).frame_stack == 4
    assert make_vec_env(TaskConfig("prefrl/PointGoal-v0"), 1, seed=0).frame_stack == 1


def test_env_method_sees_the_copys_state():
    venv = make_vec_env(TaskConfig("prefrl/Hopper-v0"), 2, seed=0)
    venv.reset()
    venv.step(np.ones((2, 3)))
    states = np.stack(venv.env_method("state_vector"))[:, :6]
    np.testing.assert_array_equal(states.astype(np.float32), venv.render_states())


def test_an_environment_outside_the_suite():
    venv = make_vec_env(TaskConfig("CartPole-v1", horizon=30), 2, seed=0)
    lengths = [0, 0]
    venv.reset()
    for step in range(1, 61):
        _, rewards, dones, infos = venv.step(np.zeros(2, int))
        lengths = [0 if done else length + 1 for length, done in zip(lengths, dones, strict=True)]
        assert dones.all() == (step % 30 == 0)
        assert [info["true_reward"] for info in infos] == rewards.tolist()
    assert venv.render_states().shape == (2, 4)


def test_none_where_nothing_draws_it():
    gym.register("NothingToSee-v0", entry_point=_NothingToSee)
    venv = make_vec_env(TaskConfig("NothingToSee-v0", horizon=10), 2, seed=0)
    venv.reset()
    assert venv.render_states() is None


def test_without_a_horizon_it_says_why_not():
    with pytest.raises(ValueError, match="fix it with `horizon`"):
        make_vec_env(TaskConfig("CartPole-v1"), 1, seed=0)


class _NothingToSee(gym.Env):
    observation_space = gym.spaces.Box(0, 1, (1,))
    action_space = gym.spaces.Discrete(2)
    render_mode = None

    def __init__(self, render_mode=None):
        pass

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}


def _play(venv):
    """Every array of three steps of fixed actions, from a reset."""
    venv.action_space.seed(0)
    arrays = list(_values(venv.reset()))
    for _ in range(3):
        obs, rewards, _, _ = venv.step(np.stack([venv.action_space.sample() for _ in range(venv.num_envs)]))
        arrays += [*_values(obs), rewards]
    return arrays


def _stacked(observations):
    if isinstance(observations[0], dict):
        return {key: np.stack([obs[key] for obs in observations]) for key in observations[0]}
    return np.stack(observations)


def _values(obs):
    return obs.values() if isinstance(obs, dict) else [obs]


def _assert_equal(obs, expected):
    expected = _stacked(expected)
    for one, two in zip(_values(obs), _values(expected), strict=True):
        np.testing.assert_array_equal(one, two)
        assert one.dtype == two.dtype


def test_only_an_agent_that_learns_begins_in_the_middle_of_a_flip():
    def spins(practice):
        venv = make_vec_env(TaskConfig("prefrl/HopperBackflip-v0"), 20, seed=0, practice=practice)
        return np.abs(venv.reset()[:, 8])

    assert (spins(practice=False) < 0.1).all()
    assert 5 <= (spins(practice=True) >= 2.0).sum() <= 15
