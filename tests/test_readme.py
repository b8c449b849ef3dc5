"""What the README shows works as it stands there."""

import re
import shlex
from pathlib import Path

import pytest

from prefrl.cli import COMMANDS

ROOT = Path(__file__).parents[1]
BENCHMARKS = ("study.py", "atari.py", "throughput.py")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_examples_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    printed = capsys.readouterr().out.split()
    assert len(printed) == 3
    assert all(re.fullmatch(r"-?[\d.e-]+", number) for number in printed)


def test_every_command_it_names_is_one():
    named = set(re.findall(r"`prefrl (\w+)", README))
    assert named == set(COMMANDS)


def test_every_file_and_picture_it_links_to_is_there():
    for target in re.findall(r"\]\(((?!http)[^)]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("option", sorted(set(re.findall(r"(--[a-z.-]*[a-z])", README)) - {"--check", "--help"}))
def test_every_option_it_names_is_one(option, capsys):
    from prefrl.cli import main

    helps = [(ROOT / "benchmarks" / name).read_text(encoding="utf-8") for name in BENCHMARKS]
    for command in ("train", "resume", "play", "label", "serve", "fit", "answers"):
        with pytest.raises(SystemExit):
            main(shlex.split(f"{command} Pong --help-all") if command == "train" else [command, "--help"])
        helps.append(capsys.readouterr().out)
    assert any(option in text for text in helps)
