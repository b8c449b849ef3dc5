"""The suite's promises, over the registry."""

import dataclasses
import os
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import load_env_creator
from gymnasium.utils.env_checker import check_env as check_gymnasium
from prefrl_envs.drawing import MujocoDrawing, drawing_of
from prefrl_envs.games import AtariOptions
from prefrl_envs.suite import canonical_id, entry, find, register_suites, render_without_display, tasks
from prefrl_envs.task import TaskConfig, TaskSpec
from prefrl_envs.wrappers import make_env
from stable_baselines3.common.env_checker import check_env as check_sb3


@pytest.mark.parametrize("row", tasks(), ids=lambda row: row.id)
class TestPromises:
    @pytest.mark.filterwarnings("ignore")  # wrapped on purpose; Box bounds that are infinite in MuJoCo
    def test_gymnasium_and_sb3_accept_it(self, row: TaskSpec) -> None:
        env = gym.make(row.id)
        check_gymnasium(env, skip_render_check=True)
        check_sb3(env, warn=False, skip_render_check=True)

    def test_every_episode_has_the_same_length(self, row: TaskSpec) -> None:
        horizon = min(row.horizon, 100)  # the registered one is tested below: 1,000 steps add nothing
        env = make_env(TaskConfig(row.id, horizon))
        assert [len(_episode(env, seed)) for seed in (0, 1)] == [horizon, horizon]
        assert gym.spec(row.id).max_episode_steps == row.horizon

    def test_the_same_seed_gives_the_same_episode(self, row: TaskSpec) -> None:
        one, two = (_episode(make_env(TaskConfig(row.id, horizon=20)), seed=3) for _ in range(2))
        assert all(_equal(a[0], b[0]) and a[1] == b[1] for a, b in zip(one, two, strict=True))

    def test_another_seed_gives_another_episode(self, row: TaskSpec) -> None:
        one, two = (_episode(make_env(TaskConfig(row.id, horizon=20)), seed) for seed in (3, 4))
        assert not all(_equal(a[0], b[0]) for a, b in zip(one, two, strict=True))

    def test_the_true_reward_is_the_reward_or_hidden(self, row: TaskSpec) -> None:
        for _, reward, true_reward in _episode(make_env(TaskConfig(row.id, horizon=20)), seed=0):
            assert isinstance(true_reward, float)
            assert reward == (0.0 if "behavior" in row.tags else true_reward)

    def test_a_clip_fits_into_an_episode_and_lasts_about_as_long_as_the_papers(self, row: TaskSpec) -> None:
        assert 0 < row.clip_steps <= row.horizon
        assert 0.9 <= row.clip_steps / row.fps <= 1.7


@pytest.mark.parametrize("row", tasks(), ids=lambda row: row.id)
def test_what_a_row_names_is_there(row):
    for name in filter(None, (row.entry_point, row.batched, row.drawing, row.measure)):
        assert callable(load_env_creator(name))
    assert row.options is None or dataclasses.is_dataclass(row.options)


@pytest.mark.parametrize("row", [row for row in tasks() if "atari" not in row.tags], ids=lambda row: row.id)
def test_the_drawing_that_a_row_names_is_the_one_that_fits(row):
    """So that an environment of the same kind from elsewhere is drawn alike."""
    env = make_env(TaskConfig(row.id))
    env.reset(seed=0)
    assert drawing_of(env).fits(env)
    assert MujocoDrawing.fits(env) == ("mujoco" in row.tags)


@pytest.mark.parametrize("env_id", ["prefrl/Hopper-v0", "CartPole-v1"])
def test_options_of_another_task_are_refused(env_id):
    with pytest.raises(ValueError, match=f"{env_id} takes no AtariOptions"):
        make_env(TaskConfig(env_id, horizon=10, options=AtariOptions()))


def test_games_are_shown_at_15_frames_a_second():
    """60 of the console's, of which the agent sees every fourth (Christiano et al. 2017, appendix B)."""
    assert {row.fps for row in tasks() if "atari" in row.tags} == {15}


def test_a_registered_episode_ends_at_its_horizon():
    assert len(_episode(gym.make("prefrl/Hopper-v0"), seed=0)) == 1000
    assert len(_episode(gym.make("prefrl/CartPole-v0"), seed=0)) == 200


def test_names_are_found():
    for name in ("Hopper", "hopper", "Hopper-v0", "prefrl/Hopper-v0", "prefrl_envs:prefrl/Hopper-v0"):
        assert canonical_id(name) == "prefrl/Hopper-v0"
    assert canonical_id("CartPole-v1") == "CartPole-v1"  # Gymnasium's own
    assert canonical_id("Pong-v0") == "prefrl/Pong-v0"  # and not ALE's of that id, which shows its score
    assert canonical_id("ale_py:Pong-v0") == "ale_py:Pong-v0"


