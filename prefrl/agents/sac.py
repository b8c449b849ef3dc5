"""SB3's SAC behind `Agent`: a replay that is paid anew whenever the reward model has changed.

Haarnoja et al. 2018 (arXiv 1812.05905); with comparisons PEBBLE, Lee et al. 2021 (arXiv 2106.05091).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from safetensors.numpy import load_file, save_file
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import DictReplayBuffer, ReplayBuffer
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import is_image_space

from prefrl.agents.base import Metrics, RewardFunction
from prefrl.agents.config import SacConfig
from prefrl.agents.sb3 import Sb3Agent, Sb3Policy, of_space
from prefrl.core.errors import PrefrlError
from prefrl.core.settings import Precision
from prefrl.evaluation import Actor, act_randomly
from prefrl.rollouts import Recorder, Rollout
from prefrl.seeds import Purpose, seed_of
from prefrl.segments import as_dict, flattened, map_arrays, part_of

REPLAY = "replay.safetensors"
ARRAYS = ("actions", "rewards", "dones", "timeouts")
"""Arrays in the replay besides the observations before and after each step."""


class SacAgent(Sb3Agent[SAC]):
    """Keeps all steps, and learns from samples of them.

    Args:
        seed: of the run.
        total_steps: of the run; the replay holds no more.
    """

    def __init__(
        self, recorder: Recorder, config: SacConfig, *, seed: int, total_steps: int, device: str = "cpu"
    ) -> None:
        self._config = config
        capacity = min(config.buffer_steps, total_steps + config.num_envs * config.n_steps)
        model = make_sac(recorder, config, seed_of(seed, Purpose.POLICY), capacity, device)
        super().__init__(recorder, model, seed, config.averaging, config.n_steps * config.num_envs)

    def collect(self) -> Rollout:
        """Takes `n_steps` steps in each environment; see `Agent`."""
        self._seed_draws(Purpose.ITERATION, self.step)
        obs: Any = self._model._last_obs
        if obs is None:
            obs = self._recorder.reset()
        act = self._actor()
        for _ in range(self._config.n_steps):
            obs = self._step(obs, act(obs))
        return self._recorder.take()

    def update(self, rollout: Rollout, rewards: np.ndarray) -> Metrics:
        """Pays for the rollout just collected, and takes gradient steps on samples of the replay; see `Agent`."""
        replay = self._replay
        latest = np.arange(replay.pos - len(rewards), replay.pos) % replay.buffer_size
        replay.rewards[latest] = rewards
        metrics: Metrics = {}
        if self.step >= self._config.learning_starts:
            gradient_steps = round(self._config.updates_per_step * rewards.size)
            self._model.train(gradient_steps, self._config.batch_size)
            metrics = dict(self._model.logger.name_to_value)
        self._learned_from(rollout)
        return metrics

    def relabel(self, reward: RewardFunction) -> None:
        """Pays anew for all steps in the replay, unless `relabel` is off; see `Agent`."""
        if not self._config.relabel or not self._number_kept():
            return
        replay, kept = self._replay, slice(self._number_kept())
        observations: Any = replay.observations
        obs = part_of(as_dict(observations), kept)
        actions = self._model.policy.unscale_action(replay.actions[kept])
        replay.rewards[kept] = reward(obs, actions).reshape(-1, replay.n_envs)

    def reinitialize(self, seed: int) -> None:
        """Draws fresh weights and the first temperature; the replay stays. See `Agent`."""
        super().reinitialize(seed)
        if self._model.log_ent_coef is not None:
            self._model.log_ent_coef.data.fill_(np.log(self._config.initial_temperature))

    def save(self, folder: Path) -> None:
        """Writes the replay as well, as raw arrays; see `Agent`."""
        super().save(folder)
        replay, kept = self._replay, slice(self._number_kept())
        arrays = {name: getattr(replay, name)[kept] for name in ARRAYS}
        arrays |= _observations_of(replay)
        arrays = {name: np.ascontiguousarray(array[kept]) for name, array in arrays.items()}
        save_file(arrays | {"position": np.array([replay.pos])}, folder / REPLAY)

    def load(self, folder: Path) -> bool:
        """Restores the replay as well; see `Agent`."""
        goes_on = super().load(folder)
        arrays, replay = load_file(folder / REPLAY), self._replay
        number = len(arrays["actions"])
        into = {name: getattr(replay, name) for name in ARRAYS}
        into |= _observations_of(replay)
        for name, array in into.items():
            array[:number] = arrays[name]
        replay.full = number == replay.buffer_size
        replay.pos = int(arrays["position"][0]) % replay.buffer_size
        return goes_on

    @property
    def _replay(self) -> ReplayBuffer:
        replay = self._model.replay_buffer
        assert isinstance(replay, ReplayBuffer)
        return replay

    def _number_kept(self) -> int:
        """Rows of the replay that hold steps."""
        return self._replay.buffer_size if self._replay.full else self._replay.pos

    def _actor(self) -> Actor:
        """The policy, or random actions in a run that has learned nothing yet."""
        if self.step >= self._config.learning_starts:
            return partial(self.policy.act, deterministic=False)
        seed = seed_of(self._seed, Purpose.ITERATION, self.step)
        return act_randomly(self._recorder.action_space, self._recorder.num_envs, seed)

    def _step(self, obs: Any, actions: np.ndarray) -> Any:
        """Takes one step in every environment, and keeps it in the replay, to be paid later."""
        policy, recorder = self._model.policy, self._recorder
        scaled = policy.scale_action(actions)  # what is kept, and what is done, are the same to the bit
        new_obs: Any
        new_obs, rewards, dones, infos = recorder.step(policy.unscale_action(scaled))
        self._replay.add(obs, self._with_terminal(new_obs, dones, infos), scaled, rewards, dones, infos)
        self._model.num_timesteps += recorder.num_envs
        self._model._last_obs, self._model._last_episode_starts = new_obs, dones
        return new_obs

    def _with_terminal(self, new_obs: Any, dones: np.ndarray, infos: list[dict[str, Any]]) -> Any:
        """The observations after a step: where an episode ended, its last one and not the next one's first."""
        if not dones.any():
            return new_obs
        after = map_arrays(as_dict(new_obs), np.copy)
        for env in np.flatnonzero(dones):
            last = as_dict(infos[env]["terminal_observation"])
            for name, rows in after.items():
                rows[env] = last[name]
        return of_space(self._model.observation_space, after)

    def _fresh_policy(self) -> BasePolicy:
        model = self._model
        return model.policy_class(model.observation_space, model.action_space, model.lr_schedule, **model.policy_kwargs)

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        temperature = self._model.ent_coef_optimizer
        networks = [self._model.actor.optimizer, self._model.critic.optimizer]
        return networks if temperature is None else [*networks, temperature]


