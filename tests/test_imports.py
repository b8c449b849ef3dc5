"""Who may import whom: only from the rooms above, never sideways. The table of docs/design.md, walked as syntax."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEVELS = [
    {"core"},
    {"agents.config", "labelers.config", "preferences.config", "rewards.config"},
    {"agents.registry"},
    {"config"},
    {
        "segments",
        "losses",
        "metrics",
        "moments",
        "selection",
        "schedules",
        "heap",
        "tensors",
        "processor",
        "seeds",
        "stopwatch",
    },
    {"queries", "rollouts", "presets", "runs", "vecenv", "devices"},
    {"clips", "preferences", "store", "quality", "evaluation"},
    {"labelers", "rewards", "agents", "exchange"},
    {"plotting", "testing"},
    {"algorithms", "report", "progress", "playing", "answers"},
    {"api", "cli"},
]
LEVEL = {room: number for number, rooms in enumerate(LEVELS, 1) for room in rooms}
SEES_ENVIRONMENTS = {
    "api",
    "core",
    "__init__",
    "config",
    "labelers",
    "report",
    "rollouts",
    "clips",
    "presets",
    "vecenv",
    "evaluation",
    "algorithms",
    "playing",
    "progress",
    "cli",
    "agents",
}


def modules():
    paths = [path.relative_to(ROOT / "prefrl") for path in sorted((ROOT / "prefrl").rglob("*.py"))]
    return [pytest.param(path, id=str(path)) for path in paths]


def imported(path):
    """Names that a module imports when it runs: not those for annotations alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    left_out = {inner for node in for_types for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if node in left_out:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import, which this test would not see through"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def place(parts):
    """The row's entry that a module, or a name in it, belongs to: itself, or its room."""
    return ".".join(parts[:2]) if ".".join(parts[:2]) in LEVEL else parts[0]


@pytest.mark.parametrize("path", modules())
def test_a_room_imports_only_from_rooms_above(path):
    here = place(path.with_suffix("").parts)
    for name in imported(ROOT / "prefrl" / path):
        package, *rest = name.split(".")
        if package == "prefrl_envs":
            assert here in SEES_ENVIRONMENTS, f"{here} imports {name}"
        if package == "prefrl" and rest[0] != "__version__" and place(rest) != here:
            assert LEVEL[place(rest)] < LEVEL[here], f"{here} (level {LEVEL[here]}) imports {name}"
        assert package not in ("tests", "scripts", "benchmarks")


@pytest.mark.parametrize("path", sorted((ROOT / "envs").rglob("*.py")), ids=lambda path: path.stem)
def test_the_environments_know_nothing_of_learning(path):
    assert not {name.split(".")[0] for name in imported(path)} & {"prefrl", "torch", "stable_baselines3"}


@pytest.mark.parametrize(
    "what",
    [
        "import prefrl",
        "import prefrl; prefrl.Oracle, prefrl.Labeler, prefrl.PreferenceStore, prefrl.PrefrlError",
        "import prefrl.labelers.oracle, prefrl.store",
        "import prefrl.labelers.loading, prefrl.labelers.worker",
        "import prefrl.runs.folder, prefrl.runs.provenance",
        "import prefrl.runs.folder, prefrl.runs.checkpoints",
        "import prefrl.labelers.window.labeling, prefrl.labelers.window.drawing",
        "import prefrl.labelers.web.serving",
        "from prefrl.cli import main; main(['envs'])",
        "from prefrl.cli import main; main(['label', 'nowhere'])",
    ],
)
def test_what_must_start_at_once_loads_neither_torch_nor_sb3(what):
    check = "import sys; assert not {'torch', 'stable_baselines3'} & set(sys.modules), 'loaded'"
    subprocess.run([sys.executable, "-c", f"{what}; {check}"], cwd=ROOT, check=True, capture_output=True)


def test_importing_prefrl_registers_the_suite():
    code = "import prefrl, gymnasium; gymnasium.spec('prefrl/Hopper-v0')"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
