"""How large is the effect, and on which side of the margin?

One claim with every seed's effect, and all claims in one picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, MaxNLocator

from experiments.analysis.claims import ClaimResult, PartResult, Verdict
from experiments.configuration.claim import PartConfig
from experiments.reporting.figures import INK, STYLE, TICK_STEPS, log_axis, new_figure
from experiments.reporting.wording import (
    SYMBOLS,
    comparison_words,
    format_effect,
    format_margin,
    margin_bounds,
    plain_number,
    unit_words,
    verdict_words,
)

# Okabe & Ito; the shape says the same as the colour.
COLOURS: dict[Verdict, str] = {"supported": "#009E73", "refuted": "#D55E00", "inconclusive": "#808A94"}
MARKERS: dict[Verdict, str] = {"supported": "o", "refuted": "X", "inconclusive": "D"}
ORDER: tuple[Verdict, ...] = ("supported", "inconclusive", "refuted")
RATIO = "× margin"
LONGEST_LABEL, LONGEST_PART = 40, 26  # letters
WIDEST_TITLES = 0.94  # together, of the figure's width
EDGE = 10.0  # the overview's ratio axis ends a decade from the margin


@mpl.rc_context(STYLE)
def effect_figure(result: ClaimResult) -> Figure:
    """Draw every seed's paired effect as a dot, their median and interval, and the margin: one row a part."""
    rows = max(1, len(result.parts))
    figure, all_axes = new_figure(0.75 + 1.05 * rows, rows=rows)
    for axes, part in zip(all_axes, result.parts, strict=False):
        _draw_part(axes, part)
    if not result.parts:
        all_axes[0].set_axis_off()
        all_axes[0].text(0.5, 0.5, result.reason, ha="center", va="center", wrap=True)
        return figure
    handles = [
        Line2D([], [], color=INK, marker="o", ls="", ms=5, alpha=0.5, label="one seed"),
        Line2D([], [], color=INK, marker="D", ms=6, lw=3, label=_summary_words(result.parts)),
        Line2D([], [], color=INK, lw=1.4, ls=(0, (4, 2)), label="margin"),
        Patch(color=COLOURS["supported"], alpha=0.15, lw=0, label="side that supports the claim"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=4, fontsize=9, columnspacing=1.1, handletextpad=0.5)
    return figure


def _summary_words(parts: Sequence[PartResult]) -> str:
    """Return what diamond and bar stand for: a plain bound, which has no p, shows its worst seed and the range."""
    plain = {part.p is None for part in parts if not math.isnan(part.estimate)}
    if plain == {True}:
        return "worst seed and range"
    return "median and 95 % interval" + (" (without p: worst and range)" if True in plain else "")


def _draw_part(axes: Axes, part: PartResult) -> None:
    config, colour = part.config, COLOURS[part.verdict]
    effects = np.array([part.effects[seed] for seed in sorted(part.effects)], float)
    low, high, logarithmic = _limits(part, effects)
    axes.set_xlim(low, high)
    if logarithmic:
        log_axis(axes)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(8, steps=TICK_STEPS))
        axes.xaxis.set_major_formatter(lambda x, _: plain_number(x))
    lower, upper = margin_bounds(config.margin)
    axes.axvspan(max(lower, low), min(upper, high), color=COLOURS["supported"], alpha=0.12, lw=0)
    for bound in (lower, upper):
        if math.isfinite(bound):
            axes.axvline(bound, color=INK, lw=1.4, ls=(0, (4, 2)))
    # The golden ratio spreads the dots evenly over the lane, each seed at the same height every time.
    heights = -0.45 + 0.8 * (np.arange(len(effects)) * 0.618034 % 1)
    inside = (effects >= low) & (effects <= high)
    axes.plot(effects[inside], heights[inside], "o", color=colour, ms=5, mew=0, alpha=0.55)
    _mark_beyond(axes, effects, low, high)
    if not len(effects):
        axes.annotate("no effect to draw", (0.5, 0.5), xycoords="axes fraction", ha="center", va="center")
    if not math.isnan(part.estimate):
        ends = np.clip([part.low, part.high], low, high)
        axes.plot(ends, [0.75, 0.75], color=colour, lw=3, solid_capstyle="butt")
        if part.low < low:
            axes.plot(low, 0.75, "<", color=colour, ms=8, mew=0, clip_on=False)
        if part.high > high:
            axes.plot(high, 0.75, ">", color=colour, ms=8, mew=0, clip_on=False)
        if low <= part.estimate <= high:
            axes.plot(part.estimate, 0.75, "D", color=colour, ms=7, mew=0, clip_on=False)
    axes.set_ylim(-0.7, 1.1)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    title = verdict_words(part.verdict) + (f": {config.name}" if config.name else "")
    aside = "" if config.decides else " (shown beside the verdict)"
    left = axes.set_title(title + aside, loc="left", fontweight="bold", fontsize=9)
    effect = f"{format_effect(part, explained=True)}, margin {format_margin(config)}"
    right = axes.set_title(effect, loc="right", fontsize=9)
    if sum(words.get_window_extent().width for words in (left, right)) > WIDEST_TITLES * axes.figure.bbox.width:
        left.set_text(f"{title}\n{aside.strip()}")  # the first line for itself
    unit = unit_words(config)
    axes.set_xlabel(comparison_words(config) + (f" ({unit})" if unit else ""), fontsize=9)


