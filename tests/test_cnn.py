"""The agent's image networks: centred on the background, the same in both precisions, alone in policy.zip."""

from functools import partial

import numpy as np
import pytest
import torch
from agents import iterate, make_agent
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.policies import ActorCriticCnnPolicy
from stable_baselines3.common.utils import set_random_seed

from prefrl.agents import precision
from prefrl.agents.cnn import CNNS, CentredCnn, interleaved
from prefrl.agents.config import PpoConfig
from prefrl.agents.precision import choose_precision

STACK = spaces.Box(0, 255, (4, 84, 84), np.uint8)
CONFIG = PpoConfig(num_envs=8, n_steps=64, batch_size=128, n_epochs=4, learning_rate=3e-3, net=(), gamma=0.9)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def stacks(rng, number):
    return rng.integers(0, 256, (number, *STACK.shape), dtype=np.uint8)


def agent(precision="fp32", seed=0):
    """On PixelGoal, paid by the true reward."""
    return make_agent("prefrl/PixelGoal-v0", CONFIG, seed=seed, precision=precision)


@pytest.mark.parametrize(
    "cnn, parameters, features",
    [
        ("dqn2013", 4 * 64 * 16 + 16 * 16 * 32 + 32 * 81 * 256 + 16 + 32 + 256, 256),
        ("nature", 4 * 64 * 32 + 32 * 16 * 64 + 64 * 9 * 64 + 64 * 49 * 512 + 32 + 64 + 64 + 512, 512),
    ],
)
def test_the_networks_are_those_of_the_papers(cnn, parameters, features):
    network = CentredCnn(STACK, cnn)
    assert sum(values.numel() for values in network.parameters()) == parameters
    assert network(torch.zeros(2, *STACK.shape, dtype=torch.uint8)).shape == (2, features)


def test_the_background_is_the_mean_of_all_images_shown(rng):
    network, images = CentredCnn(STACK), stacks(rng, 30)
    network.observe(images[:10])
    network.observe(images[10:])
    assert torch.allclose(network.background, torch.as_tensor(images.mean(0), dtype=torch.float32), atol=1e-3)


def test_what_never_changes_is_not_seen():
    network = CentredCnn(STACK)
    scene = np.full((5, *STACK.shape), 200, np.uint8)
    network.observe(scene)
    seen = []
    network.layers.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    scene[0, :, 40, 40] = 255
    network(torch.as_tensor(scene))
    assert seen[0].count_nonzero() == 4
    assert seen[0][0, 0, 40, 40] == 55 / 64


def test_both_precisions_read_the_same_input(rng):
    images, seen = stacks(rng, 8), []
    for name in ("fp32", "bf16"):
        network = CentredCnn(STACK, precision=name)
        network.observe(stacks(rng=np.random.default_rng(1), number=16))
        network.layers.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].float()))
        network(torch.as_tensor(images))
    assert torch.equal(*seen)


@pytest.mark.parametrize("channels", [1, 3, 4, 9])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_images_are_the_same_in_the_layout_of_convolutions(channels, dtype):
    images = torch.randint(0, 256, (3, channels, 40, 37)).to(dtype)
    layout = interleaved(images)
    assert torch.equal(layout, images)
    assert layout.is_contiguous(memory_format=torch.channels_last)


def test_stacks_that_share_their_frames_are_read_as_well():
    stacks = torch.randint(0, 256, (9, 40, 37)).to(torch.uint8).unfold(0, 4, 1).movedim(-1, 1)
    assert torch.equal(interleaved(stacks), stacks)


@pytest.mark.parametrize("cnn", CNNS)
def test_gradients_in_bf16_are_those_in_fp32_within_a_few_percent(rng, cnn):
    """bfloat16 has 8 bits: each number is off by up to 0.4 %. Directions agree to a cosine of 0.99."""
    images, gradients = torch.as_tensor(stacks(rng, 16)), {}
    exact = CentredCnn(STACK, cnn)
    exact.put_channels_last()
    weighting = torch.randn(16, exact.features_dim)
    for name in ("fp32", "bf16"):
        network = CentredCnn(STACK, cnn, name)
        network.load_state_dict(exact.state_dict())
        (network(images) * weighting).sum().backward()
        gradients[name] = [values.grad.flatten() for values in network.parameters()]
    for true, coarse in zip(gradients["fp32"], gradients["bf16"], strict=True):
        assert coarse.dtype == torch.float32
        assert torch.cosine_similarity(true, coarse, dim=0) > 0.99
        assert coarse.norm() / true.norm() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("name", ["fp32", "bf16"])
def test_an_agent_learns_in_either_precision(name):
    """At random PixelGoal pays -7 a step; at best -1.8, for 10 moves are needed and then none."""
    learner = agent(name)
    rollouts = [iterate(learner) for _ in range(11)]
    assert rollouts[0].true_rewards.mean() < -6
    assert np.mean([rollout.true_rewards.mean() for rollout in rollouts[-3:]]) > -4.2


