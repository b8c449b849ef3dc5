import dataclasses
import inspect
import json
import math

import pytest
from prefrl_envs.games import AtariOptions
from prefrl_envs.task import TaskConfig

from prefrl.agents.config import PpoConfig, SacConfig
from prefrl.config import RlhfConfig, from_json, to_json
from prefrl.core.errors import PrefrlError
from prefrl.labelers.config import OracleConfig
from prefrl.preferences.config import QueryConfig
from prefrl.rewards.config import RewardConfig


def config(**values):
    return RlhfConfig(**({"env_id": "x", "labels": 100, "steps": 100_000, "seed": 0} | values))


def test_survives_json_with_tuples_and_infinities():
    before = config(
        agent=PpoConfig(net=(32,)),
        reward=RewardConfig(hidden=(8, 8)),
        oracle=OracleConfig(beta=2.0, skip_below=-math.inf),
    )
    assert from_json(json.loads(json.dumps(to_json(before)))) == before


def test_a_setting_nobody_knows_is_named():
    values = to_json(config())
    values["agent"]["gama"] = 1
    with pytest.raises(ValueError, match="unknown setting 'gama' in PpoConfig"):
        from_json(values)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"labels": 1}, "labels must be 0 .* or at least 2, got 1"),
        ({"labels": -5}, "labels must be 0 .* or at least 2, got -5"),
        ({"seed": -1}, "seed must be in"),
        ({"steps": 1000}, "1000 steps are too few"),
        ({"clip_steps": 0}, "clip_steps must be at least 1"),
        ({"query": lambda: QueryConfig(initial_fraction=1.5)}, "initial_fraction must be in"),
        ({"query": lambda: QueryConfig(random_share=-0.1)}, "random_share must be in"),
        ({"reward": lambda: RewardConfig(response_noise=1.0)}, "response_noise must be in"),
        ({"reward": lambda: RewardConfig(members=0)}, "members must be at least 1"),
        (
            {"store": "postgresql+psycopg://ann:secret@host/name"},
            "the store's URL holds a password.* PGPASSWORD or ~/.pg",
        ),
        ({"store": "postgresql://ann@/name?host=/run&password=secret"}, "the store's URL holds a password"),
        ({"store": "postgresql://ann:secret@host:port/name"}, "cannot read the store's URL; postgresql"),
        ({"agent": lambda: PpoConfig(learning_rate_decay=1.5)}, "learning_rate_decay is a share, from 0 to 1, got 1.5"),
        ({"agent": lambda: PpoConfig(reset_step=-1)}, "reset_step must lie after the"),
        (
            {"steps": 1_000_000, "agent": lambda: PpoConfig(reset_step=1_000_000)},
            "before the end at 1000000, got 1000000",
        ),
        ({"agent": lambda: PpoConfig(ent_coef_decay=-1.0)}, "ent_coef_decay is a share, from 0 to 1, got -1.0"),
        ({"agent": lambda: PpoConfig(averaging=1.0)}, "averaging is a share below 1, got 1.0"),
        ({"agent": lambda: PpoConfig(clip_range=0.0)}, "clip_range must be a number above 0, got 0.0"),
        ({"agent": lambda: PpoConfig(gae_lambda=3.0)}, "gae_lambda must be in .0, 1., got 3.0"),
        ({"agent": lambda: PpoConfig(vf_coef=-1.0)}, "vf_coef must be a number from 0 up, got -1.0"),
        ({"agent": lambda: PpoConfig(ent_coef=math.nan)}, "ent_coef must be a number from 0 up, got nan"),
        ({"reward": lambda: RewardConfig(l2=-1.0)}, "l2 must be a number from 0 up, got -1.0"),
        (
            {"reward": lambda: RewardConfig(l2_low=3.0, l2_high=1.0)},
            "l2_low must not be above l2_high, got 3.0 and 1.0",
        ),
        ({"steps": -5}, "steps must be at least 1, got -5"),
        ({"atari": lambda: AtariOptions(boxes=())}, "boxes are default, paper, or top bottom left right of each, got "),
        ({"atari": lambda: AtariOptions(boxes=(0, 24, 0, 160))}, "of each, got .0, 24, 0, 160."),
        ({"agent": lambda: PpoConfig(batch_size=100)}, "batch_size 100 must divide a rollout of 2048 steps"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(values, message):
    with pytest.raises(PrefrlError, match=message) as error:
        config(**{name: value() if callable(value) else value for name, value in values.items()})
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "store", ["runs/all.sqlite3", "sqlite:///all.sqlite3", "postgresql+psycopg://ann@/name?host=/run"]
)
def test_a_store_is_a_path_or_a_url_without_a_password(store):
    assert config(store=store).store == store


@pytest.mark.parametrize("values", [{"beta": -1}, {"discount": 0}, {"mistakes": 2}, {"tie_within": -1}])
def test_an_oracle_that_cannot_be_is_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        OracleConfig(**values)


def test_the_task_of_a_run_is_one_value():
    assert config(horizon=99, on_end="reset").task == TaskConfig("x", horizon=99, on_end="reset")
    assert config().task.options is None  # an environment that is no game takes none
    assert config(atari=AtariOptions(show_score=True)).task.options == AtariOptions(show_score=True)


def test_a_run_on_the_true_reward_has_no_untrained_steps_or_labels():
    assert config(labels=0).steps_before_learning == 0
    assert config(labels=0).initial_labels == 0
    assert config(labels=100).initial_labels == 25


@pytest.mark.parametrize("group", [PpoConfig, SacConfig, RewardConfig, QueryConfig, OracleConfig, AtariOptions])
def test_every_field_of_every_group_is_documented_by_a_comment_or_its_name(group):
    source = [line.strip() for kind in group.__mro__[:-1] for line in inspect.getsource(kind).splitlines()]
    standard = {
        "learning_rate", "gae_lambda", "clip_range", "max_grad_norm", "ortho_init", "activation", "schedule", "n_steps",
    }  # fmt: skip
    for field in dataclasses.fields(group):
        lines = [line for line in source if line.startswith(f"{field.name}:")]
        assert field.name in standard or any("#" in line for line in lines)


def test_an_older_run_s_mean_of_policies_keeps_its_share_of_a_rollout():
    values = to_json(RlhfConfig(env_id="prefrl/PointGoal-v0", labels=10, steps=100_000, seed=0))
    values["agent"] = {"num_envs": 32, "n_steps": 128, "averaging": 0.81}
    assert from_json(values).agent.averaging == pytest.approx(0.9)
    values["agent"]["name"] = "ppo"
    assert from_json(values).agent.averaging == 0.81


@pytest.mark.parametrize("agent", [PpoConfig(net=(8,)), SacConfig(net=(8,), relabel=False)])
def test_the_settings_of_every_agent_are_read_as_they_were_written(agent):
    config = RlhfConfig(env_id="prefrl/PointGoal-v0", labels=10, steps=100_000, seed=0, agent=agent)
    assert from_json(json.loads(json.dumps(to_json(config)))) == config


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"updates_per_step": 0}, "updates_per_step must be a number above 0"),
        ({"tau": 1.5}, "tau must be at most 1"),
        ({"target_update_interval": 0}, "target_update_interval must be at least 1"),
        ({"buffer_steps": 3}, "buffer_steps must be at least 8"),
    ],
)
def test_settings_of_sac_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SacConfig(**settings)
