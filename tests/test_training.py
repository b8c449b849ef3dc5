"""What an agent is paid for a rollout."""

import dataclasses

import numpy as np
import pytest
from stable_baselines3.common.logger import Logger

from prefrl.algorithms import training
from prefrl.algorithms.rlhf import make_learner, make_recorder
from prefrl.algorithms.training import Training
from prefrl.presets import preset_config


def paid_and_true(env_id, monkeypatch):
    """[T, N] what the agent is paid in a first rollout without labels, before it is scaled, and the true rewards."""
    config = preset_config("default", env_id, labels=0, steps=1000)
    config = dataclasses.replace(
        config, precision="fp32", agent=dataclasses.replace(config.agent, num_envs=2, n_steps=128, n_epochs=1)
    )
    recorder = make_recorder(config)
    learner = make_learner(config, recorder, "cpu")
    learner.model.set_logger(Logger(None, []))
    paid, rollouts, take = [], [], recorder.take
    monkeypatch.setattr(learner, "scale", lambda rewards, starts: paid.append(rewards.copy()) or rewards)
    monkeypatch.setattr(recorder, "take", lambda: rollouts.append(take()) or rollouts[-1])
    Training(config, learner, recorder).learn_one_rollout()
    recorder.close()
    return paid[0], rollouts[0].true_rewards


@pytest.mark.parametrize(("share", "random"), [(0.5, [1, 3, 5, 7]), (0.25, [3, 7]), (0, []), (1, range(8))])
def test_before_the_first_comparisons_a_share_of_the_environments_acts_at_random(share, random, monkeypatch):
    config = preset_config("default", "prefrl/PointGoal-v0", labels=10, steps=1000)
    config = dataclasses.replace(
        config,
        agent=dataclasses.replace(config.agent, num_envs=8),
        query=dataclasses.replace(config.query, random_share=share),
    )
    recorder = make_recorder(config)
    learner = make_learner(config, recorder, "cpu")
    monkeypatch.setattr(training, "act_by", lambda model, deterministic: lambda obs: np.zeros((8, 2), np.float32))
    monkeypatch.setattr(training, "act_randomly", lambda *_: lambda obs: np.ones((8, 2), np.float32))
    rollouts, take = [], recorder.take
    monkeypatch.setattr(recorder, "take", lambda: rollouts.append(take()) or rollouts[-1])
    Training(config, learner, recorder).explore(40)
    recorder.close()
    np.testing.assert_array_equal(rollouts[0].actions[..., 0].all(axis=0), np.isin(np.arange(8), list(random)))


def test_on_a_games_score_an_agent_is_paid_its_sign_and_the_score_stays_whole(monkeypatch):
    paid, true_rewards = paid_and_true("prefrl/SpaceInvaders-v0", monkeypatch)
    assert set(np.unique(paid)) == {0, 1}
    assert true_rewards.max() > 1
    np.testing.assert_array_equal(paid, np.sign(true_rewards))


@pytest.mark.parametrize("scales", [True, False])
def test_rewards_are_scaled_unless_the_agent_says_not_to(scales):
    """Under paper2017 a game's learned reward has a standard deviation of 0.05, which scaling would undo."""
    config = preset_config("default", "prefrl/PointGoal-v0", labels=0, steps=1000)
    config = dataclasses.replace(config, agent=dataclasses.replace(config.agent, scale_rewards=scales, n_epochs=1))
    recorder = make_recorder(config)
    learner = make_learner(config, recorder, "cpu")
    learner.model.set_logger(Logger(None, []))
    rollouts, take = [], recorder.take
    recorder.take = lambda: rollouts.append(take()) or rollouts[-1]
    Training(config, learner, recorder).learn_one_rollout()
    recorder.close()
    # At an episode's end SB3 adds what the last state is worth, which is not looked at here.
    inside = ~rollouts[0].dones
    assert np.array_equal(learner.model.rollout_buffer.rewards[inside], rollouts[0].true_rewards[inside]) != scales


@pytest.mark.parametrize("env_id", ["prefrl/PointGoal-v0", "prefrl/EnduroLevel-v0"])
def test_any_other_true_reward_is_paid_as_it_is(monkeypatch, env_id):
    paid, true_rewards = paid_and_true(env_id, monkeypatch)
    assert len(np.unique(paid)) > 2
    np.testing.assert_array_equal(paid, true_rewards)
