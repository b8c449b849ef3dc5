"""How the pages look, in a real browser: sizes, pixels, contrast, and lines that can be told apart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browsers import SIZES, answered, begin
from prefrl_envs.screens import pack

from prefrl.queries import LEFT, Query
from prefrl.testing import random_segments


@pytest.mark.parametrize("size", list(SIZES))
def test_everything_fits_on_one_screen(queries, visit, size):
    page = visit(size, has_touch=size == "phone", is_mobile=size == "phone")
    begin(page)
    width, height = SIZES[size]
    boxes = [page.locator(what).bounding_box() for what in ("#left", "#right", "#answers", ".controls", "header")]
    for box in boxes:
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= width + 0.5
        assert box["y"] + box["height"] <= height + 0.5
    left, right, answers, *_ = boxes
    assert min(left["width"], right["width"]) >= 150
    assert (right["y"] > left["y"]) == (size == "phone")
    assert left["y"] + left["height"] <= answers["y"] + 1
    assert min(button.bounding_box()["height"] for button in page.locator("#answers button").all()) >= 44
    if size == "phone":
        page.tap("[data-action=left]")
        answered(page, 1)


@pytest.mark.parametrize("density", [1, 1.5])
def test_recorded_screens_are_shown_in_whole_pixels_in_the_middle(store, visit, rng, density):
    screens = rng.integers(0, 255, (3, 210, 160, 3), np.uint8)
    recorded = [replace(each, render_states=pack(screens)) for each in random_segments(2, rng, length=3)]
    store.ask([Query(tuple(recorded), 0)])
    page = visit(device_scale_factor=density)
    begin(page)
    across, down, left, aside, scaling = page.evaluate("""(() => {
      const video = document.querySelector("#left video"), figure = document.getElementById("left");
      const inner = video.getBoundingClientRect(), outer = figure.getBoundingClientRect();
      const aside = (inner.left - outer.left) - (outer.right - inner.right);
      const real = [inner.width / 160, inner.height / 210, inner.left].map((length) => length * devicePixelRatio);
      return [...real, Math.abs(aside), getComputedStyle(video).imageRendering];
    })()""")
    for length in (across, down, left):
        assert length == pytest.approx(round(length), abs=0.01)
    assert 4 / 3 <= round(across) / round(down) <= 2
    assert aside < 2
    assert scaling == "pixelated"


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_contrast_of_all_words(queries, visit, address, scheme):
    """WCAG AA: 4.5 to 1."""
    page = visit(color_scheme=scheme)
    begin(page)
    for path in ("", "progress"):
        page.goto(address + path)
        page.wait_for_timeout(500)
        page.evaluate("document.getElementById('help')?.showModal()")
        low = page.evaluate((Path(__file__).parent / "contrast.js").read_text(encoding="utf-8"))
        assert low == []


def test_the_progress_page_follows(store, queries, visit, address):
    page = visit()
    begin(page)
    progress = page.context.new_page()
    progress.goto(f"{address}progress")
    progress.wait_for_selector(".empty:not([hidden])")
    page.bring_to_front()
    page.keyboard.press("1")
    answered(page, 1)
    progress.bring_to_front()
    progress.wait_for_selector("#chart svg")
    assert "1" in progress.inner_text("#tiles div:first-child .value")
    assert progress.inner_text("#labelers tr th") == "Ann"


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_progress_page_tells_labelers_apart(store, clock, queries, visit, address, scheme):
    page = visit(color_scheme=scheme)
    names = [f"labeler {number}" for number in range(7)]
    for query, name in zip(queries, [*names, names[0]], strict=False):
        clock.now += 1
        store.answer(query.id, name, LEFT)
    page.goto(f"{address}progress")
    page.wait_for_selector("#legend:not([hidden])")
    assert page.inner_text("#legend").splitlines() == ["All 8", f"{names[0]} 2", *(f"{name} 1" for name in names[1:])]
    assert "labeler 0 2, labeler 1 1" in page.get_attribute("#chart svg", "aria-label")
    drawn = page.evaluate((Path(__file__).parent / "lines.js").read_text(encoding="utf-8"))
    assert len({line["stroke"] for line in drawn}) == 8
    assert len({line["dashes"] for line in drawn[1:]}) == 7  # not by color alone
    assert min(line["contrast"] for line in drawn) >= 3  # WCAG AA for graphics
