"""The paper's eight control tasks and two behaviours without a reward, on Gymnasium v5.

What differs from v5: nothing terminates (physics goes on), torque costs nothing, and the true reward
is that of Christiano et al. 2017 as their release computes it. The alive bonus is paid at every step
whatever the posture, so it cannot tell two segments apart.

A task's formulas index with [..., i], so that they serve one simulation and a batch of N alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import gymnasium as gym
import numpy as np
from gymnasium.envs.mujoco.ant_v5 import AntEnv
from gymnasium.envs.mujoco.half_cheetah_v5 import HalfCheetahEnv
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv
from gymnasium.envs.mujoco.inverted_double_pendulum_v5 import InvertedDoublePendulumEnv
from gymnasium.envs.mujoco.inverted_pendulum_v5 import InvertedPendulumEnv
from gymnasium.envs.mujoco.reacher_v5 import ReacherEnv
from gymnasium.envs.mujoco.swimmer_v5 import SwimmerEnv
from gymnasium.envs.mujoco.walker2d_v5 import Walker2dEnv
from gymnasium.spaces import Box
from gymnasium.utils import EzPickle

from prefrl_envs.mujoco_log import no_log_file


class Physics(Protocol):
    """Fields of an MjData, or of N simulations with a first axis more; a task reads those it names.

    As always after mj_step, all but qpos and qvel describe the moment before the last substep.
    """

    qpos: np.ndarray
    qvel: np.ndarray
    xpos: np.ndarray
    site_xpos: np.ndarray
    geom_xpos: np.ndarray
    geom_xmat: np.ndarray
    qfrc_constraint: np.ndarray


class Transition(NamedTuple):
    """One step, of one simulation (...) = () or of a batch (...) = (N,).

    Attributes:
        qpos_before: [..., nq] joint positions before the action.
        physics: after it.
        dt: seconds that the step took.
    """

    qpos_before: np.ndarray
    physics: Physics
    dt: float

    @property
    def forward_speed(self) -> Any:
        """[...] metres per second."""
        return (self.physics.qpos[..., 0] - self.qpos_before[..., 0]) / self.dt


@dataclass(frozen=True)
class Task:
    """Recipe for a task from a Gymnasium v5 environment; a call makes the environment.

    Attributes:
        base: makes the v5 environment.
        observe: physics to [..., O]: v5's observation, for a batch.
        reward: transition to [...], the true reward.
        fields: what `observe` and `reward` read besides qpos and qvel.
        hidden: whether step() returns 0 instead: a behavior has no reward but what people say.
        practice: arguments of `base` where an agent learns, and not where it is judged.
    """

    base: Callable[..., gym.Env]
    observe: Callable[[Physics], np.ndarray]
    reward: Callable[[Transition], Any]
    fields: tuple[str, ...] = ()
    hidden: bool = False
    practice: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __call__(self, **kwargs: Any) -> gym.Env:
        return TaskEnv(self.v5(**kwargs), self)

    def v5(self, **kwargs: Any) -> Any:
        """The Gymnasium environment underneath, with its own reward and termination."""
        with no_log_file():
            return self.base(**kwargs)


class TaskEnv(gym.Wrapper):
    """A v5 environment with the task's reward for its own, and without its termination.

    The true reward is in info["true_reward"] too; a hidden one is there alone, for the oracle.
    """

    def __init__(self, env: gym.Env, task: Task) -> None:
        super().__init__(env)
        self.task = task

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        v5: Any = self.unwrapped
        qpos_before = v5.data.qpos.copy()
        obs, _, _, _, info = self.env.step(action)
        true_reward = float(self.task.reward(Transition(qpos_before, v5.data, v5.dt)))
        reward = 0.0 if self.task.hidden else true_reward
        return obs, reward, False, False, info | {"true_reward": true_reward}


# Observations: Gymnasium v5's, from [..., nq] positions and [..., nv] velocities.


def _all_but_x(physics: Physics) -> np.ndarray:
    return np.concatenate([physics.qpos[..., 1:], physics.qvel], axis=-1)


def _all_but_x_clipped(physics: Physics) -> np.ndarray:
    return np.concatenate([physics.qpos[..., 1:], np.clip(physics.qvel, -10, 10)], axis=-1)


def _turning(physics: Physics) -> np.ndarray:
    """v5's observation of Hopper, with sine and cosine for the torso's angle and whole velocities.

    v5 clips them at 10 rad/s, and a flip turns two or three times as fast.
    """
    pitch = physics.qpos[..., 2:3]
    positions = [physics.qpos[..., 1:2], np.sin(pitch), np.cos(pitch), physics.qpos[..., 3:]]
    return np.concatenate([*positions, physics.qvel], axis=-1)


def _all_but_xy(physics: Physics) -> np.ndarray:
    return np.concatenate([physics.qpos[..., 2:], physics.qvel], axis=-1)


def _everything(physics: Physics) -> np.ndarray:
    return np.concatenate([physics.qpos, physics.qvel], axis=-1)


def _reacher_obs(physics: Physics) -> np.ndarray:
    angles = physics.qpos[..., :2]
    parts = [np.cos(angles), np.sin(angles), physics.qpos[..., 2:], physics.qvel[..., :2]]
    return np.concatenate([*parts, _to_target(physics)[..., :2]], axis=-1)


def _double_pendulum_obs(physics: Physics) -> np.ndarray:
    cart, angles = physics.qpos[..., :1], physics.qpos[..., 1:]
    speeds, force = np.clip(physics.qvel, -10, 10), np.clip(physics.qfrc_constraint[..., :1], -10, 10)
    return np.concatenate([cart, np.sin(angles), np.cos(angles), speeds, force], axis=-1)


# True rewards: Christiano et al. 2017.


def _speed(step: Transition) -> Any:
    return step.forward_speed


def _hopper_reward(step: Transition) -> Any:
    return step.forward_speed + 1.0 + (step.physics.qpos[..., 1] - 1.0)


def _walker2d_reward(step: Transition) -> Any:
    return step.forward_speed + 1.0 + (step.physics.qpos[..., 1] - 2.0)


def _ant_reward(step: Transition) -> Any:
    return step.forward_speed + (step.physics.qpos[..., 2] - 1.2)


def _reacher_reward(step: Transition) -> Any:
    return -np.sqrt((_to_target(step.physics) ** 2).sum(axis=-1))


def _pendulum_reward(step: Transition) -> Any:
    return 1.0 - step.physics.qpos[..., 1] ** 2


def _double_pendulum_reward(step: Transition) -> Any:
    x, height = step.physics.site_xpos[..., 0, 0], step.physics.site_xpos[..., 0, 2]
    speed1, speed2 = step.physics.qvel[..., 1], step.physics.qvel[..., 2]
    distance_penalty = 0.01 * x**2 + (height - 2.0) ** 2
    speed_penalty = 1e-3 * speed1**2 + 5e-3 * speed2**2
    return 10.0 - distance_penalty - speed_penalty + 10.0 * (height - 1.0)


# Capsules of Hopper and HalfCheetah: row of geom_xpos, half length without the caps, radius, in metres.
HOPPER_TORSO = ((1, 0.2, 0.05),)
HOPPER_FOOT = ((4, 0.195, 0.06),)
TRUNK = ((1, 0.5, 0.046), (2, 0.15, 0.046))  # torso, head
FRONT_LEG = ((6, 0.133, 0.046), (7, 0.106, 0.046), (8, 0.07, 0.046))  # thigh, shin, foot


def _backflip_reward(step: Transition) -> Any:
    """Net turn backward, rad/s, times the torso's height, less for what is near the ground: what one sees of a flip.

    A foot near the ground costs while the torso is turned by more than 73 degrees from upright and above 0.4 m: that
    is a flip that leaves the ground too late or comes down too early. In a fall the torso is lower by then, which
    costs little, or nobody would try. Each metre of the torso below 0.7 m costs 3: its middle is at 1.25 m in a
    hopper that stands, below 0.2 m in one that lies. The paper's own rule, spin at any height, is paid best by rolling
    along the ground; what other rules are paid for is in docs/experiments.md.
    """
    height, pitch = step.physics.qpos[..., 1], step.physics.qpos[..., 2]
    spin = (step.qpos_before[..., 2] - pitch) / step.dt
    turned = np.maximum(0.3 - np.cos(pitch), 0.0) * np.maximum(height - 0.4, 0.0)
    foot_low = np.maximum(0.3 - clearance(step.physics, HOPPER_FOOT), 0.0)
    return height * spin - 100.0 * turned * foot_low - 3.0 * np.maximum(0.7 - height, 0.0)


def _one_leg_reward(step: Transition) -> Any:
    """1 and a quarter of the forward speed, up to 2 m/s, where only the rear leg can carry the cheetah, else -2.

    The front leg must be 2 cm clear of the ground, torso and head 10 cm, and the back on top: without
    the last two, sliding on its back with all legs in the air would pay best. The leg counts for more than the
    speed, and a step with it down costs what two with it up earn: a gallop, whose front leg is up in most steps,
    would be paid as well otherwise.
    """
    front_leg_up = clearance(step.physics, FRONT_LEG) > 0.02
    trunk_up = (clearance(step.physics, TRUNK) > 0.1) & (np.cos(step.physics.qpos[..., 2]) > 0.0)
    return np.where(front_leg_up & trunk_up, 1.0 + 0.25 * np.minimum(step.forward_speed, 2.0), -2.0)


def clearance(physics: Physics, capsules: tuple[tuple[int, float, float], ...]) -> np.ndarray:
    """[...] height of the lowest point of the capsules above the ground at z = 0, in metres."""
    lowest = [
        physics.geom_xpos[..., geom, 2] - half_length * np.abs(physics.geom_xmat[..., geom, 8]) - radius
        for geom, half_length, radius in capsules  # xmat's last element: the z part of the capsule's axis
    ]
    return np.min(lowest, axis=0)


def _to_target(physics: Physics) -> np.ndarray:
    """[..., 3] from Reacher's target (body 4) to its fingertip (body 3), metres."""
    return physics.xpos[..., 3, :] - physics.xpos[..., 4, :]


