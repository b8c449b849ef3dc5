"""Whatever is saved in the middle of an episode goes on from there, bit for bit."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import FrameStackObservation
from prefrl_envs import snapshots
from prefrl_envs.suite import tasks
from prefrl_envs.task import TaskConfig
from prefrl_envs.wrappers import TrueReward, make_env
from safetensors.numpy import load, save

from prefrl.rollouts import Recorder
from prefrl.vecenv import MonitoredVecEnv, make_vec_env


def through_a_file(state):
    return load(save({name: np.asarray(array, order="C") for name, array in state.items()}))


def stepped(venv, actions):
    """Everything that an agent, an oracle and a viewer get to see."""
    seen = []
    for action in actions:
        obs, rewards, dones, infos = venv.step(action)
        scores = [(info["true_reward"], info.get("oracle_reward"), info.get("game_score")) for info in infos]
        obs = obs if isinstance(obs, dict) else {"obs": obs}
        seen.append([*obs.values(), rewards, dones, np.array(scores, float), venv.render_states().copy()])
    return seen


def assert_same(first, second):
    for one, two in zip(first, second, strict=True):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("row", tasks(), ids=lambda row: row.id)
def test_every_task_of_the_suite_goes_on_where_it_was(row):
    venv = make_vec_env(TaskConfig(row.id, horizon=30), 2, seed=3, practice=True)
    other = make_vec_env(TaskConfig(row.id, horizon=30), 2, seed=4, practice=True)
    venv.action_space.seed(0)
    actions = [np.stack([venv.action_space.sample() for _ in range(2)]) for _ in range(80)]
    for each in (venv, other):
        each.reset()
    stepped(venv, actions[:13])
    stepped(other, actions[:5])
    state = through_a_file(venv.get_state())
    expected = stepped(venv, actions[13:])  # two episodes end meanwhile
    other.set_state(state)
    assert_same(expected, stepped(other, actions[13:]))
    for each in (venv, other):
        each.close()


@pytest.mark.parametrize("threads", [(1, 2), (2, 1), (3, 2)])
def test_games_go_on_whatever_number_of_processes_plays_them(threads):
    """A game ends meanwhile, and its no-ops are drawn by the generator that was saved."""
    venv, other = (make_vec_env(TaskConfig("prefrl/Breakout-v0"), 3, seed=1, threads=number) for number in threads)
    actions = np.random.default_rng(0).integers(4, size=(330, 3))
    venv.reset()
    stepped(venv, actions[:100])
    state = through_a_file(venv.get_state())
    expected = stepped(venv, actions[100:])
    other.set_state(state)
    assert_same(expected, stepped(other, actions[100:]))
    assert any(np.isfinite(step[-2][:, 2]).any() for step in expected)
    for each in (venv, other):
        each.close()


def test_an_episode_that_is_held_at_its_end_stays_held():
    env, other = (make_env(TaskConfig("prefrl/CartPole-v0", 60)) for _ in range(2))
    env.reset(seed=0)
    for _ in range(20):
        held, *_ = env.step(1)  # the pole falls after ten steps
    other.reset(seed=1)
    snapshots.set_state(other, snapshots.get_state(env))
    obs, reward, *_ = other.step(0)
    np.testing.assert_array_equal(obs, held)
    assert reward == 0
    held[:] = 0
    assert env.step(0)[0].any()  # what was handed out is not what is held


def test_an_environment_from_elsewhere_may_offer_its_state():
    gym.register("Counting-v0", entry_point=_Counting)
    gym.register("Silent-v0", entry_point=_Silent)
    env, other = (make_env(TaskConfig("Counting-v0", 10)) for _ in range(2))
    env.reset(seed=0)
    for _ in range(7):
        env.step(0)
    snapshots.set_state(other, snapshots.get_state(env))
    ends = [other.step(0) for _ in range(3)]
    assert [float(obs[0]) for obs, *_ in ends] == [8, 9, 10]
    assert [truncated for *_, truncated, _ in ends] == [False, False, True]
    assert snapshots.get_state(make_env(TaskConfig("Silent-v0", 10))) is None
    venv = make_vec_env(TaskConfig("Silent-v0", 10), 2, seed=0)
    recorder = Recorder(MonitoredVecEnv(venv))
    recorder.reset()
    assert recorder.get_state() is None


class _Silent(gym.Env):
    observation_space = gym.spaces.Box(0, np.inf, (1,), np.float64)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, render_mode=None):
        self.count = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return np.zeros(1), {}

    def step(self, action):
        self.count += 1
        return np.array([float(self.count)]), 0.0, False, False, {}


class _Counting(_Silent):
    def get_state(self):
        return {"count": np.array(self.count)}

    def set_state(self, state):
        self.count = int(state["count"])


class _OtherMeaning(_Silent):
    def get_state(self):
        return np.zeros(3)

    def set_state(self, positions, velocities):
        raise AssertionError("not with these")


class _WithArguments(_OtherMeaning):
    def get_state(self, joint):
        return {"joint": np.zeros(1)}


@pytest.mark.parametrize("kind", [_OtherMeaning, _WithArguments])
def test_methods_of_that_name_with_another_meaning_are_none(kind):
    assert snapshots.get_state(kind()) is None


def test_a_wrapper_that_may_have_a_state_and_gives_none_is_not_passed_over():
    """Its stack would be empty where the run that was not stopped has the latest frames in it."""
    assert snapshots.get_state(FrameStackObservation(_Counting(), 3)) is None


def test_a_wrapper_that_gives_its_state_speaks_for_what_is_inside():
    env = _Speaks(FrameStackObservation(_Silent(), 3))
    env.reset()
    assert list(snapshots.get_state(TrueReward(env))) == ["1.all"]


class _Speaks(gym.Wrapper):
    def get_state(self):
        return {"all": np.zeros(1)}

    def set_state(self, state):
        pass
