"""What the benchmarks compute, small; and that the README says what is committed."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv

from prefrl.agents.config import PpoConfig
from prefrl.presets import preset_config
from prefrl.runs.progress import ProgressRow
from prefrl.runs.summary import Summary

ROOT = Path(__file__).parents[1]


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))

    def load(name):
        return __import__(name)

    return load


def write_run(study, variant, seed, true_return, random_return=0.0):
    folder = study / "Hopper" / variant / f"seed-{seed}"
    folder.mkdir(parents=True)
    summary = {
        "true_return_mean": true_return,
        "random_return_mean": random_return,
        "reward_model": {"heldout_accuracy": 0.9, "pearson": 0.99},
    }
    (folder / "summary.json").write_text(json.dumps(summary))


def test_returns_are_normalized_by_the_better_mean_of_the_two_baselines(benchmark, tmp_path):
    figures = benchmark("figures")
    for seed, learned, default, zoo in ((0, 90.0, 100.0, 20.0), (1, 60.0, 20.0, 30.0)):
        write_run(tmp_path, "default-700", seed, learned, random_return=10.0)
        write_run(tmp_path, "default-0", seed, default)
        write_run(tmp_path, "zoo-0", seed, zoo)
    assert figures.normalized("Hopper", tmp_path) == pytest.approx([1.6, 1.0])
    table = figures.learning_table(tmp_path)
    assert (
        "| Hopper | 75.0 (90.0, 60.0) | 60.0 (100, 20.0) | 25.0 (20.0, 30.0) | 10.0 | **1.30** (1.00 to 1.60)" in table
    )


def test_pairs_of_runs_give_a_median_with_an_interval(benchmark):
    pairs = benchmark("pairs")
    assert pairs.interval_of_median(8) == (0, 1 - 2 / 2**8)  # the next one holds it with 93 % alone
    ratios = [0.97, 0.98, 0.99, 1.0, 1.0, 1.01, 1.02, 1.1]
    found = pairs.summary(np.array([[10.0, 10.0 * ratio] for ratio in ratios]))
    assert found["new_over_base"] == 1.0
    assert found["interval"] == [0.97, 1.1]
    assert found["confidence"] == pytest.approx(1 - 2 / 2**8, abs=1e-3)


def test_marks_in_a_text_are_filled_and_what_stood_there_goes(benchmark):
    figures = benchmark("figures")
    text = "a\n<!-- figures: x -->\nold\n<!-- end -->\nb\n<!-- figures: y -->\n<!-- end -->\n"
    filled = figures.fill(text, {"x": "new", "y": "other"})
    assert "old" not in filled
    assert filled.startswith("a\n<!-- figures: x -->\n\nnew\n<!-- end -->\nb\n")
    assert figures.fill(filled, {"x": "new", "y": "other"}) == filled
    with pytest.raises(ValueError, match="no mark"):
        figures.fill(text, {"z": ""})


def test_the_readme_says_what_is_committed(benchmark):
    figures = benchmark("figures")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert figures.learning_table() in readme, "run python benchmarks/figures.py"
    for table in (benchmark("atari_figures").table, benchmark("atari_figures").progress):
        assert table(ROOT / "results" / "atari") in readme, "run python benchmarks/figures.py"
    assert benchmark("behaviour_figures").table(figures.BEHAVIOURS) in readme, "run python benchmarks/figures.py"
    labeling = benchmark("labelling_figures")
    assert labeling.tools_table(labeling.read(figures.MEASURED, "window", "web")) in readme
    assert labeling.crowd_table(labeling.read(figures.MEASURED, "crowd", "crowd_postgresql")) in readme
    speed = benchmark("speed_figures")
    control, games = speed.control(figures.MEASURED), speed.games(figures.MEASURED)
    for said in (speed.table(control, speed.CONTROL), speed.table(games, speed.GAMES)):
        assert said in readme, "run python benchmarks/figures.py"
    for said in (speed.shares(control, "prefrl-default"), speed.shares(games, "prefrl-labels")):
        assert said in readme, "run python benchmarks/figures.py"


def test_throughput_runs_prefrl_and_its_shares_of_the_time_add_up(benchmark, monkeypatch):
    throughput = benchmark("throughput")
    monkeypatch.setattr(throughput, "LABELS", 20)
    result = throughput.contenders("Hopper", 8_192)["prefrl-default"]()
    shares = [value for name, value in result.items() if name.startswith("share: ")]
    assert result["steps_per_second"] > 0
    assert sum(shares) == pytest.approx(1)
    assert min(shares) > -0.01


def test_throughput_counts_whole_iterations_of_stock_sb3(benchmark):
    throughput = benchmark("throughput")
    result = throughput.contenders("Hopper", 3 * 2 * 2_048)["stock-dummy"]()
    assert result["steps_per_second"] > 0


def test_throughput_compares_with_the_faster_of_the_two(benchmark):
    rates = {"stock-dummy": 10, "stock-subproc": 20, "prefrl-equal": 30, "prefrl-default": 50, "per-step": 10}
    rates["stock-large-batches"] = 25
    compared = benchmark("throughput").ratios({name: {"steps_per_second": rate} for name, rate in rates.items()})
    assert np.isclose(compared["prefrl-default over stock"], 2.5)
    assert "prefrl-equal over imitation" not in compared


SMALL = PpoConfig(num_envs=2, n_steps=64, batch_size=64, n_epochs=1)


def test_the_shares_of_the_time_on_atari_add_up(benchmark, monkeypatch):
    module = benchmark("atari_throughput")
    settings = module.settings

    def small(game, preset, labels):
        config = settings(game, preset, labels)
        return replace(config, agent=SMALL, initial_steps=256, query=replace(config.query, round_steps=128))

    monkeypatch.setattr(module, "settings", small)
    monkeypatch.setattr(module, "LABELS", 20)
    monkeypatch.setattr(
        "prefrl.algorithms.rlhf.record_episode", lambda *_: None
    )  # thousands of steps, before the clock
    result = module.contenders("Pong", "default", 2, "cpu")["prefrl-labels"]()
    shares = {name: value for name, value in result.items() if name.startswith("share: ")}
    assert result["steps_per_second"] > 0
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["share: fits"] > 0


def test_stock_sb3_plays_atari(benchmark):
    result = benchmark("atari_throughput").stock("Pong", 3 * 128, DummyVecEnv, SMALL, "cpu")
    assert result["steps_per_second"] > 0


def test_stock_sb3_s_scores_are_means_of_whole_games(benchmark):
    module = benchmark("atari_stock")
    callback = module.Scores(every=4)
    venv = SimpleNamespace(num_envs=2)
    games = [[{}, {}], [{"episode": {"r": -21.0}}, {}], [{}, {"episode": {"r": 3.0}}], [{}, {}]]
    for step, infos in enumerate(games, start=1):
        callback.model = SimpleNamespace(num_timesteps=2 * step, get_env=lambda: venv)
        callback.locals["infos"] = infos
        callback.on_step()
    assert callback.curve == {4: -21.0, 8: -9.0}
    played = module.scores("Breakout", 2048, 512, SMALL, 0)["score"]
    assert max(played) == 2048
    assert all(score >= 0 for score in played.values())


def test_atari_is_compared_with_the_faster_of_the_two(benchmark):
    rates = {"stock-dummy": 10, "stock-subproc": 20, "prefrl-score": 50, "prefrl-labels": 30}
    compared = benchmark("atari_throughput").ratios({name: {"steps_per_second": r} for name, r in rates.items()})
    assert compared == {"prefrl-score over stock": 2.5, "prefrl-labels over stock": 1.5}


def test_the_table_of_the_games_speed_is_against_the_faster_of_stock_sb3_on_each_processor(benchmark, tmp_path):
    speed = benchmark("speed_figures")
    rates = {"stock-dummy": 400.0, "stock-subproc": 500.0, "prefrl-score": 1200.0, "prefrl-labels": 1000.0}
    machines = ("", "avx2 amx_bf16", "cpu", 700.4), ("_avx2", "avx2", "cpu", 650.0), ("_gpu", "avx2", "NVIDIA X", 90.0)
    for name, flags, device, memory in machines:
        contenders = {name: {"steps_per_second": rate, "peak_mb": memory} for name, rate in rates.items()}
        measured = {"game": "Pong", "cpu": f"a processor, {flags}", "device": device, "contenders": contenders}
        (tmp_path / f"atari_throughput{name}.json").write_text(json.dumps(measured))
        rates["prefrl-labels"] = 750.0
    head, _, *_, row = speed.table(speed.games(tmp_path), speed.GAMES).splitlines()
    assert head.split(" | of stock | ") == [
        "| | Pong, AMX, steps/s", "Pong, AVX2, steps/s", "Pong, NVIDIA X, steps/s", "memory |",
    ]  # fmt: skip
    assert row.endswith("from comparisons, 5,500 in 2e6 steps** | 1,000 | 2.00 | 750 | 1.50 | 750 | 1.50 | 700 MB |")


def test_the_table_of_games_names_what_was_reached_and_what_was_not(benchmark, tmp_path):
    summary = {"env_id": "prefrl/Pong-v0", "steps": 400_000, "score_mean": 18.25, "score_std": 2.0}
    model = {"heldout_accuracy": 0.975, "pearson": 0.8}
    reached, missed = (
        {"score": 18, "steps": 300_000, "seconds": 1800, "core_minutes": 20.5},
        {"score": 18, "steps": None},
    )
    xeon = {"cpu": "Xeon, 2 cores, avx2 avx512f amx_bf16", "precision": "bf16"}
    epyc = {"cpu": "EPYC, 2 cores, avx2", "precision": "fp32", "consoles": 16}
    for variant, seed, rest in (
        ("default-5500", 1, xeon | {"labels_answered": 2100, "to_score": missed, "reward_model": model}),
        ("default-0", 0, epyc | {"labels_answered": 0, "to_score": reached, "reward_model": None}),
        ("default-0", 1, epyc | {"labels_answered": 0, "reward_model": None}),
        ("wide-350-at-start-untrained", 0, epyc | {"labels_answered": 350, "reward_model": model}),
    ):
        folder = tmp_path / "Pong" / variant / f"seed-{seed}"
        folder.mkdir(parents=True)
        (folder / "summary.json").write_text(json.dumps(summary | rest | {"variant": variant, "seed": seed}))
    *_, first, without, unusual, second = benchmark("atari_figures").table(tmp_path).splitlines()
    assert unusual.startswith("| Pong | 350, all before training, untrained agent, wide (350 asked) | 0 |")
    assert first == "| Pong | true reward | 0 | AVX2, fp32, 16 | **300,000** | 30, 20 | 400,000 | 18.2 ± 2.0 |  |  |"
    assert without == "| Pong | true reward | 1 | AVX2, fp32, 16 |  |  | 400,000 | 18.2 ± 2.0 |  |  |"
    same = "| not reached |  | 400,000 | 18.2 ± 2.0 | 0.97 | 0.80 |"
    assert second == f"| Pong | 5,500 (2,100 asked) | 1 | AMX, bf16, 8 {same}"


def test_the_progress_of_a_game_that_no_score_wins_weighs_games(benchmark, tmp_path):
    folder = tmp_path / "Qbert" / "default-5500" / "seed-0"
    folder.mkdir(parents=True)
    about = {"env_id": "prefrl/Qbert-v0", "variant": "default-5500", "seed": 0, "steps": 2_000_000}
    took = {"cpu_seconds": 3000.0, "wall_seconds": 4000.0, "fit_seconds": 1000.0}
    (folder / "summary.json").write_text(json.dumps(about | took))
    curve = "step,score,games", "50000,100,10", "90000,200,40", "800000,1000,60", "900000,,0", "2000000,4000,25"
    (folder / "curve.csv").write_text("\n".join(curve))
    *_, row = benchmark("atari_figures").progress(tmp_path).splitlines()
    assert row == "| Qbert | 180 | 1,000 | 1,882 | 50 | 25 % |"


def test_the_table_of_behaviours_has_each_seed_of_each_measure(benchmark, tmp_path):
    for seed, turns in ((0, 11.25), (1, 6.0)):
        folder = tmp_path / "HopperBackflip" / "human-900" / f"seed-{seed}"
        folder.mkdir(parents=True)
        about = {"env_id": "prefrl/HopperBackflip-v0", "variant": "human", "labels": 900, "steps": 1_000_448}
        (folder / "summary.json").write_text(json.dumps(about | {"seed": seed, "rotations_mean": turns}))
    *_, row = benchmark("behaviour_figures").table(tmp_path).splitlines()
    assert row == (
        "| HopperBackflip | 900 | by another process | 1,000,448 | whole backward rotations in 1,000 steps "
        "| **11.2, 6** |"
    )


def test_the_table_of_tools_has_what_a_labeler_waits_for_and_what_the_trainer_loses(benchmark):
    times = {"keys": 200, "median": 21.4, "p90": 30.0, "p99": 47.6, "max": 60.0}
    tool = {
        "tool": "window", "pace_s": 3.0, "from_train_to_first_pair_s": 8.2, "key_to_next_pair_ms": times,
        "trainer_beside_over_alone": 0.957, "flat_out": {"labels_per_minute": 99.6, "key_to_next_pair_ms": times},
        "wrong_lost_or_double": 0,
    }  # fmt: skip
    table = benchmark("labelling_figures").tools_table([tool, tool | {"tool": "page"}])
    assert table.splitlines()[0] == "| | window | page |"
    assert "| key to next pair, a key every 3 s: median, p99 | 21 ms, 48 ms | 21 ms, 48 ms |" in table
    assert "| trainer's speed meanwhile, of alone | **0.96** | **0.96** |" in table


def test_the_table_of_crowds_has_what_was_lost(benchmark):
    times = {"keys": 5, "median": 100.4, "p90": 200.0, "p99": 300.6, "max": 400.0}
    crowd = {
        "store": "sqlite", "answers": 1000, "of_the_browser": 60, "lost": 0, "double": 1, "answers_per_minute": 1451,
        "answer_ms": times, "page_ms": times,
    }  # fmt: skip
    *_, row = benchmark("labelling_figures").crowd_table([crowd]).splitlines()
    assert row == "| sqlite | 1,000 (60 of them the browser's) | 0, 1 | 1,451 | 100 ms, 301 ms | 100 ms, 301 ms |"


def game_rows(*played):
    """A row of progress.csv for each (games, score), a thousand steps apart."""
    return {
        1000 * i: ProgressRow(step=1000 * i, games=games, score=score, seconds=60.0 * i, cpu_seconds=90.0 * i)
        for i, (games, score) in enumerate(played, 1)
    }


def test_the_recent_score_weighs_games_not_rollouts(benchmark):
    recent_score = benchmark("atari").recent_score
    assert recent_score(game_rows((30, -20.0), (10, 0.0), (40, 10.0)), games=50) == 400 / 50
    assert recent_score(game_rows((30, -20.0), (0, None), (15, 10.0), (5, 2.0)), games=20) == 8.0
    assert recent_score(game_rows((30, 5.0), (19, 5.0))) is None
    assert recent_score(game_rows((30, 17.999998), (20, 18.0))) == 18.0  # means as a file has them


def test_the_first_time_at_a_score_counts_even_if_it_falls_again(benchmark):
    first_reached = benchmark("atari").first_reached
    reached = first_reached(game_rows((50, 0.0), (50, 18.5), (50, 2.0), (50, 20.0)), 18)
    assert reached == {"steps": 2000, "seconds": 120, "core_minutes": 3.0}
    assert first_reached(game_rows((50, 0.0), (50, 17.9)), 18) is None


def test_a_thinned_curve_has_the_games_of_all_rows(benchmark):
    kept = benchmark("atari").thinned(game_rows((1, -21.0), (0, None), (3, -19.0), (2, -18.0)), most=2)
    assert [(row["step"], row["games"], row["score"]) for row in kept] == [("2000", "1", "-21"), ("4000", "5", "-18.6")]


def test_runs_of_games_go_on_where_they_were_interrupted(benchmark, tmp_path, monkeypatch):
    """The first game is done, the second is stopped; then only what is left is run, and only where told to go on."""
    atari, trained, interrupted = benchmark("atari"), [], ["Pong"]

    def train(config, run, *_, on_row, **__):
        game = config.env_id.removeprefix("prefrl/").removesuffix("-v0")
        trained.append(game)
        row = ProgressRow(step=1024 * len(trained), games=50, score=18.0, seconds=60.0, cpu_seconds=90.0)
        run.append(row)
        on_row(row, {})
        if game in interrupted:
            return False
        run.summary_file.write_text(
            json.dumps({"env_id": config.env_id, "steps": config.steps, "labels": config.labels})
        )
        return True

    def atari_py(*options):
        folders = "--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results")
        monkeypatch.setattr("sys.argv", ["atari.py", "--games", "Breakout", "Pong", "Qbert", *folders, *options])
        atari.main()

    monkeypatch.setattr(atari, "train", train)
    atari_py()
    assert trained == ["Breakout", "Pong"]
    interrupted.clear()
    with pytest.raises(SystemExit, match="was interrupted; --resume goes on with it"):
        atari_py()
    atari_py("--resume")
    assert trained == ["Breakout", "Pong", "Pong", "Qbert"]
    done = tmp_path / "results" / "atari" / "Pong" / "default-5500" / "seed-0" / "summary.json"
    reached = {"score": 18.0, "steps": 2048, "seconds": 60, "core_minutes": 1.5}
    assert json.loads(done.read_text())["to_score"] == reached
    assert json.loads(done.read_text())["consoles"] == 16


def test_all_labels_at_the_start_are_all_learned_from(benchmark):
    before = preset_config("default", "prefrl/Pong-v0", labels=5500)
    config = benchmark("atari").all_at_start(before)
    assert config.query.schedule == "all_at_start"
    assert config.reward.label_window is None
    assert before.initial_labels < before.reward.fit_sample  # which are passed over whole
    passes = config.reward.initial_epochs * config.reward.fit_sample / config.labels
    assert before.reward.initial_epochs <= passes < before.reward.initial_epochs + 0.2


GAMES = ("BeamRider", "Breakout", "Enduro", "Pong", "Qbert", "Seaquest", "SpaceInvaders")


@pytest.mark.parametrize(
    "boxes, game", [("default", game) for game in GAMES] + [("paper", game) for game in GAMES if game != "Seaquest"]
)
def test_other_scores_and_lives_in_the_console_change_nothing_that_is_seen(benchmark, boxes, game):
    """The paper's boxes are for the score alone."""
    differing = benchmark("atari_masks").steps_that_differ(game, boxes, 150)
    assert differing["agent"] == differing["person"] == 0
    assert differing["console"] > 50


