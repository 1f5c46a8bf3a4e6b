"""What did the runs look like?

Curves against steps, accuracy against the learning rate and Ioffe & Szegedy's figure 1. Figures are objects without
global state; `inline_svg` and `svg_file` turn one into text, the same bytes every time.
"""

from __future__ import annotations

import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from experiments.configuration.experiment import LEARNING_RATE
from experiments.records.storage import Curve
from experiments.reporting.arm_styles import ArmStyle, arm_styles
from experiments.reporting.compact_svg import compact
from experiments.reporting.wording import plain_number

INK = "#1c2733"  # becomes the page's text colour in an inline figure
WIDTH = 8.0  # inches; 800 px in a README
STYLE: dict[Any, Any] = {  # Any: matplotlib types its parameter names one by one
    **{name: value for name, value in mpl.rcParamsDefault.items() if name != "backend"},  # and no user's matplotlibrc
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.15,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "text.parse_math": False,  # arms may be called anything
    "svg.fonttype": "none",  # text stays text: small, searchable, and without glyph ids
    **dict.fromkeys(
        ["text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "grid.color"], INK
    ),
}
MOST_BANDS = 4
LABEL_INCHES = 0.6  # that a number below an axis takes, with what keeps it from the next
TICK_STEPS = [1, 2, 2.5, 5, 10]
_NO_METADATA = dict.fromkeys(["Date", "Creator", "Format", "Type"])


@dataclass(frozen=True)
class Band:
    """Median and quartiles over runs: each (n,); nan from where the quantile falls on a run that has diverged."""

    steps: np.ndarray
    low: np.ndarray
    median: np.ndarray
    high: np.ndarray
    runs: int
    ended_early: int


def band(curves: Sequence[Curve], lower_is_better: bool = False) -> Band:
    """Return quartiles over runs; one that ended early, or before its first value, counts as worse than any other."""
    if not any(len(curve.steps) for curve in curves):
        empty = np.zeros(0)
        return Band(np.zeros(0, np.int64), empty, empty, empty, len(curves), len(curves))
    steps, sign = np.unique(np.concatenate([curve.steps for curve in curves])), -1 if lower_is_better else 1
    values = np.full((len(steps), len(curves)), np.nan)
    for run, curve in enumerate(curves):
        values[np.searchsorted(steps, curve.steps), run] = curve.values
    values = np.where(np.isfinite(values), sign * values, -np.inf)
    with np.errstate(invalid="ignore"):
        quartiles = np.quantile(values, [0.25, 0.5, 0.75], axis=1)
    low, median, high = np.where(np.isfinite(quartiles), sign * quartiles, np.nan)[::sign]
    return Band(steps, low, median, high, len(curves), int(np.isinf(values[-1]).sum()))


@dataclass(frozen=True)
class Convergence:
    """A panel. curves: arm → one curve a run, values as shares of 1. level: accuracy that steps are counted to."""

    curves: Mapping[str, Sequence[Curve]]
    level: float | None = None
    title: str = ""


@mpl.rc_context(STYLE)
def convergence_figure(*panels: Convergence, kinds: Mapping[str, str] | None = None) -> Figure:
    """Draw accuracy against steps, median and interquartile band over seeds, one panel a network, one line an arm.

    kinds: arm → its kind of normalization.
    """
    columns, rows = min(2, len(panels)), -(-len(panels) // 2)
    figure, all_axes = new_figure(3.9 if columns == 1 else 3.4 * rows, rows=rows, columns=columns)
    of_panels = [{arm: band(runs) for arm, runs in panel.curves.items()} for panel in panels]
    log_steps = all(_happens_early(list(bands.values())) for bands in of_panels)
    with_bands = max(map(len, of_panels)) <= MOST_BANDS
    for axes, panel, bands in zip(all_axes, panels, of_panels, strict=False):
        styles = arm_styles(bands, kinds)
        for arm, b in bands.items():
            _draw_band(axes, arm, b, line_of(styles[arm]), log_steps, with_bands)
        if panel.level is not None:
            label = f"steps to {100 * panel.level:.1f} %"
            axes.axhline(100 * panel.level, color=INK, lw=1, ls=(0, (2, 2)), label=label)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        if log_steps:
            log_axis(axes)
        axes.set(xlabel="step (optimizer updates)", ylabel="validation accuracy (%)")
        if columns > 1:
            axes.set_title(panel.title)
            axes.legend(loc="best", fontsize=8)
    for axes in all_axes[len(panels) :]:
        axes.set_axis_off()
    spread = "median and quartiles over seeds" if with_bands else "median over seeds"
    if columns > 1:
        figure.suptitle(f"Validation accuracy, {spread}", x=0.01, ha="left", fontsize=9)
    else:
        _legend(figure, spread)
    return figure


def _draw_band(axes: Axes, arm: str, b: Band, line: dict[str, Any], log_steps: bool, with_band: bool) -> None:
    shown = b.steps > 0 if log_steps else np.ones(len(b.steps), bool)
    early = f" ({b.ended_early} of {b.runs} diverged)" if b.ended_early else ""
    axes.plot(b.steps[shown], 100 * b.median[shown], label=arm + early, **line)
    if with_band:
        low = np.where(np.isnan(b.low), 0.0, b.low)  # below any accuracy: the band reaches the floor
        ends = (100 * low[shown], 100 * b.high[shown])
        axes.fill_between(b.steps[shown], *ends, where=np.isfinite(b.high[shown]), color=line["color"], alpha=0.2, lw=0)


@mpl.rc_context(STYLE)
def rate_figure(table: pd.DataFrame, kinds: Mapping[str, str] | None = None) -> Figure:
    """Draw accuracy against the learning rate, median over runs, one line an arm; diverged runs are marked.

    table: one row a run, as `results_table` makes it. kinds: arm → its kind of normalization.
    """
    rate, column = LEARNING_RATE, "final_validation_accuracy"
    arms = list(dict.fromkeys(table["arm"]))
    styles = arm_styles(arms, kinds)
    lost = {
        (i, rate_value): f"{(runs['status'] == 'diverged').sum()} of {len(runs)}"
        for i, arm in enumerate(arms)
        for rate_value, runs in table[table["arm"] == arm].groupby(rate)
        if (runs["status"] == "diverged").any()
    }
    strip = 0.18 * len(arms) + 0.15 if lost else 0.0
    figure, (axes, *below) = new_figure(
        3.9 + strip, rows=1 + bool(strip), heights=[3.0, strip] if strip else None, share_x=True
    )
    for arm in arms:
        runs = table[table["arm"] == arm]
        values = runs[column].where(runs["status"] != "diverged", -np.inf).groupby(runs[rate]).median()
        values = values.where(np.isfinite(values))
        axes.plot(values.index, 100 * values, label=arm, marker=styles[arm].marker, ms=5, **line_of(styles[arm]))
    log_axis(axes)
    axes.xaxis.set_major_locator(FixedLocator(sorted(table[rate].unique())))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("final validation accuracy (%)")
    for strip_axes in below:
        for (i, at), words in lost.items():
            strip_axes.plot(at, i, "x", color=styles[arms[i]].colour, ms=6, mew=1.8)
            strip_axes.annotate(
                words, (at, i), xytext=(-7, 0), textcoords="offset points", ha="right", va="center", fontsize=8
            )
        strip_axes.set_ylim(len(arms) - 0.4, -0.6)
        strip_axes.set_yticks([])
        strip_axes.set_ylabel("diverged", rotation=0, ha="right", va="center")
    figure.axes[-1].set_xlabel("learning rate")
    _legend(figure, "median over seeds; × diverged runs" if strip else "median over seeds")
    return figure


@mpl.rc_context(STYLE)
def percentiles_figure(
    accuracy: Mapping[str, Sequence[Curve]], percentiles: Mapping[str, tuple[Curve, Curve, Curve]]
) -> Figure:
    """Draw Ioffe & Szegedy's figure 1: (a) test accuracy, then one unit's {15, 50, 85} percentiles an arm.

    percentiles: arm → curves of the percentiles of one unit of the last hidden layer before its activation.
    """
    figure, (left, *others) = new_figure(3.4, columns=1 + len(percentiles))
    styles = arm_styles(dict.fromkeys([*accuracy, *percentiles]))
    for arm, runs in accuracy.items():
        b = band(runs)
        left.plot(b.steps, 100 * b.median, label=arm, **line_of(styles[arm]))
    left.set(title="(a) test accuracy", ylabel="test accuracy (%)")
    for letter, axes, (arm, curves) in zip("bcdefgh", others, percentiles.items(), strict=False):
        line = line_of(styles[arm]) | {"ls": "-"}
        low, median, high = curves
        axes.plot(median.steps, median.values, **line)
        axes.fill_between(low.steps, low.values, high.values, color=line["color"], alpha=0.2, lw=0)
        for curve, name in zip((high, median, low), ("85", "50", "15"), strict=True):
            axes.plot(curve.steps, curve.values, color=line["color"], lw=0.8)
            axes.annotate(
                name, (curve.steps[-1], curve.values[-1]), xytext=(3, 0), textcoords="offset points",
                va="center", fontsize=8, annotation_clip=False,
            )  # fmt: skip
        axes.set(title=f"({letter}) {arm}")
    for axes in others[1:]:
        axes.sharey(others[0])
    if others:
        others[0].set_ylabel("input of one unit (15, 50, 85 %)")
    for axes in (left, *others):
        axes.set_xlabel("step (optimizer updates)")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / 1000:g}k" if abs(x) >= 1000 else f"{x:g}"))
        axes.locator_params(axis="x", nbins=4)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=4)
    return figure


