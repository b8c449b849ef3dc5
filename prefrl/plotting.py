"""Rows to figures, and figures to SVG that follows the light or dark theme of whoever shows it."""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Run = tuple[np.ndarray, np.ndarray]  # [N] x and [N] y of one run; nan where nothing was measured

NARROW = (420, 270)  # width, height in pixels, text at its natural size
WIDE = (940, 330)

INK = "#1f2430"  # text and axes; becomes currentColor
PALETTE = {  # light: dark
    "#2a66c8": "#7fb2ff",  # blue
    "#c8611a": "#f2a25c",  # orange
    "#16876b": "#58cfae",  # green
    "#8450c4": "#c3a2f5",  # violet
    "#b83a52": "#f58ca0",  # red
    "#5f6b7a": "#a9b4c2",  # grey
}
COLOURS = tuple(PALETTE)

_MOST_POINTS = 240  # drawn per run: more would only make the file larger
_RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 12,
    "axes.labelsize": 12,
    "axes.titlesize": 14,
    "legend.fontsize": 12,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "none",  # text stays text: the reader's own font, and selectable
    "svg.hashsalt": "prefrl",  # the same figure is the same bytes
    "axes.unicode_minus": True,
}


def learning_curves(
    series: Mapping[str, Sequence[Run]],
    *,
    x_label: str,
    y_label: str,
    title: str = "",
    references: Mapping[str, float] | None = None,
    smoothing: float = 0.025,
    log_y: bool = False,
    colors: Sequence[str] = COLOURS,
    size: tuple[int, int] = NARROW,
) -> Figure:
    """One line a series: of a single run with its raw points, of several runs their mean with a band.

    Args:
        series: name -> runs, such as the seeds of one setting. The band is one standard deviation to
            either side, over the x that all the runs have reached.
        references: name -> y of a dashed line across, such as a chance level.
        smoothing: standard deviation of the Gaussian window, as a share of the rows; 0 draws the rows as
            they are, without points.
        log_y: a logarithmic y axis.
        colors: of the series in turn; those of COLOURS follow the theme.
        size: width, height in pixels.
    """
    figure, axes = _figure(size, x_label, y_label, title)
    for (name, runs), color in zip(series.items(), cycle(colors), strict=False):
        measured = [_measured(*run) for run in runs]
        measured = [run for run in measured if len(run[0])]
        if len(measured) == 1:
            _draw_run(axes, *measured[0], smoothing, name, color)
        elif measured:
            _draw_band(axes, measured, smoothing, name, color)
    for name, level in (references or {}).items():
        axes.axhline(level, color=INK, alpha=0.55, linewidth=1.1, linestyle=(0, (4, 3)), label=name)
    if log_y and axes.dataLim.y1 > 0:
        _set_log_scale(axes)
    if len(series) + len(references or {}) > 1:
        longest = max(len(name) for name in [*series, *(references or {})])
        _add_legend(axes, columns=max(1, size[0] // max(140, 60 + 7 * longest)))  # pixels of a letter, and of a line
    return figure


def scatter(
    x: np.ndarray,
    y: np.ndarray,
    *,
    x_label: str,
    y_label: str,
    title: str = "",
    size: tuple[int, int] = NARROW,
) -> Figure:
    """[N] x and y as points, and the least-squares line; of many points a few hundred are drawn."""
    figure, axes = _figure(size, x_label, y_label, title)
    x, y = _measured(x, y)
    kept = _spread(len(x))
    axes.plot(x[kept], y[kept], "o", color=COLOURS[0], alpha=0.45, markersize=4.2, markeredgewidth=0)
    if len(x) > 1 and np.ptp(x) > 0:
        slope, intercept = np.polyfit(x, y, 1)
        ends = np.array([x.min(), x.max()])
        axes.plot(ends, slope * ends + intercept, color=COLOURS[1], linewidth=1.6)
    return figure


def smooth(y: np.ndarray, share: float) -> np.ndarray:
    """[N] the Gaussian-weighted mean around each row; `share` of N is the window's standard deviation.

    The window is cut at the ends, not padded, so a constant stays itself up to the last row.
    """
    width = share * len(y)
    if width < 0.5:
        return y
    reach = min(len(y) - 1, int(np.ceil(3 * width)))
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    padded = len(y) + 2 * reach  # a convolution by FFT: a plain one takes seconds for a long run
    spectrum = np.fft.rfft(window, padded)
    total, weight = (np.fft.irfft(np.fft.rfft(v, padded) * spectrum, padded) for v in (y, np.ones(len(y))))
    return (total / weight)[reach : reach + len(y)]


def short(value: float, _position: object = None) -> str:
    """A number as an axis shows it: 250k, 1.5M, −40, 2e−5."""
    scales = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
    size, suffix = next((scale for scale in scales if abs(value) >= scale[0]), (1.0, ""))
    return f"{value / size:.4g}{suffix}".replace("e-0", "e-").replace("-", "\N{MINUS SIGN}")


def to_svg(figure: Figure, label: str = "") -> str:
    """The figure as one <svg> element, to inline in a page or to write to a file.

    Its background is transparent, its text the reader's own font, and its colors change with the
    reader's light or dark theme. The same figure gives the same text.

    Args:
        label: what a screen reader says of it.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context(_RC):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _themed(buffer.getvalue(), label)


def _figure(size: tuple[int, int], x_label: str, y_label: str, title: str) -> tuple[Figure, Axes]:
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    with mpl.rc_context(_RC):
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), layout="constrained")
        axes = figure.add_subplot()
        axes.set_xlabel(x_label, alpha=0.75)
        axes.set_ylabel(y_label, alpha=0.75)
        if title:
            axes.set_title(title, loc="left", fontweight="bold")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(short))
            axis.set_major_locator(MaxNLocator(6 if axis is axes.xaxis else 5, steps=(1, 2, 2.5, 5, 10)))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_alpha(0.35)
    axes.grid(axis="y", color=INK, alpha=0.11, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, pad=5)
    axes.margins(x=0.015, y=0.08)
    return figure, axes


def _set_log_scale(axes: Axes) -> None:
    """Ticks at 1, 2 and 5 of each decade, labeled as on every other axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(short))
    axes.yaxis.set_minor_locator(NullLocator())


def _add_legend(axes: Axes, columns: int) -> None:
    """Above the axes, where it hides no data, and below the title."""
    import matplotlib as mpl

    handles, names = axes.get_legend_handles_labels()
    if not names:
        return
    with mpl.rc_context(_RC):
        axes.legend(
            handles,
            names,
            loc="lower left",
            bbox_to_anchor=(-0.01, 1.0),
            ncols=columns,
            frameon=False,
            borderpad=0.2,
            handlelength=1.4,
            columnspacing=1.4,
        )
        if title := axes.get_title(loc="left"):
            axes.set_title(title, loc="left", fontweight="bold", pad=14 + 18 * math.ceil(len(names) / columns))


def _draw_run(axes: Axes, x: np.ndarray, y: np.ndarray, smoothing: float, name: str, color: str) -> None:
    kept = _spread(len(x))
    if smoothing:
        axes.plot(x[kept], y[kept], "o", color=color, alpha=0.28, markersize=3, markeredgewidth=0)
    else:
        kept = _spread(len(x), 4 * _MOST_POINTS)
    line = smooth(y, smoothing)
    axes.plot(x[kept], line[kept], color=color, linewidth=2.0 if smoothing else 1.5, label=name)


def _draw_band(axes: Axes, runs: Sequence[Run], smoothing: float, name: str, color: str) -> None:
    x, mean, deviation = across_runs([(x, smooth(y, smoothing)) for x, y in runs])
    axes.fill_between(x, mean - deviation, mean + deviation, color=color, alpha=0.16, linewidth=0)
    axes.plot(x, mean, color=color, linewidth=2.0, label=name)


def across_runs(runs: Sequence[Run], num: int = _MOST_POINTS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[num] x that all runs have reached, and the mean and standard deviation of their y there."""
    x = np.linspace(max(run[0][0] for run in runs), min(run[0][-1] for run in runs), num)
    y = np.stack([np.interp(x, *run) for run in runs])
    return x, y.mean(axis=0), y.std(axis=0)


def _measured(x: np.ndarray, y: np.ndarray) -> Run:
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    return x[finite], y[finite]


def _spread(rows: int, most: int = _MOST_POINTS) -> np.ndarray:
    """Indices of at most `most` of the rows, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).round().astype(int))


