"""All claims in one picture: do effects go the way that is claimed, and do they make a difference?"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from experiments.analysis.claims import ClaimResult, Row
from experiments.analysis.statistics import USUAL, Band
from experiments.reporting.effect_figures import BAND_COLOUR, OF_ROWS, draw_intervals, verdict_handle
from experiments.reporting.figures import INK, STYLE, new_figure
from experiments.reporting.findings import interval_words, row_counts
from experiments.reporting.wording import SYMBOLS, cut, has_effect, plain_number

FARTHEST = 100.0  # bands; what lies beyond is marked at the edge
LEAST, LANE, MOST = 0.24, 0.075, 1.2  # inches a claim takes: at least, for each row, at most
TICKS = (-100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100)


@mpl.rc_context(STYLE)
def verdict_overview(results: Sequence[ClaimResult]) -> Figure:
    """Draw every row that decides, below each other in its claim's strip, on one axis: bands of no material difference.

    1 is the end of the band, such as a ratio of 1.25 or half a point of accuracy; 2 is as far again, of ratios as of
    logarithms. Right is the direction claimed. Identities and claims without an effect are named below.
    """
    drawn = [(result, [row for row in result.rows if _is_drawn(row)]) for result in results]
    shown = [(result, rows) for result, rows in drawn if rows]
    heights = [float(np.clip(LANE * len(rows), LEAST, MOST)) for _, rows in shown] or [0.5]
    notes = _notes([result for result, rows in drawn if not rows])
    figure, (axes,) = new_figure(1.25 + 1.1 * sum(heights) + 0.17 * len(notes))
    axes.axvspan(-1, 1, color=BAND_COLOUR, alpha=0.13, lw=0)
    axes.axvline(0, color=INK, lw=1)
    axes.set_xscale("function", functions=(np.arcsinh, np.sinh))
    axes.set_xlim(-FARTHEST, FARTHEST)
    top, middles = 0.0, []
    for (_, rows), height in zip(shown, heights, strict=False):
        for place, row in enumerate(rows):
            lane = height / len(rows)
            thickness = float(np.clip(30 * lane, 1.0, 2.6))
            draw_intervals(axes, in_bands(row), top + lane * (place + 0.5), (-FARTHEST, FARTHEST), thickness)
        middles.append(top + height / 2)
        top += 1.1 * height
        axes.axhline(top - 0.05 * height, color=INK, lw=0.4, alpha=0.3)
    _label(axes, shown, middles)
    axes.set_ylim(max(top, 0.1), -0.05)
    if not shown:
        axes.text(0, 0.05, "no effect to draw", ha="center", va="center")
    deciding = [row for _, rows in shown for row in rows]
    handles = [
        *map(verdict_handle, OF_ROWS),
        Line2D([], [], color=INK, lw=2.6, label=f"{interval_words(deciding, USUAL)} interval"),
        Line2D([], [], color=INK, lw=0.8, label=f"{interval_words(deciding)}: decides"),
        Patch(color=BAND_COLOUR, alpha=0.13, lw=0, label="no material difference"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=4, fontsize=8.5, columnspacing=1.1, handlelength=1.4)
    if notes:
        figure.supxlabel("\n".join(notes), fontsize=8, x=0.01, ha="left")
    return figure


def in_bands(row: Row) -> Row:
    """Return a row with its numbers as multiples of its band: 1.5625 is 2 bands of 1.25."""

    def place(value: float) -> float:
        if row.part.effect != "ratio":
            return value / row.band.high
        if not 0 < value < math.inf:
            return math.nan if math.isnan(value) else math.copysign(math.inf, value - 1)
        return math.log(value) / math.log(row.band.high)

    def places(ends: tuple[float, float]) -> tuple[float, float]:
        return place(ends[0]), place(ends[1])

    return dataclasses.replace(
        row,
        estimate=places(row.estimate),
        decided=places(row.decided),
        usual=places(row.usual),
        band=Band(-1.0, 0.0, 1.0),
    )


def _is_drawn(row: Row) -> bool:
    return row.decides and row.part.bound is None and has_effect(row) and not math.isnan(row.band.high)


def _label(axes: Axes, shown: Sequence[tuple[ClaimResult, Sequence[Row]]], middles: Sequence[float]) -> None:
    axes.set_yticks(middles, [f"{SYMBOLS[result.verdict]} {cut(result.id)}" for result, _ in shown], fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    for (_, rows), y in zip(shown, middles, strict=True):
        axes.annotate(
            row_counts(rows) if len(rows) > 1 else "", (1, y), xycoords=axes.get_yaxis_transform(), xytext=(10, 0),
            textcoords="offset points", va="center", fontsize=8, annotation_clip=False,
        )  # fmt: skip
    axes.xaxis.set_major_locator(FixedLocator(TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: plain_number(x)))
    axes.set_xlabel(
        "effect, in bands of no material difference (1 is 1.25×, half a point, …); right: as claimed", fontsize=9
    )


def _notes(undrawn: Sequence[ClaimResult]) -> list[str]:
    identities = [result for result in undrawn if any(row.part.bound and has_effect(row) for row in result.rows)]
    rest = [result for result in undrawn if result not in identities]
    named = {"Identities, held against bounds": identities, "Without an effect to draw": rest}
    return [
        f"{words}: " + ",  ".join(f"{SYMBOLS[result.verdict]} {result.id}" for result in of)
        for words, of in named.items()
        if of
    ]
