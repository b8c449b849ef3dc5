import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.vec_env import DummyVecEnv

from prefrl.rewards.config import RewardConfig
from prefrl.rewards.ensemble import RewardEnsemble
from prefrl.rewards.vec_env import LearnedRewardVecEnv
from prefrl.rewards.wrapper import LearnedReward

TOY = "prefrl/PointGoal-v0"


def first_number(obs, actions):
    """A learned reward that is easy to check: the first number of the observation plus that of the action."""
    return obs["obs"][:, 0] + 10 * actions[:, 0]


def test_pays_for_the_observation_before_the_action_and_keeps_the_true_reward():
    plain, learned = gym.make(TOY), LearnedReward(gym.make(TOY), first_number)
    plain.reset(seed=3)
    obs, _ = learned.reset(seed=3)
    plain.action_space.seed(0)
    for _ in range(5):
        action = plain.action_space.sample()
        _, true_reward, *_ = plain.step(action)
        new_obs, reward, _, _, info = learned.step(action)
        assert reward == pytest.approx(float(obs[0] + 10 * action[0]), abs=1e-6)
        assert info["true_reward"] == true_reward
        obs = new_obs


class Rewrites(gym.Env):
    """Writes every observation into one array, and changes the action that it was given."""

    observation_space = gym.spaces.Box(0, 10, (1,), np.float64)
    action_space = gym.spaces.Box(-1, 1, (1,), np.float64)

    def __init__(self):
        self._obs = np.zeros(1)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._obs[:] = 0
        return self._obs, {}

    def step(self, action):
        self._obs += 1
        action[:] = 0
        return self._obs, 0.0, False, False, {}


def test_what_is_paid_for_is_what_was_seen_and_done_whatever_the_environment_does_with_its_arrays():
    env = LearnedReward(Rewrites(), first_number)
    env.reset()
    rewards = [env.step(np.array([0.05]))[1] for _ in range(3)]
    assert rewards == pytest.approx([0.5, 1.5, 2.5])


def test_of_several_environments_too():
    venv = LearnedRewardVecEnv(DummyVecEnv([Rewrites, Rewrites]), first_number)
    obs = venv.reset()
    obs[:] = 7  # whoever got it may do with it what they like
    rewards = [venv.step(np.full((2, 1), 0.05))[1][0] for _ in range(3)]
    assert rewards == pytest.approx([0.5, 1.5, 2.5])


class Named(gym.Env):
    """Has an observation of whatever space it is made for."""

    action_space = gym.spaces.Discrete(2)

    def __init__(self, space):
        self.observation_space = space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), 0.0, False, False, {}


BOX = gym.spaces.Box(-1, 1, (2,))


@pytest.mark.parametrize("space, shapes", [
    (BOX, {"obs": (1, 2)}),
    (gym.spaces.Discrete(3), {"obs": (1,)}),
    (gym.spaces.Tuple([BOX, BOX]), {"obs": (1, 2, 2)}),
    (gym.spaces.Dict({"pose": BOX, "mode": gym.spaces.Discrete(3)}), {"pose": (1, 2), "mode": (1,)}),
])  # fmt: skip
def test_the_reward_reads_observations_by_name_whatever_the_space(space, shapes):
    def reward(obs, actions):
        assert {name: rows.shape for name, rows in obs.items()} == shapes
        return np.ones(1)

    env = LearnedReward(Named(space), reward)
    env.reset(seed=0)
    assert env.step(0)[1] == 1.0


def test_remains_a_proper_environment():
    env = gym.make(TOY)
    ensemble = RewardEnsemble(env.observation_space, env.action_space, RewardConfig(), seed=0)
    check_env(LearnedReward(env.unwrapped, ensemble), skip_render_check=True)


def test_vectorised_equals_single():
    single = LearnedReward(gym.make(TOY), first_number)
    vec = LearnedRewardVecEnv(DummyVecEnv([lambda: gym.make(TOY)]), first_number)
    vec.seed(5)
    assert np.allclose(vec.reset()[0], single.reset(seed=5)[0])
    rng = np.random.default_rng(0)
    for _ in range(20):
        action = rng.uniform(-1, 1, single.action_space.shape).astype(np.float32)
        obs, reward, _, _, info = single.step(action)
        vec_obs, vec_rewards, _, vec_infos = vec.step(action[None])
        assert np.allclose(vec_obs[0], obs)
        assert vec_rewards[0] == pytest.approx(reward)
        assert vec_infos[0]["true_reward"] == pytest.approx(info["true_reward"])


def test_sb3_trains_on_it():
    from stable_baselines3 import PPO

    env = gym.make(TOY)
    ensemble = RewardEnsemble(env.observation_space, env.action_space, RewardConfig(), seed=0)
    model = PPO("MlpPolicy", LearnedRewardVecEnv(DummyVecEnv([lambda: gym.make(TOY)]), ensemble), n_steps=64)
    model.learn(64)
    assert model.num_timesteps == 64
