"""Ways to draw: what to keep of a step, and how to make a frame of it late, in another environment."""

from __future__ import annotations

import sys
from typing import Any, Protocol

import cv2
import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import load_env_creator

from prefrl_envs.screens import fitted, unpack
from prefrl_envs.suite import find


class Drawing(Protocol):
    """A way to draw environments of one kind: capture in the training environment, draw in another."""

    @staticmethod
    def capture(env: gym.Env) -> np.ndarray | None:
        """[S] what draws the current observation, or its screen [H, W, 3]. Does not modify the environment."""

    def __init__(self, env: gym.Env, width: int, height: int) -> None:
        """Prepares to draw in `env`, which serves nothing else."""

    def draw(self, state: np.ndarray) -> np.ndarray:
        """[H, W, 3] uint8 frame of one state."""

    def close(self) -> None: ...


class MujocoDrawing:
    """Keeps the positions (and mocap bodies), float32: 24 bytes for Hopper; draws them with cheap flags.

    Shadows, reflections, sky, haze and antialiasing off: 3 to 7 ms a frame of 256x256 on a processor instead of 69,
    and a third to a half of that since the floor is a box.
    Bodies of fewer triangles and a sky in one pass of OpenCV's save a tenth of what was left.
    """

    @staticmethod
    def fits(env: gym.Env) -> bool:
        mujoco: Any = sys.modules.get("mujoco")  # without it loaded, nothing here is a MuJoCo environment
        return mujoco is not None and isinstance(getattr(env.unwrapped, "model", None), mujoco.MjModel)

    @staticmethod
    def capture(env: gym.Env) -> np.ndarray:
        import mujoco

        inner: Any = env.unwrapped
        model, data = inner.model, inner.data
        spec = _positions(mujoco)
        state = np.empty(mujoco.mj_stateSize(model, spec))
        mujoco.mj_getState(model, data, state, spec)
        return state.astype(np.float32)

    def __init__(self, env: gym.Env, width: int, height: int) -> None:
        import mujoco

        inner: Any = env.unwrapped
        self._mujoco, self._model, self._data = mujoco, inner.model, inner.data
        self._model.vis.quality.offsamples = 0
        self._model.vis.quality.numslices, self._model.vis.quality.numstacks = 20, 10
        self._model.vis.headlight.ambient[:], self._model.vis.headlight.diffuse[:] = 0.45, 0.5
        _soften(self._model, mujoco)
        self._model.vis.global_.offwidth, self._model.vis.global_.offheight = width, height
        self._renderer = mujoco.Renderer(self._model, height, width)
        for flag in ("SHADOW", "REFLECTION", "SKYBOX", "HAZE"):
            self._renderer.scene.flags[getattr(mujoco.mjtRndFlag, f"mjRND_{flag}")] = False
        self._camera, self._followed = self._camera_of(inner)
        self._sky = np.full((height, width, 3), _SKY, np.uint8)

    def _camera_of(self, inner: Any) -> tuple[Any, int]:
        """The environment's own camera or a nearer one, and the body whose x and y it follows (0: none).

        Its height stays, so that a jump is seen to go up.
        """
        config = {**(inner.mujoco_renderer.default_cam_config or {}), **_NEARER.get(type(inner).__name__, {})}
        camera = self._mujoco.MjvCamera()
        self._mujoco.mjv_defaultFreeCamera(self._model, camera)
        for name in ("distance", "elevation", "azimuth"):
            setattr(camera, name, config.get(name, getattr(camera, name)))
        camera.lookat[:] = config.get("lookat", camera.lookat)
        return camera, config.get("trackbodyid", 1)

    def draw(self, state: np.ndarray) -> np.ndarray:
        self._mujoco.mj_setState(self._model, self._data, state.astype(np.float64), _positions(self._mujoco))
        self._mujoco.mj_forward(self._model, self._data)
        if self._followed > 0:
            self._camera.lookat[:2] = self._data.xpos[self._followed, :2]
        self._renderer.update_scene(self._data, self._camera)
        frame = self._renderer.render()
        nothing = cv2.inRange(frame, (0, 0, 0), (0, 0, 0))
        cv2.bitwise_or(frame, self._sky, dst=frame, mask=nothing)
        return frame

    def close(self) -> None:
        self._renderer.close()


def _soften(model: Any, mujoco: Any) -> None:
    """A floor without end and without glare: what a person watches for an hour is the body.

    Fine black and white checks flicker where there is no antialiasing. The floor is a box: MuJoCo's plane takes a
    processor 6 to 12 ms a frame, the same picture with a box 1 to 3.
    """
    for texture in range(model.ntex):
        first = model.tex_adr[texture]
        size = model.tex_height[texture] * model.tex_width[texture] * model.tex_nchannel[texture]
        pixels = model.tex_data[first : first + size]
        if model.tex_type[texture] == mujoco.mjtTexture.mjTEXTURE_2D:
            pixels[:] = (170 + 0.16 * (pixels.astype(np.float64) - pixels.mean())).clip(0, 255)
    planes = model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE
    model.geom_type[planes] = mujoco.mjtGeom.mjGEOM_BOX
    model.geom_size[planes] = _FLOOR
    model.geom_pos[planes, 2] -= _FLOOR[2]  # its top is where the plane was
    floors = model.geom_matid[planes & (model.geom_matid >= 0)]
    model.mat_texrepeat[floors], model.mat_texuniform[floors] = 0.5, True  # checks of a metre


