"""A person at the window: keys, clicks, and what they answer. The event loop, on a real store, without a display."""

import pytest
from windows import COLOURS, Person, answered, in_order, layout_of, sit_down

from prefrl.labelers.window import theme
from prefrl.labelers.window.actions import Action
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE

pytestmark = pytest.mark.usefixtures("six_queries")


def test_the_keys_answer_what_is_on_the_screen(pygame, store, tmp_path):
    person = Person(pygame, "left", "2", "down", "0")
    sit_down(pygame, store, tmp_path, person)
    first, second, third, fourth, _ = person.seen
    assert answered(store) == [
        (first.query.id, in_order(first, LEFT, RIGHT)),
        (second.query.id, in_order(second, RIGHT, LEFT)),
        (third.query.id, TIE),
        (fourth.query.id, INCOMPARABLE),
    ]
    assert person.seconds[0] is None
    assert all(0 < seconds < 5 for seconds in person.seconds[1:])


def test_the_buttons_and_the_clips_do_the_same(pygame, store, tmp_path):
    person = Person(pygame, Action.TIE, Action.SKIP, lambda: person.click(layout_of(pygame).clips[1].center))
    sit_down(pygame, store, tmp_path, person)
    third = person.seen[2]
    assert [answer for _, answer in answered(store)] == [TIE, INCOMPARABLE, in_order(third, RIGHT, LEFT)]


def test_a_click_that_ends_elsewhere_does_nothing(pygame, store, tmp_path):
    def drag():
        layout = layout_of(pygame)
        for kind, action in ((pygame.MOUSEBUTTONDOWN, Action.LEFT), (pygame.MOUSEBUTTONUP, Action.RIGHT)):
            pygame.event.post(pygame.event.Event(kind, pos=layout.buttons[action].center, button=1))

    sit_down(pygame, store, tmp_path, Person(pygame, [drag, "q"]))
    assert answered(store) == []


def test_every_answer_is_in_the_store_when_the_next_pair_shows(pygame, store, tmp_path):
    counts = []

    def count():
        counts.append(len(answered(store)))

    sit_down(pygame, store, tmp_path, Person(pygame, [count, "1"], [count, "1"], [count, "q"]))
    assert counts == [0, 1, 2]


def test_undo_brings_the_pair_back_as_it_was_and_takes_a_new_answer(pygame, store, tmp_path):
    person = Person(pygame, "1", "3", "u", "u", "2")
    sit_down(pygame, store, tmp_path, person)
    first, second, third, second_again, first_again, _ = person.seen
    assert (first_again, second_again) == (first, second)
    assert third is not second
    assert answered(store) == [(first.query.id, in_order(first, RIGHT, LEFT))]


def test_undo_with_nothing_to_undo_is_no_harm(pygame, store, tmp_path):
    sit_down(pygame, store, tmp_path, Person(pygame, ["u", "1"]))
    assert len(answered(store)) == 1


def test_a_key_too_many_says_nothing_of_a_pair_not_seen_yet(pygame, store, tmp_path):
    person = Person(pygame, ["1", "1", "1"])
    sit_down(pygame, store, tmp_path, person)
    assert len(answered(store)) == 1
    assert len(person.seen) == 2


def test_pause_slow_motion_replay_and_resizing_answer_nothing(pygame, store, tmp_path):
    def resize():
        pygame.event.post(pygame.event.Event(pygame.VIDEORESIZE, w=1000, h=700, size=(1000, 700)))

    sit_down(pygame, store, tmp_path, Person(pygame, ["p", "p", "f", "space", resize, "x", "q"]))
    assert answered(store) == []


def test_nothing_is_answered_under_the_page_of_help(pygame, store, tmp_path):
    person = Person(pygame, ["h", "1", "u", "escape", "2"])
    sit_down(pygame, store, tmp_path, person)
    first = person.seen[0]
    assert answered(store) == [(first.query.id, in_order(first, RIGHT, LEFT))]


def test_keys_with_control_are_for_somebody_else(pygame, store, tmp_path):
    def control_s():
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_s, mod=pygame.KMOD_LCTRL))

    sit_down(pygame, store, tmp_path, Person(pygame, [control_s, "q"]))
    assert answered(store) == []


def test_leaving_gives_back_what_is_held(pygame, store, tmp_path):
    held = []
    sit_down(pygame, store, tmp_path, Person(pygame, [lambda: held.append(store.counts().held), "q"]))
    assert held[0] > 0
    assert store.counts().held == 0


def test_the_picture(pygame, store, tmp_path, monkeypatch):
    """Red on the left, blue on the right, the accent round the clip that was chosen."""
    monkeypatch.setattr("prefrl.labelers.window.window.GLOW_S", 600)
    pixels = {}

    def look(name):
        surface, layout = pygame.display.get_surface(), layout_of(pygame)
        left, right = (clip.center for clip in layout.clips)
        edge = (layout.clips[0].left - 2, layout.clips[0].center[1])
        pixels[name] = [tuple(surface.get_at(point))[:3] for point in (left, right, edge)]

    sit_down(pygame, store, tmp_path, Person(pygame, [lambda: look("before"), "1"], [lambda: look("after"), "q"]))
    assert pixels["before"] == [*COLOURS, theme.BACKGROUND]
    left, right, edge = pixels["after"]
    assert (left, right) == tuple(COLOURS)
    assert edge == theme.ACCENT
