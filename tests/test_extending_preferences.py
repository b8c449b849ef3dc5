"""docs/extending/rankings.md and method.md: what they show runs on a store as it is."""

import re
import subprocess
import sys
from pathlib import Path

from walks import examples

OLD_RUN = Path(__file__).parent / "data" / "run_0.1"


def test_rankings_of_four_go_through_store_dataset_and_loss(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = examples("rankings.md")
    exec(compile(example, "rankings.md", "exec"), {})
    first, *others = capsys.readouterr().out.splitlines()
    number, accuracy = re.fullmatch(
        r"(\d+) rankings, ([\d.]+) of the held-out pairs in the right order", first
    ).groups()
    assert int(number) == 40
    assert float(accuracy) > 0.7
    assert all(float(line.split()[1]) < 3.18 for line in others)  # better than chance
    assert len(others) == 3


def test_a_policy_is_learned_without_a_reward_model(tmp_path):
    (example,) = examples("method.md")
    (tmp_path / "direct.py").write_text(example)
    (tmp_path / "preferences.sqlite3").write_bytes((OLD_RUN / "preferences.sqlite3").read_bytes())
    command = [sys.executable, "direct.py", "preferences.sqlite3"]
    printed = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    number, loss = re.fullmatch(r"(\d+) comparisons, ([\d.]+) nats a pair\n", printed).groups()
    assert int(number) == 21  # the oracle's, and a person's
    assert float(loss) < 0.6
