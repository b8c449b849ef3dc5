"""The loop, on tasks small enough for a test."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from prefrl_envs.task import TaskConfig
from safetensors.torch import load_file
from stable_baselines3 import PPO

from prefrl.agents.config import PpoConfig
from prefrl.agents.ppo import PpoAgent
from prefrl.algorithms.rlhf import train
from prefrl.algorithms.setup import make_recorder
from prefrl.config import RlhfConfig
from prefrl.evaluation import play_episodes
from prefrl.labelers.config import OracleConfig
from prefrl.labelers.oracle import Oracle
from prefrl.metrics import normalized_return
from prefrl.preferences.config import QueryConfig
from prefrl.queries import INCOMPARABLE
from prefrl.rewards.config import RewardConfig
from prefrl.runs import RunFolder
from prefrl.runs.checkpoints import checkpoints
from prefrl.runs.lock import only_trainer, trainer_is_present
from prefrl.runs.progress import COLUMNS
from prefrl.store import PreferenceStore

SMALL = RlhfConfig(
    env_id="prefrl/PointGoal-v0",
    labels=30,
    steps=3072,
    seed=0,
    checkpoint_steps=1024,
    eval_episodes=2,
    threads=1,
    agent=PpoConfig(num_envs=4, n_steps=64, batch_size=64, n_epochs=2, averaging=0.5),
    reward=RewardConfig(initial_epochs=3, epochs=1),
    clip_steps=10,
    initial_steps=512,
    query=QueryConfig(round_steps=512),
)


def run(config, path, labeler=None, **kwargs):
    folder = RunFolder(path)
    if not folder.config_file.exists():
        folder.create(config)
    return train(config, folder, labeler or Oracle(config.oracle, config.seed), **kwargs), folder


def same_policy(first, second):
    a, b = (PPO.load(folder.policy, device="cpu").policy.state_dict() for folder in (first, second))
    return all(torch.equal(a[name], b[name]) for name in a)


def stop_after(rows):
    """A `stopped` and an `on_row` that end a run after so many rollouts."""
    seen = []
    return {"on_row": lambda row, metrics: seen.append(row), "stopped": lambda: len(seen) >= rows}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    ended, folder = run(SMALL, tmp_path_factory.mktemp("runs") / "whole")
    assert ended
    return folder


def test_a_run_leaves_everything_it_promises(finished):
    names = {path.name for path in finished.path.iterdir()}
    assert names >= {
        "config.json",
        "preferences.sqlite3",
        "progress.csv",
        "policy.zip",
        "reward_model",
        "summary.json",
        "episodes",
    }
    assert {path.stem for path in (finished.path / "episodes").iterdir()} == {"before", "midway", "after"}
    assert finished.progress.read_text().splitlines()[0].split(",") == list(COLUMNS)


def test_the_policy_that_is_saved_is_the_mean_of_the_latest(finished):
    saved = PPO.load(finished.policy, device="cpu").policy.state_dict()
    latest = checkpoints(finished.checkpoints)[-1]
    last = PPO.load(latest / "policy.zip", device="cpu").policy.state_dict()
    average = load_file(latest / "agent.safetensors")
    kept = [name for name in saved if f"average.module.{name}" in average]
    assert "mlp_extractor.policy_net.0.weight" in kept
    assert all(torch.equal(saved[name], average[f"average.module.{name}"]) for name in kept)
    assert not all(torch.equal(saved[name], last[name]) for name in saved)


@pytest.mark.parametrize("env_id, threads", [("prefrl/PointGoal-v0", 1), ("prefrl/PixelGoal-v0", 2)])
def test_only_networks_that_read_images_take_more_than_one_thread(tmp_path, monkeypatch, env_id, threads):
    taken = []
    monkeypatch.setattr(torch, "set_num_threads", taken.append)
    config = dataclasses.replace(SMALL, env_id=env_id, labels=0, steps=512, precision="fp32", threads=2)
    run(config, tmp_path / "run")
    assert taken == [threads]


def test_a_behavior_is_measured_over_longer_episodes_than_it_was_trained_in(tmp_path, monkeypatch):
    played = []
    monkeypatch.setattr(
        "prefrl_envs.measures.rotations", lambda states: played.append(states) or {"rotations": [3.0, 4.0]}
    )
    config = dataclasses.replace(SMALL, env_id="prefrl/HopperBackflip-v0", labels=0, steps=1024)
    _, folder = run(config, tmp_path / "flip")
    assert [states.shape for states in played] == [(1000, SMALL.eval_episodes, 6)]
    assert folder.summary().measures == {"rotations": 3.5}


def test_the_summary_has_what_benchmarks_read(finished):
    summary = json.loads(finished.summary_file.read_text())
    assert summary["labels"] == 30
    assert summary["steps"] >= SMALL.steps
    assert set(summary["reward_model"]) == {"heldout_accuracy", "pearson", "spearman"}
    for key in (
        "study", "env_id", "variant", "preset", "seed", "true_return_mean", "true_return_std", "random_return_mean",
        "wall_seconds", "steps_per_second", "threads", "cpu", "git_commit", "versions",
    ):  # fmt: skip
        assert key in summary
    assert summary["versions"]["mujoco"]
    assert summary["peak_memory_mb"] is None or 100 < summary["peak_memory_mb"] < 10_000


def test_every_label_is_spent_on_schedule(finished):
    with PreferenceStore.existing(finished.store) as store:
        steps = [comparison.query.step for comparison in store.answered()]
        assert store.counts().open == 0
    assert len(steps) == SMALL.labels
    assert steps.count(min(steps)) == SMALL.initial_labels == 8
    assert steps == sorted(steps)
    assert len(set(steps)) >= 4


def test_the_same_seed_gives_the_same_policy(finished, tmp_path):
    _, again = run(SMALL, tmp_path / "again")
    _, other = run(dataclasses.replace(SMALL, seed=1), tmp_path / "other")
    assert same_policy(finished, again)
    assert not same_policy(finished, other)
    rows, more = (
        [line.rsplit(",", 2)[0] for line in folder.progress.read_text().splitlines()] for folder in (finished, again)
    )
    assert rows == more  # but for the seconds


def test_a_killed_run_resumed_from_its_checkpoint_equals_the_uninterrupted_one(finished, tmp_path):
    """The store is ahead of the checkpoint, as after kill -9: what was asked since is asked again, and known."""
    ended, folder = run(SMALL, tmp_path / "killed", **stop_after(7))
    assert not ended
    for late in checkpoints(folder.checkpoints)[1:]:
        shutil.rmtree(late)
    with PreferenceStore.existing(folder.store) as store:
        answered_before = [comparison.query.id for comparison in store.answered()]
    ended, _ = run(SMALL, folder.path)
    assert ended
    with PreferenceStore.existing(folder.store) as store, PreferenceStore.existing(finished.store) as whole:
        resumed, expected = ([comparison.query.id for comparison in s.answered()] for s in (store, whole))
    assert resumed == expected
    assert resumed[: len(answered_before)] == answered_before
    assert same_policy(finished, folder)


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    _, folder = run(SMALL, tmp_path / "stopped", **stop_after(5))
    rows = folder.progress.read_text().splitlines()
    ended, _ = run(SMALL, folder.path)
    assert ended
    after = folder.progress.read_text().splitlines()
    assert after[: len(rows)] == rows
    steps = [int(line.split(",")[0]) for line in after[1:]]
    assert steps == sorted(set(steps))


def test_a_run_killed_while_its_oracle_answers_still_equals_the_uninterrupted_one(finished, tmp_path, monkeypatch):
    """What the dead process had in hand is open again at once, not after its lease."""

    class Dies(Oracle):
        def label(self, queries):
            if any(query.step > 1024 for query in queries):
                raise KeyboardInterrupt
            return super().label(queries)

    folder = RunFolder(tmp_path / "killed")
    folder.create(SMALL)
    monkeypatch.setattr(PreferenceStore, "release", lambda *_: None)  # a killed process gives nothing back
    with pytest.raises(KeyboardInterrupt):
        train(SMALL, folder, Dies(SMALL.oracle, SMALL.seed))
    monkeypatch.undo()
    ended, _ = run(SMALL, folder.path)
    assert ended
    assert same_policy(finished, folder)
    with PreferenceStore.existing(folder.store) as store:
        assert (store.counts().labels, store.counts().open) == (SMALL.labels, 0)


def test_only_one_process_trains_in_a_folder_and_it_is_seen(tmp_path):
    folder, seen = RunFolder(tmp_path / "run"), []
    folder.create(SMALL)
    with only_trainer(folder.path), pytest.raises(ValueError, match="another process is training in"):
        run(SMALL, folder.path)
    run(SMALL, folder.path, on_row=lambda row, metrics: seen.append(trainer_is_present(folder.path)))
    assert all(seen)
    assert not trainer_is_present(folder.path)


def test_an_extension_that_was_killed_goes_on_and_no_old_summary_stands_for_it(tmp_path):
    _, folder = run(SMALL, tmp_path / "run")
    longer = dataclasses.replace(SMALL, steps=6144)
    ended, _ = run(longer, folder.path, **stop_after(2))
    assert not ended
    assert not folder.summary_file.exists()
    assert folder.config() == dataclasses.replace(longer, precision="fp32")  # as the self-test found
    ended, _ = run(folder.config(), folder.path)
    assert ended
    assert folder.summary().steps >= 6144


@pytest.mark.parametrize("broken", ["preferences.sqlite3", "progress.csv", "checkpoints"])
def test_a_run_that_cannot_go_on_keeps_what_it_came_to(tmp_path, broken):
    _, folder = run(SMALL, tmp_path / "run")
    if broken == "checkpoints":
        shutil.rmtree(folder.checkpoints)
    elif broken == "progress.csv":
        with folder.progress.open("a") as file:
            file.write("q" + "," * (len(COLUMNS) - 1) + "\n")
    else:
        (folder.path / broken).write_bytes(b"no database" * 1000)
    there = {path: path.read_bytes() for path in folder.path.glob("*") if path.suffix in (".zip", ".json", ".csv")}
    assert {folder.policy, folder.summary_file, folder.config_file} <= set(there)
    with pytest.raises(ValueError, match=broken):
        run(dataclasses.replace(SMALL, steps=6144), folder.path)
    assert {path: path.read_bytes() for path in there} == there


def test_every_label_is_spent_where_there_is_but_one_round(tmp_path):
    config = dataclasses.replace(SMALL, query=dataclasses.replace(SMALL.query, round_steps=100_000))
    _, folder = run(config, tmp_path / "run")
    assert folder.summary().labels_answered == SMALL.labels


def test_labels_that_the_window_has_let_go_were_answered_all_the_same(tmp_path):
    config = dataclasses.replace(SMALL, reward=dataclasses.replace(SMALL.reward, label_window=10))
    _, folder = run(config, tmp_path / "run")
    assert folder.summary().labels_answered == SMALL.labels == 30


def test_a_finished_run_can_be_extended(tmp_path):
    _, folder = run(SMALL, tmp_path / "run")
    longer = dataclasses.replace(SMALL, steps=4096, labels=40)
    folder.write_config(longer)
    ended, _ = run(longer, folder.path)
    assert ended
    assert folder.summary().steps >= 4096
    with PreferenceStore.existing(folder.store) as store:
        assert store.counts().labels == 40


def test_an_extended_run_goes_on_from_its_own_last_policy_and_not_from_the_mean(tmp_path):
    baseline = dataclasses.replace(SMALL, labels=0, eval_episodes=1)
    _, whole = run(baseline, tmp_path / "whole")
    _, folder = run(dataclasses.replace(baseline, steps=2048), tmp_path / "extended")
    folder.write_config(baseline)
    run(baseline, folder.path)
    assert same_policy(whole, folder)


def test_without_labels_the_agent_is_paid_the_true_reward_and_nobody_is_asked(tmp_path):
    class Nobody:
        name, kind = "nobody", "model"

        def label(self, queries):
            raise AssertionError("a baseline asks nothing")

    ended, folder = run(dataclasses.replace(SMALL, labels=0), tmp_path / "run", Nobody())
    assert ended
    assert folder.summary().reward_model is None
    assert not folder.reward_model.exists()


def test_a_skipped_pair_costs_no_label(tmp_path):
    """An oracle that skips the worse half still gives every label that was asked for."""
    picky = dataclasses.replace(SMALL, oracle=OracleConfig(skip_below=-9.0))
    _, folder = run(picky, tmp_path / "run")
    with PreferenceStore.existing(folder.store) as store:
        counts = store.counts()
    assert counts.skipped > 0
    assert counts.labels == 30


class GivesBack(Oracle):
    """Leaves every third query to others, by its id."""

    def label(self, queries):
        answers = super().label(queries)
        return [None if int(query.id, 16) % 3 == 0 else answer for query, answer in zip(queries, answers, strict=True)]


def test_in_the_loop_another_pair_is_asked_for_one_that_is_given_back(tmp_path):
    labeler = GivesBack(SMALL.oracle, SMALL.seed)
    _, whole = run(SMALL, tmp_path / "whole", labeler)
    with PreferenceStore.existing(whole.store) as store:
        counts = store.counts()
    assert (counts.labels, counts.open, counts.skipped) == (SMALL.labels, 0, 0)
    assert counts.expired > 0
    _, stopped = run(SMALL, tmp_path / "stopped", labeler, **stop_after(5))
    shutil.rmtree(checkpoints(stopped.checkpoints)[-1])  # the store is ahead of what the run goes on from
    run(SMALL, stopped.path, labeler)
    assert same_policy(whole, stopped)


def test_a_labeler_that_is_none_is_refused_before_training(tmp_path):
    class Answers:
        name = "answers"

    with pytest.raises(ValueError, match="labeler 'answers': unknown kind of labeler 'None'"):
        run(SMALL, tmp_path / "run", Answers())
    assert not (tmp_path / "run" / "episodes" / "before.safetensors").exists()


def test_a_labeler_who_skips_everything_stops_the_run_in_one_clear_line(tmp_path):
    class Never:
        name, kind = "never", "model"

        def label(self, queries):
            return [INCOMPARABLE] * len(queries)

    with pytest.raises(ValueError, match="never skipped every pair"):
        run(SMALL, tmp_path / "run", Never())


def test_a_corrupt_checkpoint_is_one_clear_line_and_stays_as_it_is(tmp_path):
    _, folder = run(SMALL, tmp_path / "run", **stop_after(6))
    latest = checkpoints(folder.checkpoints)[-1]
    (latest / "agent.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="is damaged .*remove that folder to go on from the one before"):
        run(SMALL, tmp_path / "run")
    assert (latest / "agent.safetensors").read_bytes() == b"nonsense"


def test_it_learns(tmp_path):
    """On a chain whose best return is known, comparisons alone get most of the way."""
    config = RlhfConfig(
        env_id="prefrl/ChainWalk-v0", labels=100, steps=12_288, seed=0, eval_episodes=10, threads=1,
        agent=PpoConfig(num_envs=4, n_steps=128, batch_size=64, n_epochs=5, learning_rate=1e-3),
        reward=RewardConfig(initial_epochs=30),
        clip_steps=10, initial_steps=1024, query=QueryConfig(round_steps=1024),
    )  # fmt: skip
    _, folder = run(config, tmp_path / "run")
    from prefrl_envs.toy import ChainWalk

    summary = folder.summary()
    achieved = normalized_return(summary.true_return_mean, summary.random_return_mean, ChainWalk.best_return(40))
    assert achieved > 0.7
    assert summary.reward_model.heldout_accuracy > 0.7
    assert np.isfinite(summary.true_return_std)


def test_a_run_keeps_to_the_precision_that_it_began_with(tmp_path, monkeypatch):
    """What a self-test finds faster here need not be so where the run goes on."""
    images = dataclasses.replace(
        SMALL, env_id="prefrl/PixelGoal-v0", labels=4, steps=512, initial_steps=256, eval_episodes=1
    )
    monkeypatch.setattr("prefrl.agents.precision.fast_precision", lambda _: ("bf16", "it is"))
    _, folder = run(images, tmp_path / "run")
    assert folder.config().precision == folder.summary().precision == "bf16"
    assert json.loads((folder.reward_model / "reward_model.json").read_text())["precision"] == "bf16"
    monkeypatch.setattr("prefrl.agents.precision.fast_precision", lambda _: ("fp32", "it is"))
    run(dataclasses.replace(folder.config(), steps=768), folder.path)
    assert folder.config().precision == "bf16"
    assert PPO.load(folder.policy).policy.features_extractor.dtype == torch.bfloat16


def test_learning_rate_and_entropy_bonus_decay_over_the_run_and_not_over_a_rollout(tmp_path):
    decays = {"learning_rate_decay": 1.0, "ent_coef_decay": 0.5}
    agent = dataclasses.replace(SMALL.agent, learning_rate=1e-3, ent_coef=0.01, **decays)
    _, folder = run(dataclasses.replace(SMALL, labels=0, steps=1024, agent=agent), tmp_path / "run")
    last = PPO.load(folder.policy)  # as at the beginning of the last of four rollouts
    assert last.policy.optimizer.param_groups[0]["lr"] == pytest.approx(1e-3 * 256 / 1024)
    assert last.ent_coef == pytest.approx(0.01 * (1 - 0.5 * 768 / 1024))


def test_a_fresh_agent_begins_once_and_so_does_the_mean(tmp_path, monkeypatch):
    resets, reinitialize = [], PpoAgent.reinitialize

    def counted(agent, seed):
        reinitialize(agent, seed)
        resets.append((agent.step, parameters(agent.policy)))

    monkeypatch.setattr(PpoAgent, "reinitialize", counted)
    still = dataclasses.replace(SMALL.agent, learning_rate=0.0, averaging=0.9, reset_step=600)
    for steps, total in ((768, 0), (1024, 1), (1536, 1)):  # the first rollout from 600 on begins at 768
        config = dataclasses.replace(SMALL, labels=0, steps=steps, agent=still)
        _, folder = run(config, tmp_path / "run")
        assert len(resets) == total
    assert resets[0][0] == 768
    assert torch.equal(parameters(PPO.load(folder.policy).policy), resets[0][1])


def parameters(policy):
    return torch.nn.utils.parameters_to_vector(policy.parameters()).detach().clone()


def test_a_fresh_agent_is_the_same_after_a_crash(tmp_path):
    agent = dataclasses.replace(SMALL.agent, reset_step=600)
    config = dataclasses.replace(SMALL, labels=0, steps=2048, checkpoint_steps=256, agent=agent)
    _, whole = run(config, tmp_path / "whole")
    for rows in (3, 1, None):  # before it begins, after its first rollout
        _, broken = run(config, tmp_path / "broken", **(stop_after(rows) if rows else {}))
    assert same_policy(whole, broken)


def test_rates_decay_in_each_agents_own_time(tmp_path):
    agent = dataclasses.replace(SMALL.agent, learning_rate=1e-3, learning_rate_decay=1.0, reset_step=512)

    def last_rate(steps):  # of the last rollout, which begins 256 steps before the end
        _, folder = run(dataclasses.replace(SMALL, labels=0, steps=steps, agent=agent), tmp_path / str(steps))
        return PPO.load(folder.policy).policy.optimizer.param_groups[0]["lr"]

    assert last_rate(1024) == pytest.approx(1e-3 * 256 / 512)
    assert last_rate(768) == pytest.approx(1e-3)


def test_an_agent_learns_from_the_middle_of_a_flip_and_is_judged_from_standing():
    flip = dataclasses.replace(SMALL, env_id="prefrl/HopperBackflip-v0", labels=0)
    learned_from = make_recorder(flip).reset()
    judged = play_episodes(TaskConfig(flip.env_id, horizon=2), lambda obs: np.zeros((len(obs), 3)), 20, seed=0).obs[
        "obs"
    ]
    assert np.abs(learned_from[:, 8]).max() >= 2.0  # rad/s of the torso
    assert np.abs(judged[0, :, 8]).max() < 0.1
