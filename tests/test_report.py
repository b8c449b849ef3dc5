"""The report: one file that stands alone, and says only what the run has to say."""

import base64
import io
import json
import re
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from html.parser import HTMLParser

import av
import numpy as np
import pytest
from prefrl_envs.screens import pack
from safetensors.numpy import save_file

from prefrl import clips
from prefrl.config import RlhfConfig, to_json
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Answer, Comparison, Query
from prefrl.report import footage, text, write_report
from prefrl.report.figures import mean_by, standardise
from prefrl.report.head import environment_name
from prefrl.report.record import read_run
from prefrl.report.watching import verdict
from prefrl.segments import Segment

ENV = "prefrl/Hopper-v0"
STEPS = 12  # of an episode, and of a segment


@contextmanager
def grey(*_args, **_kwargs):
    """Draws state s as a square of brightness s."""
    yield lambda states: np.broadcast_to(states[:, :1, None, None], (len(states), 32, 32, 3)).astype(np.uint8)


@contextmanager
def no_display(*_args, **_kwargs):
    raise RuntimeError("no EGL display\nand a long trace")
    yield


@pytest.fixture(autouse=True)
def drawn_grey(monkeypatch):
    monkeypatch.setattr(clips, "renderer", grey)


def make_run(path, labels=700, env_id=ENV, states=True):
    """A finished run's folder; labels 0 is one on the true reward."""
    rng = np.random.default_rng(0)
    (path / "episodes").mkdir(parents=True)
    config = to_json(RlhfConfig(env_id=env_id, labels=labels, steps=1_000_000, seed=3))
    (path / "config.json").write_text(json.dumps(config))
    columns = "step,true_return,learned_return,labels,train_loss,heldout_loss,train_accuracy,heldout_accuracy"
    columns += ",l2,seconds"
    learned = "{0},{1},.4,.5,.9,.8,.0001" if labels else ",0,,,,,"
    rows = [f"{i * 1000},{i * 3.5}," + learned.format(i - 20, min(labels, 100 + 20 * i)) + f",{i}" for i in range(40)]
    (path / "progress.csv").write_text("\n".join([columns, *rows]) + "\n")
    summary = {
        "study": "paper",
        "env_id": env_id,
        "labels": labels,
        "seed": 3,
        "steps": 1_000_000,
        "true_return_mean": 2874.3,
        "true_return_std": 92.41,
        "random_return_mean": 18.2,
        "wall_seconds": 769.0,
        "steps_per_second": 1300.4,
        "threads": 2,
        "cpu": "Some Processor",
        "git_commit": "3f9c1ab",
        "reward_model": {"heldout_accuracy": 0.883, "pearson": 0.942, "spearman": 0.931} if labels else None,
        "versions": {"python": "3.11.9", "torch": "2.6.0"},
    }
    (path / "summary.json").write_text(json.dumps(summary))
    for i, name in enumerate(("before", "midway", "after")):
        arrays = {"true_rewards": np.full(STEPS, i + 1.0, np.float32) + np.arange(STEPS) % 2}
        if states:
            arrays["render_states"] = np.full((STEPS, 2), 60.0 * (i + 1), np.float32)
        if labels:
            arrays["learned_rewards"] = rng.normal(size=STEPS).astype(np.float32)
        save_file(arrays, path / "episodes" / f"{name}.safetensors", metadata={"step": str(i * 500_000)})
    if labels:
        true = rng.normal(size=50)
        save_file({"true_returns": true, "predicted_returns": 2 * true}, path / "diagnostics.safetensors")
    return path


def comparison(step, answer, drawable=True):
    rng = np.random.default_rng(step)

    def segment():
        states = np.full((STEPS, 2), 128.0, np.float32) if drawable else None
        obs = {"obs": rng.normal(size=(STEPS, 3))}
        return Segment(ENV, obs, rng.normal(size=(STEPS, 1)), rng.normal(size=STEPS), states)

    return Comparison(Query((segment(), segment()), step=step), answer, "oracle")


def report(path, comparisons=()):
    written = write_report(path, comparisons)
    assert written == path / "report.html"
    return written.read_text(encoding="utf-8")


