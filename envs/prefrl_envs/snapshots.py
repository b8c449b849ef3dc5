"""States of environments as arrays: saved in the middle of an episode, one continues bit for bit.

An environment takes part by two methods: `get_state()`, which gives arrays by name, and `set_state(state)`. The suite's
have them; one from elsewhere may, and so may a wrapper, which then speaks for all that is inside it. No pickles.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

State = dict[str, np.ndarray]

_ELAPSED = "elapsed_steps"


def get_state(env: gym.Env) -> State | None:
    """The state of an environment with its wrappers; None where one of them may have a state and does not give it.

    Keys begin with the layer's depth, 0 for the outermost.
    """
    state: State = {}
    for depth, layer in enumerate(_layers(env)):
        own = _own_state(layer)
        if own is None:
            return None
        state |= add_prefix(f"{depth}.", own)
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
    """The wrappers, outermost first, down to what speaks for all that is inside it: the environment, as a rule."""
    layer: Any = env
    while isinstance(layer, gym.Wrapper):
        yield layer
        if not (isinstance(layer, _WITHOUT_STATE) or getattr(layer, "is_a_layer", False)):
            return
        layer = layer.env
    yield layer


_WITHOUT_STATE = (OrderEnforcing, PassiveEnvChecker, TimeLimit)
"""Gymnasium's own that `make` puts on: the first two change nothing after a reset, the third's state is known."""


def _own_state(layer: Any) -> State | None:
    """The state of a layer; None if it may have a state that these methods do not give."""
    if isinstance(layer, TimeLimit):
        return {_ELAPSED: np.array(layer._elapsed_steps or 0)}
    if not (hasattr(layer, "get_state") and hasattr(layer, "set_state")):
        passes_on = isinstance(layer, _WITHOUT_STATE) or getattr(layer, "is_a_layer", False)
        return {} if passes_on else None
    try:
        state = layer.get_state()
    except TypeError:  # it wants arguments: another method of that name
        return None
    is_state = isinstance(state, dict) and all(isinstance(array, np.ndarray) for array in state.values())
    return state if is_state else None


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