def new_figure(
    height: float,
    *,
    rows: int = 1,
    columns: int = 1,
    heights: Sequence[float] | None = None,
    share_x: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Return an empty figure of README width and its axes, `heights` of rows in proportion; call it inside `STYLE`."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    all_axes = figure.subplots(rows, columns, squeeze=False, height_ratios=heights, sharex=share_x)
    return figure, list(all_axes.flat)


def log_axis(axes: Axes) -> None:
    """Make the x axis logarithmic with plain numbers on it, several even where it spans less than a decade."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    if high / low < 8:
        axes.xaxis.set_major_locator(FixedLocator(MaxNLocator(7, steps=TICK_STEPS).tick_values(low, high)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlim(low, high)
    else:
        most = max(3, int(axes.bbox.width / axes.figure.dpi / LABEL_INCHES))
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 300 else (1,), numticks=most))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}" if x >= 1000 else plain_number(x)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def inline_svg(figure: Figure, name: str, description: str) -> str:
    """Return a figure as SVG for use inside an HTML page: the page's text colour and font, ids unique by `name`."""
    return inline_file(_svg(figure, name), name, description)


def inline_file(svg: str, name: str, description: str) -> str:
    """Return a figure that `svg_file` made, likewise, without its white ground."""
    drawn = compact(svg.replace("fill: #ffffff", "fill: none"), name, INK)
    label = html.escape(description)
    return drawn.replace("<svg", f'<svg role="img" aria-label="{label}" stroke-linejoin="round"', 1)


def svg_file(figure: Figure, name: str) -> str:
    """Return a figure as a file of its own, on white."""
    return _svg(figure, name, facecolor="white")


def _svg(figure: Figure, name: str, facecolor: str = "none") -> str:
    text = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure.savefig(text, format="svg", metadata=_NO_METADATA, facecolor=facecolor)
    figure.set_layout_engine(None)  # once: drawn again, at whatever resolution, everything stays in its place
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def line_of(style: ArmStyle) -> dict[str, Any]:
    """Return what matplotlib draws an arm's line with."""
    return {"color": style.colour, "ls": style.line}


def _legend(figure: Figure, title: str) -> None:
    handles, labels = figure.axes[0].get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside upper left", ncols=4, title=title, alignment="left")
    legend.get_title().set_fontsize(9)


def _happens_early(bands: Sequence[Band]) -> bool:
    """Whether half of the arms have made 90 % of their way in the first tenth of the steps."""
    early = 0
    for b in bands:
        if len(b.steps) < 10 or not np.isfinite(b.median).all():
            continue
        reached = b.median >= b.median[0] + 0.9 * (b.median.max() - b.median[0])
        early += b.steps[np.argmax(reached)] <= b.steps[-1] / 10
    return 2 * early >= max(1, len(bands))
