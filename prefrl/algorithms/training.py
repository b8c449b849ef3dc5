"""What an agent does from one set of comparisons to the next: it explores, collects rollouts, is paid and learns.

Episodes go on from one rollout to the next, and where a run is resumed from the last one before it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from prefrl_envs.snapshots import State, add_prefix, under
from prefrl_envs.suite import find
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.utils import set_random_seed

from prefrl.agents.features import observe
from prefrl.agents.ppo import decay_rates, learn_one_rollout, position, reset_agent, set_position, set_rewards
from prefrl.checkpoints import Learner
from prefrl.config import RlhfConfig
from prefrl.evaluation import act_by, act_randomly
from prefrl.rollouts import EpisodeReturns, Recorder, Rollout
from prefrl.runs import Row
from prefrl.seeds import Purpose, generator_of, seed_of
from prefrl.segments import part_of

HELD_STEPS = 8  # that a random action lasts on average before the first comparisons
OBSERVED_STEPS = 256  # of every environment at a time: what a game shows before learning would be half a gigabyte


class Training:
    """The agent in its environments.

    What is drawn in an iteration depends on the run's seed and the step that it begins at (`prefrl.seeds`); the
    environments have generators of their own, which `get_state` holds.
    """

    def __init__(self, config: RlhfConfig, learner: Learner, recorder: Recorder, state: State | None = None) -> None:
        """`state`: what `get_state` gave; None begins episodes of its own."""
        self._config, self._learner, self._recorder = config, learner, recorder
        row = find(config.env_id)
        self._by_sign = row is not None and row.scored
        self._returns = EpisodeReturns(recorder.num_envs)
        self._ended = np.empty((0, 2))
        set_rewards(learner.model, self._reward_rollout, learner.scale if config.agent.scale_rewards else None)
        learner.model.set_env(recorder, force_reset=True)
        if state is not None:
            recorder.set_state(under("recorder.", state))
            set_position(learner.model, under("agent.", state))
            self._returns.running = state["returns"].copy()
            return
        recorder.seed(seed_of(config.seed, Purpose.ENVIRONMENTS, learner.step))
        if learner.step == 0 and is_image_space(recorder.observation_space):
            observe(learner.model, recorder.reset())  # the first rollout too is seen against a background

    def get_state(self) -> State | None:
        """Where the episodes are; None where an environment cannot say, and a resumed run begins new ones."""
        recorder = self._recorder.get_state()
        if recorder is None:
            return None
        state = add_prefix("recorder.", recorder) | add_prefix("agent.", position(self._learner.model))
        return state | {"returns": self._returns.running.copy()}

    def explore(self, steps: int) -> None:
        """Fills the pool before there is anything to learn from; these steps count.

        The paper asks about an untrained policy. Here a share of the environments, every other one where nothing else
        is said, takes random actions instead, each held for a while: our policy starts with small ones, and a reward
        model that has seen only those pays for whatever speed does. Random actions alone show little of what the
        agent does next (docs/experiments.md).
        """
        seed, share = self._config.seed, self._config.query.random_share
        set_random_seed(seed_of(seed, Purpose.EXPLORATION))  # SB3 draws actions from the global generators
        model = self._learner.model
        env = model.get_env()
        assert env is not None
        obs: Any = env.reset()
        untrained = act_by(model, deterministic=False)
        at_random = act_randomly(env.action_space, env.num_envs, seed_of(seed, Purpose.EXPLORATION, 1), HELD_STEPS)
        random = np.diff(np.floor(np.arange(env.num_envs + 1) * share)) > 0
        for _ in range(-(-steps // env.num_envs)):
            actions = untrained(obs)
            actions[random] = at_random(obs)[random]
            obs, _, _, _ = env.step(actions)
            model.num_timesteps += env.num_envs
        self._remember(self._recorder.take(), 0)

    def learn_one_rollout(self) -> None:
        """The agent collects a rollout, is paid by the learned reward, and learns from it."""
        learner, config = self._learner, self._config
        model, began_at, reset_step = learner.model, learner.step, config.agent.reset_step
        if reset_step is not None and self._is_first_rollout_from(reset_step):
            reset_agent(model, seed_of(config.seed, Purpose.FRESH_AGENT, reset_step))
            learner.average.n_averaged.zero_()  # the mean, too, begins with the next policy
        decay_rates(model, config.agent, config.steps)
        # SB3 draws actions and minibatches from the global generators.
        set_random_seed(seed_of(config.seed, Purpose.ITERATION, began_at))
        learn_one_rollout(model)
        self._remember(self._rollout, began_at)
        learner.average.update_parameters(model.policy)

    def _is_first_rollout_from(self, step: int) -> bool:
        """Whether none of the rollouts before began at the step or after it: few steps fall on the end of one."""
        model = self._learner.model
        return 0 <= self._learner.step - step < model.n_steps * model.n_envs

    def row(self, labels: int) -> Row:
        """What progress.csv says of the rollout just learned from."""
        true_return, learned_return = self._ended.mean(axis=0) if len(self._ended) else (None, None)
        learner, scores, lengths = self._learner, self._rollout.game_scores, self._rollout.game_steps
        row: Row = {
            "step": learner.step,
            "true_return": true_return,
            "learned_return": learned_return if learner.reward else None,
            "labels": labels,
            "seconds": learner.wall_seconds,
            "cpu_seconds": learner.cpu_seconds,
            "games": len(scores),
            "score": float(scores.mean()) if len(scores) else None,
            "game_steps": float(lengths.mean()) if len(scores) else None,
        }
        return row | learner.fit

    def _reward_rollout(self) -> np.ndarray:
        """[T, N] the rewards of the rollout just collected: learned ones, or the true ones for a baseline."""
        rollout = self._rollout = self._recorder.take()
        rewards = self._rewards(rollout)
        self._ended = self._returns.add(rollout.true_rewards, rewards, rollout.dones)
        return rewards

    def _rewards(self, rollout: Rollout) -> np.ndarray:
        if self._learner.reward is None:
            # Scores differ between games by three orders of magnitude: their signs are what is usual to learn from.
            return np.sign(rollout.true_rewards) if self._by_sign else rollout.true_rewards
        return self._learner.reward.ensemble(rollout.obs, rollout.actions).reshape(rollout.dones.shape)

    def _remember(self, rollout: Rollout, began_at: int) -> None:
        """Only now, between two rollouts, may the policy's statistics change."""
        learner = self._learner
        for start in range(0, len(rollout.dones), OBSERVED_STEPS):
            observe(learner.model, part_of(rollout.obs, slice(start, start + OBSERVED_STEPS)))
        learner.games.add(rollout)
        if learner.reward is not None:
            learner.reward.pool.add(rollout, generator_of(self._config.seed, Purpose.SEGMENTS, began_at))
