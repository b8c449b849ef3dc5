"""docs/extending/agent.md: the toy agent there trains, resumes and plays."""

import filecmp
import sys

import pytest
from walks import commands, examples

from prefrl.agents import registry
from prefrl.cli import main
from prefrl.runs import RunFolder

SHORT = ["--steps", "8192", "--initial-steps", "1024", "--checkpoint-steps", "2048", "--eval-episodes", "2"]


@pytest.fixture
def hill(tmp_path, monkeypatch):
    """The command line that trains the agent of the page, which is installed as the page says."""
    module, row = examples("agent.md")
    (tmp_path / "hill_climbing.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "AGENTS", dict(registry.AGENTS))
    monkeypatch.setattr("prefrl.cli.settings.AGENTS", registry.AGENTS)
    exec(row, vars(registry))
    (command,) = commands("agent.md")
    yield [*command, *SHORT, "--threads", "1"]
    sys.modules.pop("hill_climbing", None)


def test_it_trains_and_resumes_and_plays(hill, tmp_path):
    whole, stopped = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "stopped")
    assert main([*hill, "--out", str(whole.path)]) == 0
    assert main([*hill, "--out", str(stopped.path), "--steps", "4096"]) == 0
    assert main(["resume", str(stopped.path), "--steps", "8192"]) == 0
    assert whole.config().agent.spread == 0.3
    assert whole.summary().labels_answered == 100
    assert main(["play", str(whole.path), "--video", str(tmp_path / "episode.webm"), "--steps", "5"]) == 0


def test_a_run_that_was_stopped_is_the_uninterrupted_one(hill, tmp_path):
    from prefrl.agents.registry import make_agent
    from prefrl.algorithms.setup import make_recorder
    from prefrl.cli.settings import settings

    config = settings(hill[1:]).config()

    def fresh():
        return make_agent(
            make_recorder(config), config.agent, seed=0, total_steps=config.steps, device="cpu", precision="fp32"
        )

    def iterate(agent, number):
        for _ in range(number):
            rollout = agent.collect()
            agent.update(rollout, rollout.true_rewards)

    whole, first, second = fresh(), fresh(), fresh()
    for agent in (whole, first):
        agent.begin()
    iterate(whole, 4)
    iterate(first, 2)
    first.save(tmp_path)
    assert second.load(tmp_path)
    iterate(second, 2)
    for name, agent in (("whole", whole), ("second", second)):
        agent.save_policy(tmp_path / name)
    assert filecmp.cmp(tmp_path / "whole", tmp_path / "second", shallow=False)
