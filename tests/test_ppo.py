"""The agent: rewards paid once a rollout are those of the per-step wrapper, and policy.zip stands alone."""

import dataclasses

import numpy as np
import pytest
import torch
from agents import iterate, make_agent
from gymnasium import spaces
from prefrl_envs.task import TaskConfig
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import CallbackList
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecMonitor

from prefrl.agents import sb3
from prefrl.agents.buffers import ReturnScale
from prefrl.agents.config import PpoConfig
from prefrl.agents.ppo import check_spaces, decay_rates, make_ppo
from prefrl.devices import choose_device
from prefrl.rewards.config import RewardConfig
from prefrl.rewards.ensemble import RewardEnsemble
from prefrl.rewards.vec_env import LearnedRewardVecEnv
from prefrl.seeds import Purpose, seed_of
from prefrl.segments import map_arrays
from prefrl.vecenv import make_vec_env

BOX = spaces.Box(-1, 1, (2,))
TOY = "prefrl/PointGoal-v0"
CONFIG = PpoConfig(num_envs=4, n_steps=64, batch_size=64, n_epochs=2, scale_rewards=False)


def toy_env(env_id=TOY):
    return VecMonitor(make_vec_env(TaskConfig(env_id), CONFIG.num_envs, seed=0))


def paid_by_rollout(reward, env_id=TOY, rollouts=3):
    """An agent that is paid by `reward` once a rollout, and the rewards of its rollouts."""
    agent, rewards = make_agent(env_id, CONFIG), []

    def pay(rollout):
        rewards.append(reward(map_arrays(rollout.obs, flat), flat(rollout.actions)).reshape(rollout.dones.shape))
        return rewards[-1]

    for _ in range(rollouts):
        iterate(agent, pay)
    return agent, rewards


def flat(array):
    """[T, N, ...] -> [T * N, ...]."""
    return array.reshape(-1, *array.shape[2:])


def paid_by_step(reward, rollouts=3):
    """The same algorithm, driven by hand, paid by `reward` at every step, and its rewards."""
    env = LearnedRewardVecEnv(toy_env(), reward)
    agent = make_agent(TOY, CONFIG)
    model, rewards = make_ppo(env, CONFIG, seed=0, device="cpu"), []
    model.policy.load_state_dict(agent._model.policy.state_dict())
    model.set_logger(Logger(None, []))
    callback = CallbackList([])
    callback.init_callback(model)
    env.seed(seed_of(0, Purpose.ENVIRONMENTS, 0))
    step_wait = env.step_wait

    def noting():
        out = step_wait()
        rewards.append(np.array(out[1]))
        return out

    env.step_wait = noting
    for _ in range(rollouts):
        agent._model.num_timesteps = model.num_timesteps
        agent._seed_draws(Purpose.ITERATION, agent.step)
        model.learn(0, reset_num_timesteps=False)
        model.collect_rollouts(model.env, callback, model.rollout_buffer, CONFIG.n_steps)
        model.rollout_buffer.pay(np.zeros((CONFIG.n_steps, CONFIG.num_envs)))
        model.update()
    return model, np.array(rewards).reshape(rollouts, CONFIG.n_steps, CONFIG.num_envs)


def elementwise(obs, actions):
    """Does not depend on the size of its batch."""
    return (np.asarray(obs["obs"], np.float32)[:, 0] * np.float32(2) - np.asarray(actions, np.float32)[:, 1]).astype(
        np.float32
    )


def test_paying_once_a_rollout_equals_the_wrapper_bit_for_bit():
    by_rollout, paid = paid_by_rollout(elementwise, rollouts=1)
    by_step, wrapped = paid_by_step(elementwise, rollouts=1)
    assert np.array_equal(paid, wrapped)
    for a, b in zip(by_rollout.policy.parameters(), by_step.policy.parameters(), strict=True):
        assert torch.equal(a, b)


def test_paying_once_a_rollout_equals_the_wrapper_for_the_ensemble_within_1e_4():
    env = toy_env()
    ensemble = RewardEnsemble(env.observation_space, env.action_space, RewardConfig(), seed=0)
    _, paid = paid_by_rollout(ensemble, rollouts=1)
    _, wrapped = paid_by_step(ensemble, rollouts=1)
    assert np.abs(paid - wrapped).max() < 1e-4