def make_agent(
    recorder: Recorder, config: SacConfig, *, seed: int, total_steps: int, device: str, precision: Precision
) -> SacAgent:
    """Makes a SacAgent; see `prefrl.agents.registry.make_agent`. None of its networks reads images: no `precision`."""
    return SacAgent(recorder, config, seed=seed, total_steps=total_steps, device=device)


def load_sac(path: Path) -> Sb3Policy[SAC]:
    """Loads the policy of a zip that SAC wrote, to act on the CPU."""
    return Sb3Policy(SAC.load(path, device="cpu"))


def make_sac(recorder: Recorder, config: SacConfig, seed: int, capacity: int, device: str) -> SAC:
    """A fresh algorithm for the recorder's environments.

    Args:
        capacity: steps that the replay holds, over all environments.

    Raises:
        PrefrlError: actions that are not continuous, or observations with images.
    """
    space = recorder.observation_space
    parts = space.spaces.values() if isinstance(space, spaces.Dict) else [space]
    if not isinstance(recorder.action_space, spaces.Box):
        kind = type(recorder.action_space).__name__
        raise PrefrlError(f"sac needs continuous actions (Box), and these are a {kind} space; ppo learns with them")
    if any(is_image_space(part) for part in parts):
        raise PrefrlError("sac reads no images here; ppo does")
    is_dict = isinstance(space, spaces.Dict)
    return SAC(
        "MultiInputPolicy" if is_dict else "MlpPolicy",
        recorder,
        learning_rate=config.learning_rate,
        buffer_size=capacity,
        batch_size=config.batch_size,
        tau=config.tau,
        gamma=config.gamma,
        ent_coef=f"auto_{config.initial_temperature}",
        target_update_interval=config.target_update_interval,
        replay_buffer_class=DictReplayBuffer if is_dict else ReplayBuffer,
        policy_kwargs={"net_arch": list(config.net), "optimizer_kwargs": {"fused": True}},
        seed=seed,
        device=device,
    )


def _observations_of(replay: ReplayBuffer) -> dict[str, np.ndarray]:
    """The replay's own arrays of observations before and after each step, by name."""
    before: Any = replay.observations
    after: Any = replay.next_observations
    return flattened("obs", as_dict(before)) | flattened("next_obs", as_dict(after))