def test_the_papers_boxes_leave_seaquests_thousands_to_be_seen(benchmark, monkeypatch):
    masks = benchmark("atari_masks")
    assert masks.steps_that_differ("Seaquest", "paper", 20)["agent"] > 10
    monkeypatch.setitem(masks.SCORES, "Seaquest", {58: masks.DECIMALS})  # tens and units
    assert masks.steps_that_differ("Seaquest", "paper", 20) == {"agent": 0, "person": 0, "console": 20}


def test_what_a_person_sees_is_what_is_kept_for_them(benchmark, monkeypatch):
    """Were the score left on the screens that are kept, the benchmark would see it."""
    masks = benchmark("atari_masks")
    monkeypatch.setattr(masks, "AtariGame", partial(masks.AtariGame, show_score=True))
    differing = masks.steps_that_differ("Pong", "default", 20)
    assert differing["agent"] == 0
    assert differing["person"] == differing["console"] == 20


def test_the_demo_that_is_compared_is_the_makefiles(benchmark, tmp_path):
    line = "demo: install\n\t$(BIN)/prefrl train Hopper --labels 7 --seed 0 --steps 9 --out runs/demo-$$(date +%Y)\n"
    (tmp_path / "Makefile").write_text(f"BIN := .venv/bin\n{line}\ntest:\n\t$(BIN)/mypy\n")
    assert benchmark("demo").demo_options(tmp_path) == ["train", "Hopper", "--labels", "7", "--steps", "9"]
    assert benchmark("demo").demo_options(ROOT)[:2] == ["train", "Hopper"]