def test_what_a_module_registers_is_found_in_another_process():
    assert canonical_id("ale_py:ALE/Pong-v5") == "ale_py:ALE/Pong-v5"
    make = "from prefrl_envs.wrappers import TaskConfig, make_env; "
    make += "print(make_env(TaskConfig('ale_py:ALE/Pong-v5', 100)).action_space)"
    assert "Discrete(6)" in _python(make)
    assert find("CartPole-v1") is None
    assert entry("prefrl/Ant-v0") is find("prefrl/Ant-v0")


@pytest.mark.parametrize("look_up", [entry, canonical_id, lambda name: make_env(TaskConfig(name))])
def test_an_unknown_name_gets_a_suggestion(look_up):
    message = "unknown environment 'prefrl/Hoper-v0'. Did you mean 'prefrl/Hopper-v0'\\? Known: prefrl/Hopper-v0, "
    with pytest.raises(ValueError, match=message):
        look_up("prefrl/Hoper-v0")


@pytest.mark.parametrize("name, near", [("walker", "prefrl/Walker2d-v0"), ("FrozenLake8x8-v9", "FrozenLake8x8-v1")])
def test_the_suggestion_is_of_the_suite_or_else_of_gymnasium(name, near):
    with pytest.raises(ValueError, match=f"Did you mean '{near}'"):
        canonical_id(name)


def test_a_module_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="cannot import 'no_such_module'"):
        canonical_id("no_such_module:My-v0")


def test_registering_twice_does_no_harm():
    before = dict(gym.registry)
    register_suites()
    assert dict(gym.registry) == before


def test_a_cold_start_by_module_and_id():
    out = _python("import gymnasium as gym; print(gym.make('prefrl_envs:prefrl/Hopper-v0').reset(seed=0)[0].shape)")
    assert out == "(11,)"


def test_importing_the_suite_loads_no_simulator_and_nothing_of_the_trainer():
    heavy = "{'mujoco', 'ale_py', 'torch', 'stable_baselines3', 'prefrl', 'pygame'}"
    assert _python(f"import prefrl_envs, sys; print({heavy} & set(sys.modules))") == "set()"


def test_no_module_of_the_suite_loads_the_trainer():
    modules = "atari, atari_vector, classic, drawing, enduro, mujoco, rendering, toy, vector, wrappers"
    code = f"from prefrl_envs import {modules}; import sys; "
    assert _python(code + "print({'torch', 'stable_baselines3', 'prefrl'} & set(sys.modules))") == "set()"


@pytest.mark.parametrize(
    "platform, given, expected",
    [
        ("linux", {}, "egl"),
        ("linux", {"DISPLAY": ":0"}, None),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, None),
        ("linux", {"MUJOCO_GL": "osmesa"}, "osmesa"),
        ("darwin", {}, None),
        ("win32", {}, None),
    ],
)
def test_without_a_display_mujoco_draws_by_egl_on_linux_unless_told_otherwise(monkeypatch, platform, given, expected):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(os, "environ", given)
    render_without_display()
    assert given.get("MUJOCO_GL") == expected


def test_importing_the_suite_chooses_how_mujoco_draws():
    code = "import prefrl_envs, os; print(os.environ.get('MUJOCO_GL'))"
    chosen = _python(code, MUJOCO_GL=None, DISPLAY=None, WAYLAND_DISPLAY=None)
    assert chosen == ("egl" if sys.platform == "linux" else "None")
    assert _python(code, MUJOCO_GL=None, DISPLAY=":0", WAYLAND_DISPLAY=None) == "None"
    assert _python(code, MUJOCO_GL="osmesa", DISPLAY=None, WAYLAND_DISPLAY=None) == "osmesa"


def _episode(env: gym.Env, seed: int) -> list[tuple]:
    """(observation, reward, true reward) of every step of random actions; fails if the episode terminates."""
    env.reset(seed=seed)
    env.action_space.seed(seed)
    steps, truncated = [], False
    while not truncated:
        obs, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert not terminated
        steps.append((obs, reward, info["true_reward"]))
    env.close()
    return steps


def _equal(one, two) -> bool:
    if isinstance(one, dict):
        return all(np.array_equal(one[key], two[key]) for key in one)
    return np.array_equal(one, two)


def _python(code: str, **environ: str | None) -> str:
    """What a fresh Python prints; None unsets a variable."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environ
    env = {name: value for name, value in env.items() if value is not None}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()
