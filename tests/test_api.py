"""What `import prefrl` offers."""

import subprocess
import sys

import pytest

import prefrl

SMALL = {
    "initial_steps": 512, "threads": 1, "eval_episodes": 1, "agent.num_envs": 4, "agent.n_steps": 64,
    "agent.batch_size": 64, "agent.n_epochs": 1, "reward.initial_epochs": 1, "query.round_steps": 512,
}  # fmt: skip


class Left:
    """Prefers the first segment, whatever it shows."""

    name, kind = "left", "model"

    def label(self, queries):
        from prefrl.queries import LEFT

        return [LEFT] * len(queries)


def test_every_name_is_there():
    assert {name for name in prefrl.__all__ if getattr(prefrl, name) is not None} == set(prefrl.__all__)
    assert set(prefrl.__all__) <= set(dir(prefrl))
    with pytest.raises(AttributeError, match="module 'prefrl' has no attribute 'Train'"):
        _ = prefrl.Train


def test_the_gymnasium_wrapper_needs_no_sb3():
    code = (
        "import sys, prefrl, gymnasium\n"
        "env = prefrl.LearnedReward(gymnasium.make('prefrl/PointGoal-v0'), lambda obs, actions: obs['obs'][:, 0])\n"
        "env.reset(seed=0); env.step(env.action_space.sample())\n"
        "assert 'stable_baselines3' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_train_leaves_a_run_and_goes_on_with_it(tmp_path):
    short = {"labels": 10, "steps": 1024, "labeler": Left(), "settings": SMALL}
    summary = prefrl.train("PointGoal", tmp_path / "run", **short)
    assert summary.labels_answered == 10
    assert prefrl.train("PointGoal", tmp_path / "run", **short) == summary
    with prefrl.PreferenceStore.existing(tmp_path / "run" / "preferences.sqlite3") as store:
        assert {record.labeler for record in store.records()} == {"left"}
    with pytest.raises(prefrl.PrefrlError, match="holds a run with other settings; choose another folder"):
        prefrl.train("PointGoal", tmp_path / "run", **short | {"labels": 12})


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"task": "Hoper"}, "Did you mean"),
        ({"agent": "ppoo"}, "unknown agent 'ppoo'. Did you mean 'ppo'"),
        ({"settings": {"agent.gama": 0.9}}, "unknown setting 'agent.gama'; known there: num_envs"),
        ({"settings": {"agnet.gamma": 0.9}}, "unknown setting 'agnet.gamma'; known there: nothing"),
        ({"settings": {"gamma": 0.9}}, "unknown setting 'gamma'; known there: env_id"),
        ({"settings": {"agent.gamma": 2}}, "gamma must be at most 1, got 2"),
        ({"labeler": "left"}, "is no labeler"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line_and_leaves_nothing_behind(tmp_path, wrong, message):
    with pytest.raises(prefrl.PrefrlError, match=message):
        prefrl.train(**{"task": "PointGoal", "out": tmp_path / "run"} | wrong)
    assert not list(tmp_path.iterdir())
