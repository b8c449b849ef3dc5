"""Figures: what the lines are made of, and SVG that follows its reader's theme."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from prefrl import plotting
from prefrl.plotting import across_runs, learning_curves, scatter, short, smooth, to_svg

X = np.arange(100.0)


def curve(**runs):
    return learning_curves(runs or {"agent": [(X, X)]}, x_label="steps", y_label="return")


def test_smoothing_keeps_a_constant_up_to_both_ends():
    np.testing.assert_allclose(smooth(np.full(50, 3.0), 0.1), 3.0)


def test_smoothing_takes_noise_away_and_keeps_the_length():
    noise = np.random.default_rng(0).normal(size=400)
    assert len(smooth(noise, 0.05)) == 400
    assert smooth(noise, 0.05).std() < 0.3


@pytest.mark.parametrize("rows", [0, 1, 2, 7])
def test_smoothing_takes_any_number_of_rows(rows):
    assert len(smooth(np.arange(float(rows)), 0.5)) == rows


def test_across_runs_is_mean_and_deviation_where_all_runs_have_been():
    x, mean, deviation = across_runs([(np.array([0.0, 10.0]), np.zeros(2)), (np.array([2.0, 8.0]), np.full(2, 4.0))], 5)
    assert (x[0], x[-1]) == (2, 8)
    np.testing.assert_allclose(mean, 2)
    np.testing.assert_allclose(deviation, 2)


def test_one_run_is_a_line_with_its_points_and_several_are_a_mean_with_a_band():
    one, several = curve(a=[(X, X)]).axes[0], curve(a=[(X, X), (X, X + 2)]).axes[0]
    assert (len(one.lines), len(one.collections)) == (2, 0)
    assert (len(several.lines), len(several.collections)) == (1, 1)
    np.testing.assert_allclose(several.lines[0].get_ydata()[100:140], several.lines[0].get_xdata()[100:140] + 1)


def test_rows_that_were_not_measured_are_left_out():
    y = np.where(X % 2 == 0, X, np.nan)
    points = curve(a=[(X, y)]).axes[0].lines[0]
    assert len(points.get_xdata()) == 50


def test_a_series_without_any_measurement_leaves_an_empty_figure():
    assert "<svg" in to_svg(curve(a=[(X, np.full(100, np.nan))], b=[]))


def test_long_runs_are_drawn_with_a_few_hundred_points():
    x = np.arange(100_000.0)
    points = curve(a=[(x, x)]).axes[0].lines[0].get_xdata()
    assert len(points) < 500
    assert (points[0], points[-1]) == (0, 99_999)


def test_references_and_logarithm():
    figure = learning_curves(
        {"L2": [(X, 10.0 ** (X / 20))]},
        x_label="x",
        y_label="y",
        references={"limit": 7.0},
        log_y=True,
        smoothing=0,
    )
    assert figure.axes[0].get_yscale() == "log"
    assert "limit" in to_svg(figure)


def test_a_logarithmic_axis_of_zeros_stays_linear():
    figure = learning_curves({"L2": [(X, 0 * X)]}, x_label="x", y_label="y", log_y=True, smoothing=0)
    assert figure.axes[0].get_yscale() == "linear"


def test_the_title_stays_clear_of_the_legend():
    series = {name: [(X, X)] for name in "abcdefgh"}
    figure = learning_curves(series, x_label="x", y_label="y", title="Hopper")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert axes._left_title.get_window_extent().y0 >= axes.get_legend().get_window_extent().y1 - 2


def test_a_legend_of_long_names_is_no_wider_than_the_figure_and_leaves_the_axes_their_width():
    series = {f"{number}, all before training": [(X, X)] for number in range(5)}
    figure = learning_curves(series, x_label="x", y_label="y", size=(560, 320))
    figure.draw_without_rendering()
    axes, width = figure.axes[0], figure.bbox.width
    assert axes.get_legend().get_window_extent().x1 <= width
    assert axes.get_window_extent().width > 0.8 * width


def test_scatter_draws_the_least_squares_line():
    axes = scatter(X, 2 * X + 1, x_label="true", y_label="predicted").axes[0]
    np.testing.assert_allclose(axes.lines[1].get_ydata(), [1, 199])


@pytest.mark.parametrize(
    "value, text", [(0, "0"), (250_000, "250k"), (1.5e6, "1.5M"), (-40, "\N{MINUS SIGN}40"), (0.25, "0.25")]
)
def test_short_numbers(value, text):
    assert short(value) == text


def test_svg_is_one_element_that_follows_the_theme():
    svg = to_svg(curve(a=[(X, X)], b=[(X, -X)]), label='a < b & "c"')
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    assert (root.get("width"), root.get("height")) == ("420", "270")
    assert root.get("aria-label") == 'a < b & "c"'
    drawn = svg.split("</style>", 1)[1]
    assert "currentColor" in drawn
    assert plotting.INK not in drawn
    assert "var(--line-0, " in drawn
    assert "var(--line-1, " in drawn
    assert "prefers-color-scheme:dark" in svg
    assert "system-ui" in drawn
    assert "DejaVu" not in drawn


def test_svg_has_no_background_and_no_id_that_nothing_refers_to():
    svg = to_svg(curve())
    assert "#ffffff" not in svg
    for name in re.findall(r'id="([^"]+)"', svg):
        assert f"#{name}" in svg


def test_the_same_figure_is_the_same_svg():
    assert to_svg(curve()) == to_svg(curve())


def test_plotting_loads_matplotlib_late_and_never_pyplot():
    code = (
        "import sys, numpy as np, prefrl.plotting as p; assert 'matplotlib' not in sys.modules;"
        "p.to_svg(p.scatter(np.arange(3), np.arange(3), x_label='', y_label=''));"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})


def test_colours_are_taken_in_turn():
    x = np.arange(3.0)
    series = {name: [(x, x)] for name in "abc"}
    figure = learning_curves(series, x_label="x", y_label="y", smoothing=0, colors=plotting.COLOURS[1:3])
    drawn = [line.get_color() for line in figure.axes[0].lines]
    assert drawn == [plotting.COLOURS[1], plotting.COLOURS[2], plotting.COLOURS[1]]