def test_the_demos_seeds_and_their_mean_before_and_now(benchmark):
    def side(true_return, seconds):
        return {"true_return_mean": true_return, "steps": 500_000, "wall_seconds": seconds}

    seeds = {"0": {"before": side(3000.0, 240), "now": side(2500.0, 180)}}
    seeds["1"] = {"before": side(1000.0, 120), "now": side(2500.0, 180)}
    *_, last = benchmark("demo").table({"seeds": seeds}).splitlines()
    assert last == "| **mean** | 2,000 | 2,500 | 3.0 | 3.0 | 1.00 |"


def test_memory_is_measured_with_all_comparisons_there_before_training(benchmark, monkeypatch):
    memory, trained = benchmark("atari_memory"), []
    monkeypatch.setattr(memory, "train", lambda config, run, oracle: trained.append(config) or run.store.touch())
    summary = {"labels_answered": 10_000, "peak_memory_mb": 1234}
    monkeypatch.setattr(memory.RunFolder, "summary", lambda self: Summary(labels=10_000, steps=50_000, **summary))
    assert memory.peak(10_000, steps=50_000) == summary | {"store_mb": 0.0}
    (config,) = trained
    assert config.labels == 10_000
    assert config.query.schedule == "all_at_start"
    assert config.reward.label_window is None
