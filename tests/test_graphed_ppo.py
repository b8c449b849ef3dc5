"""Gradient steps for a GPU: they are SB3's, and on a processor taken as they are."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import VecMonitor

from prefrl.agents import ppo
from prefrl.agents.buffers import SeenRolloutBuffer
from prefrl.agents.graphed_ppo import LOGGED, GraphedPpo
from prefrl.agents.graphs import unchecked
from prefrl.agents.ppo import load_ppo, make_ppo, set_rewards
from prefrl.config import PpoConfig
from prefrl.rollouts import Recorder
from prefrl.vecenv import make_vec_env

CONFIG = PpoConfig(num_envs=4, n_steps=32, batch_size=32, n_epochs=2, learning_rate=1e-3, ent_coef=0.01, net=())


def trained(kind, monkeypatch, rollouts=2):
    """An agent of this kind after the same rollouts, and what was logged."""
    monkeypatch.setattr(ppo, "_kind", lambda *_: kind)
    recorder = Recorder(VecMonitor(make_vec_env("prefrl/PixelGoal-v0", CONFIG.num_envs, 0)))
    model = make_ppo(recorder, CONFIG, 0, "cpu")
    model.set_logger(Logger(None, []))
    set_rewards(model, lambda: recorder.take().true_rewards, None)
    set_random_seed(0)
    model.learn(rollouts * CONFIG.num_envs * CONFIG.n_steps, log_interval=None)
    return model, dict(model.logger.name_to_value)


def weights(model):
    return torch.cat([values.detach().flatten() for values in model.policy.parameters()])


def test_an_update_is_that_of_sb3(monkeypatch):
    (ours, logged), (theirs, expected) = (trained(kind, monkeypatch) for kind in (GraphedPpo, PPO))
    assert isinstance(ours.rollout_buffer, SeenRolloutBuffer)
    assert not ours.rollout_buffer.observations.any()  # its images are those that the policy was shown
    torch.testing.assert_close(weights(ours), weights(theirs), rtol=1e-3, atol=1e-5)
    last_only = {"train/loss", "train/approx_kl"}  # SB3 logs these of the last gradient step, or pass
    for name in {f"train/{name}" for name in LOGGED} - last_only | {"train/explained_variance", "train/n_updates"}:
        assert logged[name] == pytest.approx(expected[name], rel=1e-3, abs=1e-5)


def test_it_is_saved_and_goes_on(monkeypatch, tmp_path):
    model, _ = trained(GraphedPpo, monkeypatch)
    model._recorded = (0.1, 0.0), lambda: "no graph can be written down"
    model.save(tmp_path / "policy.zip")
    loaded = load_ppo(tmp_path / "policy.zip", model.get_env(), "cpu")
    assert isinstance(loaded, GraphedPpo)
    assert torch.equal(weights(loaded), weights(model))
    assert isinstance(PPO.load(tmp_path / "policy.zip"), PPO)


def test_a_loss_that_is_no_number_is_one_clear_line(monkeypatch):
    model, _ = trained(GraphedPpo, monkeypatch, rollouts=1)
    model.rollout_buffer.generator_ready = False
    model.rollout_buffer.returns[:] = np.nan
    with unchecked(), pytest.raises(ValueError, match="the agent's loss is nan by now; lower --learning-rate"):
        model.train()


IMAGES, VECTORS, MOVES = spaces.Box(0, 255, (4, 84, 84), np.uint8), spaces.Box(-1, 1, (3,)), spaces.Discrete(5)


@pytest.mark.parametrize(
    "observation, action, device, kind",
    [
        (IMAGES, MOVES, "cuda", GraphedPpo),
        (IMAGES, MOVES, "cpu", PPO),
        (IMAGES, VECTORS, "cuda", PPO),
        (VECTORS, MOVES, "cuda", PPO),
    ],
)
def test_it_is_for_games_on_a_gpu(observation, action, device, kind):
    env = SimpleNamespace(observation_space=observation, action_space=action)
    assert ppo._kind(env, device) is kind
