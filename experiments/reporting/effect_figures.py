"""How large is the effect in every row of a claim, seed by seed, and does it make a difference?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from experiments.analysis.claims import ClaimResult, Row, Verdict
from experiments.analysis.statistics import USUAL
from experiments.reporting.figures import INK, STYLE, TICK_STEPS, WIDTH, log_axis
from experiments.reporting.findings import interval_words
from experiments.reporting.wording import (
    SYMBOLS,
    comparison_words,
    cut,
    format_band,
    format_effect,
    has_effect,
    known_end,
    labels_of,
    plain_number,
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
OF_ROWS: tuple[Verdict, ...] = ("supported", "no material difference", "reversed", "unresolved")
BAND_COLOUR = COLOURS["no material difference"]
LANE, LEGEND, LABELS, EFFECTS = 0.25, 0.55, 3.5, 2.0  # inches: a row, what stands above, beside and behind it
LONGEST_LABEL, LONGEST_TITLE = 54, 100  # letters


@mpl.rc_context(STYLE)
def effect_figure(result: ClaimResult) -> Figure:
    """Draw each row's seeds, their median, the intervals and the band of no material difference.

    A panel for each comparison and kind of effect; a bound of an identity is a line.
    """
    panels: dict[tuple[str, ...], list[Row]] = {}
    for row in result.rows:
        if has_effect(row):
            part = row.part
            panels.setdefault((part.name, part.effect, part.unit, part.measure, format_band(row)), []).append(row)
    heights = [0.45 + LANE * (len(rows) + 0.2) + 0.5 for rows in panels.values()] or [0.5]
    height = LEGEND + sum(heights)
    figure = Figure(figsize=(WIDTH, height))
    top = height - LEGEND
    if not panels:
        figure.text(0.5, 0.5, result.reason or "no effect to draw", ha="center", va="center", wrap=True)
        return figure
    for rows, of_panel in zip(panels.values(), heights, strict=True):
        inches = (LABELS, top - of_panel + 0.5, WIDTH - LABELS - EFFECTS, of_panel - 0.95)
        axes = figure.add_axes((inches[0] / WIDTH, inches[1] / height, inches[2] / WIDTH, inches[3] / height))
        _draw_panel(axes, rows)
        axes.xaxis.set_label_coords(0.5, -0.33 / inches[3])
        top -= of_panel
    shown = [row for rows in panels.values() for row in rows]
    handles: list[Artist] = [
        verdict_handle(verdict) for verdict in COLOURS if any(row.verdict == verdict for row in shown)
    ]
    handles.append(Line2D([], [], color=INK, marker="o", ls="", ms=3, alpha=0.5, mew=0, label="one seed"))
    if any(not row.part.bound for row in shown):
        handles += [
            Line2D([], [], color=INK, lw=3.5, label=f"{interval_words(shown, USUAL)} interval"),
            Line2D([], [], color=INK, lw=1, label=f"{interval_words(shown)}: decides"),
            Patch(color=BAND_COLOUR, alpha=0.13, lw=0, label="no material difference"),
        ]
    figure.legend(handles=handles, loc="upper left", ncols=4, fontsize=8.5, columnspacing=1.1, handlelength=1.5)
    return figure


def verdict_handle(verdict: Verdict) -> Line2D:
    """Return what stands for a verdict in a legend."""
    return Line2D(
        [], [], color=COLOURS[verdict], ls="", marker=MARKERS[verdict], ms=7, mew=0, label=verdict_words(verdict)
    )


def draw_intervals(axes: Axes, row: Row, y: float, ends: tuple[float, float], thickness: float = 3.5) -> None:
    """Draw a row's intervals, the usual thick, the decisive thin, and its estimate; arrows where they leave `ends`."""
    low, high = ends
    colour = COLOURS[row.verdict]
    for (left, right), width in ((row.decided, 0.3 * thickness), (row.usual, thickness)):
        if not (math.isnan(left) or math.isnan(right)):
            axes.plot(np.clip([left, right], low, high), [y, y], color=colour, lw=width, solid_capstyle="butt")
    shown = row.estimate if math.isnan(row.decided[0]) else row.decided
    for end, edge, marker in ((shown[0], low, "<"), (shown[1], high, ">")):
        if (end < low) if marker == "<" else (end > high):
            axes.plot(edge, y, marker, color=colour, ms=1.3 * thickness, mew=0, clip_on=False)
    middle = known_end(row)[0]
    if low <= middle <= high:
        axes.plot(middle, y, MARKERS[row.verdict], color=colour, ms=1.9 * thickness, mew=0, zorder=3)