def _limits(part: PartResult, effects: np.ndarray) -> tuple[float, float, bool]:
    """Return the ends of the axis and whether it is logarithmic; what lies outside is marked at the edge."""
    bounds = [b for b in margin_bounds(part.config.margin) if math.isfinite(b)]
    none = [1.0] if part.config.effect == "ratio" else [0.0] if part.config.effect == "difference" else []
    values = np.array([*effects, part.estimate, part.low, part.high, *bounds, *none], float)
    values = values[np.isfinite(values)]
    positive = values[values > 0]
    spread = positive.max() / positive.min() if positive.size else 1.0
    logarithmic = min(bounds) > 0 and not (values < 0).any() and (part.config.effect == "ratio" or spread > 50)
    shown = np.log(positive) if logarithmic else values
    low, high = shown.min(), shown.max()
    room = max(high - low, 0.5 if logarithmic else 0.1 * abs(high) or 1.0)
    low -= room * (0.25 if (effects < (math.exp(low) if logarithmic else low)).any() else 0.05)
    high += room * (0.25 if np.isposinf(effects).any() else 0.05)
    return (math.exp(low), math.exp(high), True) if logarithmic else (low, high, False)


def _mark_beyond(axes: Axes, effects: np.ndarray, low: float, high: float) -> None:
    """Mark the effects that no axis can show: infinite ones, and zero on a logarithmic one."""
    lowest = "−∞" if np.isneginf(effects).any() else "0"
    for beyond, edge, marker, name, side in (
        (effects > high, high, ">", "∞", "right"),
        (effects < low, low, "<", lowest, "left"),
    ):
        if beyond.any():
            axes.plot(edge, -0.15, marker, color=INK, ms=8, mew=0, clip_on=False)
            axes.annotate(
                f"{beyond.sum()} of {len(effects)} seeds: {name}", (edge, -0.15), fontsize=8, ha=side, va="center",
                xytext=(-8 if side == "right" else 8, 0), textcoords="offset points",
            )  # fmt: skip
    if missing := int(np.isnan(effects).sum()):
        axes.annotate(
            f"{missing} of {len(effects)} seeds without a value",
            (0, 0),
            xycoords="axes fraction",
            fontsize=8,
            va="bottom",
        )


@dataclass(frozen=True)
class _Row:
    label: str
    text: str
    verdict: Verdict
    low: float
    estimate: float
    high: float


@mpl.rc_context(STYLE)
def verdict_overview(results: Sequence[ClaimResult]) -> Figure:
    """Draw every claim's effect relative to its margin; a claim of several parts by the part that decides it.

    Ratios and levels as multiples of the margin, differences by their distance from it; right supports.
    """
    panels: dict[str, list[_Row]] = {}
    undrawn = []
    for result in results:
        deciding = [part for part in result.parts if part.config.decides and not math.isnan(part.estimate)]
        if not deciding:
            undrawn.append(f"{SYMBOLS[result.verdict]} {result.id}")
        for part in deciding if result.config.separate_verdicts else deciding and [min(deciding, key=_strength)]:
            panels.setdefault(_scale(part.config), []).append(_row(result, part, len(deciding)))
    notes = (
        ["(1 of n): the weakest of the n parts that decide"]
        if any("(1 of" in r.text for r in chain(*panels.values()))
        else []
    )
    if undrawn:
        notes.append("without an effect to draw: " + ", ".join(undrawn))
    panels = {scale: panels[scale] for scale in sorted(panels, key=lambda s: (s != RATIO, s))}
    heights = [len(rows) + 0.5 for rows in panels.values()] or [2.0]
    # Legend, lines, then of each panel the ticks with their label, and the notes: inches.
    height = 0.5 + 0.21 * sum(heights) + 0.6 * len(heights) + 0.2 * len(notes)
    figure, all_axes = new_figure(height, rows=len(heights), heights=heights)
    for axes, (scale, rows) in zip(all_axes, panels.items(), strict=False):
        rows.sort(key=lambda row: (ORDER.index(row.verdict), -row.estimate))
        _draw_panel(axes, scale, rows)
    if not panels:
        all_axes[0].set_axis_off()
        all_axes[0].text(0.5, 0.5, "no effect to draw", ha="center", va="center")
    handles = [
        Line2D([], [], color=COLOURS[v], ls="", marker=MARKERS[v], ms=8, mew=0, label=verdict_words(v)) for v in ORDER
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3)
    if notes:
        figure.supxlabel("\n".join(notes), fontsize=9, x=0.01, ha="left")
    return figure