@pytest.mark.parametrize("env_id", ["prefrl/ChainWalk-v0", "prefrl/PixelGoal-v0", "prefrl/TwoDials-v0"])
def test_every_kind_of_observation_and_action_trains(env_id):
    env = toy_env(env_id)
    ensemble = RewardEnsemble(env.observation_space, env.action_space, RewardConfig(), seed=0)
    agent, rewards = paid_by_rollout(ensemble, env_id, rollouts=1)
    assert agent.step == agent.iteration_steps == CONFIG.n_steps * CONFIG.num_envs
    assert np.isfinite(rewards).all()


def test_a_truncated_episode_is_worth_what_its_last_observation_is_worth_and_nothing_else():
    """With all rewards 0 the buffer's are gamma V(last observation) at an episode's end, and 0 elsewhere."""
    agent = make_agent(TOY, dataclasses.replace(CONFIG, scale_rewards=True))
    model, last = agent._model, []
    step_wait = agent._recorder.venv.step_wait

    def noting():
        out = step_wait()
        last.append([info.get("terminal_observation") for info in out[3]])
        return out

    agent._recorder.venv.step_wait = noting
    rollout = agent.collect()
    expected = {}
    for step, observations in enumerate(last):
        for env, obs in enumerate(observations):
            if obs is not None:
                value = model.policy.predict_values(torch.as_tensor(obs[None], dtype=torch.float32))
                expected[step, env] = CONFIG.gamma * value.item()
    agent.update(rollout, rollout.true_rewards * 0)
    rewards = model.rollout_buffer.rewards
    assert expected
    assert {tuple(index) for index in np.argwhere(rewards)} == set(expected)
    assert all(rewards[index] == pytest.approx(value, rel=1e-4) for index, value in expected.items())


def test_the_scaled_rewards_are_those_of_the_same_scale_step_by_step():
    agent = make_agent(TOY, dataclasses.replace(CONFIG, scale_rewards=True))
    rollout = iterate(agent)
    buffer, scale = agent._model.rollout_buffer, ReturnScale(CONFIG.num_envs, CONFIG.gamma)
    expected = scale(rollout.true_rewards, buffer.episode_starts)
    inner = ~rollout.dones  # at an episode's end the value of its last observation comes on top
    assert np.allclose(buffer.rewards[inner], expected[inner], atol=1e-5)
    assert not np.allclose(buffer.rewards[inner], rollout.true_rewards[inner])


def test_rewards_are_not_scaled_where_the_agent_says_not_to():
    """Under paper2017 a game's learned reward has a standard deviation of 0.05, which scaling would undo."""
    agent = make_agent(TOY, CONFIG)
    rollout = iterate(agent)
    inner = ~rollout.dones
    assert np.array_equal(agent._model.rollout_buffer.rewards[inner], rollout.true_rewards[inner])


@pytest.mark.parametrize(("share", "random"), [(0.5, [1, 3, 5, 7]), (0.25, [3, 7]), (0, []), (1, range(8))])
def test_before_the_first_comparisons_a_share_of_the_environments_acts_at_random(share, random, monkeypatch):
    agent = make_agent(TOY, dataclasses.replace(CONFIG, num_envs=8))
    monkeypatch.setattr(sb3.Sb3Policy, "act", lambda *_, deterministic: np.zeros((8, 2), np.float32))
    monkeypatch.setattr(sb3, "act_randomly", lambda *_: lambda obs: np.ones((8, 2), np.float32))
    rollout = agent.explore(40, share)
    assert agent.step == 40
    np.testing.assert_array_equal(rollout.actions[..., 0].all(axis=0), np.isin(np.arange(8), list(random)))


@pytest.mark.parametrize(
    "observation, action, message",
    [
        (BOX, spaces.Tuple((BOX, BOX)), "actions are a Tuple space"),
        (spaces.Tuple((BOX, BOX)), BOX, "'observation' is a Tuple space"),
        (spaces.Dict({"a": spaces.Dict({"b": BOX})}), BOX, "'a' is a Dict space"),
        (spaces.Box(0, 255, (20, 20, 3), np.uint8), BOX, "at least 36x36"),
        (BOX, spaces.Discrete(3, start=5), "counted from 0"),
    ],
)
def test_spaces_that_sb3_cannot_read_are_refused_by_name(observation, action, message):
    with pytest.raises(ValueError, match=message):
        check_spaces(observation, action)