class Links(HTMLParser):
    """Collects what a browser would load, and whether every element is closed."""

    VOID = frozenset({"meta", "link", "br", "hr", "img", "input"})

    def __init__(self, page):
        super().__init__()
        self.links, self.open = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href", "poster")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href", "poster")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_it_is_one_file_that_asks_the_network_for_nothing(tmp_path):
    page = report(make_run(tmp_path / "run"), [comparison(0, LEFT)])
    parsed = Links(page)
    assert parsed.open == []
    assert parsed.links
    assert all(link.startswith(("data:", "#")) for link in parsed.links)
    assert not re.search(r"url\((?!#)|@import", page)
    assert len(page) < 3e6


def test_the_key_numbers_are_there(tmp_path):
    page = report(make_run(tmp_path / "run"))
    shown = ["learned from 700 comparisons", "2,874", "± 92.4", "18.2", "88.3 %", "0.931", "12 min 49 s"]
    shown += ["1,300 steps/s", "of 20 episodes", "3f9c1ab", "Some Processor", "2.6.0"]
    for value in shown:
        assert value in page, value


def test_of_a_game_the_score_comes_first(tmp_path):
    make_run(tmp_path)
    assert "Score per game" not in write_report(tmp_path, ()).read_text()
    summary = json.loads((tmp_path / "summary.json").read_text())
    scores = {"score_mean": 17.25, "score_std": 1.5, "score_games": 20}
    (tmp_path / "summary.json").write_text(json.dumps(summary | scores))
    header, *rows = (tmp_path / "progress.csv").read_text().splitlines()
    with_scores = [f"{header},score", *(f"{row},{i}" for i, row in enumerate(rows))]
    (tmp_path / "progress.csv").write_text("\n".join(with_scores) + "\n")
    page = write_report(tmp_path, ()).read_text()
    assert 0 < page.index("mean ± std of 20 whole games") < page.index("mean ± std of 20 episodes")
    assert "17.2" in page
    assert "Score per game" in page


@pytest.mark.parametrize("selection, said", [("disagreement", True), ("uniform", False)])
def test_that_hard_pairs_were_asked_is_said_beside_the_accuracy(tmp_path, selection, said):
    path = make_run(tmp_path / "run")
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"query": config["query"] | {"selection": selection}}))
    assert ("because the predictors disagreed" in report(path)) is said


def test_every_section_is_there(tmp_path):
    page = report(make_run(tmp_path / "run"), [comparison(0, LEFT)])
    places = [
        page.index(f'<section id="{name}"') for name in ("clips", "learning", "reward-model", "comparisons", "details")
    ]
    assert places == sorted(places)
    for title in (
        "Learned return per episode",
        "Labels over steps",
        "True return against labels",
        "Loss",
        "Accuracy",
    ):
        assert f"<b>{title}</b>" in page
    assert "chance, ln 2" in page
    assert "Pearson 0.942, Spearman 0.931" in page


def test_a_run_on_the_true_reward_says_so_and_has_no_reward_model(tmp_path):
    page = report(make_run(tmp_path / "run", labels=0))
    assert "trained on the true reward" in page
    assert "True return per episode" in page
    for absent in (
        "comparisons</span>",
        "Labels used",
        "Held-out",
        "Learned return",
        "against labels",
        "chance, ln 2",
    ):
        assert absent not in page, absent
    assert 'id="reward-model"' not in page
    assert 'id="comparisons"' not in page


def test_clips_play_and_show_the_episodes(tmp_path):
    page = report(make_run(tmp_path / "run"))
    videos = re.findall(r'<video ([^>]*) src="data:video/webm;base64,([^"]+)">', page)
    assert len(videos) == 3
    for attributes, _ in videos:
        assert {"autoplay", "loop", "muted", "playsinline"} < set(attributes.split())
    with av.open(io.BytesIO(base64.b64decode(videos[1][1]))) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == STEPS
    assert abs(frames[3].mean() - 120) < 5
    for caption in ("Before training", "step 500,000", "true return 30"):
        assert caption in page
    assert "prefers-reduced-motion" in page


def test_a_long_episode_is_shown_for_six_seconds_and_at_most_240_frames(tmp_path):
    run = footage.RunRecord(tmp_path, episodes={"after": long_episode(2000)})
    drawn = []

    @contextmanager
    def counting(_run):
        yield lambda states: drawn.append(len(states)) or np.zeros((len(states), 16, 16, 3), np.uint8)

    for fps in (10, 40, 60):
        footage.film(run, (), counting, fps)
    assert drawn == [60, 240, 240]