_FLOOR = (10_000.0, 10_000.0, 0.01)  # metres, half of each side: no runner comes to its end
_SKY = (214, 222, 230)
_AROUND_A_SCREEN = (31, 34, 38)  # dark and quiet, as a room around a television

# Where v5's own camera shows the body as a few pixels; metres and degrees.
_NEARER: dict[str, dict[str, Any]] = {
    "SwimmerEnv": {"distance": 6.0},
    "ReacherEnv": {"distance": 0.75, "elevation": -90},
    "InvertedPendulumEnv": {"distance": 2.6, "elevation": -10},
    "InvertedDoublePendulumEnv": {"distance": 4.0, "elevation": -10, "lookat": (0.0, 0.0, 0.3)},
}


class StateDrawing:
    """Keeps a numeric `state` attribute (and Pendulum's last torque, the arrow); draws by setting it.

    Classic control and the toy tasks.
    """

    @staticmethod
    def fits(env: gym.Env) -> bool:
        numeric = np.asarray(getattr(env.unwrapped, "state", None)).dtype.kind in "fiu"
        return numeric and "rgb_array" in env.metadata.get("render_modes", ())

    @staticmethod
    def capture(env: gym.Env) -> np.ndarray:
        inner: Any = env.unwrapped
        state = np.asarray(inner.state, np.float32)
        return np.append(state, np.float32(inner.last_u or 0.0)) if hasattr(inner, "last_u") else state

    def __init__(self, env: gym.Env, width: int, height: int) -> None:
        self._env, self._size = env, (width, height)

    def draw(self, state: np.ndarray) -> np.ndarray:
        inner: Any = self._env.unwrapped
        if hasattr(inner, "last_u"):
            state, inner.last_u = state[:-1], float(state[-1])
        inner.state = state.astype(np.float64)
        return _fit(np.asarray(inner.render()), *self._size)

    def close(self) -> None: ...


def _fit(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """An image [H', W', 3] as [height, width, 3], its proportions kept: what is round stays round.

    What is left over repeats the image's edge: sky goes on as sky, a track as a track.
    """
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    smaller = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return _in_the_middle(smaller, width, height, cv2.BORDER_REPLICATE)


def _in_the_middle(image: np.ndarray, width: int, height: int, border: int) -> np.ndarray:
    """An image in a frame [height, width, 3]; what it leaves free is filled as OpenCV's `border` says."""
    left, top = (width - image.shape[1]) // 2, (height - image.shape[0]) // 2
    right, bottom = width - image.shape[1] - left, height - image.shape[0] - top
    return cv2.copyMakeBorder(image, top, bottom, left, right, border, value=_AROUND_A_SCREEN)


class ScreenDrawing:
    """Keeps the screen that an Atari game's observation shows; draws it in whole pixels, all of one size.

    The emulator's state would be 14 KB and draw nothing but its own frame, without what is painted over.
    """

    @staticmethod
    def capture(env: gym.Env) -> np.ndarray:
        screen: Any = env.unwrapped.render()
        return screen

    def __init__(self, env: gym.Env, width: int, height: int) -> None:
        self._size = (width, height)

    def draw(self, state: np.ndarray) -> np.ndarray:
        screen = unpack(state) if state.ndim == 1 else state
        size, whole = fitted((screen.shape[1], screen.shape[0]), self._size)
        image = cv2.resize(screen, size, interpolation=cv2.INTER_NEAREST if whole else cv2.INTER_AREA)
        return _in_the_middle(image, *self._size, cv2.BORDER_CONSTANT)

    def close(self) -> None: ...


def drawing_of(env: gym.Env) -> type[Drawing] | None:
    """The way to draw an environment that was reset: what its row names, else what fits; None where nothing does."""
    row = None if env.unwrapped.spec is None else find(env.unwrapped.spec.id)
    if row is not None and row.drawing is not None:
        drawing: Any = load_env_creator(row.drawing)
        return drawing
    if MujocoDrawing.fits(env):
        return MujocoDrawing
    return StateDrawing if StateDrawing.fits(env) else None


def _positions(mujoco: Any) -> int:
    """Which parts of MuJoCo's state are drawn; the last two are empty where there is no mocap body."""
    parts = mujoco.mjtState
    return int(parts.mjSTATE_QPOS | parts.mjSTATE_MOCAP_POS | parts.mjSTATE_MOCAP_QUAT)