def test_the_policy_alone_acts_as_it_did(tmp_path):
    """Loaded by plain SB3 on raw observations, without the reward model or anything beside the zip."""
    agent = make_agent(TOY, CONFIG)
    iterate(agent)
    agent.policy.observe({"obs": np.random.default_rng(0).normal(3, 5, (1000, 1, *BOX.shape))})
    agent.save_policy(tmp_path / "policy.zip")
    env = toy_env()
    env.seed(11)
    expected = evaluate_policy(agent._model, env, n_eval_episodes=4)
    env.seed(11)
    assert evaluate_policy(PPO.load(tmp_path / "policy.zip"), env, n_eval_episodes=4) == expected
    assert (tmp_path / "policy.zip").stat().st_size < 200_000


def test_a_saved_agent_continues_as_if_it_had_never_stopped(tmp_path):
    first, second = (make_agent(TOY, CONFIG) for _ in range(2))
    iterate(first)
    first.save(tmp_path)
    assert second.load(tmp_path)
    for agent in (first, second):
        iterate(agent)
    assert first.step == second.step == 2 * first.iteration_steps
    assert torch.equal(weights(first), weights(second))


def test_fresh_weights_keep_only_what_is_known_of_the_observations():
    first, second = (make_agent(TOY, CONFIG) for _ in range(2))
    for agent in (first, second):
        iterate(agent)
    first.policy.observe({"obs": np.ones((3, 1, 2), np.float32)})
    torch.manual_seed(0)
    drawn_next = torch.rand(1)
    torch.manual_seed(0)
    first.reinitialize(seed=1)
    assert torch.equal(torch.rand(1), drawn_next)
    assert (weights(first) != weights(second)).float().mean() > 0.9
    assert not first._model.policy.optimizer.state
    assert first._average.n_averaged == 0
    assert first._model.policy.features_extractor.moments.count == CONFIG.n_steps * CONFIG.num_envs + 3
    second.reinitialize(seed=1)
    assert torch.equal(weights(first), weights(second))


def test_an_update_that_leaves_weights_that_are_not_finite_is_one_clear_line():
    agent = make_agent(TOY, dataclasses.replace(CONFIG, learning_rate=1e30))
    with pytest.raises(ValueError, match="the policy diverged: its weights are not finite"):
        iterate(agent)


def weights(agent):
    return torch.nn.utils.parameters_to_vector(agent.policy.parameters()).detach()


def test_the_agent_before_a_fresh_one_decays_up_to_it():
    model = make_agent(TOY, CONFIG)._model
    config = PpoConfig(learning_rate=1e-3, learning_rate_decay=1.0, reset_step=400)
    rates = []
    for model.num_timesteps in (0, 300, 400, 700):
        decay_rates(model, config, steps=1000)
        rates.append(model.lr_schedule(1.0))
    assert rates == pytest.approx([1e-3, 0.25e-3, 1e-3, 0.5e-3])


def test_the_clip_range_decays_over_the_run():
    model, config = make_agent(TOY, CONFIG)._model, PpoConfig(clip_range=0.1, clip_range_decay=1.0)
    model.num_timesteps = 250
    decay_rates(model, config, steps=1000)
    assert model.clip_range(1.0) == pytest.approx(0.075)


def test_showing_observations_changes_how_the_policy_sees():
    agent = make_agent(TOY, CONFIG)
    network = agent._model.policy.features_extractor
    obs = torch.full((1, *BOX.shape), 3.0)
    before = network(obs).clone()
    agent.policy.observe({"obs": np.random.default_rng(0).normal(3, 1, (100, 1, *BOX.shape))})
    assert before.abs().max() == 3.0
    assert network(obs).abs().max() < 0.5


def test_return_scale_brings_returns_to_a_standard_deviation_of_one(rng):
    scale = ReturnScale(num_envs=4, gamma=0.9)
    starts = np.zeros((500, 4))
    scale(rng.normal(0, 100, (500, 4)), starts)
    scaled = scale(rng.normal(0, 100, (500, 4)), starts)
    # The discounted sum of independent rewards has 1 / (1 - gamma^2) times their variance.
    assert scaled.std() == pytest.approx(np.sqrt(1 - 0.9**2), rel=0.1)


def test_return_scale_starts_anew_with_an_episode():
    scale = ReturnScale(num_envs=1, gamma=1.0)
    scale(np.ones((3, 1)), np.array([[1], [0], [1]]))
    assert scale.returns.tolist() == [1.0]


def test_a_device_that_is_not_there_is_refused():
    assert choose_device("auto") in ("cpu", "cuda")
    with pytest.raises(ValueError, match="unknown device 'gpu'"):
        choose_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="this machine has no cuda device"):
            choose_device("cuda")
