import dataclasses

import numpy as np
import pytest
from prefrl_envs.suite import find, tasks

from prefrl.presets import PRESETS, preset_config, usual_labels
from prefrl.schedules import SCHEDULES

MUJOCO = [row for row in tasks() if "mujoco" in row.tags and "paper" in row.tags]
GAMES = [row for row in tasks() if "atari" in row.tags]


def make(preset, entry, labels=700):
    return preset_config(preset, entry.id, labels=labels)


@pytest.mark.parametrize(
    "preset, entry", [(preset, entry) for preset in PRESETS for entry in (GAMES if preset == "wide" else tasks())]
)
def test_every_preset_is_valid_for_every_environment(preset, entry):
    config = make(preset, entry)
    assert config.steps == entry.training_steps
    assert config.clip_steps == entry.clip_steps


def test_default_is_one_preset_that_differs_between_tasks_only_in_clip_steps_and_gamma():
    def common(config):
        return (
            dataclasses.replace(config.agent, gamma=0.99),
            config.reward,
            config.query,
        )

    def make(preset, entry):
        return preset_config(preset, entry.id, labels=700, steps=1_000_000)

    assert len(MUJOCO) == 8
    assert len({common(make("default", entry)) for entry in MUJOCO}) == 1


def test_paper2017_is_the_paper():
    config = make("paper2017", find("prefrl/Hopper-v0"))
    assert (config.agent.gamma, config.agent.gae_lambda, config.agent.ent_coef) == (0.995, 0.97, 0.01)
    assert config.reward.hidden == (64, 64)
    assert config.reward.members == 3
    assert (config.reward.response_noise, config.reward.l2_low, config.reward.l2_high) == (0.1, 1.1, 1.5)
    assert (config.query.initial_fraction, config.query.schedule, config.query.schedule_constant) == (
        0.25,
        "hyperbolic",
        2e6,
    )
    assert config.query.random_share == make("paper2017", find("prefrl/Pong-v0")).query.random_share == 0
    assert (config.query.selection, config.query.oversample, config.clip_steps) == (
        "disagreement",
        10,
        60,
    )
    assert make("paper2017", find("prefrl/Swimmer-v0")).agent.ent_coef == 0.001


def test_zoo_is_the_zoo():
    hopper = make("zoo", find("prefrl/Hopper-v0")).agent
    assert (hopper.batch_size, hopper.n_steps, hopper.gamma, hopper.net, hopper.num_envs) == (
        32,
        512,
        0.999,
        (256, 256),
        1,
    )
    assert make("zoo", find("prefrl/Swimmer-v0")).agent.gamma == 0.9999
    ant = make("zoo", find("prefrl/Ant-v0")).agent
    assert (ant.n_steps, ant.batch_size, ant.net, ant.gamma) == (2048, 64, (64, 64), 0.99)


def test_wide_is_the_default_for_games_with_more_of_them_side_by_side():
    wide, default = (preset_config(preset, "prefrl/Pong-v0", labels=5500) for preset in ("wide", "default"))
    assert (wide.reward, wide.query) == (default.reward, default.query)
    sizes = ("num_envs", "n_steps", "batch_size")
    same = dataclasses.replace(wide.agent, **{name: getattr(default.agent, name) for name in sizes})
    assert same == default.agent
    assert wide.agent.num_envs == 4 * default.agent.num_envs


def test_wide_is_refused_where_a_gpu_does_nothing():
    with pytest.raises(
        ValueError, match=r"preset wide is for the suite's Atari games, not for prefrl/Hopper-v0; use default"
    ):
        preset_config("wide", "prefrl/Hopper-v0", labels=700)


def test_outside_the_suite_the_steps_must_be_said():
    with pytest.raises(ValueError, match="Other-v0 is not in the suite.*`steps`"):
        preset_config("default", "Other-v0", labels=10)


def test_an_unknown_preset_suggests_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'default'"):
        preset_config("defualt", "x", labels=10, steps=100_000)


