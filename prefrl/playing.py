"""Showing the agent of a run: a window or a video."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from prefrl_envs.rendering import Renderer
from prefrl_envs.suite import find

from prefrl.agents.registry import load_policy
from prefrl.clips import shown_fps, write_video
from prefrl.core.errors import PrefrlError
from prefrl.evaluation import Policy, as_judged, play_episodes
from prefrl.labelers.window.opening import check_display, display
from prefrl.rollouts import Rollout
from prefrl.runs import RunFolder
from prefrl.seeds import Purpose, seed_of

WIDTH, HEIGHT = 640, 480


def load_agent(run: RunFolder) -> Policy:
    """The final policy of a run.

    Raises:
        PrefrlError: the run has not ended.
    """
    if not run.policy.exists():
        raise PrefrlError(f"no policy at {run.policy}; `prefrl resume {run.path}` brings the run to its end")
    return load_policy(run.policy, run.config().agent.name)


def film(run: RunFolder, video: Path, seed: int, steps: int | None) -> None:
    """Writes one episode to `video`, at the speed a person should see it at."""
    _, states = _episode(run, seed, steps)
    with _renderer(run) as renderer:
        write_video(video, renderer.draw(states), shown_fps(run.config().env_id))


def show(run: RunFolder, seed: int, steps: int | None) -> None:
    """Plays one episode in a window, once. Space pauses, Escape or q leaves.

    Raises:
        PrefrlError: there is no run, or no display.
    """
    import pygame  # not above prefrl.labelers.window, which says how it is to be loaded

    instead = "write a video with `video` FILE.webm"
    run.config()  # that there is no run is said first
    check_display(instead)  # before the episode is played, which takes its time
    rollout, states = _episode(run, seed, steps)
    returns = rollout.true_rewards[:, 0].cumsum()
    with display(instead), _renderer(run) as renderer:
        window, clock = pygame.display.set_mode((WIDTH, HEIGHT)), pygame.time.Clock()
        at, paused = 0, False
        while at < len(states):
            for event in pygame.event.get():
                key = event.key if event.type == pygame.KEYDOWN else None
                if event.type == pygame.QUIT or key in (pygame.K_ESCAPE, pygame.K_q):
                    at = len(states)
                paused ^= key == pygame.K_SPACE
            if at < len(states) and not paused:
                frame = renderer.draw(states[at : at + 1])[0]
                window.blit(pygame.image.frombuffer(frame.tobytes(), (WIDTH, HEIGHT), "RGB"), (0, 0))
                pygame.display.set_caption(f"{run.path.name}: step {at}, true return so far {returns[at]:,.1f}")
                pygame.display.flip()
                at += 1
            clock.tick(shown_fps(run.config().env_id))


def _episode(run: RunFolder, seed: int, steps: int | None) -> tuple[Rollout, np.ndarray]:
    """A fresh episode of the final policy, and what draws its first `steps` steps; it is made longer for more."""
    config = run.config()
    row = find(config.env_id)
    policy = as_judged(load_agent(run), config.env_id)
    horizon = config.horizon or (row.horizon if row else None)
    if horizon is not None and steps is not None:
        horizon = max(horizon, steps)
    task = replace(config.task, horizon=horizon)
    rollout = play_episodes(task, policy, 1, seed_of(seed, Purpose.PLAY))
    if rollout.render_states is None:
        raise PrefrlError(f"nothing is known that draws {config.env_id}")
    return rollout, rollout.render_states[:steps, 0]


def _renderer(run: RunFolder) -> Renderer:
    return Renderer(run.config().task, WIDTH, HEIGHT)
