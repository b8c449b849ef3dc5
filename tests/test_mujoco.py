"""Observations are Gymnasium v5's; true rewards are those of the 2017 release, by hand."""

import copy
from types import SimpleNamespace

import gymnasium as gym
import mujoco as mj
import numpy as np
import pytest
from prefrl_envs import mujoco as tasks
from prefrl_envs.mujoco import Transition

V5 = {
    "hopper": ("Hopper", {}),
    "walker2d": ("Walker2d", {}),
    "swimmer": ("Swimmer", {}),
    "half_cheetah": ("HalfCheetah", {}),
    "ant": ("Ant", {"include_cfrc_ext_in_observation": False}),
    "reacher": ("Reacher", {}),
    "inverted_pendulum": ("InvertedPendulum", {}),
    "inverted_double_pendulum": ("InvertedDoublePendulum", {}),
}


@pytest.mark.parametrize("name", V5)
def test_observations_are_those_of_v5(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # Gymnasium's own cheetah leaves a log file
    v5_name, kwargs = V5[name]
    task = getattr(tasks, name)
    v5 = gym.make(f"{v5_name}-v5", **kwargs).unwrapped
    env = gym.make(f"prefrl/{v5_name}-v0")
    assert env.observation_space == v5.observation_space
    assert env.action_space == v5.action_space
    expected, obs = v5.reset(seed=1)[0], env.reset(seed=1)[0]
    for action in np.random.default_rng(0).uniform(-1, 1, (40, *v5.action_space.shape)).astype(np.float32):
        np.testing.assert_array_equal(obs, expected)
        np.testing.assert_array_equal(task.observe(env.unwrapped.data), expected)
        expected, obs = v5.step(action)[0], env.step(action)[0]  # v5 would have ended some of these


@pytest.mark.parametrize(
    "name, physics, expected",
    [
        ("hopper", {"qpos": [0.7, 1.3, 0.0]}, 2.0 + 1.0 + 0.3),
        ("hopper", {"qpos": [0.5, 0.1, 3.0]}, 0.0 + 1.0 - 0.9),  # lying: the alive bonus is paid all the same
        ("walker2d", {"qpos": [0.4, 1.25, 0.0]}, -1.0 + 1.0 - 0.75),
        ("swimmer", {"qpos": [0.6, 9.0, 9.0]}, 1.0),
        ("half_cheetah", {"qpos": [1.0, 9.0, 9.0]}, 5.0),
        ("ant", {"qpos": [0.6, 9.0, 0.75]}, 1.0 - 0.45),
        ("reacher", {"xpos": [[9, 9, 9]] * 3 + [[0.1, 0.2, 0.01], [0.13, 0.24, 0.01]]}, -0.05),
        ("inverted_pendulum", {"qpos": [9.0, 0.5]}, 0.75),
        (
            "inverted_double_pendulum",
            {"site_xpos": [[2.0, 0.0, 1.5]], "qvel": [9.0, 1.0, 2.0]},
            10 - (0.01 * 4 + 0.25) - (0.001 + 0.02) + 10 * 0.5,
        ),
    ],
)
def test_true_reward_by_hand(name, physics, expected):
    """From x = 0.5 in 0.1 s; one simulation, and a batch of two."""
    physics = {"qpos": [0.0, 0.0]} | physics
    for copies in ((), (2,)):
        fields = {field: np.broadcast_to(value, copies + np.shape(value)) for field, value in physics.items()}
        step = Transition(np.full((*copies, 1), 0.5), SimpleNamespace(**fields), dt=0.1)
        np.testing.assert_allclose(getattr(tasks, name).reward(step), np.full(copies, expected), atol=1e-12)


def test_the_true_reward_is_of_this_step():
    env = gym.make("prefrl/Hopper-v0")
    env.reset(seed=0)
    data, dt = env.unwrapped.data, env.unwrapped.dt
    for _ in range(5):
        before = data.qpos[0]
        _, reward, _, _, _ = env.step(np.ones(3, np.float32))
        assert reward == pytest.approx((data.qpos[0] - before) / dt + data.qpos[1], abs=1e-12)


def test_torque_costs_nothing():
    env = gym.make("prefrl/Reacher-v0")
    obs, _ = env.reset(seed=0)
    _, reward, _, _, _ = env.step(np.ones(2, np.float32))
    assert reward == pytest.approx(-np.linalg.norm(obs[-2:]), abs=0.02)  # v5 would subtract 0.2 more


@pytest.fixture(scope="module")
def hopper():
    return tasks.hopper_backflip.v5()


def backflip_reward(hopper, height, pitch, turn=-0.3, hip=0.0, knee=0.0):
    """What a turn of `turn` rad in 0.1 s is paid that ends in this pose."""
    hopper.set_state(np.array([0.0, height, pitch, hip, knee, 0.0]), np.zeros(6))
    before = hopper.data.qpos - [0, 0, turn, 0, 0, 0]
    return tasks.hopper_backflip.reward(Transition(before, hopper.data, dt=0.1))


class TestBackflip:
    def test_the_capsules_are_those_of_the_model(self, hopper):
        for (geom, half_length, radius), name in ((tasks.HOPPER_TORSO[0], "torso"), (tasks.HOPPER_FOOT[0], "foot")):
            assert hopper.model.geom(geom).name == f"{name}_geom"
            np.testing.assert_allclose(hopper.model.geom_size[geom, :2], [radius, half_length])

    @pytest.mark.parametrize(
        "pose, expected",
        [
            ({"height": 2.0, "pitch": -np.pi}, 3.0 * 2.0),  # in the air
            ({"height": 2.0, "pitch": -np.pi, "turn": 0.3}, -3.0 * 2.0),  # forward
            ({"height": 1.25, "pitch": 0.0}, 3.0 * 1.25),  # on its foot
            ({"height": 0.5, "pitch": -np.pi}, 3.0 * 0.5 - 3.0 * 0.2),  # on its head, the foot up
        ],
    )
    def test_by_hand(self, hopper, pose, expected):
        assert backflip_reward(hopper, **pose) == pytest.approx(expected)

    def test_to_turn_far_before_the_foot_has_left_the_ground_costs_more_than_it_is_paid(self, hopper):
        late = {"height": 0.96, "pitch": -1.7, "hip": -1.2, "knee": -0.3}
        assert backflip_reward(hopper, **late) < 0.0
        assert 0.0 < tasks.clearance(hopper.data, tasks.HOPPER_FOOT) < 0.05
        in_the_air = late | {"height": 1.4}
        assert backflip_reward(hopper, **in_the_air) == pytest.approx(3.0 * 1.4)

    def test_a_fall_costs_no_more_for_the_foot_on_the_ground(self, hopper):
        falling = {"height": 0.35, "pitch": -1.4}
        assert backflip_reward(hopper, **falling) == pytest.approx(3.0 * 0.35 - 3.0 * 0.35)
        assert tasks.clearance(hopper.data, tasks.HOPPER_FOOT) < 0.05

    def test_rocking_is_paid_less_than_nothing_near_the_ground(self, hopper):
        back = backflip_reward(hopper, height=0.6, pitch=-2.5)
        assert back + backflip_reward(hopper, height=0.6, pitch=-2.5, turn=0.3) < 0.0

    def test_the_reward_is_the_oracles_alone(self):
        env = gym.make("prefrl/HopperBackflip-v0")
        env.reset(seed=0)
        data = env.unwrapped.data
        for _ in range(3):
            before = data.qpos.copy()
            _, reward, _, _, info = env.step(env.action_space.sample())
            assert reward == 0.0
            step = Transition(before, data, env.unwrapped.dt)
            assert info["true_reward"] == tasks.hopper_backflip.reward(step)

    @pytest.mark.parametrize("mid_flip", [0.0, 0.5, 1.0])
    def test_a_share_of_the_episodes_may_begin_in_the_air_turning_backward(self, mid_flip):
        env = gym.make("prefrl/HopperBackflip-v0", mid_flip=mid_flip)
        starts = [env.reset(seed=seed)[0] for seed in range(40)]
        spins = np.array([obs[8] for obs in starts])
        thrown = np.abs(spins) > 0.1
        assert abs(thrown.sum() - 40 * mid_flip) <= 40 * mid_flip * (1 - mid_flip)
        assert (spins[thrown] <= -2.0).all()
        assert all(obs[0] >= 1.2 for obs in starts)


@pytest.mark.parametrize("name, kwargs", [("Hopper", {}), ("HopperBackflip", {"mid_flip": 1.0})])
def test_a_task_can_be_copied(name, kwargs):
    env = gym.make(f"prefrl/{name}-v0", **kwargs)
    np.testing.assert_array_equal(copy.deepcopy(env).reset(seed=0)[0], env.reset(seed=0)[0])


def test_a_hopper_that_has_flipped_feels_as_before(hopper):
    v5 = gym.make("Hopper-v5").unwrapped
    qpos, qvel = np.array([0.1, 1.2, 0.4, -0.1, -0.2, 0.3]), np.linspace(-1.0, 1.0, 6)
    v5.set_state(qpos, qvel)
    expected = v5._get_obs()
    for turned in (0.0, 2 * np.pi):
        hopper.set_state(qpos + np.array([0, 0, turned, 0, 0, 0]), qvel)
        felt = [expected[0], *(f(expected[1]) for f in (np.sin, np.cos)), *expected[2:]]
        np.testing.assert_allclose(tasks.hopper_backflip.observe(hopper.data), felt, atol=1e-12)


def test_a_hopper_that_flips_feels_how_fast(hopper):
    hopper.set_state(np.zeros(6), np.full(6, -30.0))
    np.testing.assert_array_equal(hopper._get_obs()[-6:], -30.0)
    np.testing.assert_array_equal(tasks.hopper_backflip.observe(hopper.data), hopper._get_obs())


@pytest.fixture(scope="module")
def v5():
    return tasks.half_cheetah_one_leg.v5()


class TestOneLeg:
    def test_the_capsules_are_those_of_the_model(self, v5):
        names = [v5.model.geom(geom).name for geom, _, _ in (*tasks.TRUNK, *tasks.FRONT_LEG)]
        assert names == ["torso", "head", "fthigh", "fshin", "ffoot"]
        for geom, half_length, radius in (*tasks.TRUNK, *tasks.FRONT_LEG):
            np.testing.assert_allclose(v5.model.geom_size[geom, :2], [radius, half_length])

    @pytest.mark.parametrize(
        "pose, expected",
        [
            ({"rootz": 0.05, "rooty": -0.5}, 1.5),  # rearing: 1, and a quarter of 2 m/s
            ({"rootz": -0.13}, -2.0),  # on both feet
            ({"rootz": -0.55, "fthigh": -1.0}, -2.0),  # on its belly
            ({"rootz": -0.4, "rooty": np.pi}, -2.0),  # on its back, legs up
            ({"rootz": 0.5, "rooty": np.pi}, -2.0),  # in the air upside down
        ],
    )
    def test_it_is_paid_on_the_rear_leg_only(self, v5, pose, expected):
        mj.mj_resetData(v5.model, v5.data)
        for joint, value in pose.items():
            v5.data.joint(joint).qpos = value
        mj.mj_forward(v5.model, v5.data)
        step = Transition(qpos_before=np.array([-0.2]), physics=v5.data, dt=0.1)
        assert tasks.half_cheetah_one_leg.reward(step) == pytest.approx(expected)


def test_making_a_task_leaves_no_log_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gym.make("prefrl/HalfCheetah-v0").close()  # MuJoCo complains of its format
    assert not list(tmp_path.iterdir())
