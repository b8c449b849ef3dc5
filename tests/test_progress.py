"""What a terminal shows of a run while it trains."""

import io
from pathlib import Path

import pytest

from prefrl.presets import preset_config
from prefrl.progress import ProgressBar
from prefrl.runs.progress import ProgressRow

FOLDER = Path("runs/HopperBackflip-default-900-seed-0")  # as long as `prefrl train` itself makes them


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def config():
    return preset_config("default", "prefrl/HopperBackflip-v0", labels=900)


def test_a_terminal_of_80_columns_shows_where_to_give_labels_once_and_how_many(config, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    for name, value in {"COLUMNS": "80", "TERM": "xterm", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    with ProgressBar(config, FOLDER) as bar:
        for missing in (225, 224):
            bar.wait(missing)
    shown = terminal.getvalue()
    for command in ("label", "serve"):
        assert shown.count(f"  prefrl {command} {FOLDER}\n") == 1
    last = next(line for line in reversed(shown.splitlines()) if "waiting" in line)
    assert "waiting for 224 labels " in last


def test_a_terminal_says_when_the_wait_is_over(config, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with ProgressBar(config, FOLDER) as bar:
        bar.wait(1)
        bar.wait(0)
    assert "learning from the labels" in terminal.getvalue().rpartition("waiting for 1 label")[2]


def test_of_a_game_the_score_is_shown_and_not_the_streams_return(config):
    bar = ProgressBar(config, FOLDER)
    bar(ProgressRow(step=1000, true_return=7.0))
    assert "true return 7" in bar.text()
    bar(ProgressRow(step=2000, score=-19.5))
    assert bar.text().startswith("score -19.5")
    assert "true return" not in bar.text()


def test_that_the_policy_is_judged_now_is_said(config, monkeypatch, capsys):
    ProgressBar(config, FOLDER).judge()
    assert capsys.readouterr().err == (
        f"learned; playing 20 episodes to judge it; `prefrl resume {FOLDER}` does so if this is stopped\n"
    )
    ProgressBar(preset_config("default", "prefrl/Pong-v0", labels=20), FOLDER).judge()
    assert "20 episodes to judge it, and as many whole games: minutes; " in capsys.readouterr().err
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with ProgressBar(config, FOLDER) as bar:
        bar.judge()
    assert "playing 20 episodes to judge it" in terminal.getvalue()


def test_a_log_says_both_in_one_line(config, capsys):
    bar = ProgressBar(config, FOLDER)
    for missing in (1, 1, 0):
        bar.wait(missing)
    assert capsys.readouterr().err == f"waiting for 1 label: prefrl label {FOLDER}, or prefrl serve {FOLDER}\n"
