import gymnasium as gym
import numpy as np
import pytest
from prefrl_envs.suite import tasks
from prefrl_envs.vector import MujocoBatch

MUJOCO = [row.id for row in tasks() if "mujoco" in row.tags]


@pytest.mark.parametrize("env_id", MUJOCO)
def test_a_batch_equals_single_environments_bit_for_bit(env_id):
    """Observations, rewards and render states over more than three episodes, resets included."""
    num_envs, horizon = 3, 25
    batch = MujocoBatch(env_id, num_envs, num_threads=2, horizon=horizon)
    envs = [gym.make(env_id, max_episode_steps=horizon) for _ in range(num_envs)]
    obs = batch.reset([7, 8, 9])
    assert obs.dtype == batch.observation_space.dtype
    np.testing.assert_array_equal(obs, [env.reset(seed=7 + i)[0] for i, env in enumerate(envs)])
    rng = np.random.default_rng(0)
    for step in range(1, 3 * horizon + 5):
        actions = rng.uniform(-1, 1, (num_envs, *batch.action_space.shape)).astype(np.float32)
        obs, true_rewards, truncated, terminal_obs, *_ = batch.step(actions)
        singles = [env.step(action) for env, action in zip(envs, actions, strict=True)]
        np.testing.assert_array_equal(true_rewards, [info["true_reward"] for *_, info in singles])
        np.testing.assert_array_equal(truncated, [single[3] for single in singles])
        assert truncated.all() == (step % horizon == 0)
        expected = np.stack([single[0] for single in singles])
        if truncated.all():
            np.testing.assert_array_equal(terminal_obs, expected)
            expected = np.stack([env.reset()[0] for env in envs])
        else:
            assert terminal_obs is None
        np.testing.assert_array_equal(obs, expected)
        positions = np.stack([env.unwrapped.data.qpos for env in envs])
        np.testing.assert_array_equal(batch.render_states(), positions.astype(np.float32))


def test_a_whole_episode_of_the_suites_length():
    batch, env = MujocoBatch("prefrl/HalfCheetah-v0", 1), gym.make("prefrl/HalfCheetah-v0")
    batch.reset([0])
    env.reset(seed=0)
    for step, action in enumerate(np.random.default_rng(0).uniform(-1, 1, (1000, 6)), start=1):
        _, true_rewards, truncated, *_ = batch.step(action[None])
        _, _, _, ended, info = env.step(action)
        assert true_rewards[0] == info["true_reward"]
        assert truncated[0] == ended == (step == 1000)


def test_seeds_restart_the_random_numbers_and_none_goes_on_with_them():
    batch = MujocoBatch("prefrl/Reacher-v0", 2)
    first, second = batch.reset([1, 2]), batch.reset()
    assert not (first == second).all(axis=1).any()
    np.testing.assert_array_equal(batch.reset([1, 2]), first)
    np.testing.assert_array_equal(batch.reset([None, 2])[0], second[0])


def test_what_it_returned_does_not_change_later():
    batch = MujocoBatch("prefrl/InvertedPendulum-v0", 2)
    obs = batch.reset([0, 1])
    kept = obs.copy()
    batch.step(np.ones((2, 1)))
    np.testing.assert_array_equal(obs, kept)


def test_looking_at_a_copy_does_not_disturb_it():
    one, two = (MujocoBatch("prefrl/Walker2d-v0", 2) for _ in range(2))
    one.reset([0, 1])
    two.reset([0, 1])
    for step in range(20):
        if step % 5 == 0:
            env = two.env(1)
            np.testing.assert_array_equal(env.data.qpos.astype(np.float32), two.render_states()[1])
            env.step(np.ones(6))
        actions = np.full((2, 6), 0.3)
        np.testing.assert_array_equal(one.step(actions)[0], two.step(actions)[0])


def test_only_mujoco_tasks():
    with pytest.raises(ValueError, match="prefrl/CartPole-v0 is not a MuJoCo task"):
        MujocoBatch("prefrl/CartPole-v0", 2)
