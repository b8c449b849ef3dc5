"""Agents for tests: small, and paid by the true reward where nothing else is said."""

from prefrl_envs.task import TaskConfig
from stable_baselines3.common.vec_env import VecMonitor

from prefrl.agents.ppo import PpoAgent
from prefrl.rollouts import Recorder
from prefrl.vecenv import make_vec_env


def make_agent(env_id, config, *, seed=0, total_steps=10**6, precision="fp32"):
    """An agent in environments of its own, at the beginning of their episodes."""
    recorder = Recorder(VecMonitor(make_vec_env(TaskConfig(env_id), config.num_envs, seed)))
    agent = PpoAgent(recorder, config, seed=seed, total_steps=total_steps, precision=precision)
    agent.begin()
    return agent


def iterate(agent, reward=lambda rollout: rollout.true_rewards):
    """One iteration; returns its rollout."""
    rollout = agent.collect()
    agent.update(rollout, reward(rollout))
    return rollout
