"""Gymnasium environments in which an agent is taught by preferences. Importing this registers them."""

from prefrl_envs.suite import canonical_id, entry, find, register_suites, render_without_display, tasks
from prefrl_envs.task import Suite, TaskConfig, TaskSpec

__all__ = ["Suite", "TaskConfig", "TaskSpec", "canonical_id", "entry", "find", "register_suites", "tasks"]

render_without_display()
register_suites()
