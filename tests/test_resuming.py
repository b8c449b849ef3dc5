"""A run that is stopped, killed or extended asks no more than its budget, and equals one that never was."""

import contextlib
import dataclasses
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from stable_baselines3 import PPO
from test_feedback import HUMAN, Person
from test_rlhf import SMALL, run, same_policy, stop_after

from prefrl.agents.sb3 import EPISODES
from prefrl.algorithms.rlhf import BEGIN_ANEW
from prefrl.algorithms.setup import check, most_pairs
from prefrl.labelers.config import OracleConfig
from prefrl.labelers.oracle import Oracle
from prefrl.queries import INCOMPARABLE
from prefrl.runs.checkpoints import MANIFEST, checkpoints
from prefrl.store import PreferenceStore


def small(env_id, **settings):
    """A short run whose rollouts end in the middle of episodes."""
    agent = dataclasses.replace(SMALL.agent, num_envs=2, n_steps=48, batch_size=96, n_epochs=1)
    query = dataclasses.replace(SMALL.query, round_steps=200)
    return dataclasses.replace(
        SMALL, env_id=env_id, labels=20, steps=960, initial_steps=192, agent=agent, query=query, precision="fp32",
        eval_episodes=1, **settings,
    )  # fmt: skip


def learned(folder):
    """Every tensor of the latest checkpoint: policy, optimizer, reward model, mean policy, scale."""
    latest = checkpoints(folder.checkpoints)[-1]
    model = PPO.load(latest / "policy.zip", device="cpu")
    adam = model.policy.optimizer.state_dict()["state"]
    moments = {f"{i}.{name}": value for i, values in adam.items() for name, value in values.items()}
    reward = load_file(latest / "reward.safetensors")
    return model.policy.state_dict() | moments | load_file(latest / "agent.safetensors") | reward


