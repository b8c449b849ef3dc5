import numpy as np
import pytest
from prefrl_envs.task import TaskConfig
from prefrl_envs.toy import ChainWalk

from prefrl.evaluation import act_randomly, as_judged, play_episodes, play_games, true_returns
from prefrl.vecenv import make_vec_env

CHAIN = TaskConfig("prefrl/ChainWalk-v0")


def test_the_best_policy_gets_the_best_return():
    rollout = play_episodes(CHAIN, lambda obs: np.ones(len(obs), int), 3, seed=0)
    assert rollout.true_rewards.shape == (40, 3)
    assert true_returns(rollout) == pytest.approx([ChainWalk.best_return(40)] * 3)


def test_the_same_seed_gives_the_same_episodes():
    space = make_vec_env(CHAIN, 1, 0).action_space
    first, again, other = (
        true_returns(play_episodes(CHAIN, act_randomly(space, 4, seed), 4, seed=7)).tolist() for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_drawing_random_actions_leaves_the_space_alone():
    space = make_vec_env(CHAIN, 1, 0).action_space
    space.seed(5)
    expected = [space.sample() for _ in range(20)]
    space.seed(5)
    act_randomly(space, 3, seed=1)(None)
    assert [space.sample() for _ in range(20)] == expected


def test_a_games_score_is_that_of_one_complete_game_of_each_environment():
    def idle(obs):
        return np.ones(len(obs), int)  # FIRE: serves, and never moves

    scores = play_games(TaskConfig("prefrl/Breakout-v0"), idle, 2, seed=0)
    assert scores.shape == (2,)
    assert ((scores >= 0) & (scores < 20)).all()
    np.testing.assert_array_equal(scores, play_games(TaskConfig("prefrl/Breakout-v0"), idle, 2, seed=0))


def test_only_games_are_judged_by_actions_that_are_drawn():
    class Policy:
        def act(self, obs, *, deterministic):
            return deterministic

    assert as_judged(Policy(), "prefrl/Hopper-v0")(None) is True
    assert as_judged(Policy(), "CartPole-v1")(None) is True
    assert as_judged(Policy(), "prefrl/Pong-v0")(None) is False


def test_random_actions_are_held_as_long_as_asked():
    space = make_vec_env(TaskConfig("prefrl/Hopper-v0"), 1, 0).action_space
    act = act_randomly(space, 2, seed=1, held=5)
    actions = np.stack([act(None) for _ in range(2_000)])
    assert space.contains(actions[0, 0])
    changed = (np.diff(actions, axis=0) != 0).any(axis=-1)
    assert changed.mean() == pytest.approx(1 / 5, abs=0.03)
    assert (changed[:, 0] != changed[:, 1]).any()
    every_step = act_randomly(space, 1, seed=1)
    assert (every_step(None) != every_step(None)).all()
