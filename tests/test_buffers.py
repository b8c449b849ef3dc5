"""The rollout buffer: SB3's own, bit for bit, with fewer copies."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.utils import set_random_seed

from prefrl.agents.buffers import SAMPLED, Filled, FilledRolloutBuffer, SeenRolloutBuffer

IMAGES, VECTORS = spaces.Box(0, 255, (4, 6, 6), np.uint8), spaces.Box(-1, 1, (3,), np.float32)
STEPS, ENVS = 8, 4


def filled(kind, observation_space, action_space, device="cpu"):
    """A buffer of this kind after a rollout that is the same for every kind."""
    buffer = kind(STEPS, observation_space, action_space, device, gae_lambda=0.9, gamma=0.8, n_envs=ENVS)
    observation_space.seed(0)
    action_space.seed(0)
    rng = np.random.default_rng(0)
    for step in range(STEPS):
        obs = np.stack([observation_space.sample() for _ in range(ENVS)])
        actions = np.stack([action_space.sample() for _ in range(ENVS)])
        values, log_probs = (torch.as_tensor(rng.normal(size=ENVS).astype(np.float32)) for _ in range(2))
        starts = np.full(ENVS, step == 3)
        buffer.add(obs, actions, rng.normal(size=ENVS), starts, values[:, None], log_probs)
    buffer.compute_returns_and_advantage(torch.ones(ENVS, 1), np.zeros(ENVS, bool))
    if isinstance(buffer, Filled):
        buffer.pay(np.zeros((STEPS, ENVS)))
    return buffer


@pytest.mark.parametrize("observation", [IMAGES, VECTORS, spaces.Discrete(5)], ids=["images", "vectors", "discrete"])
@pytest.mark.parametrize("action", [spaces.Discrete(6), VECTORS], ids=["discrete", "continuous"])
def test_its_minibatches_are_those_of_sb3_bit_for_bit(observation, action):
    ours, theirs = filled(FilledRolloutBuffer, observation, action), filled(RolloutBuffer, observation, action)
    for _ in range(2):
        batches = []
        for buffer in (ours, theirs):
            set_random_seed(7)
            batches.append(list(buffer.get(16)))
        assert len(batches[0]) == 2
        for mine, sb3 in zip(*batches, strict=True):
            for a, b in zip(mine, sb3, strict=True):
                assert a.shape == b.shape
                assert torch.equal(a.double(), b.double())


def test_images_stay_bytes_and_are_not_copied_on_a_cpu():
    buffer = filled(FilledRolloutBuffer, IMAGES, spaces.Discrete(6))
    (batch,) = buffer.get()
    assert batch.observations.dtype == torch.uint8
    assert batch.observations.is_contiguous()
    assert np.shares_memory(buffer._samples[0].numpy(), buffer.observations)


def test_a_rollout_goes_to_the_device_at_once(monkeypatch):
    """The device `meta` has shapes and no content: whatever it was asked for, it would have to refuse."""
    buffer = FilledRolloutBuffer(STEPS, IMAGES, spaces.Discrete(6), "meta", n_envs=ENVS)
    images, zeros, value = np.zeros((ENVS, 4, 6, 6), np.uint8), np.zeros(ENVS), torch.empty(ENVS, 1, device="meta")
    for _ in range(STEPS):  # SB3's would copy values to the host here, and fail
        buffer.add(images, zeros, zeros, zeros, value, value[:, 0])
    batches = list(buffer.get(16))
    assert len(batches) == 2
    assert all(getattr(buffer, name).shape[:2] == (STEPS, ENVS) for name in SAMPLED)
    assert all(rows.device.type == "meta" for batch in batches for rows in batch)


def test_images_that_the_policy_saw_on_the_device_are_not_sent_there_again():
    """What SB3 hands over from the host is not even looked at: here it is no images at all."""
    buffer = SeenRolloutBuffer(STEPS, IMAGES, spaces.Discrete(6), "cpu", n_envs=ENVS)
    zeros, value = np.zeros(ENVS), torch.zeros(ENVS, 1)
    rng = np.random.default_rng(0)
    for _ in range(2):
        buffer.reset()
        rollout = torch.as_tensor(rng.integers(0, 256, (STEPS, ENVS, 4, 6, 6), np.uint8))
        on_device = torch.empty_like(rollout[0])  # the policy's own, overwritten at every step as by a graph
        buffer.seen = lambda images=on_device: images
        for images in rollout:
            on_device.copy_(images)
            buffer.add(np.empty(0), zeros, zeros, zeros, value, value[:, 0])
        (batch,) = buffer.get()
        assert sorted(batch.observations.flatten(1).tolist()) == sorted(rollout.flatten(0, 1).flatten(1).tolist())
        assert batch.observations.dtype == torch.uint8