def test_all_that_was_kept_of_a_games_screens_is_shown(tmp_path):
    """In the first six seconds of Pong one side serves, and seldom more."""
    kept = replace(long_episode(240), render_states=pack(np.zeros((240, 16, 16, 3), np.uint8)))
    run = footage.RunRecord(tmp_path, episodes={"after": kept})
    shown = footage.film(run, (), lambda run: nullcontext(), fps=15).episodes["after"]
    with av.open(io.BytesIO(shown)) as container:
        assert len(list(container.decode(video=0))) == 240


def long_episode(steps):
    from prefrl.report.record import Episode

    return Episode(step=0, render_states=np.zeros((steps, 1)), true_rewards=np.zeros(steps), learned_rewards=None)


def test_the_chosen_clip_of_a_comparison_is_marked(tmp_path):
    page = report(make_run(tmp_path / "run"), [comparison(10, LEFT), comparison(20_000, RIGHT), comparison(30, TIE)])
    shown = page[page.index('<section id="comparisons"') : page.index('<section id="details"')]
    cards = shown.split("<figure")[1:]
    assert [re.search(r"asked at step ([\d,]+)", card)[1] for card in cards] == ["10", "30", "20,000"]
    assert [re.search(r'class="verdict[^>]*>(\w+)', card)[1] for card in cards] == ["LEFT", "TIE", "RIGHT"]
    assert [re.findall(r'class="option (\w*)"', card) for card in cards] == [
        ["chosen", ""],
        ["", ""],
        ["", "chosen"],
    ]


@pytest.mark.parametrize(
    "answer, said",
    [
        (LEFT, "LEFT"),
        (RIGHT, "RIGHT"),
        (TIE, "TIE"),
        (INCOMPARABLE, "CANNOT TELL"),
        (Answer((1, 0, 2)), "PLACES 2, 1, 3"),
    ],
)
def test_verdict(answer, said):
    assert verdict(answer) == said


def test_recorded_screens_are_shown_as_they_were(tmp_path, monkeypatch, rng):
    """Pixels enlarged, nothing drawn."""
    shown = []
    monkeypatch.setattr(clips, "webm", lambda frames, fps: shown.append(frames) or b"clip")
    screens = rng.integers(0, 255, (STEPS, 21, 16, 3), np.uint8)
    segments = [replace(each, render_states=pack(screens)) for each in comparison(0, LEFT).query.segments]
    about = Comparison(Query(tuple(segments), step=0), LEFT, "oracle")
    film = footage.film(read_run(make_run(tmp_path / "run", states=False)), [about], lambda run: nullcontext(), fps=15)
    assert film.problem == ""
    assert [frames.shape for frames in shown] == [(STEPS, 42, 64, 3)] * 2


def test_early_middle_and_late_are_picked_from_those_that_can_be_drawn():
    many = [comparison(step, LEFT) for step in (50, 10, 20, 40, 30)] + [comparison(0, TIE, drawable=False)]
    assert [c.query.step for c in footage.early_middle_late(many)] == [10, 30, 50]
    assert [c.query.step for c in footage.early_middle_late(many[:1])] == [50]
    assert footage.early_middle_late(many[-1:]) == []


def test_without_a_display_the_report_says_why_it_has_no_clips(tmp_path, monkeypatch):
    monkeypatch.setattr(clips, "renderer", no_display)
    page = report(make_run(tmp_path / "run"), [comparison(0, LEFT)])
    assert "The clips could not be drawn here: RuntimeError: no EGL display</p>" in page
    assert "<video" not in page
    assert "2,874" in page


def test_without_render_states_nothing_is_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(clips, "renderer", no_display)
    page = report(make_run(tmp_path / "run", states=False))
    assert "kept no render states" in page


def test_an_empty_folder_still_gives_a_report(tmp_path):
    page = report(tmp_path)
    assert "unknown environment" in page
    assert '<section id="details"' in page
    assert '<section id="learning"' not in page


@pytest.mark.parametrize(
    "missing",
    ["summary.json", "config.json", "progress.csv", "diagnostics.safetensors", "episodes/after.safetensors"],
)
def test_any_file_may_be_missing(tmp_path, missing):
    run = make_run(tmp_path / "run")
    (run / missing).unlink()
    page = report(run)
    assert "learned from 700 comparisons" in page
    assert ("Predicted against true return" in page) == (missing != "diagnostics.safetensors")