def test_the_policy_alone_acts_as_it_did_in_its_precision_and_layout(tmp_path, rng):
    trained = agent("bf16")
    obs = iterate(trained).obs["obs"][:, 0]
    trained.save_policy(tmp_path / "policy.zip")
    alone = PPO.load(tmp_path / "policy.zip")
    assert np.array_equal(trained.policy.act(obs, deterministic=True), alone.predict(obs, deterministic=True)[0])
    network = alone.policy.features_extractor
    assert network.dtype == torch.bfloat16
    assert network.count == CONFIG.num_envs * (1 + CONFIG.n_steps)
    assert network.layers[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_values_and_actions_see_the_same_features():
    """SB3 hands float32 to some of the policy's methods; ours take uint8 as it is."""
    model = agent()._model
    images = torch.as_tensor(np.random.default_rng(0).integers(0, 256, (4, 1, 36, 36), dtype=np.uint8))
    values, log_probs, _ = model.policy.evaluate_actions(images, torch.zeros(4))
    assert torch.equal(values, model.policy.predict_values(images))
    assert torch.equal(log_probs, model.policy.get_distribution(images).log_prob(torch.zeros(4)))


@pytest.mark.parametrize("name", ["fp32", "bf16"])
def test_acting_is_sb3_s_forward_to_the_bit_also_after_an_update(name):
    learner = agent(name)
    model = learner._model
    images = torch.as_tensor(np.random.default_rng(0).integers(0, 256, (64, 1, 36, 36), dtype=np.uint8))
    told = []
    for _ in range(2):
        model.policy.set_training_mode(False)
        for forward in (model.policy, partial(ActorCriticCnnPolicy.forward, model.policy)):
            torch.manual_seed(1)
            with torch.no_grad():
                told.append(forward(images))
            model.policy.set_training_mode(True)  # in which layers are rounded by autocast
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(*told[-2:], strict=True))
        iterate(learner)
    assert not torch.equal(told[0][1], told[2][1])
    assert len(told[0][0].unique()) > 1


def test_an_agent_that_diverged_is_told_so():
    model = agent("bf16")._model
    with torch.no_grad():
        model.policy.action_net.bias.fill_(np.nan)
        with pytest.raises(ValueError, match="the policy diverged"):
            model.policy(torch.zeros(4, 1, 36, 36, dtype=torch.uint8))


def test_layers_rounded_in_inference_mode_can_be_changed_outside_of_it():
    model = agent("bf16")._model
    images, values = torch.zeros(4, 1, 36, 36, dtype=torch.uint8), []
    for mode in (torch.inference_mode, torch.no_grad):
        model.policy.set_training_mode(False)
        with mode():
            values.append(model.policy(images)[1].tolist())
    assert values[0] == values[1]


def test_layers_rounded_for_acting_are_no_part_of_what_is_saved():
    learner = agent("bf16")
    model = learner._model
    names = model.policy.state_dict().keys()
    iterate(learner)
    assert model.policy.state_dict().keys() == names


@pytest.mark.parametrize("images, threads", [(4, 1), (16, 1), (17, 2), (100, 3)])
def test_few_images_are_read_by_few_threads_while_acting_and_then_there_are_as_many_as_before(images, threads):
    model = agent()._model
    had, used = torch.get_num_threads(), []
    model.policy.features_extractor.register_forward_hook(lambda *_: used.append(torch.get_num_threads()))
    torch.set_num_threads(3)
    try:
        with torch.no_grad():
            model.policy(torch.zeros(images, 1, 36, 36, dtype=torch.uint8))
        assert (used, torch.get_num_threads()) == ([threads], 3)
    finally:
        torch.set_num_threads(had)


@pytest.mark.parametrize(
    "flags, chosen, why",
    [
        ({"avx2", "avx512_bf16"}, "bf16", "has avx512_bf16"),
        ({"avx512_bf16", "amx_bf16"}, "bf16", "has amx_bf16"),
        ({"avx2", "avx512f"}, "fp32", "neither amx_bf16 nor avx512_bf16"),
    ],
)
def test_auto_is_bf16_where_the_processor_computes_in_it(monkeypatch, flags, chosen, why):
    monkeypatch.setattr(precision, "has_flag", lambda flag: flag in flags)
    assert choose_precision("auto", STACK, "cpu") == chosen
    assert why in precision.fast_precision("cpu")[1]


def test_auto_is_the_same_every_time_and_takes_no_time(monkeypatch):
    """A timing would now and then decide otherwise, and the same command would give another run."""
    monkeypatch.setattr("time.perf_counter", lambda: pytest.fail("something is timed"))
    assert len({choose_precision("auto", STACK, "cpu") for _ in range(10)}) == 1


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_auto_is_fp32_where_bf16_is_not_known_to_be_faster(device):
    assert choose_precision("auto", STACK, device) == "fp32"
    assert choose_precision("bf16", STACK, device) == "bf16"


def test_vectors_have_one_precision():
    box = spaces.Box(-1, 1, (3,))
    assert choose_precision("auto", box, "cpu") == "fp32"
    assert choose_precision("bf16", STACK, "cpu") == "bf16"
    with pytest.raises(ValueError, match="precision bf16 is for image observations"):
        choose_precision("bf16", box, "cpu")


@pytest.mark.parametrize("name", ["fp32", "bf16"])
def test_an_update_reads_images_that_were_centred_once_as_if_they_were_not(name):
    learner = agent(name)
    iterate(learner)
    model = learner._model
    buffer, network, batches = model.rollout_buffer, model.policy.features_extractor, []
    for prepare in (network.centred, None):
        buffer.prepare, buffer.generator_ready = prepare, False
        set_random_seed(0)
        batches.append(next(buffer.get(16)))
    assert [batch.observations.dtype for batch in batches] == [network.dtype, torch.uint8]
    assert batches[0].observations.is_contiguous(memory_format=torch.channels_last)
    centred, plain = (model.policy.evaluate_actions(batch.observations, batch.actions.flatten()) for batch in batches)
    assert all(torch.equal(*pair) for pair in zip(centred, plain, strict=True))