def test_a_person_need_not_wait_for_a_first_pair_longer_than_the_pool_takes_to_fill():
    config = preset_config("default", "prefrl/HopperBackflip-v0", labels=900, steps=10_000_000)
    assert config.initial_steps == config.query.pool_steps


def test_a_backflip_begins_with_wide_actions_and_ends_without_a_bonus_for_them():
    agent = preset_config("default", "prefrl/HopperBackflip-v0", labels=900).agent
    hopper = preset_config("default", "prefrl/Hopper-v0", labels=900).agent
    assert agent.log_std_init > hopper.log_std_init
    assert (agent.ent_coef_decay, agent.learning_rate_decay) == (1.0, 1.0)
    assert (hopper.ent_coef_decay, hopper.learning_rate_decay) == (0.0, 0.0)


def test_a_backflips_reward_model_is_held_back_less():
    flip, hopper = (
        preset_config("default", f"prefrl/{name}-v0", labels=900).reward for name in ("HopperBackflip", "Hopper")
    )
    assert flip.l2_low > hopper.l2_high


def test_zoo_plays_games_as_the_zoo_does_and_learns_their_rewards_as_the_default_does():
    zoo, default = (preset_config(name, "prefrl/Pong-v0", labels=5500) for name in ("zoo", "default"))
    assert (zoo.agent.learning_rate_decay, zoo.agent.clip_range, zoo.agent.clip_range_decay) == (1.0, 0.1, 1.0)
    assert (zoo.agent.num_envs, zoo.agent.n_steps, zoo.agent.batch_size, zoo.agent.n_epochs) == (8, 128, 256, 4)
    assert (zoo.reward, zoo.query) == (default.reward, default.query)


def test_the_usual_labels_are_the_papers():
    assert (usual_labels("prefrl/Hopper-v0"), usual_labels("prefrl/Pong-v0")) == (700, 5500)
    assert usual_labels("prefrl/EnduroLevel-v0") == 1300


def test_default_is_one_preset_for_all_games_and_not_that_of_control():
    configs = [preset_config("default", entry.id, labels=5500, steps=2_000_000) for entry in GAMES]
    assert len(configs) >= 7
    assert len({(config.agent, config.reward, config.query) for config in configs}) == 1
    assert configs[0].agent != preset_config("default", "prefrl/Hopper-v0", labels=700).agent


def test_paper2017_is_the_paper_on_atari():
    config = preset_config("paper2017", "prefrl/Pong-v0", labels=5500)
    assert (config.reward.initial_epochs, config.reward.network, config.reward.hidden) == (200, "paper_cnn", (64,))
    assert not config.agent.scale_rewards  # it would undo what the reward's std does
    assert (config.reward.std, config.reward.label_window, config.reward.members) == (0.05, 3000, 3)
    assert config.query.schedule_constant * 4 == 5e6  # of the console's frames, four a step
    assert (config.agent.num_envs, config.agent.gamma, config.agent.ent_coef) == (16, 0.99, 0.01)
    assert (config.agent.learning_rate, config.agent.learning_rate_decay) == (7e-4, 1.0)


@pytest.mark.parametrize("labels, first", [(0, 0), (350, 350), (500, 500), (1400, 500), (5500, 500), (10_000, 500)])
def test_the_papers_first_labels_on_atari_are_500_of_any_budget(labels, first):
    assert preset_config("paper2017", "prefrl/Pong-v0", labels=labels).initial_labels == first


@pytest.mark.parametrize("labels", [1400, 5500])
def test_the_labels_of_a_game_last_to_the_end(labels):
    """A reward model that gets no more labels while the agent still changes is soon wrong about what it does."""
    config = preset_config("default", "prefrl/Pong-v0", labels=labels)
    query, schedule = config.query, SCHEDULES[config.query.schedule]
    due = [
        schedule(step, config.steps, labels, config.initial_labels, query.schedule_constant) / labels
        for step in range(0, config.steps + 1, config.steps // 4)
    ]
    assert due[0] == pytest.approx(0.1)
    assert min(np.diff(due)) > 0.1
    assert query.pool_steps <= query.round_steps  # the memory of its frames is bounded
