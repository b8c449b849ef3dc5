"""Suites from packages: which are loaded, in which order, and what is said of one that cannot be."""

import sys
from importlib.metadata import EntryPoint, entry_points

import pytest
from prefrl_envs.suite import GROUP, OURS, Suites

SUITE_OF = """
from prefrl_envs import Suite, TaskSpec

SUITE = Suite("{name}", (TaskSpec(
    id="{env_id}", entry_point="prefrl_envs.toy:PointGoal", horizon=20, clip_steps=5, fps=5, training_steps=1000,
    true_reward="as PointGoal's",
),))
"""


@pytest.fixture
def suites(tmp_path, monkeypatch):
    """Makes suites of ours and of modules with some content; the entry point of a module is its SUITE."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(**contents):
        for module, content in contents.items():
            (tmp_path / f"{module}.py").write_text(content)
        others = [EntryPoint(module, f"{module}:SUITE", GROUP) for module in contents]
        return Suites([*others, *ours()])

    return make


def ours():
    return [point for point in entry_points(group=GROUP) if point.value in OURS]


def test_our_own_come_in_by_entry_points_and_first(suites):
    made = suites(aaa=SUITE_OF.format(name="aaa", env_id="aaa/Point-v0"))
    assert [suite.name for suite in made.load()] == ["control", "atari", "aaa"]
    assert made.rows["aaa/Point-v0"] is made.names["point"] is made.names["aaa/point"]
    assert made.load() == made.load()
    assert not made.problems


def test_a_name_that_ours_has_stays_ours(suites):
    made = suites(bbb=SUITE_OF.format(name="bbb", env_id="bbb/Hopper-v0"))
    made.load()
    assert made.names["hopper"].id == "prefrl/Hopper-v0"
    assert made.names["bbb/hopper"].id == "bbb/Hopper-v0"


@pytest.mark.parametrize(
    "content, reason",
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("", "AttributeError: module 'broken' has no attribute 'SUITE'"),
        ("SUITE = []", "TypeError: it is of type list, and not a prefrl_envs.Suite"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise RuntimeError('first\\nsecond')", "RuntimeError: first"),
        (SUITE_OF.format(name="broken", env_id="prefrl/Hopper-v0"), "PrefrlError: another suite has prefrl/Hopper-v0"),
        (SUITE_OF.format(name="broken", env_id="no id"), "Error: Malformed environment ID: no id"),
    ],
)
def test_a_broken_suite_is_one_line_and_the_others_are_there(suites, monkeypatch, content, reason):
    monkeypatch.delitem(sys.modules, "broken", raising=False)
    monkeypatch.delitem(sys.modules, "works", raising=False)
    made = suites(broken=content, works=SUITE_OF.format(name="works", env_id="works/Point-v0"))
    assert [suite.name for suite in made.load()] == ["control", "atari", "works"]
    (problem,) = made.problems
    assert problem.startswith(f"the suite 'broken' cannot be used: {reason}")
    assert "\n" not in problem


def test_without_our_entry_points_what_to_do_is_said():
    with pytest.raises(ImportError, match="entry points prefrl.suites of prefrl are not installed; install it again"):
        Suites([])
