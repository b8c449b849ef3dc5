import gc
import re
import weakref

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from prefrl_envs.screens import unpack
from prefrl_envs.task import TaskConfig
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from prefrl.rollouts import EpisodeReturns, Games, Recorder, Rollout, SegmentPool
from prefrl.vecenv import make_vec_env


class Counting(gym.Env):
    """Observes the step it is at, pays it as the reward, ends after `length` steps."""

    observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float64)
    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, length=10, broken_at=None, unpaid_at=None):
        self.length, self.broken_at, self.unpaid_at = length, broken_at, unpaid_at

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = 0
        return np.array([0.0]), {}

    def step(self, action):
        self.at += 1
        value = np.nan if self.at == self.broken_at else self.at
        paid = np.nan if self.at == self.unpaid_at else float(self.at)
        return np.array([value], float), paid, False, self.at >= self.length, {}


class Drawn(DummyVecEnv):
    """With the states that draw it: the step, twice."""

    def render_states(self):
        return np.array([[env.at, env.at] for env in self.envs], np.float32)


class Console(gym.Env):
    """Stacks the latest three frames, which all have the number of the step; every fifth step costs the oracle 2."""

    observation_space = spaces.Box(0, 255, (3, 4, 4), np.uint8)
    action_space = spaces.Discrete(2)

    def __init__(self, first=0):
        self.at = first + 2

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._stack(), {}

    def step(self, action):
        self.at += 1
        info = {"oracle_reward": -1.0} if self.at % 5 == 0 else {}
        return self._stack(), 1.0, False, self.at % 7 == 0, info

    def _stack(self):
        return np.repeat(np.arange(self.at - 2, self.at + 1, dtype=np.uint8), 16).reshape(3, 4, 4)


class Consoles(DummyVecEnv):
    frame_stack = 3

    def render_states(self):
        """Screens in color, all of the number of the step."""
        return np.stack([np.full((8, 6, 3), env.at, np.uint8) for env in self.envs])


def consoles():
    made = Recorder(VecMonitor(Consoles([lambda: Console(), lambda: Console(first=100)])))
    made.reset()
    return made


def play(recorder, steps):
    for _ in range(steps):
        recorder.step(np.zeros(recorder.num_envs, int))
    return recorder.take()


def recorder(num_envs=2, **kwargs):
    made = Recorder(Drawn([lambda: Counting(**kwargs) for _ in range(num_envs)]))
    made.reset()
    return made


def run(recorder, steps):
    for step in range(steps):
        recorder.step(np.full((recorder.num_envs, 1), step / 100, np.float32))
    return recorder.take()


def test_the_agent_sees_no_reward_but_the_rollout_has_it():
    made = recorder()
    _, rewards, _, _ = made.step(np.zeros((2, 1)))
    assert rewards.tolist() == [0, 0]
    assert made.take().true_rewards.tolist() == [[1, 1]]


def test_a_rollout_holds_what_was_seen_before_each_action():
    rollout = run(recorder(length=3), 4)
    assert rollout.obs["obs"][:, 0, 0].tolist() == [0, 1, 2, 0]
    assert rollout.render_states[:, 0, 0].tolist() == [0, 1, 2, 0]
    assert rollout.true_rewards[:, 0].tolist() == [1, 2, 3, 1]
    assert rollout.dones[:, 0].tolist() == [False, False, True, False]
    assert rollout.obs["obs"].dtype == np.float32


def test_what_environments_name_keeps_its_names():
    made = Recorder(make_vec_env(TaskConfig("prefrl/TwoDials-v0"), 2, seed=0))
    seen = [made.reset()]
    seen += [made.step(np.ones((2, 2), int))[0] for _ in range(2)]
    rollout = made.take()
    assert rollout.obs.keys() == {"dials", "targets"}
    for name, rows in rollout.obs.items():
        np.testing.assert_array_equal(rows, [obs[name] for obs in seen[:2]])


@pytest.mark.parametrize("task", ["PointGoal", "TwoDials", "Pong"])
def test_a_state_of_old_is_read(task):
    """In which a lone array, or each frame of one, had no name."""
    made = Recorder(make_vec_env(TaskConfig(f"prefrl/{task}-v0"), 2, seed=0))
    made.reset()
    actions = [np.stack([made.action_space.sample() for _ in range(2)]) for _ in range(4)]
    state = {re.sub(r"^(seen\.\d+\.)obs$", r"\1", name): array for name, array in made.get_state().items()}
    assert ("seen.0." in state) == (task != "TwoDials")

    def played():
        for action in actions:
            made.step(action)
        return made.take().obs

    expected = played()
    made.set_state(state)
    again = played()
    made.close()
    assert again.keys() == expected.keys()
    assert all(np.array_equal(again[name], rows) for name, rows in expected.items())


