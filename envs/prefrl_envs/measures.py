"""Measures of behaviors without a reward, computed from an episode's render states: joint positions alone.

Nothing in training reads these; they stand in summary.json. A measure maps [T, N, nq] positions of N episodes to
its figures, each [N].
"""

from __future__ import annotations

import mujoco
import numpy as np

from prefrl_envs import mujoco as tasks

Measures = dict[str, np.ndarray]

_ON_THE_GROUND = 0.005  # metres between a body and the ground, at or below which it touches

LONG_RUN = 20  # steps, 1 s: a gallop sets its front leg down two or three times in that time


def rotations(states: np.ndarray) -> Measures:
    """Full backward rotations of the hopper in each episode.

    One is complete when the torso's pitch has gained 2 pi backward since the last one, without the torso touching
    the ground on the way and with the foot in the air whenever the torso is upside down. What breaks this rule
    begins anew: rolling on the ground, or tipping over and getting up, counts for nothing. Nor does a turn that an
    episode began with, before the foot first stood on the ground.

    Args:
        states: [T, N, 6] joint positions.
    """
    torso, foot = (_clearances(tasks.hopper, states, parts) for parts in (tasks.HOPPER_TORSO, tasks.HOPPER_FOOT))
    pitch = -states[..., 2]
    upside_down = np.cos(pitch) < 0
    stood = np.logical_or.accumulate(foot <= _ON_THE_GROUND, axis=0)
    broken = (torso <= _ON_THE_GROUND) | (upside_down & (foot <= _ON_THE_GROUND)) | ~stood
    return {"rotations": np.array([_turns(*each) for each in zip(pitch.T, broken.T, strict=True)])}


def _turns(pitch: np.ndarray, broken: np.ndarray) -> int:
    """Times that `pitch` [T] rises by 2 pi over steps that are not `broken` [T]."""
    turns, lowest = 0, np.inf
    for angle, breaks in zip(pitch, broken, strict=True):
        if breaks:
            lowest = np.inf
            continue
        lowest = min(lowest, angle)
        if angle - lowest >= 2 * np.pi:
            turns, lowest = turns + 1, lowest + 2 * np.pi
    return turns


def one_leg(states: np.ndarray) -> Measures:
    """Measures of the cheetah's running on its rear leg, for each episode.

    `one_leg_share`: share of the steps that belong to stretches of at least 1 s during which the front leg never
    touches the ground and the trunk stays up. Each step for itself would say little: of a plain gallop's steps, too,
    most have the front leg in the air.
    `one_leg_metres`: metres forward during these stretches.

    Args:
        states: [T, N, 9] joint positions.
    """
    front, trunk = (
        _clearances(tasks.half_cheetah, states, parts) for parts in (tasks.FRONT_LEG, tasks.TRUNK)
    )  # fmt: skip
    held = (front > _ON_THE_GROUND) & (trunk > _ON_THE_GROUND) & (np.cos(states[..., 2]) > 0)
    long = np.stack([_long_runs(each) for each in held.T], axis=1)
    forward = np.diff(states[..., 0], axis=0)
    return {"one_leg_share": long.mean(axis=0), "one_leg_metres": (forward * long[1:]).sum(axis=0)}


def _long_runs(held: np.ndarray, least: int = LONG_RUN) -> np.ndarray:
    """[T] which of the steps of `held` [T] lie in runs of at least `least` steps."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], held, [False]]).astype(np.int8)))
    long = np.zeros(len(held), dtype=bool)
    for start, stop in edges.reshape(-1, 2):
        long[start:stop] = stop - start >= least
    return long


def _clearances(task: tasks.Task, states: np.ndarray, parts: tuple[tuple[int, float, float], ...]) -> np.ndarray:
    """[T, N] height of the lowest point of some capsules above the ground, in metres."""
    model = task.v5().unwrapped.model
    data = mujoco.MjData(model)
    heights = np.empty(states.shape[:-1])
    for at in np.ndindex(heights.shape):
        data.qpos[:] = states[at]
        mujoco.mj_kinematics(model, data)
        heights[at] = tasks.clearance(data, parts)
    return heights