def assert_same_run(one, other):
    first, second = learned(one), learned(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert same_policy(one, other)
    assert comparisons(one) == comparisons(other)
    assert rows(one) == rows(other)


def comparisons(folder):
    with PreferenceStore.existing(folder.store) as store:
        return [(c.query.id, c.answer.ranks) for c in store.answered() if c.answer.comparable]


def rows(folder):
    """All of progress.csv but the seconds."""
    return [line.rsplit(",", 2)[0] for line in folder.progress.read_text().splitlines()]


@pytest.mark.parametrize("task", ["PointGoal", "ChainWalk", "TwoDials", "PixelGoal", "Hopper", "Pendulum", "Breakout"])
def test_a_run_stopped_in_the_middle_of_episodes_equals_the_uninterrupted_one(task, tmp_path):
    config = small(f"prefrl/{task}-v0")
    _, whole = run(config, tmp_path / "whole")
    _, stopped = run(config, tmp_path / "stopped", **stop_after(2))
    run(config, stopped.path, **stop_after(3))
    assert run(stopped.config(), stopped.path)[0]
    assert_same_run(whole, stopped)


@pytest.mark.parametrize("task", ["ChainWalk", "Hopper"])
def test_checkpoints_change_nothing(task, tmp_path):
    config = small(f"prefrl/{task}-v0")
    _, often = run(dataclasses.replace(config, checkpoint_steps=100), tmp_path / "often")
    _, seldom = run(dataclasses.replace(config, checkpoint_steps=100_000), tmp_path / "seldom")
    assert_same_run(often, seldom)


def test_episodes_are_longer_than_what_lies_between_two_checkpoints(tmp_path):
    """Where environments began anew at each, no episode ever ended, and no row had a true return."""
    agent = dataclasses.replace(SMALL.agent, num_envs=8, n_steps=16, batch_size=128)
    config = dataclasses.replace(
        SMALL, env_id="prefrl/ChainWalk-v0", checkpoint_steps=200, initial_steps=320, agent=agent, steps=2000
    )
    _, folder = run(config, tmp_path / "run")
    header, *lines = [line.split(",") for line in folder.progress.read_text().splitlines()]
    returns = [line[header.index("true_return")] for line in lines]
    assert sum(value != "" for value in returns) >= 4


def test_an_environment_that_cannot_be_saved_begins_anew_after_a_resume_and_the_run_says_so(tmp_path):
    config = small("CartPole-v1", horizon=40)
    notes = []
    _, folder = run(config, tmp_path / "run", on_note=notes.append, **stop_after(3))
    assert not notes
    assert not (checkpoints(folder.checkpoints)[-1] / EPISODES).exists()
    assert run(config, folder.path, on_note=notes.append)[0]
    assert notes == [BEGIN_ANEW]


def test_a_checkpoint_of_an_older_version_goes_on_with_its_own_rule_of_holding_out(tmp_path):
    config = small("prefrl/PointGoal-v0")
    _, folder = run(config, tmp_path / "run", **stop_after(5))
    for path in checkpoints(folder.checkpoints):
        (path / EPISODES).unlink()
        manifest = json.loads((path / MANIFEST).read_text())
        for name in ("asked", "heldout_by", "games"):
            del manifest[name]
        del manifest["sha256"][EPISODES]
        (path / MANIFEST).write_text(json.dumps(manifest))
    notes = []
    assert run(config, folder.path, on_note=notes.append)[0]
    assert notes == [BEGIN_ANEW]
    assert len(comparisons(folder)) == config.labels
    assert json.loads((checkpoints(folder.checkpoints)[-1] / MANIFEST).read_text())["heldout_by"] == "query"


def die_at_answer(number, patches):
    """Has a run killed while its n-th answer is taken down, in the middle of a round and of a batch."""
    answer = PreferenceStore.answer
    left = iter(range(number - 1))

    def until_then(*args, **options):
        if next(left, None) is None:
            raise KeyboardInterrupt
        answer(*args, **options)

    patches.setattr(PreferenceStore, "answer", until_then)


class StopsInAFit:
    """Says that it is to be stopped once the reward model was fitted so many times."""

    def __init__(self, monkeypatch, fits):
        from prefrl.algorithms import feedback

        self.left, fit = fits, feedback.fit

        def counted(*args):
            self.left -= 1
            return fit(*args)

        monkeypatch.setattr(feedback, "fit", counted)

    def __call__(self):
        return self.left == 0


def test_a_stop_during_a_fit_costs_no_label_more(tmp_path, monkeypatch):
    """Rounds are shorter than rollouts, so that another is due at the step at which the run was stopped."""
    query = dataclasses.replace(SMALL.query, round_steps=100)
    config = dataclasses.replace(SMALL, query=query, labels=50)
    _, whole = run(config, tmp_path / "whole")
    _, folder = run(config, tmp_path / "run", stopped=StopsInAFit(monkeypatch, 2))
    run(config, folder.path)
    assert len(comparisons(folder)) == len(comparisons(whole)) == 50


def test_a_stop_in_a_round_adds_no_fit(tmp_path):
    """A round is due at every rollout here, and would be once more at the step at which the run was stopped."""
    query = dataclasses.replace(SMALL.query, round_steps=100)
    config = dataclasses.replace(SMALL, query=query)
    _, whole = run(config, tmp_path / "whole")

    class Counts(Oracle):
        answers = 0

        def label(self, queries):
            Counts.answers += len(queries)
            return super().label(queries)

    counting = Counts(config.oracle, config.seed)
    _, folder = run(config, tmp_path / "run", counting, stopped=lambda: Counts.answers >= 12)
    run(config, folder.path)
    assert_same_run(whole, folder)


def test_queries_of_a_run_that_could_not_go_on_where_it_was_count(tmp_path):
    """It asks others than it had asked before it was killed, and those were answered, too."""
    config = dataclasses.replace(small("CartPole-v1", horizon=40), labels=40, checkpoint_steps=400)
    _, folder = run(config, tmp_path / "run")
    for late in checkpoints(folder.checkpoints)[1:]:
        shutil.rmtree(late)
    folder.forget_outcome()
    assert run(config, folder.path)[0]
    with PreferenceStore.existing(folder.store) as store:
        assert store.labels() == folder.summary().labels_answered == 40


def test_labels_are_added_to_a_run_that_has_ended_and_no_more_than_that(tmp_path):
    _, folder = run(dataclasses.replace(SMALL, labels=40), tmp_path / "run")
    for labels in (60, 80):
        ended, _ = run(dataclasses.replace(SMALL, labels=labels), folder.path)
        assert ended
        assert folder.summary().labels_answered == len(comparisons(folder)) == labels


@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 2**32 - 1),
    rollouts=st.lists(st.integers(1, 4), max_size=3),
    fits=st.integers(1, 3),
    answers=st.integers(1, 30),
    lost=st.booleans(),
    skips=st.booleans(),
)
def test_wherever_a_run_stops_its_budget_is_exact_and_it_equals_the_whole(
    tmp_path_factory, seed, rollouts, fits, answers, lost, skips
):
    """In fits, after rollouts, and killed in a round; with `lost` the latest checkpoint is lost as well."""
    folder = tmp_path_factory.mktemp("runs")
    oracle = OracleConfig(skip_below=-9.0) if skips else OracleConfig()
    config = dataclasses.replace(SMALL, seed=seed, steps=1536, checkpoint_steps=512, oracle=oracle)
    _, whole = run(config, folder / "whole")
    stopped = None
    with pytest.MonkeyPatch.context() as patches:
        _, stopped = run(config, folder / "stopped", stopped=StopsInAFit(patches, fits))
    if not stopped.summary_file.exists():
        with pytest.MonkeyPatch.context() as patches:
            patches.setattr(PreferenceStore, "release", lambda *_: None)  # a killed process gives nothing back
            die_at_answer(answers, patches)
            with contextlib.suppress(KeyboardInterrupt):
                run(config, stopped.path)
    for number in rollouts:
        if stopped.summary_file.exists():
            break
        if lost and len(found := checkpoints(stopped.checkpoints)) > 1:
            shutil.rmtree(found[-1])
        run(config, stopped.path, **stop_after(number))
    if not stopped.summary_file.exists():
        assert run(config, stopped.path)[0]
    assert len(comparisons(whole)) == config.labels
    assert_same_run(whole, stopped)


