"""Where an environment is, as arrays: saved in the middle of an episode, it goes on from there bit for bit.

An environment takes part by two methods: `get_state() -> dict[str, np.ndarray]` and `set_state(state)`. The suite's
have them; one from elsewhere may. Nothing is pickled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import TimeLimit

State = dict[str, np.ndarray]

_ELAPSED = "elapsed_steps"


def get_state(env: gym.Env) -> State | None:
    """The state of an environment and of every wrapper around it; None where the environment itself has none to give.

    Keys begin with the layer's depth, 0 for the outermost.
    """
    if not hasattr(env.unwrapped, "get_state"):
        return None
    state: State = {}
    for depth, layer in enumerate(_layers(env)):
        if isinstance(layer, TimeLimit):
            state[f"{depth}.{_ELAPSED}"] = np.array(layer._elapsed_steps or 0)
        elif hasattr(layer, "get_state"):
            state |= add_prefix(f"{depth}.", layer.get_state())
    return state


def set_state(env: gym.Env, state: State) -> None:
    """The inverse of `get_state`, in an environment made alike."""
    env.reset()  # wrappers prepare themselves at a reset
    for depth, layer in enumerate(_layers(env)):
        own = under(f"{depth}.", state)
        if isinstance(layer, TimeLimit):
            vars(layer)["_elapsed_steps"] = int(own[_ELAPSED])  # Gymnasium has no public way to it
        elif hasattr(layer, "set_state"):
            layer.set_state(own)


def _layers(env: gym.Env) -> Iterator[Any]:
    """The environment with its wrappers, outermost first."""
    layer: Any = env
    while isinstance(layer, gym.Wrapper):
        yield layer
        layer = layer.env
    yield layer


def generator_state(generator: np.random.Generator) -> np.ndarray:
    """[B] uint8: the state of a NumPy generator as JSON, whose numbers may have 128 bits."""
    return np.frombuffer(json.dumps(generator.bit_generator.state).encode(), np.uint8)


def set_generator_state(generator: np.random.Generator, state: np.ndarray) -> None:
    """The inverse of `generator_state`."""
    generator.bit_generator.state = json.loads(state.tobytes())


def add_prefix(prefix: str, state: State) -> State:
    """The same arrays, `prefix` before every name."""
    return {f"{prefix}{name}": array for name, array in state.items()}


def under(prefix: str, state: State) -> State:
    """The arrays whose names begin with `prefix`, named without it."""
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
