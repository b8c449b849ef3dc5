"""From a run's store to a person's answers: everything that a labeling window needs, put together."""

from __future__ import annotations

from contextlib import closing, suppress

import numpy as np
import pygame

from prefrl.clips import shown_fps
from prefrl.labelers.base import person_name
from prefrl.labelers.session import LabelingSession
from prefrl.labelers.subject import Subject
from prefrl.labelers.window.desk import DeskThread
from prefrl.labelers.window.drawer import Drawer
from prefrl.labelers.window.opening import window
from prefrl.labelers.window.window import OnShow, Window
from prefrl.store import PreferenceStore


def label_in_window(
    store: PreferenceStore,
    subject: Subject,
    labeler: str,
    rng: np.random.Generator,
    *,
    question: str | None = None,
    repeat: float = 0.05,
    on_show: OnShow | None = None,
) -> int:
    """Opens a window, and returns how many answers were given in it once the person leaves.

    Args:
        question: to be asked from now on; None for the one that is.
        repeat: share of pairs that are shown a second time.
        on_show: see `Window`.

    Raises:
        PrefrlError: that is no person's name, there is no display, or nothing draws this environment.
    """
    labeler = person_name(labeler)  # before a window opens
    changed = pygame.event.custom_type()

    def wake() -> None:
        if pygame.display.get_init():
            pygame.event.post(pygame.event.Event(changed))

    with window(f"{subject.name}: {labeler} labels", f"`prefrl serve {subject.folder}` shows the same in a browser"):
        drawer = Drawer(subject.task, wake)
        with closing(drawer):
            store.release(labeler)  # what a window of theirs held when it was killed; they need not wait for the lease
            if question is not None:
                store.set_question(question)
            session = LabelingSession(store, labeler, rng, repeat=repeat)
            with closing(DeskThread(session, store, subject.trainer, wake)) as desk, suppress(KeyboardInterrupt):
                fps = shown_fps(subject.task.id)  # Ctrl-C in the terminal is a way to leave, too
                Window(desk, drawer, fps=fps, labeler=labeler, resume=subject.resume, on_show=on_show).run()
            return session.answers
