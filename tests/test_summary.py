"""summary.json: the same keys in the same order whatever is read back, and files of older versions are read."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from prefrl.runs.summary import RewardModelQuality, Summary, from_json, read_summary, write_summary

COMMITTED = sorted((Path(__file__).parents[1] / "results").rglob("summary.json"))
OF_BENCHMARKS = {"consoles", "shares", "to_score"}

SUMMARY = Summary(
    labels=700, steps=100_000, env_id="prefrl/Hopper-v0", true_return_mean=2874.5, versions={"torch": "2"}
)
BEFORE_FIGURES = [
    "study", "env_id", "variant", "preset", "labels", "labels_answered", "no_more_pairs", "seed", "steps",
    "true_return_mean", "true_return_std", "eval_episodes", "random_return_mean",
]  # fmt: skip
SCORES = ["score_mean", "score_std", "score_games"]
GAMES = ["games_ended", "games_unfinished", "game_steps_mean"]
AFTER_FIGURES = [
    "wall_seconds", "cpu_seconds", "fit_seconds", "steps_per_second", "peak_memory_mb", "threads", "device",
    "precision", "cpu", "git_commit", "reward_model", "versions",
]  # fmt: skip


@pytest.mark.parametrize(
    "summary, figures",
    [
        (SUMMARY, []),
        (replace(SUMMARY, measures={"rotations": 3.5}), ["rotations_mean"]),
        (replace(SUMMARY, score_mean=18.5, score_std=1.0, score_games=20, games_ended=0), SCORES + GAMES),
    ],
    ids=["control", "a behavior", "a game"],
)
def test_keys_are_in_this_order_and_come_back(tmp_path, summary, figures):
    write_summary(tmp_path / "summary.json", summary)
    assert list(json.loads((tmp_path / "summary.json").read_text())) == BEFORE_FIGURES + figures + AFTER_FIGURES
    assert read_summary(tmp_path / "summary.json") == summary


def test_the_reward_model_is_a_part_of_its_own():
    summary = replace(SUMMARY, reward_model=RewardModelQuality(heldout_accuracy=0.9, pearson=0.8, spearman=None))
    assert summary.to_json()["reward_model"] == {"heldout_accuracy": 0.9, "pearson": 0.8, "spearman": None}
    assert from_json(summary.to_json()) == summary
    assert from_json({"steps": 5, "labels": 0, "reward_model": None}).reward_model is None


def test_what_an_older_version_did_not_write_is_none():
    summary = from_json({"steps": 5, "labels": 2, "score_mean": 18.5, "reward_model": {"pearson": 0.8}})
    assert summary == Summary(steps=5, labels=2, score_mean=18.5, reward_model=RewardModelQuality(pearson=0.8))
    assert summary.games_ended is None


def test_of_unknown_keys_numbers_by_the_name_of_a_mean_are_measures():
    summary = from_json({"steps": 5, "labels": 2, "rotations_mean": 3.5, "consoles": 8, "by_mean": "no", "measures": 1})
    assert summary == Summary(steps=5, labels=2, measures={"rotations": 3.5})


@pytest.mark.parametrize("text", ["{", "[]", '{"labels": 3}', '{"steps": 3}'])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(ValueError, match=r"summary.json is damaged: "):
        read_summary(tmp_path / "summary.json")


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: "/".join(path.parts[-4:-1]))
def test_committed_results_are_read_with_all_that_they_say(path):
    written = json.loads(path.read_text(encoding="utf-8"))
    known = [(name, value) for name, value in written.items() if name not in OF_BENCHMARKS]
    read = read_summary(path).to_json()
    assert [(name, value) for name, value in read.items() if name in written] == known
