"""The common part of agents of Stable-Baselines3: policy, exploration, checkpoints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from gymnasium import spaces
from prefrl_envs.snapshots import State, add_prefix, under
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import CallbackList
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.utils import set_random_seed
from torch import Tensor
from torch.nn import Parameter
from torch.optim.swa_utils import AveragedModel

from prefrl.agents.averaging import running_average
from prefrl.agents.base import DIVERGED
from prefrl.agents.features import observe
from prefrl.core.errors import PrefrlError
from prefrl.evaluation import act_randomly
from prefrl.rollouts import Recorder, Rollout
from prefrl.seeds import Purpose, seed_of
from prefrl.segments import LONE, EnvObservations, Observations, as_dict, flattened, part_of, unflattened
from prefrl.tensors import add_tensor_prefix, tensors_under

HELD_STEPS = 8  # mean length of a random action before the first comparisons
OBSERVED_STEPS = 256  # of every environment at a time: the images seen before learning would take half a gigabyte

POLICY, TENSORS, EPISODES = "policy.zip", "agent.safetensors", "episodes.safetensors"
TENSORS_0_2 = "tensors.safetensors"  # with those of the reward model, as version 0.2 wrote them

Algorithm = TypeVar("Algorithm", bound=BaseAlgorithm)


class Sb3Policy(Generic[Algorithm]):
    """The policy of an algorithm of SB3's."""

    def __init__(self, model: Algorithm) -> None:
        self._model = model

    def act(self, obs: EnvObservations, *, deterministic: bool) -> np.ndarray:
        """Observations [N, ...] -> actions [N, ...] as the environment takes them."""
        return self._model.predict(obs, deterministic=deterministic)[0]

    def parameters(self) -> Iterator[Parameter]:
        """Yields its weights."""
        return self._model.policy.parameters()

    def observe(self, obs: Observations) -> None:
        """Takes raw observations, each [T, N, ...], into the policy's statistics, if it keeps any."""
        steps = len(next(iter(obs.values())))
        for start in range(0, steps, OBSERVED_STEPS):
            observe(self._model.policy, part_of(obs, slice(start, start + OBSERVED_STEPS)))


