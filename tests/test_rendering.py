import gymnasium as gym
import numpy as np
import pytest
from prefrl_envs.rendering import Renderer
from prefrl_envs.suite import find, tasks
from prefrl_envs.task import TaskConfig
from prefrl_envs.wrappers import RenderState, make_env


@pytest.mark.parametrize("env_id", [row.id for row in tasks()])
def test_different_states_look_different_and_the_same_the_same(env_id):
    states = _states(make_env(TaskConfig(env_id)), steps=15 if find(env_id).scored else 8)  # a game takes its time
    with Renderer(TaskConfig(env_id), width=96, height=64) as renderer:
        frames = renderer.draw(np.stack([states[0], states[-1], states[0]]))
    assert frames.shape == (3, 64, 96, 3)
    assert frames.dtype == np.uint8
    np.testing.assert_array_equal(frames[0], frames[2])
    assert not np.array_equal(frames[0], frames[1])
    assert frames[0].std() > 5  # something is in the picture


def test_the_camera_goes_with_the_body():
    """The body stays in the middle; the ground, a checkerboard two metres long without an end, goes by under it."""
    state = _states(make_env(TaskConfig("hopper")), steps=1)[0]
    far, lifted = state.copy(), state.copy()
    far[0] += 2_000.0
    lifted[1] += 0.4
    with Renderer(TaskConfig("hopper"), 128, 128) as renderer:
        here, there, above = renderer.draw(np.stack([state, far, lifted]))
    assert here[40:110, 55:75].std() > 5
    body = _brown(here)
    assert body.sum() > 100
    assert (body & _brown(there)).sum() > 0.9 * body.sum()
    for ground in (here[-20:, :30], there[-20:, :30]):  # a floor, light and dark, not the sky
        assert np.ptp(ground.astype(int), axis=-1).max() < 4
    assert np.argwhere(_brown(above))[:, 0].mean() < np.argwhere(body)[:, 0].mean() - 5  # a jump goes up


def test_a_state_is_enough_to_draw_the_observation_it_was_taken_at():
    env = gym.make("prefrl/CartPole-v0", render_mode="rgb_array")
    env.reset(seed=0)
    env.step(1)
    height, width, _ = env.render().shape
    with Renderer(TaskConfig("prefrl/CartPole-v0"), width, height) as renderer:
        frames = renderer.draw(RenderState(env).render_state()[None])
    np.testing.assert_array_equal(frames[0], env.render())


def test_what_is_round_stays_round():
    """A pendulum points up, then to the side; in a wide picture it is as long as it was."""
    up, aside = np.array([0.0, 0.0, 0.0]), np.array([np.pi / 2, 0.0, 0.0])
    with Renderer(TaskConfig("prefrl/Pendulum-v0"), 160, 100) as renderer:
        frames = renderer.draw(np.stack([up, aside]).astype(np.float32))
    heights, widths = (np.ptp(np.argwhere(_reddish(frame)), axis=0) for frame in frames)
    assert abs(heights[0] - widths[1]) <= 2


def _reddish(frame):
    return (frame[..., 0] > 150) & (frame[..., 1] < 120)


@pytest.mark.filterwarnings("ignore:.*not in the possible render_modes")
def test_what_cannot_be_drawn_is_said():
    gym.register("NoPicture-v0", entry_point=_NoPicture)
    with pytest.raises(ValueError, match="nothing draws NoPicture-v0"):
        Renderer(TaskConfig("NoPicture-v0"), 10, 10)


class _NoPicture(gym.Env):
    observation_space = gym.spaces.Box(0, 1, (1,))
    action_space = gym.spaces.Discrete(2)

    def __init__(self, render_mode=None):
        """Accepts a render mode and ignores it."""

    def reset(self, *, seed=None, options=None):
        return np.zeros(1, np.float32), {}


def _states(env, steps):
    """The render states before each of some random steps."""
    env = RenderState(env)
    env.reset(seed=1)
    env.action_space.seed(1)
    states = [env.render_state()]
    for _ in range(steps):
        env.step(env.action_space.sample())
        states.append(env.render_state())
    env.close()
    return states


def _brown(frame):
    """[H, W] where the hopper is: redder than blue, as the grey ground is not."""
    return frame[..., 0].astype(int) - frame[..., 2] > 40