def test_no_pair_is_asked_twice_in_either_order(tmp_path):
    """From few segments: 30 labels about the 28 pairs of a first pool of 8, and those of later ones."""
    query = dataclasses.replace(SMALL.query, initial_fraction=1.0)
    config = dataclasses.replace(SMALL, initial_steps=80, query=query)
    _, folder = run(config, tmp_path / "run")
    with PreferenceStore.existing(folder.store) as store:
        pairs = [comparison.query.pair for comparison in store.answered()]
        first = [query_id for query_id in store.asked() if store.query(query_id).step == 80]
    assert len(pairs) == len(set(pairs)) == config.labels  # the rest was carried over
    assert len(first) == 28


def test_pairs_are_shown_in_either_order(tmp_path):
    _, folder = run(SMALL, tmp_path / "run")
    with PreferenceStore.existing(folder.store) as store:
        earlier = [c.query.segments[0].id < c.query.segments[1].id for c in store.answered()]
    assert 5 < sum(earlier) < 25


def test_a_budget_that_no_run_could_meet_is_one_line_at_the_start():
    with pytest.raises(ValueError, match=f"are more than the {most_pairs(SMALL)} different pairs of clips"):
        check(dataclasses.replace(SMALL, labels=10**6), "cpu")


@pytest.mark.parametrize("l2", [5.0, 1e-9])
def test_an_l2_that_would_be_another_is_refused(l2):
    with pytest.raises(ValueError, match=f"l2 must be 0, which turns it off, or from 1e-08 to 1.0, got {l2}"):
        check(dataclasses.replace(SMALL, reward=dataclasses.replace(SMALL.reward, l2=l2)), "cpu")


def test_a_budget_that_the_run_did_not_meet_is_one_line_at_the_end(tmp_path):
    query = dataclasses.replace(SMALL.query, pool_steps=20)  # two segments at a time
    config, notes = dataclasses.replace(SMALL, initial_steps=80, query=query), []
    ended, folder = run(config, tmp_path / "run", on_note=notes.append)
    assert ended
    answered = folder.summary().labels_answered
    assert answered < config.labels
    assert f"{answered} of 30 labels were given: the run had no more different pairs" in notes[0]


class TestPeople:
    def test_labels_alone_extend_a_run_of_a_person_who_is_asked_and_waited_for(self, tmp_path):
        config = dataclasses.replace(HUMAN, labels=20)
        folder = tmp_path / "run"
        _, made = run_with_a_person(config, folder)
        assert made.summary().labels_answered == 20
        more = dataclasses.replace(config, labels=40)
        assert not made.has_ended(more)
        waits = []
        ended, _ = run_people(more, made, on_wait=waits.append, stopped=lambda: len(waits) >= 2)
        assert not ended
        assert set(waits) == {20}
        assert not made.has_ended(more)  # its answers are missing; what it came to before is still there
        assert made.policy.exists()
        ended, _ = run_with_a_person(more, folder)
        assert ended
        assert made.summary().labels_answered == 40

    def test_a_run_that_called_itself_ended_without_its_answers_has_not(self, tmp_path):
        _, made = run_with_a_person(dataclasses.replace(HUMAN, labels=20), tmp_path / "run")
        summary = made.summary().to_json() | {"labels": 40}
        made.summary_file.write_text(json.dumps(summary))
        assert not made.has_ended(dataclasses.replace(HUMAN, labels=40))

    def test_a_pool_without_more_pairs_is_not_waited_for(self, tmp_path):
        """Fifteen labels are due at first, and four segments make six pairs."""
        waits = []
        short = dataclasses.replace(HUMAN, initial_steps=40, clip_steps=10)
        ended, made = run_with_a_person(short, tmp_path / "run", waits.append)
        assert ended
        assert made.summary().labels_answered == HUMAN.labels

    def test_an_extension_of_one_who_does_not_wait_is_waited_for_even_after_a_kill(self, tmp_path):
        config = dataclasses.replace(HUMAN, labels=20, pace="go")
        _, made = run_with_a_person(config, tmp_path / "run")
        more, waits = dataclasses.replace(config, labels=40), []
        for _ in range(2):
            ended, _ = run_people(more, made, on_wait=waits.append, stopped=lambda: len(waits) >= 1)
            assert not ended
        assert run_with_a_person(more, made.path)[0]
        assert made.summary().labels_answered == 40

    def test_a_run_that_ended_for_want_of_pairs_has_ended(self, tmp_path):
        query = dataclasses.replace(HUMAN.query, pool_steps=20)
        config, notes = dataclasses.replace(HUMAN, initial_steps=80, query=query), []
        from prefrl.runs import RunFolder

        folder = RunFolder(tmp_path / "run")
        folder.create(config)
        with Person(folder.store):
            assert run_people(config, folder, on_note=notes.append)[0]
        assert "no more different pairs" in notes[0]
        assert folder.has_ended(config)


