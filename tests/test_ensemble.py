import json

import numpy as np
import pytest
import torch
from gymnasium import spaces

from prefrl.rewards.config import RewardConfig
from prefrl.rewards.ensemble import DESCRIPTION, WEIGHTS, RewardEnsemble
from prefrl.segments import Segment, part_of, stacked
from prefrl.testing import random_segments, steps_of

OBS, ACT = spaces.Box(-np.inf, np.inf, (4,)), spaces.Box(-1, 1, (2,))
GAME = spaces.Box(0, 255, (4, 84, 84), np.uint8), spaces.Discrete(2)
DICT = spaces.Dict({"pose": OBS, "view": spaces.Box(0, 255, (16, 16, 1), np.uint8)})


def ensemble(obs=OBS, act=ACT, seed=0, **config):
    return RewardEnsemble(obs, act, RewardConfig(**config), seed)


def steps(number, rng, obs=OBS, act=ACT):
    if isinstance(obs, spaces.Dict):
        return {
            "pose": rng.normal(size=(number, 4)),
            "view": rng.integers(0, 255, (number, 16, 16, 1), np.uint8),
        }, rng.normal(size=(number, 2))
    return {"obs": rng.normal(size=(number, 4)).astype(np.float32)}, rng.normal(size=(number, 2)).astype(np.float32)


def test_members_differ_and_the_seed_decides(rng):
    batch = steps(5, rng)
    first, same, other = ensemble(seed=1), ensemble(seed=1), ensemble(seed=2)
    assert np.array_equal(first(*batch), same(*batch))
    assert not np.allclose(first(*batch), other(*batch))
    members = first.normalized(*batch)
    assert not torch.allclose(members[0], members[1])


def test_making_one_leaves_the_global_generators_alone(monkeypatch):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    seeds = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeds.append)
    ensemble()
    assert torch.equal(torch.rand(1), expected)
    assert seeds == []


def test_each_member_is_standardised_on_its_own(rng):
    made, segments = ensemble(std=0.05), random_segments(50, rng)
    made.standardise(segments)
    members = made.normalized(*steps_of(segments))
    assert torch.allclose(members.mean(1), torch.zeros(3), atol=1e-5)
    assert torch.allclose(members.std(1), torch.full((3,), 0.05), atol=1e-5)


def test_the_steps_of_several_environments_are_paid_in_the_order_of_a_rollout(rng, monkeypatch):
    made = RewardEnsemble(*GAME, RewardConfig(hidden=(8,)), 0)
    frames = rng.integers(0, 255, (10, 3, 84, 84), np.uint8)
    images, actions = np.moveaxis(stacked(frames, 4), 1, 2), rng.integers(0, 2, (7, 3))
    rewards = made({"obs": images}, actions)
    one_by_one = [made({"obs": images[t, n][None]}, actions[t, n][None])[0] for t in range(7) for n in range(3)]
    np.testing.assert_allclose(rewards, one_by_one, atol=1e-4)
    monkeypatch.setattr(RewardEnsemble, "_part", 7)  # two steps of three environments at a time
    np.testing.assert_allclose(made({"obs": images}, actions), rewards, atol=1e-4)


def test_inputs_are_standardised_by_what_was_seen(rng):
    made = ensemble()
    obs, actions = steps(500, rng)
    before, moved = made(obs, actions), {"obs": obs["obs"] * 100 + 50}
    made.see([Segment("x", moved, actions, np.zeros(500))])
    assert np.allclose(made(moved, actions), before, atol=0.2)


@pytest.mark.parametrize(
    "act, actions",
    [
        (spaces.Discrete(3), np.array([0, 2, 1])),
        (spaces.MultiDiscrete([2, 3]), np.array([[0, 1], [1, 2], [0, 0]])),
        (spaces.MultiBinary(2), np.array([[0, 1], [1, 1], [0, 0]])),
    ],
)
def test_every_kind_of_action_matters(act, actions, rng):
    rewards = ensemble(act=act)({"obs": np.zeros((3, 4), np.float32)}, actions)
    assert len({round(float(reward), 6) for reward in rewards}) == 3


def test_dict_observations_with_images(rng):
    made = ensemble(obs=DICT)
    assert made(*steps(6, rng, obs=DICT)).shape == (6,)


def test_saving_and_loading_gives_the_same_rewards_without_pickle(tmp_path, rng):
    made, batch, segments = ensemble(), steps(50, rng), random_segments(50, rng)
    made.see(segments)
    made.standardise(segments)
    made.save(tmp_path / "model", {"mujoco": "4.0.0"})
    assert {path.name for path in (tmp_path / "model").iterdir()} == {WEIGHTS, DESCRIPTION}
    assert json.loads((tmp_path / "model" / DESCRIPTION).read_text())["versions"] == {"mujoco": "4.0.0"}
    assert np.array_equal(RewardEnsemble.load(tmp_path / "model", OBS, ACT)(*batch), made(*batch))