def test_take_hands_out_every_step_once():
    made = recorder(length=100)
    assert run(made, 3).obs["obs"][:, 0, 0].tolist() == [0, 1, 2]
    assert run(made, 2).obs["obs"][:, 0, 0].tolist() == [3, 4]


def test_reset_drops_what_was_not_taken():
    made = recorder(length=100)
    made.step(np.zeros((2, 1)))
    made.reset()
    assert len(run(made, 2).dones) == 2


def test_an_observation_that_is_no_number_stops_the_run_in_one_clear_line():
    with pytest.raises(ValueError, match="environment 0 gave the observation nan at index") as error:
        run(recorder(broken_at=3), 5)
    assert "\n" not in str(error.value)


def test_so_does_an_episode_s_last_observation_and_a_reward():
    with pytest.raises(ValueError, match="environment 0 gave the observation nan"):
        run(recorder(length=5, broken_at=5), 8)
    with pytest.raises(ValueError, match="environment 0 gave the true reward nan"):
        run(recorder(unpaid_at=3), 8)


def test_segments_never_cross_an_episode():
    pool = SegmentPool("x", clip_steps=4, capacity_steps=1000)
    pool.add(run(recorder(length=10), 35), np.random.default_rng(0))
    for segment in pool.segments:
        assert np.diff(segment.obs["obs"][:, 0]).tolist() == [1, 1, 1]
        assert len(segment) == 4


def test_every_step_is_covered_in_turn():
    pool, rng = SegmentPool("x", clip_steps=4, capacity_steps=100_000), np.random.default_rng(0)
    for _ in range(50):
        pool.add(run(recorder(length=10), 10), rng)
    counts = np.bincount(np.concatenate([s.obs["obs"][:, 0] for s in pool.segments]).astype(int), minlength=10)
    assert (counts > 0).all()


def test_the_pool_is_bounded_and_keeps_the_latest():
    pool = SegmentPool("x", clip_steps=5, capacity_steps=20)
    pool.add(run(recorder(num_envs=1, length=1000), 100), np.random.default_rng(0))
    assert len(pool.segments) == 4
    assert pool.segments[-1].obs["obs"][-1, 0] == 99


def test_a_segment_keeps_no_rollout_alive():
    rollout = run(recorder(), 20)
    segment = rollout.segment("x", 0, 0, 5)
    gone = weakref.ref(rollout.obs["obs"])
    del rollout
    gc.collect()
    assert gone() is None
    assert segment.obs["obs"][:, 0].tolist() == [0, 1, 2, 3, 4]


def test_dict_observations_stay_apart():
    rollout = Rollout(
        obs={"a": np.arange(6.0).reshape(3, 2, 1), "b": np.zeros((3, 2, 4))},
        actions=np.zeros((3, 2, 1)), true_rewards=np.zeros((3, 2)), dones=np.zeros((3, 2), bool),
        breaks=np.zeros((3, 2), bool), render_states=None,
    )  # fmt: skip
    assert rollout.segment("x", 1, 0, 2).obs["a"][:, 0].tolist() == [1, 3]


def test_episode_returns_add_up_across_rollouts():
    returns = EpisodeReturns(2)
    dones = np.array([[False, False], [False, True]])
    assert returns.add(np.ones((2, 2)), np.full((2, 2), 3.0), dones).tolist() == [[2, 6]]
    assert returns.add(np.ones((1, 2)), np.full((1, 2), 3.0), np.array([[True, True]])).tolist() == [
        [3, 9],
        [1, 3],
    ]


