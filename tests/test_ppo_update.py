"""PPO's update: SB3's, bit for bit, and the gradient of a GPU taken on a processor."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from agents import make_agent
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.utils import set_random_seed

from prefrl.agents import ppo
from prefrl.agents.buffers import SeenRolloutBuffer
from prefrl.agents.config import PpoConfig
from prefrl.agents.ppo_update import LOGGED, GraphedPpo, Ppo

IMAGES, VECTORS, MOVES = spaces.Box(0, 255, (4, 84, 84), np.uint8), spaces.Box(-1, 1, (3,)), spaces.Discrete(5)
CONFIG = PpoConfig(num_envs=4, n_steps=64, batch_size=32, n_epochs=2, learning_rate=1e-3, ent_coef=0.01)


def paid(kind, env_id, monkeypatch):
    """An algorithm of this kind after a rollout that was paid, and not yet learned from."""
    monkeypatch.setattr(ppo, "_kind", lambda *_: kind)
    agent = make_agent(env_id, CONFIG)
    rollout = agent.collect()
    agent._model.rollout_buffer.pay(rollout.true_rewards)
    return agent


def weights(agent):
    return torch.cat([values.detach().flatten() for values in agent.policy.parameters()])


@pytest.mark.parametrize(
    "task, kind",
    [("PointGoal", Ppo), ("ChainWalk", Ppo), ("TwoDials", Ppo), ("PixelGoal", Ppo), ("PixelGoal", GraphedPpo)],
)
def test_an_update_is_sb3s_bit_for_bit(task, kind, monkeypatch):
    ours, theirs = (paid(kind, f"prefrl/{task}-v0", monkeypatch) for _ in range(2))
    before = weights(ours)
    set_random_seed(1)
    metrics = ours._model.update()
    set_random_seed(1)
    PPO.train(theirs._model)
    assert torch.equal(weights(ours), weights(theirs))
    assert not torch.equal(weights(ours), before)
    logged = theirs._model.logger.name_to_value
    last_only = {"train/loss", "train/approx_kl"}  # SB3 logs these of the last gradient step, or pass
    for name in {*LOGGED.values(), "train/explained_variance", "train/clip_range"} - last_only:
        assert metrics[name] == pytest.approx(logged[name], rel=1e-5, abs=1e-6)


def test_a_subclass_adds_a_term_to_the_loss(monkeypatch):
    """A penalty on all weights, and a rate at which nothing else is seen beside it: they shrink."""

    class Penalized(Ppo):
        def losses(self, *tensors, clip_range):
            losses = super().losses(*tensors, clip_range=clip_range)
            penalty = sum(values.square().sum() for values in self.policy.parameters())
            return losses._replace(total=losses.total + 1e4 * penalty)

    norms = []
    for kind in (Ppo, Penalized):
        agent = paid(kind, "prefrl/PointGoal-v0", monkeypatch)
        set_random_seed(1)
        agent._model.update()
        norms.append(weights(agent).norm())
    assert norms[1] < 0.98 * norms[0]


def test_images_that_the_policy_was_shown_are_not_kept_twice(monkeypatch):
    model = paid(GraphedPpo, "prefrl/PixelGoal-v0", monkeypatch)._model
    assert isinstance(model.rollout_buffer, SeenRolloutBuffer)
    assert not model.rollout_buffer.observations.any()


def test_a_graph_is_not_saved_and_the_agent_goes_on(monkeypatch, tmp_path):
    agent = paid(GraphedPpo, "prefrl/PixelGoal-v0", monkeypatch)
    agent._model._recorded = (0.1, 0.0), lambda: "no graph can be written down"
    agent.save(tmp_path)
    loaded = make_agent("prefrl/PixelGoal-v0", CONFIG)
    assert loaded.load(tmp_path)
    assert isinstance(loaded._model, GraphedPpo)
    assert torch.equal(weights(loaded), weights(agent))
    assert isinstance(PPO.load(tmp_path / "policy.zip"), PPO)


@pytest.mark.parametrize(
    "observation, action, device, kind",
    [
        (IMAGES, MOVES, "cuda", GraphedPpo),
        (IMAGES, MOVES, "cpu", Ppo),
        (IMAGES, VECTORS, "cuda", Ppo),
        (VECTORS, MOVES, "cuda", Ppo),
    ],
)
def test_graphs_are_for_games_on_a_gpu(observation, action, device, kind):
    env = SimpleNamespace(observation_space=observation, action_space=action)
    assert ppo._kind(env, device) is kind


def test_every_setting_of_the_config_reaches_sb3(monkeypatch):
    model = paid(Ppo, "prefrl/PointGoal-v0", monkeypatch)._model
    same = ("n_steps", "batch_size", "n_epochs", "gamma", "gae_lambda", "ent_coef", "vf_coef", "max_grad_norm")
    values = dataclasses.asdict(CONFIG)
    assert {name: getattr(model, name) for name in same} == {name: values[name] for name in same}