class Sb3Agent(ABC, Generic[Algorithm]):
    """An `Agent` around an algorithm of SB3's, without its `learn`.

    Args:
        recorder: the environments; it hides their rewards from the algorithm.
        model: the algorithm.
        seed: of the run.
        averaging: see `running_average`.
        iteration_steps: environment steps that `collect` takes.
    """

    def __init__(self, recorder: Recorder, model: Algorithm, seed: int, averaging: float, iteration_steps: int) -> None:
        self._recorder, self._seed = recorder, seed
        self._averaging, self._iteration_steps = averaging, iteration_steps
        self._callback = CallbackList([])
        self._use(model)
        self._average = running_average(model.policy, averaging, iteration_steps)

    @property
    def policy(self) -> Sb3Policy[Algorithm]:
        return Sb3Policy(self._model)

    @property
    def step(self) -> int:
        return self._model.num_timesteps

    @property
    def iteration_steps(self) -> int:
        return self._iteration_steps

    @property
    def action_space(self) -> spaces.Space:
        return self._model.action_space

    @property
    def device(self) -> torch.device:
        return self._model.device

    def begin(self) -> None:
        """Begins new episodes, seeded by the run's seed and the step."""
        self._model.set_env(self._recorder, force_reset=True)
        self._recorder.seed(seed_of(self._seed, Purpose.ENVIRONMENTS, self.step))
        if self.step == 0 and is_image_space(self._recorder.observation_space):
            first = as_dict(self._recorder.reset())
            observe(self._model.policy, first)  # the first rollout, too, is seen against a background

    def explore(self, steps: int, random_share: float) -> Rollout:
        """Takes at least `steps` steps without learning; see `Agent`.

        Christiano et al. 2017 ask about an untrained policy. Its actions are small, and a reward model that has seen
        only those pays for speed in any direction. So a share of the environments takes random actions, each held
        for a while. Random actions alone show little of what the agent does next (docs/experiments.md).
        """
        self._seed_draws(Purpose.EXPLORATION)
        env = self._recorder
        obs: Any = env.reset()
        at_random = act_randomly(
            env.action_space, env.num_envs, seed_of(self._seed, Purpose.EXPLORATION, 1), HELD_STEPS
        )
        random = np.diff(np.floor(np.arange(env.num_envs + 1) * random_share)) > 0
        for _ in range(-(-steps // env.num_envs)):
            actions = self.policy.act(obs, deterministic=False)
            actions[random] = at_random(obs)[random]
            obs = self._step(obs, actions)
        rollout = env.take()
        self.policy.observe(rollout.obs)
        return rollout

    def reinitialize(self, seed: int) -> None:
        """Draws fresh weights; see `Agent`."""
        with torch.random.fork_rng(devices=[]):  # layers draw their weights from the CPU's global generator
            torch.default_generator.manual_seed(seed)
            fresh = self._fresh_policy()
        with torch.no_grad():
            for weights, new in zip(self._model.policy.parameters(), fresh.parameters(), strict=True):
                weights.copy_(new)
        for optimizer in self._optimizers():
            optimizer.state.clear()
        self._average.n_averaged.zero_()  # the mean, too, begins with the next policy

    def save(self, folder: Path) -> None:
        """Writes the algorithm's zip, what it has not of its own, and the environments' state; see `Agent`."""
        self._model.save(folder / POLICY)
        tensors = self._tensors() | add_tensor_prefix("average.", _weights(self._average))
        save_file(
            {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, folder / TENSORS
        )
        recorder = self._recorder.get_state()
        if recorder is not None:
            episodes = add_prefix("recorder.", recorder) | add_prefix("agent.", self._position())
            save_arrays({name: np.asarray(array, order="C") for name, array in episodes.items()}, folder / EPISODES)

    def load(self, folder: Path) -> bool:
        """Restores what `save` wrote; see `Agent`."""
        self._use(type(self._model).load(folder / POLICY, env=self._recorder, device=self._model.device))
        self._average = running_average(self._model.policy, self._averaging, self._iteration_steps)
        tensors = load_file(folder / (TENSORS if (folder / TENSORS).exists() else TENSORS_0_2))
        self._load_tensors(tensors)
        if average := tensors_under("average.", tensors):
            for name, value in _weights(self._average).items():
                value.data.copy_(average[name])
        else:  # a checkpoint of version 0.1
            self._average.update_parameters(self._model.policy)
        if not (folder / EPISODES).exists():
            return False
        episodes = load_arrays(folder / EPISODES)
        self._model.set_env(self._recorder, force_reset=True)
        self._recorder.set_state(under("recorder.", episodes))
        self._set_position(under("agent.", episodes))
        return True

    def save_policy(self, path: Path) -> None:
        """Writes the mean of the latest policies, by which the agent acts from here on."""
        self._model.policy.load_state_dict(self._average.module.state_dict())
        self._model.save(path)

    def _step(self, obs: Any, actions: np.ndarray) -> Any:
        """Takes one step in every environment; returns the next observations."""
        new_obs, _, _, _ = self._recorder.step(actions)
        self._model.num_timesteps += self._recorder.num_envs
        return new_obs

    @abstractmethod
    def _fresh_policy(self) -> BasePolicy:
        """A policy like the agent's, with weights drawn from torch's global generator."""

    @abstractmethod
    def _optimizers(self) -> list[torch.optim.Optimizer]: ...

    def _tensors(self) -> dict[str, Tensor]:
        """The tensors that a checkpoint keeps beside SB3's zip."""
        return {}

    def _load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `_tensors`."""

    def _use(self, model: Algorithm) -> None:
        self._model = model
        model.set_logger(Logger(None, []))
        self._callback.init_callback(model)

    def _seed_draws(self, purpose: Purpose, *at: int) -> None:
        """Seeds the global generators, from which SB3 draws actions and minibatches."""
        set_random_seed(seed_of(self._seed, purpose, *at))

    def _learned_from(self, rollout: Rollout) -> None:
        """Ends an update: the policy's statistics may change between two rollouts alone.

        Raises:
            PrefrlError: weights are not finite.
        """
        if not all(weights.isfinite().all() for weights in self._model.policy.parameters()):
            raise PrefrlError(DIVERGED)
        self.policy.observe(rollout.obs)
        self._average.update_parameters(self._model.policy)

    def _position(self) -> State:
        """The latest observations, between two rollouts. Empty before the first."""
        seen: Any = self._model._last_obs
        starts: Any = self._model._last_episode_starts
        if seen is None:
            return {}
        named = flattened(_SEEN, as_dict(seen)) | {"episode_starts": starts}
        return {name: array.copy() for name, array in named.items()}

    def _set_position(self, state: State) -> None:
        """The inverse of `_position`."""
        if not state:
            return
        self._model._last_obs = of_space(self._model.observation_space, unflattened(_SEEN, state))
        self._model._last_episode_starts = state["episode_starts"]


_SEEN = "seen"


def of_space(space: spaces.Space, obs: Observations) -> EnvObservations:
    """Inverts `as_dict`: a space that is not a Dict has its array alone."""
    return obs if isinstance(space, spaces.Dict) else obs[LONE]


def _weights(average: AveragedModel) -> dict[str, Tensor]:
    """Parameters and buffers, each once: SB3's policies have three names for one network of features."""
    return dict(average.named_parameters()) | dict(average.named_buffers())