class TestGames:
    def test_stacks_are_what_the_agent_saw_across_rollouts_and_ends(self):
        made = consoles()
        for first in (0, 11):
            rollout = play(made, 11)
            assert rollout.obs["obs"].shape == (11, 2, 3, 4, 4)
            newest = np.arange(first, first + 11)[:, None] + [2, 102]
            assert rollout.dones.any()
            np.testing.assert_array_equal(rollout.obs["obs"][..., 0, 0], newest[..., None] + [-2, -1, 0])

    def test_every_frame_is_kept_once(self):
        rollout = play(consoles(), 11)
        frames = rollout.obs["obs"]
        while frames.base is not None:
            frames = frames.base
        assert frames.nbytes == (11 + 2) * 2 * 16

    def test_frames_that_span_several_blocks_are_in_order(self, monkeypatch):
        expected = play(consoles(), 11).obs["obs"]
        monkeypatch.setattr("prefrl.rollouts.BLOCK", 3)
        np.testing.assert_array_equal(play(consoles(), 11).obs["obs"], expected)

    def test_a_segment_has_its_own_frames_once(self):
        rollout = play(consoles(), 11)
        segment = rollout.segment("x", 1, 3, 8)
        np.testing.assert_array_equal(segment.obs["obs"], rollout.obs["obs"][3:8, 1])
        frames = segment.obs["obs"]
        while frames.base is not None:
            frames = frames.base
        assert frames.nbytes == (5 + 2) * 16

    def test_reset_starts_the_stacks_afresh(self):
        made = consoles()
        play(made, 3)
        made.step(np.zeros(2, int))
        made.reset()
        assert play(made, 2).obs["obs"][:, 0, :, 0, 0].tolist() == [[4, 5, 6], [5, 6, 7]]

    def test_screens_are_packed_each_for_itself(self):
        rollout = play(consoles(), 4)
        assert rollout.render_states.ndim == 3
        shown = [unpack(state)[0, 0, 0] for state in rollout.segment("x", 1, 1, 4).render_states]
        assert shown == [103, 104, 105]

    def test_a_game_can_be_drawn(self):
        assert consoles().can_be_drawn()

    def test_what_an_oracle_compares_by_is_kept_where_it_is_not_the_true_reward(self):
        rollout = play(consoles(), 6)
        assert rollout.true_rewards[:, 0].tolist() == [1] * 6
        assert rollout.oracle_rewards[:, 0].tolist() == [1, 1, -1, 1, 1, 1]
        assert rollout.segment("x", 0, 0, 5).oracle_rewards.tolist() == [1, 1, -1, 1, 1]
        assert rollout.segment("x", 0, 3, 6).oracle_rewards is None
        assert run(recorder(), 3).oracle_rewards is None


def test_segments_run_on_across_horizons_where_the_stream_does():
    """Of 30 steps with a horizon of 20 there is one segment of 25 if it goes on, and none if it does not."""

    def cut(env_id):
        venv = make_vec_env(TaskConfig(env_id, horizon=20), 1, seed=0)
        recorder, pool = Recorder(venv), SegmentPool(env_id, clip_steps=25, capacity_steps=1000)
        recorder.reset()
        for _ in range(30):
            recorder.step(np.stack([venv.action_space.sample()]))
        rollout = recorder.take()
        assert rollout.dones.sum() == 1
        pool.add(rollout, np.random.default_rng(0))
        venv.close()
        return len(pool.segments)

    assert [cut(f"prefrl/{task}-v0") for task in ("Pong", "EnduroLevel", "PointGoal")] == [1, 1, 0]


def test_games_that_ended_are_counted_with_their_lengths():
    recorder = Recorder(make_vec_env(TaskConfig("prefrl/Breakout-v0", horizon=50), 2, seed=0))
    recorder.reset()
    ended, steps = [], np.zeros(2, int)
    rng, games = np.random.default_rng(0), Games()
    for _ in range(4):
        for _ in range(100):
            _, _, _, infos = recorder.step(rng.integers(4, size=2))
            steps += 1
            for i, info in enumerate(infos):
                if "game_score" in info:
                    ended.append(int(steps[i]))
                    steps[i] = 0
        games.add(recorder.take())
    recorder.close()
    assert games == Games(len(ended), sum(ended))
    assert len(ended) >= 2


def test_rollouts_shorter_than_a_segment_are_joined_and_segments_never_cross_an_episode():
    pool, made = SegmentPool("x", clip_steps=4, capacity_steps=1000), recorder(num_envs=1, length=10)
    for _ in range(10):
        pool.add(run(made, 3), np.random.default_rng(0))  # 30 steps: three episodes
    assert [segment.obs["obs"][:, 0].tolist() for segment in pool.segments] == 3 * [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert not pool.tails


def test_segments_joined_of_games_keep_every_frame_once():
    whole, joined = (SegmentPool("x", clip_steps=4, capacity_steps=1000) for _ in range(2))
    made = consoles()
    for _ in range(2):
        joined.add(play(made, 2), np.random.default_rng(0))
    whole.add(play(consoles(), 4), np.random.default_rng(0))
    assert len(joined.segments) == 1  # the other console ends a game
    assert [segment.id for segment in joined.segments] == [segment.id for segment in whole.segments]
    assert unpack(joined.segments[0].render_states[3]).max() == 5