def test_a_model_for_other_spaces_is_refused(tmp_path):
    ensemble().save(tmp_path, {})
    with pytest.raises(ValueError, match=r"was made for actions Box\(2,\) float32, but here they are Discrete\(3\)"):
        RewardEnsemble.load(tmp_path, OBS, spaces.Discrete(3))


@pytest.mark.parametrize("obs, got", [
    (np.zeros((3, 4)), "'obs'., got ndarray"),
    ({"pose": np.zeros((3, 4))}, r"'obs'., got .'pose'."),
])  # fmt: skip
def test_observations_that_are_not_named_are_one_clear_line(obs, got):
    with pytest.raises(ValueError, match=f"^a reward model reads observations as a dict of arrays named .{got}$"):
        ensemble()(obs, np.zeros((3, 2)))


def test_a_saved_model_has_the_tensors_that_it_always_had():
    own = {"l2", "output_mean", "output_std"}
    vector = {"moments.obs.mean", "moments.obs.variance", "moments.obs.count"}
    network = {f"network.head.{layer}.{name}" for layer in (0, 2, 4) for name in ("weight", "bias")}
    assert set(ensemble(hidden=(8, 8)).state()) == own | vector | network


def test_a_damaged_or_missing_model_is_one_clear_line(tmp_path):
    with pytest.raises(ValueError, match="no reward model in"):
        RewardEnsemble.load(tmp_path, OBS, ACT)
    ensemble().save(tmp_path, {})
    (tmp_path / WEIGHTS).write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="is damaged"):
        RewardEnsemble.load(tmp_path, OBS, ACT)


def test_a_learned_return_is_the_sum_of_the_learned_rewards(rng):
    made, segments = ensemble(), random_segments(1000, rng)
    made.standardise(segments)
    rewards = made(*steps_of(segments)).reshape(1000, 10)
    assert np.allclose(made.returns(segments), rewards.sum(1), atol=1e-4)


def test_rewards_hardly_depend_on_the_batch(rng):
    made, (obs, actions) = ensemble(), steps(2048, rng)
    whole = made(obs, actions)
    alone = np.array([made(part_of(obs, slice(i, i + 1)), actions[i : i + 1])[0] for i in range(50)])
    assert np.abs(whole[:50] - alone).max() < 1e-4


def test_gradients_in_bf16_are_those_in_fp32_within_a_few_percent(rng):
    """On noise, of which little is left in the gradient's mean; what is learned from images is the same."""
    images = {"obs": torch.as_tensor(rng.integers(0, 256, (16, *GAME[0].shape), dtype=np.uint8))}
    actions, weighting, gradients = torch.zeros(16, 2), torch.randn(3, 16, generator=torch.manual_seed(0)), {}
    for name in ("fp32", "bf16"):
        made = RewardEnsemble(*GAME, RewardConfig(), seed=0, precision=name)
        rewards = made.raw(images, actions)
        assert rewards.dtype == torch.float32
        (rewards * weighting).sum().backward()
        gradients[name] = [values.grad.flatten() for values in made.network.parameters()]
    for true, coarse in zip(gradients["fp32"], gradients["bf16"], strict=True):
        assert coarse.dtype == torch.float32
        assert torch.cosine_similarity(true, coarse, dim=0) > 0.98
        assert coarse.norm() / true.norm() == pytest.approx(1, abs=0.05)


def test_in_bf16_what_is_predicted_is_not_rounded_to_it(rng):
    made = RewardEnsemble(*GAME, RewardConfig(), seed=0, precision="bf16")
    images = {"obs": torch.as_tensor(rng.integers(0, 256, (64, *GAME[0].shape), dtype=np.uint8))}
    rewards = made.raw(images, torch.zeros(64, 2))
    assert (rewards != rewards.bfloat16().float()).float().mean() > 0.9


def test_a_saved_ensemble_keeps_its_precision(tmp_path, rng):
    made = RewardEnsemble(*GAME, RewardConfig(), seed=0, precision="bf16")
    made.save(tmp_path, {})
    loaded = RewardEnsemble.load(tmp_path, *GAME)
    images = {"obs": rng.integers(0, 256, (4, *GAME[0].shape), dtype=np.uint8)}
    assert loaded.precision == "bf16"
    assert np.array_equal(made(images, np.zeros(4, int)), loaded(images, np.zeros(4, int)))