def _ant_without_contact_forces(**kwargs: Any) -> gym.Env:
    """The 2017 Ant did not feel contacts: its observation held 84 zeros, here left out."""
    return AntEnv(include_cfrc_ext_in_observation=False, **kwargs)


class FlippingHopperEnv(HopperEnv):
    """Hopper that feels a flip: its torso's angle as sine and cosine, and how fast it turns. It may begin in mid-flip.

    After a flip it is where it was before; v5's angle grows by 2 pi with each, so that every flip of an episode would
    have to be learned anew. v5's velocities, clipped, would make a fast flip look like a slow one. From the air it
    comes upon landings before it can jump for them (reference state initialization: Peng et al. 2018, DeepMimic).

    Args:
        mid_flip: share of the episodes that begin in the air, turning backward; the others begin as v5's do.
        kwargs: of v5.
    """

    def __init__(self, mid_flip: float = 0.0, **kwargs: Any) -> None:
        self._mid_flip = mid_flip
        super().__init__(**kwargs)
        EzPickle.__init__(self, mid_flip=mid_flip, **kwargs)  # HopperEnv's would be called without names
        self.observation_space = Box(-np.inf, np.inf, (12,), np.float64)

    def _get_obs(self) -> np.ndarray:
        return _turning(self.data)

    def reset_model(self) -> np.ndarray:
        obs = super().reset_model()
        if self.np_random.random() >= self._mid_flip:
            return obs
        qpos, qvel = self.data.qpos.copy(), self.data.qvel.copy()
        qpos[1] = self.np_random.uniform(1.2, 1.8)  # metres
        qpos[2] = self.np_random.uniform(-2 * np.pi, 0.0)
        qpos[3:] += self.np_random.uniform([-1.0, -1.5, -0.5], [0.0, 0.0, 0.5])  # hip, knee, ankle, rad
        qvel[1] = self.np_random.uniform(-1.0, 2.5)  # m/s
        qvel[2] = self.np_random.uniform(-8.0, -2.0)  # rad/s
        self.set_state(qpos, qvel)
        return self._get_obs()


hopper = Task(HopperEnv, _all_but_x_clipped, _hopper_reward)
walker2d = Task(Walker2dEnv, _all_but_x_clipped, _walker2d_reward)
swimmer = Task(SwimmerEnv, _all_but_xy, _speed)
half_cheetah = Task(HalfCheetahEnv, _all_but_x, _speed)
ant = Task(_ant_without_contact_forces, _all_but_xy, _ant_reward)
reacher = Task(ReacherEnv, _reacher_obs, _reacher_reward, fields=("xpos",))
inverted_pendulum = Task(InvertedPendulumEnv, _everything, _pendulum_reward)
inverted_double_pendulum = Task(
    InvertedDoublePendulumEnv,
    _double_pendulum_obs,
    _double_pendulum_reward,
    fields=("site_xpos", "qfrc_constraint"),
)
hopper_backflip = Task(
    FlippingHopperEnv,
    _turning,
    _backflip_reward,
    fields=("geom_xpos", "geom_xmat"),
    hidden=True,
    practice={"mid_flip": 0.5},
)
half_cheetah_one_leg = Task(HalfCheetahEnv, _all_but_x, _one_leg_reward, fields=("geom_xpos", "geom_xmat"), hidden=True)
