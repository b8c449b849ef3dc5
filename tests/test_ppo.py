"""The agent: rewards filled in once a rollout are those of the per-step wrapper, and policy.zip stands alone."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import VecMonitor

from prefrl.agents.buffers import ReturnScale
from prefrl.agents.features import observe
from prefrl.agents.ppo import (
    check_spaces,
    choose_device,
    decay_rates,
    learn_one_rollout,
    make_ppo,
    reset_agent,
    set_rewards,
)
from prefrl.config import PpoConfig, RewardConfig
from prefrl.rewards.ensemble import Ensemble
from prefrl.rewards.wrapper import LearnedRewardVecEnv
from prefrl.rollouts import Recorder
from prefrl.segments import map_arrays
from prefrl.vecenv import make_vec_env

BOX = spaces.Box(-1, 1, (2,))
TOY = "prefrl/PointGoal-v0"
CONFIG = PpoConfig(num_envs=4, n_steps=64, batch_size=64, n_epochs=2)


def toy_env(env_id=TOY):
    return VecMonitor(make_vec_env(env_id, CONFIG.num_envs, seed=0))


def agent(env, config=CONFIG):
    set_random_seed(0)
    model = make_ppo(env, config, seed=0, device="cpu")
    model.set_logger(Logger(None, []))
    return model


def filled(reward, env_id=TOY, rollouts=3):
    """An agent that is paid by `reward` once a rollout, and the rewards of its last one."""
    recorder = Recorder(toy_env(env_id))
    model, rewards = agent(recorder), []

    def fill():
        rollout = recorder.take()
        steps = (
            map_arrays(rows, lambda array: array.reshape(-1, *array.shape[2:]))
            for rows in (rollout.obs, rollout.actions)
        )
        rewards.append(reward(*steps).reshape(rollout.dones.shape))
        return rewards[-1]

    set_rewards(model, fill, None)
    for _ in range(rollouts):
        learn_one_rollout(model)
    return model, rewards


def wrapped(reward, env_id=TOY, rollouts=3):
    """An agent that is paid by `reward` at every step, and its rewards."""
    env = LearnedRewardVecEnv(toy_env(env_id), reward)
    model, rewards = agent(env), []
    step_wait = env.step_wait

    def noting():
        out = step_wait()
        rewards.append(np.array(out[1]))
        return out

    env.step_wait = noting
    set_rewards(model, lambda: np.zeros((CONFIG.n_steps, CONFIG.num_envs), np.float32), None)
    for _ in range(rollouts):
        learn_one_rollout(model)
    return model, np.array(rewards).reshape(rollouts, CONFIG.n_steps, CONFIG.num_envs)


def elementwise(obs, actions):
    """Does not depend on the size of its batch."""
    return (np.asarray(obs, np.float32)[:, 0] * np.float32(2) - np.asarray(actions, np.float32)[:, 1]).astype(
        np.float32
    )


def test_filling_equals_the_wrapper_bit_for_bit():
    by_rollout, filled_rewards = filled(elementwise)
    by_step, wrapped_rewards = wrapped(elementwise)
    assert np.array_equal(filled_rewards, wrapped_rewards)
    for a, b in zip(by_rollout.policy.parameters(), by_step.policy.parameters(), strict=True):
        assert torch.equal(a, b)


def test_filling_equals_the_wrapper_for_the_ensemble_within_1e_4():
    env = toy_env()
    ensemble = Ensemble(env.observation_space, env.action_space, RewardConfig(), seed=0)
    _, filled_rewards = filled(ensemble, rollouts=1)
    _, wrapped_rewards = wrapped(ensemble, rollouts=1)
    assert np.abs(filled_rewards - wrapped_rewards).max() < 1e-4


@pytest.mark.parametrize("env_id", ["prefrl/ChainWalk-v0", "prefrl/PixelGoal-v0", "prefrl/TwoDials-v0"])
def test_every_kind_of_observation_and_action_trains(env_id):
    env = toy_env(env_id)
    ensemble = Ensemble(env.observation_space, env.action_space, RewardConfig(), seed=0)
    model, rewards = filled(ensemble, env_id, rollouts=1)
    assert model.num_timesteps == CONFIG.n_steps * CONFIG.num_envs
    assert np.isfinite(rewards).all()


def test_a_truncated_episode_is_worth_what_its_last_observation_is_worth_and_nothing_else():
    """With all rewards 0 the buffer's are gamma V(last observation) at an episode's end, and 0 elsewhere."""
    recorder = Recorder(toy_env())
    model = agent(recorder)
    expected, last = {}, []
    step_wait = recorder.venv.step_wait

    def noting():
        out = step_wait()
        last.append([info.get("terminal_observation") for info in out[3]])
        return out

    def fill():
        for step, observations in enumerate(last):
            for env, obs in enumerate(observations):
                if obs is not None:
                    value = model.policy.predict_values(torch.as_tensor(obs[None], dtype=torch.float32))
                    expected[step, env] = CONFIG.gamma * value.item()
        return recorder.take().true_rewards * 0

    recorder.venv.step_wait = noting
    set_rewards(model, fill, ReturnScale(CONFIG.num_envs, CONFIG.gamma))
    learn_one_rollout(model)
    rewards = model.rollout_buffer.rewards
    assert expected
    assert {tuple(index) for index in np.argwhere(rewards)} == set(expected)
    assert all(rewards[index] == pytest.approx(value, rel=1e-4) for index, value in expected.items())


def test_the_scaled_rewards_are_those_of_the_same_scale_step_by_step():
    recorder = Recorder(toy_env())
    model, rollouts = agent(recorder), []

    def fill():
        rollouts.append(recorder.take())
        return rollouts[-1].true_rewards

    set_rewards(model, fill, ReturnScale(CONFIG.num_envs, CONFIG.gamma))
    learn_one_rollout(model)
    buffer, scale = model.rollout_buffer, ReturnScale(CONFIG.num_envs, CONFIG.gamma)
    expected = scale(rollouts[0].true_rewards, buffer.episode_starts)
    inner = ~rollouts[0].dones  # at an episode's end the value of its last observation comes on top
    assert np.allclose(buffer.rewards[inner], expected[inner], atol=1e-5)
    assert not np.allclose(buffer.rewards[inner], rollouts[0].true_rewards[inner])


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
    recorder = Recorder(toy_env())
    model = agent(recorder)
    set_rewards(model, lambda: recorder.take().true_rewards, None)
    learn_one_rollout(model)
    observe(model, np.random.default_rng(0).normal(3, 5, (1000, *recorder.observation_space.shape)))
    model.save(tmp_path / "policy.zip")
    env = toy_env()
    env.seed(11)
    expected = evaluate_policy(model, env, n_eval_episodes=4)
    env.seed(11)
    assert evaluate_policy(PPO.load(tmp_path / "policy.zip"), env, n_eval_episodes=4) == expected
    assert (tmp_path / "policy.zip").stat().st_size < 200_000


def test_a_reset_forgets_all_but_what_is_known_of_the_observations():
    (first, _), (second, _) = (filled(lambda obs, actions: obs[:, 0], rollouts=2) for _ in range(2))
    observe(first, np.ones((3, 2), np.float32))
    torch.manual_seed(0)
    drawn_next = torch.rand(1)
    torch.manual_seed(0)
    reset_agent(first, seed=1)
    assert torch.equal(torch.rand(1), drawn_next)
    weights = [torch.nn.utils.parameters_to_vector(model.policy.parameters()).detach() for model in (first, second)]
    assert (weights[0] != weights[1]).float().mean() > 0.9
    assert not first.policy.optimizer.state
    assert first.policy.features_extractor.moments.count == 3
    reset_agent(second, seed=1)
    assert torch.equal(weights[0], torch.nn.utils.parameters_to_vector(second.policy.parameters()))


def test_the_agent_before_a_fresh_one_decays_up_to_it():
    model, config = agent(toy_env()), PpoConfig(learning_rate=1e-3, learning_rate_decay=1.0, reset_step=400)
    rates = []
    for model.num_timesteps in (0, 300, 400, 700):
        decay_rates(model, config, steps=1000)
        rates.append(model.lr_schedule(1.0))
    assert rates == pytest.approx([1e-3, 0.25e-3, 1e-3, 0.5e-3])


def test_the_clip_range_decays_over_the_run():
    model, config = agent(toy_env()), PpoConfig(clip_range=0.1, clip_range_decay=1.0)
    model.num_timesteps = 250
    decay_rates(model, config, steps=1000)
    assert model.clip_range(1.0) == pytest.approx(0.075)


def test_showing_observations_changes_how_the_policy_sees():
    model = agent(Recorder(toy_env()))
    obs = np.full((1, *model.observation_space.shape), 3.0, np.float32)
    before = model.policy.features_extractor(torch.as_tensor(obs)).clone()
    observe(model, np.random.default_rng(0).normal(3, 1, (100, *model.observation_space.shape)))
    after = model.policy.features_extractor(torch.as_tensor(obs))
    assert before.abs().max() == 3.0
    assert after.abs().max() < 0.5


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