def run_people(config, folder, **kwargs):
    from prefrl.algorithms.rlhf import train

    return train(config, folder, None, **kwargs), folder


def run_with_a_person(config, path, on_wait=lambda missing: None):
    from prefrl.runs import RunFolder

    folder = RunFolder(path)
    if not folder.config_file.exists():
        folder.create(config)
    with Person(folder.store):
        return run_people(config, folder, on_wait=on_wait)


def test_a_run_killed_before_its_report_was_drawn_gets_it_by_resume(tmp_path):
    command = [sys.executable, "-m", "prefrl.cli"]
    options = ["--labels", "10", "--steps", "2048", "--initial-steps", "512", "--threads", "1", "--eval-episodes", "1"]
    subprocess.run([*command, "train", "PointGoal", *options, "--out", "run"], cwd=tmp_path, check=True)
    (tmp_path / "run" / "report.html").unlink()
    said = subprocess.run([*command, "resume", "run"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "only its report was missing" in said.stdout
    assert (tmp_path / "run" / "report.html").exists()


def test_who_skips_everything_still_ends_the_run_in_one_line(tmp_path):
    class Never(Oracle):
        def label(self, queries):
            return [INCOMPARABLE] * len(queries)

    with pytest.raises(ValueError, match="skipped every pair"):
        run(SMALL, tmp_path / "run", Never(OracleConfig(), 0))


def test_a_process_that_plays_games_leaves_with_its_trainer(tmp_path):
    code = (
        "import os, signal; from prefrl_envs.atari_vector import AtariBatch; b = AtariBatch('prefrl/Pong-v0', 2, 2);"
        "b.reset([0, 1]); print(b._parts[1]._process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    pid = int(killed.stdout)
    for _ in range(100):
        if not is_running(pid):
            return
        subprocess.run(["sleep", "0.1"], check=True)
    pytest.fail("it plays on with nobody there")


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_all_labels_of_a_game_before_training_are_learned_from(tmp_path):
    """The window of a game's latest labels is smaller than the budget, and would drop half of it before any fit."""
    query = dataclasses.replace(SMALL.query, schedule="all_at_start")
    reward = dataclasses.replace(SMALL.reward, label_window=10)
    seen = []
    config = dataclasses.replace(SMALL, query=query, reward=reward)
    with pytest.MonkeyPatch.context() as patches:
        from prefrl.algorithms import feedback

        fit = feedback.fit
        patches.setattr(feedback, "fit", lambda *args: seen.append(len(args[2])) or fit(*args))
        run(config, tmp_path / "run")
    assert seen[0] == config.labels


def test_a_clip_longer_than_an_episode_is_refused_with_what_helps():
    agent = dataclasses.replace(SMALL.agent, n_steps=128, batch_size=128)
    config = dataclasses.replace(SMALL, agent=agent, clip_steps=60)
    with pytest.raises(ValueError, match=r"60 steps is longer than an episode of prefrl/PointGoal-v0, which has 50;"):
        check(config, "cpu")
    check(dataclasses.replace(config, horizon=60), "cpu")


def test_training_on_gymnasiums_own_cheetah_leaves_no_log_of_mujocos(tmp_path):
    code = (
        "from prefrl.vecenv import TaskConfig, make_vec_env; "
        "make_vec_env(TaskConfig('HalfCheetah-v5', 20), 1, 0).reset()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert not list(tmp_path.iterdir())
