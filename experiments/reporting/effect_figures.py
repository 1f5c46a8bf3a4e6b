"""How large is every effect, and does it make a difference?

One claim with all its rows, and all claims in one picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from experiments.analysis.claims import ClaimResult, Row, Verdict
from experiments.analysis.statistics import Band
from experiments.reporting.figures import INK, STYLE, TICK_STEPS, log_axis, new_figure
from experiments.reporting.wording import (
    SYMBOLS,
    comparison_words,
    format_effect,
    plain_number,
    row_words,
    unit_words,
    verdict_words,
)

# Okabe & Ito; the shape says the same as the colour.
COLOURS: dict[Verdict, str] = {
    "supported": "#009E73",
    "no material difference": "#0072B2",
    "reversed": "#D55E00",
    "depends": "#CC79A7",
    "unresolved": "#808A94",
    "not tested": "#B8BFC6",
}
MARKERS: dict[Verdict, str] = {
    "supported": "o",
    "no material difference": "s",
    "reversed": "X",
    "depends": "P",
    "unresolved": "D",
    "not tested": ".",
}
BAND_COLOUR = "#0072B2"
LANE = 0.21  # inches a row
FARTHEST = 100.0  # bands; the overview marks at its edge what lies beyond
OF_ROWS: tuple[Verdict, ...] = ("supported", "no material difference", "reversed", "unresolved")


@mpl.rc_context(STYLE)
def effect_figure(result: ClaimResult) -> Figure:
    """Draw each row's median effect, the order statistics beside and those that decide, and the band of no difference.

    A panel for each kind of effect.
    """
    panels: dict[tuple[str, str, Band], list[Row]] = {}
    for row in drawn_rows(result):
        panels.setdefault((row.part.effect, row.part.unit, row.band), []).append(row)
    heights = [len(rows) + 1.0 for rows in panels.values()] or [2.0]
    figure, all_axes = new_figure(0.7 + LANE * sum(heights) + 0.5 * len(heights), rows=len(heights), heights=heights)
    for axes, rows in zip(all_axes, panels.values(), strict=False):
        _draw_rows(axes, rows)
    if not panels:
        all_axes[0].set_axis_off()
        all_axes[0].text(0.5, 0.5, "no effect to draw", ha="center", va="center")
        return figure
    handles: list[Line2D | Patch] = [
        _handle(v) for v in OF_ROWS if any(row.verdict == v for rows in panels.values() for row in rows)
    ]
    handles += [
        Line2D([], [], color=INK, lw=3.5, label="95.9 % interval"),
        Line2D([], [], color=INK, lw=1, label="99.7 %, which decides"),
        Patch(color=BAND_COLOUR, alpha=0.13, lw=0, label="no material difference"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, fontsize=8.5, columnspacing=1.1)
    return figure


def drawn_rows(result: ClaimResult) -> list[Row]:
    """Return the rows that have an effect."""
    return [row for row in result.rows if not math.isnan(row.estimate[0]) and not math.isnan(row.estimate[1])]


def _draw_rows(axes: Axes, rows: Sequence[Row]) -> None:
    part, band = rows[0].part, rows[0].band
    low, high, logarithmic = _limits(rows)
    axes.set_xlim(low, high)
    if logarithmic:
        log_axis(axes)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=TICK_STEPS))
        axes.xaxis.set_major_formatter(lambda x, _: plain_number(x))
    if not math.isnan(band.low):
        axes.axvspan(max(band.low, low), min(band.high, high), color=BAND_COLOUR, alpha=0.13, lw=0)
        axes.axvline(band.neutral, color=INK, lw=1)
    for y, row in enumerate(rows):
        _draw_row(axes, row, y, low, high)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    labels = [
        f"{SYMBOLS[row.verdict]} {row_words(row)}" + ("" if row.decides else f" ({row.part.role})") for row in rows
    ]
    axes.set_yticks(range(len(rows)), labels, fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    unit = unit_words(part)
    axes.set_xlabel(comparison_words(part) + (f" ({unit})" if unit else ""), fontsize=9)


def _draw_row(axes: Axes, row: Row, y: int, low: float, high: float) -> None:
    colour = COLOURS[row.verdict] if row.decides else COLOURS["unresolved"]
    for (left, right), width in ((row.decided, 1.0), (row.usual, 3.5)):
        if not (math.isnan(left) or math.isnan(right)):
            axes.plot(np.clip([left, right], low, high), [y, y], color=colour, lw=width, solid_capstyle="butt")
    ends = [row.decided[0], row.decided[1]] if not math.isnan(row.decided[0]) else list(row.estimate)
    for end, edge, marker in ((ends[0], low, "<"), (ends[1], high, ">")):
        if (end < low) if marker == "<" else (end > high):
            axes.plot(edge, y, marker, color=colour, ms=5, mew=0, clip_on=False)
    middle = [value for value in row.estimate if low <= value <= high]
    if middle:
        axes.plot(middle[0], y, MARKERS[row.verdict], color=colour, ms=6.5, mew=0, zorder=3)
    axes.annotate(
        format_effect(row), (1, y), xycoords=axes.get_yaxis_transform(), xytext=(8, 0), textcoords="offset points",
        va="center", fontsize=8, annotation_clip=False,
    )  # fmt: skip


def _limits(rows: Sequence[Row]) -> tuple[float, float, bool]:
    """Return the ends of the axis, and whether it is logarithmic; what lies outside is marked at the edge."""
    band = rows[0].band
    bounds = [] if math.isnan(band.low) else [band.low, band.high]
    values = np.array([*bounds, *(end for row in rows for end in (*row.estimate, *row.usual, *row.decided))], float)
    values = values[np.isfinite(values)]
    is_ratio = rows[0].part.effect == "ratio"
    positive = values[values > 0]
    spread = positive.max() / positive.min() if positive.size else 1.0
    logarithmic = not (values < 0).any() and bool(positive.size) and (is_ratio or spread > 100)
    shown = np.log(positive) if logarithmic else values
    low, high = (float(shown.min()), float(shown.max())) if shown.size else (0.0, 1.0)
    room = 0.05 * max(high - low, 0.5 if logarithmic else 0.1 * abs(high) or 1.0)
    low, high = low - room, high + room
    return (math.exp(low), math.exp(high), True) if logarithmic else (low, high, False)


@mpl.rc_context(STYLE)
def verdict_overview(results: Sequence[ClaimResult]) -> Figure:
    """Draw every row that decides, one lane a claim, by how many bands of no difference its effect is large.

    1 is the end of the band: a ratio of 1.25, say, or a point of accuracy. Right supports.
    """
    shown = [(result, [row for row in drawn_rows(result) if row.decides and not row.part.bound]) for result in results]
    shown = [(result, rows) for result, rows in shown if rows]
    figure, (axes,) = new_figure(1.2 + 0.24 * max(len(shown), 3))
    if not shown:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no effect to draw", ha="center", va="center")
        return figure
    axes.axvspan(-1, 1, color=BAND_COLOUR, alpha=0.13, lw=0)
    axes.axvline(0, color=INK, lw=1)
    for y, (_, rows) in enumerate(shown):
        spread = np.linspace(-0.28, 0.28, len(rows)) if len(rows) > 1 else [0.0]
        for shift, row in zip(spread, rows, strict=True):
            at = in_bands(
                row.estimate[0] if math.isfinite(row.estimate[0]) and row.estimate[0] > 0 else row.estimate[1], row
            )
            axes.plot(
                np.clip(at, -FARTHEST, FARTHEST), y + shift, MARKERS[row.verdict], color=COLOURS[row.verdict], ms=5,
                mew=0, alpha=0.8, clip_on=False,
            )  # fmt: skip
    axes.set_xscale("function", functions=(np.arcsinh, np.sinh))
    axes.set_xlim(-FARTHEST, FARTHEST)
    ticks = [-100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: plain_number(x)))
    axes.set_xlabel("effect in the direction claimed, in bands of no material difference")
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_yticks(range(len(shown)), [f"{SYMBOLS[result.verdict]} {result.id}" for result, _ in shown], fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    figure.legend(handles=[_handle(v) for v in OF_ROWS], loc="outside upper left", ncols=4, fontsize=9)
    return figure


def in_bands(effect: float, row: Row) -> float:
    """Return how many bands of no material difference an effect is large: 1.5625 is 2 of 1.25."""
    if row.part.effect == "ratio":
        return (
            math.log(effect) / math.log(row.band.high) if 0 < effect < math.inf else math.copysign(math.inf, effect - 1)
        )
    return effect / row.band.high


def _handle(verdict: Verdict) -> Line2D:
    return Line2D(
        [], [], color=COLOURS[verdict], ls="", marker=MARKERS[verdict], ms=7, mew=0, label=verdict_words(verdict)
    )