def _themed(svg: str, label: str) -> str:
    """Ink becomes currentColor, colors become variables, and the element says what to do in the dark.

    `:where` has no specificity: a page may set any of it otherwise.
    """
    dark = "".join(f"--line-{i}:{color};" for i, color in enumerate(PALETTE.values()))
    style = (
        f"<style>:where(.prefrl-figure){{color:{INK}}}.prefrl-figure *{{stroke-linejoin:round}}"
        "@media screen and (prefers-color-scheme:dark)"
        f"{{:where(.prefrl-figure){{color:#e4e7ec;{dark}}}}}</style>"
    )
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style.*?</style>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", svg)
    svg = svg.replace(INK, "currentColor")
    for i, color in enumerate(COLOURS):
        svg = svg.replace(color, f"var(--line-{i}, {color})")
    used = set(re.findall(r"#([\w.-]+)[\")]", svg))
    svg = re.sub(r' id="([\w.-]+)"', lambda found: found[0] if found[1] in used else "", svg)
    head, rest = svg.removeprefix("<svg").split(">", 1)
    head = re.sub(r'="([\d.]+)pt"', r'="\1"', head)  # a figure's points are the page's pixels
    return f'<svg class="prefrl-figure" role="img" aria-label="{html.escape(label)}"{head}>{style}{rest}'.strip()
