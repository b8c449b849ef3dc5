"""What an agent is paid for a rollout."""

import dataclasses

import numpy as np
import pytest

from prefrl.algorithms.rlhf import pay
from prefrl.algorithms.setup import make_learner, make_recorder
from prefrl.presets import preset_config


def paid_and_true(env_id):
    """[T, N] what the agent is paid in a first rollout without labels, before it is scaled, and the true rewards."""
    config = preset_config("default", env_id, labels=0, steps=1000)
    config = dataclasses.replace(
        config, precision="fp32", agent=dataclasses.replace(config.agent, num_envs=2, n_steps=128, n_epochs=1)
    )
    recorder = make_recorder(config)
    learner = make_learner(config, recorder, "cpu")
    learner.agent.begin()
    rollout = learner.agent.collect()
    recorder.close()
    return pay(config, learner, rollout), rollout.true_rewards


def test_on_a_games_score_an_agent_is_paid_its_sign_and_the_score_stays_whole():
    paid, true_rewards = paid_and_true("prefrl/SpaceInvaders-v0")
    assert set(np.unique(paid)) == {0, 1}
    assert true_rewards.max() > 1
    np.testing.assert_array_equal(paid, np.sign(true_rewards))


@pytest.mark.parametrize("env_id", ["prefrl/PointGoal-v0", "prefrl/EnduroLevel-v0"])
def test_any_other_true_reward_is_paid_as_it_is(env_id):
    paid, true_rewards = paid_and_true(env_id)
    assert len(np.unique(paid)) > 2
    np.testing.assert_array_equal(paid, true_rewards)
