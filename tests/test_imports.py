"""Who may import whom: only from the rooms above, never sideways. The table of docs/design.md, walked as syntax."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEVELS = [
    {
        "segments",
        "losses",
        "metrics",
        "moments",
        "selection",
        "schedules",
        "config",
        "names",
        "heap",
        "tensors",
        "processor",
        "seeds",
        "stopwatch",
    },
    {"queries", "rollouts", "presets", "presence", "vecenv", "devices"},
    {"clips", "preferences", "store", "quality", "evaluation"},
    {"labelers", "rewards", "agents", "exchange"},
    {"checkpoints", "runs", "plotting", "testing"},
    {"algorithms", "report", "progress", "playing", "answers"},
    {"cli"},
]
LEVEL = {room: number for number, rooms in enumerate(LEVELS, 1) for room in rooms}
SEES_ENVIRONMENTS = {
    "__init__",
    "rollouts",
    "clips",
    "presets",
    "vecenv",
    "evaluation",
    "algorithms",
    "playing",
    "cli",
    "agents",
    "checkpoints",
}


def modules():
    paths = [path.relative_to(ROOT) for path in sorted((ROOT / "prefrl").rglob("*.py"))]
    return [pytest.param(ROOT / path, path.parts[1].removesuffix(".py"), id=str(path)) for path in paths]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import, which this test would not see through"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path, room", modules())
def test_a_room_imports_only_from_rooms_above(path, room):
    for name in imported(path):
        package, *rest = name.split(".")
        if package == "prefrl_envs":
            assert room in SEES_ENVIRONMENTS, f"{room} imports {name}"
        if package == "prefrl" and rest[0] not in (room, "__version__"):
            assert LEVEL[rest[0]] < LEVEL[room], f"{room} (level {LEVEL[room]}) imports {name}"
        assert package not in ("tests", "scripts", "benchmarks")


@pytest.mark.parametrize("path", sorted((ROOT / "envs").rglob("*.py")), ids=lambda path: path.stem)
def test_the_environments_know_nothing_of_learning(path):
    assert not {name.split(".")[0] for name in imported(path)} & {"prefrl", "torch", "stable_baselines3"}


@pytest.mark.parametrize(
    "what",
    [
        "import prefrl",
        "import prefrl.labelers.oracle, prefrl.store",
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