def test_a_damaged_file_is_named(tmp_path):
    run = make_run(tmp_path / "run")
    (run / "diagnostics.safetensors").write_bytes(b"half of it")
    with pytest.raises(ValueError, match=r"diagnostics.safetensors is damaged: .*; a report without it"):
        write_report(run)


def test_an_unfinished_run_counts_the_labels_it_has_used(tmp_path):
    run = make_run(tmp_path / "run")
    (run / "summary.json").unlink()
    lines = (run / "progress.csv").read_text().splitlines()
    (run / "progress.csv").write_text("\n".join(lines[:11]) + "\n")
    page = report(run)
    assert "learned from 280 comparisons" in page
    assert "Not finished" in page


def test_a_row_cut_short_by_a_kill_is_read_as_far_as_it_goes(tmp_path):
    run = make_run(tmp_path / "run")
    with (run / "progress.csv").open("a") as file:
        file.write("40000,14")
    assert "True return per episode" in report(run)


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no run at .*nowhere; `prefrl train` makes one"):
        write_report(tmp_path / "nowhere")


def test_where_a_fresh_agent_began_is_said(tmp_path):
    make_run(tmp_path)
    assert "fresh agent" not in report(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["agent"]["reset_step"] = 20_000
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert "From 20,000 steps on it is a fresh agent that learns." in report(tmp_path)


def test_a_password_stays_out_of_it(tmp_path):
    make_run(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["store"] = "postgresql+psycopg://ann:secret@host/name"  # as older versions kept it
    (tmp_path / "config.json").write_text(json.dumps(config))
    page = report(tmp_path)
    assert "postgresql+psycopg://ann:***@host/name" in page
    assert "secret" not in page


def test_hostile_names_are_only_text(tmp_path):
    attack = '<script>alert("x")</script>'
    page = report(make_run(tmp_path / "a b<i>", env_id=attack), [comparison(0, LEFT)])
    assert attack not in page
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;" in page
    assert "<i>" not in page
    assert page.count("<script>") == 1


def test_the_commands_name_the_folder_as_a_shell_wants_it(tmp_path, monkeypatch):
    run = make_run(tmp_path / "my runs" / "hopper")
    monkeypatch.chdir(tmp_path)
    page = report(run)
    assert "prefrl resume &#x27;my runs/hopper&#x27;" in page
    assert "prefrl play &#x27;my runs/hopper&#x27;" in page
    assert str(tmp_path) not in page


def test_a_second_report_of_the_same_run_is_the_same(tmp_path):
    run = make_run(tmp_path / "run")
    assert report(run) == report(run)


def test_mean_by_averages_rows_of_the_same_x_and_skips_what_was_not_measured():
    x, y = mean_by(np.array([1.0, 1.0, 2.0, np.nan, 3.0]), np.array([2.0, 4.0, 5.0, 6.0, np.nan]))
    np.testing.assert_array_equal(x, [1, 2])
    np.testing.assert_array_equal(y, [3, 5])


def test_a_constant_standardises_to_zero():
    np.testing.assert_array_equal(standardise(np.full(4, 7.0)), 0)


@pytest.mark.parametrize(
    "value, shown",
    [
        (2345.6, "2,346"),
        (87.34, "87.3"),
        (0.9312, "0.931"),
        (20.0, "20"),
        (1_000_000, "1,000,000"),
        (-4.123, "\N{MINUS SIGN}4.12"),
        (-0.0001, "0"),
        (None, text.MISSING),
        (float("nan"), text.MISSING),
        ("<b>", text.MISSING),
    ],
)
def test_number(value, shown):
    assert text.number(value) == shown


@pytest.mark.parametrize(
    "seconds, shown", [(41.26, "41.3 s"), (769, "12 min 49 s"), (12_000, "3 h 20 min"), (None, text.MISSING)]
)
def test_duration(seconds, shown):
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    "env_id, name",
    [
        (ENV, "Hopper"),
        ("prefrl/HalfCheetah-v0", "Half Cheetah"),
        ("ale_py:ALE/Pong-v5", "Pong"),
        ("my_module:MyTask-v1", "My Task"),
        ("CartPole-v1", "Cart Pole"),
    ],
)
def test_environment_name(env_id, name):
    assert environment_name(env_id) == name
