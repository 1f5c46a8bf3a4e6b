"""What does each arm come to? The quantity that a claim is about, drawn as it was measured."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from experiments.reporting.arm_styles import ArmStyle, arm_styles
from experiments.reporting.figures import INK, STYLE, TICK_STEPS, WIDTH, line_of
from experiments.reporting.quantities import LAYER, LONGEST_LANE, Panel
from experiments.reporting.terminal import NO_BREAK
from experiments.reporting.wording import cut, digits, plain_number

# Inches. All is placed by hand: matplotlib's own layout takes most of the time of a figure.
LEFT, RIGHT, TITLE, BELOW = 0.86, 0.1, 0.14, 0.48
LINES, LANE, LABELS, NUMBERS = 1.7, 0.3, 2.9, 0.55
LEGEND = 0.24
LETTER, TITLE_LETTER = 0.068, 0.07  # of the names of lanes, and of titles
MOST_TICKS = 6
WIDE_SPREAD = 8.0  # from the smallest to the largest x: as logarithms from here on


@mpl.rc_context(STYLE)
def quantity_figure(panels: Sequence[Panel]) -> Figure:
    """Draw panels, those over a number side by side, those of lanes below; an arm in its colour everywhere."""
    rows = list(_rows(panels))
    titles = [_titles(row, len(panels)) for row in rows]
    heights = [_height(row, words) for row, words in zip(rows, titles, strict=True)]
    styles = {of.label: of.kind for panel in panels for of in panel.series}
    drawn = arm_styles(styles, styles)
    handles = [_handle(label, style) for label, style in drawn.items()] + list(_signs(panels))
    legend = LEGEND * math.ceil(len(handles) / 3) + 0.12
    height = legend + sum(heights)
    figure = Figure(figsize=(WIDTH, height))
    top, names = height - legend, max((_names_of(panel) for panel in panels), default=0.0)
    for row, words, of_row in zip(rows, titles, heights, strict=True):
        width = _width(row)
        for place, panel in enumerate(row):
            left, right = (names, NUMBERS * len(panel.series) + 0.1) if panel.lanes else (LEFT, RIGHT)
            within = of_row - BELOW - _title_height(words)
            inches = (place * width + left, top - of_row + BELOW, width - left - right, within)
            axes = figure.add_axes((inches[0] / WIDTH, inches[1] / height, inches[2] / WIDTH, inches[3] / height))
            (_draw_lanes if panel.lanes else _draw_lines)(axes, panel, drawn)
            if words[place]:
                start = 0 if panel.lanes else -0.7 * left / inches[2]
                axes.set_title(words[place], loc="left", x=start, y=1, pad=4, fontsize=9, fontweight="bold")
            axes.xaxis.set_label_coords(0.5, -0.33 / inches[3])
            axes.yaxis.set_label_coords(-0.53 / inches[2], 0.5)
        top -= of_row
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8.5, borderaxespad=0.1)
    return figure


def _width(row: Sequence[Panel]) -> float:
    """The inches of a panel: half of the figure where it stands alone, but for lanes."""
    return WIDTH / max(len(row), 1 if row[0].lanes else 2)


def _names_of(panel: Panel) -> float:
    """The inches that the names of lanes take at their left."""
    return min(LABELS, LETTER * max(map(len, panel.lanes)) + 0.3) if panel.lanes else 0.0


def _titles(row: Sequence[Panel], panels: int) -> list[str]:
    """The titles of panels side by side, in two lines where one is too short; none of a panel alone."""
    letters = int(((WIDTH if row[0].lanes else _width(row)) - 0.2) / TITLE_LETTER)
    named = [panel.title if panels > 1 else "" for panel in row]
    whole = [cut(words, 2 * letters - 8).replace(" ", NO_BREAK).replace(f",{NO_BREAK}", ", ") for words in named]
    return ["\n".join(textwrap.wrap(words, letters)).replace(NO_BREAK, " ") for words in whole]


def _title_height(titles: Sequence[str]) -> float:
    return 0.14 + TITLE * max(words.count("\n") + 1 if words else 0 for words in titles)


def _rows(panels: Sequence[Panel]) -> Iterator[list[Panel]]:
    """Panels as they stand side by side: two or three of one quantity; lanes by themselves."""
    row: list[Panel] = []
    over_numbers = sum(not panel.lanes for panel in panels)
    columns = 2 if over_numbers in (1, 2, 4) else 3
    for panel in panels:
        if row and (panel.lanes or len(row) == columns):
            yield row
            row = []
        if panel.lanes:
            yield [panel]
        else:
            row.append(panel)
    if row:
        yield row


def _height(row: Sequence[Panel], titles: Sequence[str]) -> float:
    return _title_height(titles) + BELOW + (LANE * len(row[0].lanes) if row[0].lanes else LINES)


def _draw_lines(axes: Axes, panel: Panel, styles: dict[str, ArmStyle]) -> None:
    x = np.concatenate([of.x for of in panel.series])
    for of in panel.series:
        style = styles[of.label]
        shown = np.isfinite(of.middle) & ((of.middle > 0) | (not panel.logarithmic))
        band = shown & np.isfinite(of.low) & np.isfinite(of.high)
        axes.fill_between(of.x[band], of.low[band], of.high[band], color=style.colour, alpha=0.18, lw=0)
        axes.plot(of.x[shown], of.middle[shown], marker=style.marker, ms=4, lw=1.6, **line_of(style))
        _mark(axes, of.x[of.open], of.middle[of.open], style, "^")
        top = axes.get_xaxis_transform()
        if of.alone:
            axes.plot(of.alone, [0.98] * len(of.alone), style.marker, color=style.colour, ms=5, mfc="none",
                      transform=top, clip_on=False)  # fmt: skip
        lost = of.diverged > 0
        axes.plot(of.x[lost], [0.03] * int(lost.sum()), "x", color=style.colour, ms=5, mew=1.5, transform=top)
    every = np.unique(np.concatenate([x, [rate for of in panel.series for rate in of.alone]]))
    if panel.over != LAYER and every[0] > 0 and every[-1] / every[0] >= WIDE_SPREAD:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(every[:: math.ceil(len(every) / MOST_TICKS)].tolist()))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(MOST_TICKS, steps=TICK_STEPS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
    _scale(axes, panel, "y")
    axes.set_xlabel(panel.over, fontsize=8.5)
    axes.set_ylabel(textwrap.fill(panel.quantity, 28), fontsize=8.5)
    axes.tick_params(labelsize=8)


def _draw_lanes(axes: Axes, panel: Panel, styles: dict[str, ArmStyle]) -> None:
    for turn, of in enumerate(panel.series):
        style = styles[of.label]
        places = of.x + 0.16 * (turn - (len(panel.series) - 1) / 2)
        for place, seeds, low, middle, high in zip(places, of.seeds, of.low, of.middle, of.high, strict=True):
            known = seeds[np.isfinite(seeds)]
            axes.plot(known, np.full(len(known), place), "o", color=style.colour, ms=2.4, mew=0, alpha=0.45)
            if np.isfinite([low, high]).all():
                axes.plot([low, high], [place, place], color=style.colour, lw=2)
            axes.plot(middle, place, style.marker, color=style.colour, ms=5.5, mew=0, zorder=3)
        _mark(axes, of.middle[of.open], places[of.open], style, ">")
        for x, middle, is_open in zip(of.x, of.middle, of.open, strict=True):
            axes.annotate(
                f"{'> ' if is_open else ''}{_number(middle, panel)}", (1, x), xycoords=axes.get_yaxis_transform(),
                xytext=(72 * NUMBERS * (turn + 1), 0), textcoords="offset points", ha="right", va="center", fontsize=8,
                color=style.colour, annotation_clip=False,
            )  # fmt: skip
    axes.set_ylim(len(panel.lanes) - 0.5, -0.5)
    axes.set_yticks(range(len(panel.lanes)), [cut(words, LONGEST_LANE) for words in panel.lanes], fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(visible=False, axis="y")
    _scale(axes, panel, "x")
    axes.set_xlabel(panel.quantity, fontsize=8.5)


def _mark(axes: Axes, x: np.ndarray, y: np.ndarray, style: ArmStyle, shape: str) -> None:
    """Mark values as the least that they can be."""
    axes.plot(x, y, shape, color=style.colour, ms=8, mfc="none", mew=1.2)


def _scale(axes: Axes, panel: Panel, which: str) -> None:
    """Plain numbers on the axis of the quantity, as logarithms where it asks for them."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    if panel.logarithmic:
        (axes.set_yscale if which == "y" else axes.set_xscale)("log")
        low, high = axes.get_ylim() if which == "y" else axes.get_xlim()
        if high / low < 8:
            axis.set_major_locator(FixedLocator(MaxNLocator(5, steps=TICK_STEPS).tick_values(low, high)))
            (axes.set_ylim if which == "y" else axes.set_xlim)(low, high)
        else:
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,), numticks=6))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(5, steps=TICK_STEPS))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1000 else plain_number(value)))


def _number(value: float, panel: Panel) -> str:
    return f"{value:.1f}" if panel.quantity.endswith("(%)") else digits(value)


def _handle(label: str, style: ArmStyle) -> Line2D:
    return Line2D([], [], marker=style.marker, ms=5, label=label, **line_of(style))


def _signs(panels: Sequence[Panel]) -> Iterator[Artist]:
    """What else is in the picture and needs a word."""
    series = [of for panel in panels for of in panel.series]

    def sign(shape: str, words: str) -> Line2D:
        return Line2D([], [], color=INK, ls="", marker=shape, ms=6, mfc="none", label=words)

    for words in dict.fromkeys(panel.spread for panel in panels):
        yield sign("_", words)
    if any(of.open.any() for of in series):
        yield sign("^", "at least: the level was not reached")
    if any(of.alone for of in series):
        yield sign("o", "at the top: only this arm trains")
    if any(of.diverged.any() for panel in panels if not panel.lanes for of in panel.series):
        yield sign("x", "some runs diverged")
