"""A reward model from stored comparisons alone."""

import dataclasses
import json

import numpy as np
import pytest
from gymnasium import spaces
from prefrl_envs.task import TaskConfig

from prefrl.algorithms import offline
from prefrl.labelers.worker import work
from prefrl.queries import Query
from prefrl.rewards.ensemble import DESCRIPTION, RewardEnsemble
from prefrl.rewards.fitting import FitStats
from prefrl.store import PreferenceStore, contents
from prefrl.testing import image_segments, steps_of

PONG = "prefrl/Pong-v0"


@pytest.fixture
def game_store(tmp_path, rng, oracle):
    """5 comparisons of 4 segments that look as those of a game do."""
    segments = [dataclasses.replace(s, env_id=PONG) for s in image_segments(4, rng, length=3, size=84)]
    pairs = [(0, 1), (2, 3), (0, 2), (1, 3), (0, 3)]
    with PreferenceStore(tmp_path / "preferences.sqlite3") as store:
        store.ask([Query((segments[a], segments[b]), step) for step, (a, b) in enumerate(pairs)])
        work(store, oracle)
    return tmp_path / "preferences.sqlite3"


def fitted(store, out, **options):
    defaults = {"preset": "default", "epochs": None, "seed": 0, "device": "cpu"}
    return offline.fit_store(store, TaskConfig(PONG), out, **(defaults | options))


@pytest.mark.parametrize("preset, network, epochs", [("default", "auto", 6), ("paper2017", "paper_cnn", 200)])
def test_a_game_gets_its_presets_reward_model_and_as_many_passes_as_its_first_fit(
    game_store, tmp_path, monkeypatch, preset, network, epochs
):
    passes = []
    stats = FitStats(train_loss=0.5, heldout_loss=None, train_accuracy=1.0, heldout_accuracy=None, l2=0.1)
    monkeypatch.setattr(offline, "fit", lambda *args: passes.append(args[3]) or stats)
    assert fitted(game_store, tmp_path / "reward", preset=preset)["epochs"] == epochs
    fitted(game_store, tmp_path / "other", preset=preset, epochs=2)
    assert passes == [epochs, 2]
    config = json.loads((tmp_path / "reward" / DESCRIPTION).read_text())["config"]
    assert (config["network"], config["hidden"]) == (network, [64])
    assert config["label_window"] is config["fit_sample"] is None  # every comparison counts, in every pass


def test_reading_in_parts_changes_nothing_and_no_segment_is_judged_twice(game_store, tmp_path, monkeypatch):
    whole = fitted(game_store, tmp_path / "whole", epochs=1)
    monkeypatch.setattr(contents, "READ_AT_ONCE", 2)
    parts = fitted(game_store, tmp_path / "parts", epochs=1)
    assert whole["comparisons"] == parts["comparisons"] == 5
    for name in ("train_loss", "pearson"):
        assert parts[name] == pytest.approx(whole[name])
    with PreferenceStore.existing(game_store) as store:
        sizes = [len(part) for part in offline.distinct_segments(store)]
    assert sizes == [4]  # the other parts had nothing new


def test_predictions_are_standardised_over_the_segments_that_were_compared(game_store, tmp_path):
    fitted(game_store, tmp_path / "reward", epochs=1)
    observations, actions = spaces.Box(0, 255, (4, 84, 84), np.uint8), spaces.Discrete(6)
    ensemble = RewardEnsemble.load(tmp_path / "reward", observations, actions)
    with PreferenceStore.existing(game_store) as store:
        (segments,) = offline.distinct_segments(store)
    members = ensemble.normalized(*steps_of(segments))
    assert members.mean(1).abs().max() < 1e-4
    assert members.std(1).tolist() == pytest.approx([1.0] * 3, abs=1e-3)


def test_one_ranking_of_four_among_pairs_is_learned_from_too(game_store, tmp_path, rng, oracle):
    pairs_alone = fitted(game_store, tmp_path / "pairs", epochs=1)
    segments = [dataclasses.replace(s, env_id=PONG) for s in image_segments(4, rng, length=3, size=84)]
    with PreferenceStore.existing(game_store) as store:
        store.ask([Query(tuple(segments), 5)])
        work(store, oracle)
    both = fitted(game_store, tmp_path / "both", epochs=1)
    assert (pairs_alone["comparisons"], both["comparisons"]) == (5, 6)
    assert both["train_loss"] != pairs_alone["train_loss"]
