"""A run folder as commit 6c028f5 wrote it works: data/run_0.1 is one, of PointGoal, with answers of a person as well.

Its report, its older checkpoint and what TensorBoard reads were left out.
"""

import json
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from prefrl_envs.task import TaskConfig
from prefrl_envs.wrappers import make_env

from prefrl.cli import main
from prefrl.queries import LEFT, TIE
from prefrl.rewards.ensemble import RewardEnsemble
from prefrl.rewards.wrapper import LearnedReward
from prefrl.store import PreferenceStore

OLD = Path(__file__).parent / "data" / "run_0.1"


@pytest.fixture
def old_run(tmp_path):
    return Path(shutil.copytree(OLD, tmp_path / "run"))


def test_its_summary_is_printed(old_run, capsys):
    assert main(["evaluate", str(old_run)]) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == 20


def test_its_report_is_drawn(old_run):
    assert main(["report", str(old_run)]) == 0
    assert (old_run / "report.html").stat().st_size > 100_000


def test_its_answers_are_read(old_run):
    with PreferenceStore.existing(old_run / "preferences.sqlite3") as store:
        records = store.records()
    by_person = [record for record in records if record.labeler == "person"]
    assert sum(record.labeler == "oracle" for record in records) == 20
    assert [(record.answer, record.swapped, record.repeat) for record in by_person] == [
        (TIE, True, False),
        (LEFT, False, True),
        (LEFT, True, False),
    ]
    assert [record.withdrawn_at is not None for record in by_person] == [False, False, True]
    assert (old_run / "preferences.sqlite3.version2").exists()


def test_it_is_extended(old_run):
    assert main(["resume", str(old_run), "--steps", "6144", "--labels", "30", "--threads", "1"]) == 0
    summary = json.loads((old_run / "summary.json").read_text())
    assert (summary["steps"], summary["labels"]) == (6144, 30)


def test_a_reward_model_is_fitted_to_its_store(old_run, tmp_path):
    arguments = ["fit", str(old_run), "--env", "PointGoal", "--out", str(tmp_path / "fitted"), "--epochs", "1"]
    assert main(arguments) == 0
    assert (tmp_path / "fitted" / "reward_model.safetensors").exists()


def test_its_reward_model_pays(old_run):
    env = make_env(TaskConfig("PointGoal"))
    reward_model = RewardEnsemble.load(old_run / "reward_model", env.observation_space, env.action_space)
    with closing(LearnedReward(env, reward_model)) as env:
        env.reset(seed=0)
        reward = env.step(np.zeros(2, np.float32))[1]
    assert np.isfinite(reward)


def test_its_policy_acts_by_plain_sb3(old_run):
    code = (
        "import sys, numpy\n"
        "from stable_baselines3 import PPO\n"
        "model = PPO.load(sys.argv[1], device='cpu')\n"
        "observation = numpy.full(model.observation_space.shape, 0.5, numpy.float32)\n"
        "print(*model.predict(observation, deterministic=True)[0])\n"
    )
    command = [sys.executable, "-c", code, str(old_run / "policy.zip")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    np.testing.assert_allclose([float(number) for number in printed.split()], [-0.007691, 0.023318], atol=1e-5)
