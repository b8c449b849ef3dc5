"""SAC: a replay that is paid anew, saved whole, and learned from."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from prefrl_envs.task import TaskConfig
from safetensors.numpy import load_file
from stable_baselines3 import SAC
from stable_baselines3.common.vec_env import DummyVecEnv
from test_rlhf import SMALL, run, stop_after

from prefrl.agents.config import SacConfig
from prefrl.agents.sac import REPLAY, SacAgent
from prefrl.playing import load_agent
from prefrl.presets import preset_config
from prefrl.rollouts import Recorder
from prefrl.runs.checkpoints import checkpoints
from prefrl.vecenv import make_vec_env

CONFIG = SacConfig(num_envs=4, n_steps=16, batch_size=32, learning_starts=0, net=(16,), updates_per_step=0.25)
RUN = dataclasses.replace(SMALL, agent=CONFIG, steps=1536, checkpoint_steps=512, clip_steps=25)


def sac(env_id="prefrl/PointGoal-v0", config=CONFIG, total_steps=2048):
    recorder = Recorder(make_vec_env(TaskConfig(env_id), config.num_envs, 0))
    agent = SacAgent(recorder, config, seed=0, total_steps=total_steps)
    agent.begin()
    return agent


def iterate(agent):
    rollout = agent.collect()
    agent.update(rollout, rollout.true_rewards)
    return rollout


def weights(agent):
    return torch.nn.utils.parameters_to_vector(agent.policy.parameters()).detach().clone()


def test_the_replay_holds_each_step_as_it_was_taken_and_paid():
    agent = sac()
    rollouts = [iterate(agent) for _ in range(5)]  # 80 steps of each environment: an episode of 50 ends
    replay = agent._replay
    steps = slice(5 * CONFIG.n_steps)
    obs = np.concatenate([rollout.obs["obs"] for rollout in rollouts])
    np.testing.assert_array_equal(replay.observations[steps], obs)
    np.testing.assert_array_equal(replay.rewards[steps], np.concatenate([r.true_rewards for r in rollouts]))
    actions = agent._model.policy.unscale_action(replay.actions[steps])
    np.testing.assert_array_equal(actions, np.concatenate([rollout.actions for rollout in rollouts]))
    dones = np.concatenate([rollout.dones for rollout in rollouts])
    inner = ~dones[:-1]
    np.testing.assert_array_equal(replay.next_observations[:79][inner], obs[1:][inner])
    assert dones.any()
    assert not np.isin(replay.next_observations[:79][~inner], obs[1:][~inner]).all()  # the end, not the next beginning
    np.testing.assert_array_equal(replay.timeouts[steps], dones)  # no episode of the suite ends but by its length


def test_after_a_fit_all_steps_are_paid_by_the_new_reward():
    agent = sac()
    explored = agent.explore(64, 0.5)
    rollout = iterate(agent)
    agent.relabel(lambda obs, actions: obs["obs"][..., 0].flatten() - 2 * actions[..., 1].flatten())
    paid = agent._replay.rewards[:32]
    for steps, begin in ((explored, 0), (rollout, 16)):
        expected = steps.obs["obs"][..., 0] - 2 * steps.actions[..., 1]
        np.testing.assert_allclose(paid[begin : begin + 16], expected, rtol=1e-5, atol=1e-6)


def test_without_relabeling_steps_stay_paid_as_they_were():
    agent = sac(config=dataclasses.replace(CONFIG, relabel=False))
    rollout = iterate(agent)
    agent.relabel(lambda obs, actions: np.full(actions.shape[0] * actions.shape[1], 7.0))
    np.testing.assert_array_equal(agent._replay.rewards[:16], rollout.true_rewards)


def test_a_full_replay_forgets_the_oldest_steps_and_survives_a_checkpoint(tmp_path):
    config = dataclasses.replace(CONFIG, buffer_steps=40 * CONFIG.num_envs)
    first, second = sac(config=config), sac(config=config)
    rollouts = [iterate(first) for _ in range(4)]
    latest = np.concatenate([rollout.true_rewards for rollout in rollouts])[-40:]
    assert sorted(first._replay.rewards.flatten()) == sorted(latest.flatten())
    first.save(tmp_path)
    assert second.load(tmp_path)
    for agent in (first, second):
        iterate(agent)
    assert torch.equal(weights(first), weights(second))
    np.testing.assert_array_equal(first._replay.rewards, second._replay.rewards)


def test_before_it_starts_to_learn_it_acts_at_random_and_its_weights_stay():
    agent = sac(config=dataclasses.replace(CONFIG, learning_starts=65))
    before = weights(agent)
    rollout = iterate(agent)
    assert torch.equal(weights(agent), before)
    assert np.abs(rollout.actions).mean() == pytest.approx(0.5, abs=0.1)  # uniform in [-1, 1]
    iterate(agent)
    assert not torch.equal(weights(agent), before)


def test_a_fresh_agent_keeps_its_replay_and_begins_with_the_first_temperature():
    agent = sac(config=dataclasses.replace(CONFIG, initial_temperature=0.1, learning_rate=1e-2))
    for _ in range(3):
        iterate(agent)
    before, rewards = weights(agent), agent._replay.rewards.copy()
    assert agent._model.log_ent_coef.item() != pytest.approx(np.log(0.1))
    agent.reinitialize(seed=1)
    assert agent._model.log_ent_coef.item() == pytest.approx(np.log(0.1))
    assert not torch.equal(weights(agent), before)
    np.testing.assert_array_equal(agent._replay.rewards, rewards)
    critics = zip(agent._model.critic.parameters(), agent._model.critic_target.parameters(), strict=True)
    assert all(torch.equal(critic, target) for critic, target in critics)


class Named(gym.Env):
    """Observes its step, negated as well; episodes have 5 steps."""

    observation_space = spaces.Dict({"up": spaces.Box(-9, 9, (1,)), "down": spaces.Box(-9, 9, (1,))})
    action_space = spaces.Box(-1, 1, (1,))

    def reset(self, *, seed=None, options=None):
        self.at = 0
        return self._observed(), {}

    def step(self, action):
        self.at += 1
        return self._observed(), float(self.at), False, self.at == 5, {}

    def _observed(self):
        return {"up": np.array([self.at], np.float32), "down": np.array([-self.at], np.float32)}


class NamedVecEnv(DummyVecEnv):
    def render_states(self):
        return None

    def get_state(self):
        return None


def test_the_replay_of_a_dict_space_has_the_last_observation_of_each_episode_and_is_saved(tmp_path):
    def made():
        agent = SacAgent(Recorder(NamedVecEnv([Named] * CONFIG.num_envs)), CONFIG, seed=0, total_steps=2048)
        agent.begin()
        return agent

    agent, other = made(), made()
    iterate(agent)
    replay = agent._replay
    assert replay.next_observations["up"][:6, 0, 0].tolist() == [1, 2, 3, 4, 5, 1]
    assert replay.next_observations["down"][:6, 0, 0].tolist() == [-1, -2, -3, -4, -5, -1]
    agent.relabel(lambda obs, actions: obs["up"] - 3 * obs["down"])
    assert replay.rewards[:6, 0].tolist() == [0, 4, 8, 12, 16, 0]
    agent.save(tmp_path)
    other.load(tmp_path)
    for name in ("up", "down"):
        np.testing.assert_array_equal(other._replay.observations[name], replay.observations[name])
        np.testing.assert_array_equal(other._replay.next_observations[name], replay.next_observations[name])


def test_actions_that_are_not_continuous_are_refused_in_one_clear_line():
    with pytest.raises(ValueError, match="sac needs continuous actions .Box., and these are a Discrete space"):
        sac("prefrl/ChainWalk-v0")


def test_a_run_stopped_in_the_middle_equals_the_uninterrupted_one(tmp_path):
    """Rollouts of 16 steps hold no clip of 25: clips are cut from several, and one is half recorded at the stop."""
    _, whole = run(RUN, tmp_path / "whole")
    ended, stopped = run(RUN, tmp_path / "stopped", **stop_after(9))
    assert not ended
    run(RUN, stopped.path, **stop_after(2))
    assert run(RUN, stopped.path)[0]
    latest = [checkpoints(folder.checkpoints)[-1] for folder in (whole, stopped)]
    for name in (REPLAY, "agent.safetensors", "reward.safetensors", "pool.safetensors"):
        first, second = (load_file(path / name) for path in latest)
        assert first.keys() == second.keys()
        assert all(np.array_equal(first[key], second[key]) for key in first), name
    models = [SAC.load(folder.policy, device="cpu") for folder in (whole, stopped)]
    parameters = [torch.nn.utils.parameters_to_vector(model.policy.parameters()) for model in models]
    assert torch.equal(*parameters)
    assert whole.summary().labels_answered == RUN.labels
    assert load_agent(whole).act(np.zeros((1, 2), np.float32), deterministic=True).shape == (1, 2)


def test_presets_but_the_default_are_ppos():
    assert preset_config("default", "prefrl/Hopper-v0", labels=10, agent="sac").agent == SacConfig(gamma=0.995)
    with pytest.raises(ValueError, match="preset zoo has settings for ppo alone"):
        preset_config("zoo", "prefrl/Hopper-v0", labels=10, agent="sac")
