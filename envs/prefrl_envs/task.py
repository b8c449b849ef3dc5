"""Tasks: a row of a suite's table, and the one value that travels through the code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

OnEnd = Literal["absorb", "reset"]
Defaults = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Preset -> part of a run's settings (agent, ppo, sac, reward, query) -> setting -> value."""


@dataclass(frozen=True)
class TaskConfig:
    """An environment, and how it is made.

    Attributes:
        id: of a suite, or any other that Gymnasium knows.
        horizon: steps of an episode; None for the suite's own.
        on_end: what follows where an environment outside the suites ends an episode by itself; see
            `prefrl_envs.wrappers.FixedHorizon`.
        options: of the environment itself, of the type that the task's row names; None for its defaults.
    """

    id: str
    horizon: int | None = None
    on_end: OnEnd = "absorb"
    options: Any = None

    def arguments(self) -> dict[str, Any]:
        """The options as keyword arguments of what makes the environment."""
        return {} if self.options is None else asdict(self.options)


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskSpec:
    """A task of a suite, and what it can do.

    Everything named by "module:name" is imported when it is needed, and not before.

    Attributes:
        id: Gymnasium id.
        entry_point: "module:name" of what makes the environment.
        kwargs: its arguments.
        horizon: steps of every episode: none is shorter, because a length that varies leaks the task.
        clip_steps: steps of the clip that a person compares, 1 to 1.5 s at `fps`.
        fps: steps shown per second; where it follows the 2017 paper it is not the simulator's.
        training_steps: environment steps that a run takes by default, over all parallel environments.
        labels: comparisons that a run learns from by default.
        true_reward: one line saying what it is.
        tags: groups it belongs to.
        batched: "module:function" of a vector environment, see `prefrl_envs.batch`; None: stepped one by one.
        drawing: "module:class" of a `prefrl_envs.drawing.Drawing`; None for whichever of ours fits.
        judged_by: whether a policy is judged by its likeliest actions or by drawn ones.
        rewarded_by: what an agent that learns from the true reward is paid: its value, or its sign where values differ
            too much between tasks.
        scored: whether games end within an episode, each with a score in info["game_score"].
        measure: "module:function" of what counts how well a behavior is done; see `prefrl_envs.measures`.
        options: dataclass of what can be chosen of the environment, its keyword arguments; None: nothing.
        defaults: settings that presets take for this task, beside those that they have for every task.
    """

    id: str
    entry_point: str
    horizon: int
    clip_steps: int
    fps: int
    training_steps: int
    true_reward: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    labels: int = 700
    tags: tuple[str, ...] = ()
    batched: str | None = None
    drawing: str | None = None
    judged_by: Literal["mode", "sample"] = "mode"
    rewarded_by: Literal["value", "sign"] = "value"
    scored: bool = False
    measure: str | None = None
    options: type | None = None
    defaults: Defaults = field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """Tasks that belong together.

    Attributes:
        name: of the suite.
        tasks: those that are listed.
        others: more of them, which can be trained in by their names and are not listed.
    """

    name: str
    tasks: tuple[TaskSpec, ...]
    others: tuple[TaskSpec, ...] = ()