def _draw_panel(axes: Axes, rows: Sequence[Row]) -> None:
    part, band = rows[0].part, rows[0].band
    low, high, logarithmic = _limits(rows)
    axes.set_xlim(low, high)
    if logarithmic:
        log_axis(axes)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=TICK_STEPS))
        axes.xaxis.set_major_formatter(lambda x, _: plain_number(x))
    if part.bound:
        axes.axvline(_bound(rows[0]), color=INK, lw=1.4, ls=(0, (4, 2)))
        axes.annotate(f"bound {format_band(rows[0])}", (_bound(rows[0]), 1), xycoords=axes.get_xaxis_transform(),
                      xytext=(-3, 2), textcoords="offset points", ha="right", fontsize=8)  # fmt: skip
    elif not math.isnan(band.low):
        axes.axvspan(max(band.low, low), min(band.high, high), color=BAND_COLOUR, alpha=0.13, lw=0)
        axes.axvline(band.neutral, color=INK, lw=1)
    for y, row in enumerate(rows):
        _draw_seeds(axes, row, y, low, high)
        draw_intervals(axes, row, y, (low, high))
        axes.annotate(
            format_effect(row), (1, y), xycoords=axes.get_yaxis_transform(), xytext=(8, 0), textcoords="offset points",
            va="center", fontsize=8, annotation_clip=False,
        )  # fmt: skip
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), _labels(rows), fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    if part.name:
        axes.set_title(cut(part.name, LONGEST_TITLE), loc="left", x=-0.6, y=1, pad=4, fontsize=9, fontweight="bold")
    unit = unit_words(part)
    axes.set_xlabel(comparison_words(part) + (f" ({unit})" if unit else ""), fontsize=9)


def _labels(rows: Sequence[Row]) -> list[str]:
    asides = ["" if row.decides else f" ({row.part.role})" for row in rows]
    found = zip(rows, labels_of(rows, LONGEST_LABEL), asides, strict=True)
    return [f"{SYMBOLS[row.verdict]} {words}{aside}".rstrip() for row, words, aside in found]


def _draw_seeds(axes: Axes, row: Row, y: int, low: float, high: float) -> None:
    """Draw the effect of every seed, below the intervals; of a bound its finite end."""
    values = _known(row)
    # The golden ratio spreads the dots evenly over the lane, each seed at the same height every time.
    heights = y + 0.12 + 0.25 * (np.arange(len(values)) * 0.618034 % 1)
    inside = (values >= low) & (values <= high)
    axes.plot(values[inside], heights[inside], "o", color=COLOURS[row.verdict], ms=2.6, mew=0, alpha=0.55)


def _known(row: Row) -> np.ndarray:
    """What is known of every seed's effect: of a bound its end, nan without one. (seeds,)"""
    low, high = row.comparison.low, row.comparison.high
    values = np.where(np.isfinite(low) & ((low > 0) | (low == high) | (row.part.effect != "ratio")), low, high)
    return np.where(np.isfinite(values), values, np.nan)


def _bound(row: Row) -> float:
    assert row.part.bound
    return row.part.bound.at_least if row.part.bound.at_least is not None else row.part.bound.at_most or 0.0


def _limits(rows: Sequence[Row]) -> tuple[float, float, bool]:
    """Return the ends of the axis, and whether it is logarithmic; what lies outside is marked at the edge."""
    marks = [_bound(rows[0])] if rows[0].part.bound else [rows[0].band.low, rows[0].band.neutral, rows[0].band.high]
    ends = [end for row in rows for end in (*row.estimate, *row.usual, *row.decided)]
    values = np.array([*marks, *ends, *(value for row in rows for value in _known(row))], float)
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
