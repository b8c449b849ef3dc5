"""Gymnasium environments in which an agent is taught by preferences. Importing this registers them."""

from prefrl_envs.suite import SUITE, Entry, canonical_id, entry, find, register_suite, render_without_display

__all__ = ["SUITE", "Entry", "canonical_id", "entry", "find", "register_suite"]

render_without_display()
register_suite()