def _draw_panel(axes: Axes, scale: str, rows: Sequence[_Row]) -> None:
    margin = 1.0 if scale == RATIO else 0.0
    low, high = _ratio_limits(rows) if scale == RATIO else _difference_limits(rows)
    axes.axvspan(margin, high, color=COLOURS["supported"], alpha=0.1, lw=0)
    axes.axvline(margin, color=INK, lw=1.2)
    for y, row in enumerate(rows):
        colour = COLOURS[row.verdict]
        left, middle, right = np.clip([row.low, row.estimate, row.high], low, high)
        axes.plot([left, right], [y, y], color=colour, lw=2.2, solid_capstyle="butt")
        for value, edge, marker in ((row.low, low, "<"), (row.high, high, ">")):
            if (value < low) if marker == "<" else (value > high):
                axes.plot(edge, y, marker, color=colour, ms=6, mew=0, clip_on=False)
        if low <= row.estimate <= high:
            axes.plot(middle, y, MARKERS[row.verdict], color=colour, ms=7.5, mew=0)
        axes.annotate(
            row.text, (1, y), xycoords=axes.get_yaxis_transform(), xytext=(8, 0), textcoords="offset points",
            va="center", fontsize=8.5, annotation_clip=False,
        )  # fmt: skip
    axes.set_xlim(low, high)
    if scale == RATIO:
        log_axis(axes)
        axes.xaxis.set_major_locator(FixedLocator([0.1, 0.2, 0.5, 1, 2, 5, 10]))
        axes.set_xlabel("effect ÷ margin (right of 1: beyond the margin)")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=TICK_STEPS))
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:+g}".replace("-", "−") if x else "0")
        axes.set_xlabel(f"distance from the margin{scale and f' ({scale})'} (right of 0: beyond it)")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [f"{SYMBOLS[row.verdict]} {row.label}" for row in rows], fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _row(result: ClaimResult, part: PartResult, parts: int) -> _Row:
    low, estimate, high = _beyond_margin(part)
    if not result.config.separate_verdicts:
        several = f" (1 of {parts})" if parts > 1 else ""
        return _Row(result.id, format_effect(part) + several, result.verdict, low, estimate, high)
    name = _cut(part.config.name, LONGEST_PART)
    label = _cut(result.id, LONGEST_LABEL - len(name))
    return _Row(f"{label}: {name}", format_effect(part), part.verdict, low, estimate, high)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip(' ,')}…"


def _scale(part: PartConfig) -> str:
    bounds = [b for b in margin_bounds(part.margin) if math.isfinite(b)]
    return RATIO if part.effect != "difference" and min(bounds) > 0 else part.unit


def _strength(part: PartResult) -> tuple[int, float]:
    return -ORDER.index(part.verdict), _beyond_margin(part)[1]


def _beyond_margin(part: PartResult) -> tuple[float, float, float]:
    """Return (low, estimate, high) as the position on the overview's axis: larger is always more supportive."""
    lower, upper = margin_bounds(part.config.margin)
    ratio = _scale(part.config) == RATIO

    def position(value: float) -> float:
        if not ratio:
            return min(value - lower, upper - value)
        below = upper / value if value > 0 else math.inf
        return min(value / lower if math.isfinite(lower) else math.inf, below if math.isfinite(upper) else math.inf)

    low, high = (part.estimate if math.isnan(end) else end for end in (part.low, part.high))
    ends = [position(low), position(part.estimate), position(high)]
    if math.isfinite(lower) and math.isfinite(upper):
        middle = math.sqrt(lower * upper) if ratio else (lower + upper) / 2
        if low < middle < high:  # the best place of a band lies inside the interval
            return min(ends), ends[1], position(middle)
    return min(ends), ends[1], max(ends)


def _ratio_limits(rows: Sequence[_Row]) -> tuple[float, float]:
    """Return an axis of at most a decade to each side of the margin; the rest is marked at its edge."""
    return float(np.clip(min(row.low for row in rows) / 1.2, 1 / EDGE, 0.5)), EDGE


def _difference_limits(rows: Sequence[_Row]) -> tuple[float, float]:
    """Return an axis that shows nine in ten of the ends, and the margin; the rest is marked at its edge."""
    ends = np.array([end for row in rows for end in (row.low, row.high) if math.isfinite(end)] or [-1, 1])
    low, high = np.quantile(ends, [0.05, 0.95])
    room = 0.08 * max(high - low, 1e-9)
    return min(low, -2 * room) - room, max(high, 2 * room) + room
