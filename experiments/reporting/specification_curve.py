"""How does an effect change with settings that would have been as good? All specifications of a claim in one picture.

After Simonsohn, Simmons & Nelson 2020: effects in order, and below each the options it was found with. Many of them
make a line, and their options shares of its stretches.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from experiments.analysis.specifications import known_size
from experiments.analysis.statistics import Band, Verdict, band_of
from experiments.configuration.claim import LEVEL, RUNGS, ClaimConfig, SpecificationsConfig
from experiments.reporting.effect_figures import BAND_COLOUR, COLOURS
from experiments.reporting.figures import INK, STYLE, new_figure
from experiments.reporting.wording import comparison_words, plain_number, unit_words, verdict_words

FEW = 150  # specifications that are drawn one by one
BINS = 120  # stretches of the line of many
DRAWN: tuple[Verdict, ...] = ("reversed", "no material difference", "unresolved", "supported")
PLACES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
LANE, HEAD = 0.17, 2.9  # inches: of an option's row, of the effects above
BETWEEN = 0.8  # choices, in rows
FARTHEST = 0.01  # of the effects, at each end, that may lie beyond the axis


@mpl.rc_context(STYLE)
def specification_curve(table: pd.DataFrame, claim: ClaimConfig, shares: Mapping[str, float]) -> Figure:
    """Draw the effects of a table of specifications in order, coloured by their verdicts, and their options below.

    shares: choice → its share of the variance, in the order of the rows. Marked are the claim's own specification and
    the band of no material difference. Up to 150 specifications have a dot each with the range of their seeds.
    """
    config = claim.specifications
    assert config
    part, is_ratio = config.part, config.part.effect == "ratio"
    sizes = known_size(table["effect_low"].to_numpy(float), table["effect_high"].to_numpy(float), is_ratio)
    order = np.argsort(sizes, kind="stable")
    order = order[np.isfinite(sizes[order])]
    drawn, sizes = table.iloc[order], np.exp(sizes[order]) if is_ratio else sizes[order]
    lanes = list(_lanes(drawn, config, shares))
    below = LANE * (len(lanes) + BETWEEN * len(shares))
    figure, (axes, dashboard) = new_figure(HEAD + below, rows=2, heights=[HEAD, below], share_x=True)
    if not len(drawn):
        for empty in (axes, dashboard):
            empty.set_axis_off()
        axes.text(0.5, 0.5, "no specification has an effect to draw", ha="center", va="center")
        return figure
    band = band_of(claim.band_of(part), is_ratio)
    few = len(drawn) <= FEW
    _effect_axis(axes, sizes, band, is_ratio)
    (_draw_few if few else _draw_many)(axes, drawn, sizes)
    own = np.flatnonzero(drawn["preferred"].to_numpy(bool)).tolist()
    for place in own:
        axes.plot(place, np.clip(sizes[place], *axes.get_ylim()), "D", ms=8, mfc="none", mec=INK, mew=1.6, zorder=5)
        for each in (axes, dashboard):
            each.axvline(place, color=INK, lw=0.8, ls=(0, (3, 2)), zorder=0)
    unit = unit_words(part)
    axes.set_ylabel(comparison_words(part).replace(", ", ",\n", 1) + (f" ({unit})" if unit else ""), fontsize=9)
    _draw_dashboard(dashboard, drawn, lanes, few)
    _name_choices(dashboard, lanes, shares)
    untested = len(table) - len(drawn)
    note = f"; {untested:,} more without an effect to compare" if untested else ""
    dashboard.set_xlabel(f"{len(drawn):,} specifications in the order of their effects{note}", fontsize=9)
    handles: list[Any] = [
        Line2D([], [], color=COLOURS[v], marker="o", ls="", ms=6, label=verdict_words(v))
        for v in DRAWN[::-1]
        if (drawn["verdict"] == v).any()
    ]
    if len(own):
        handles.append(Line2D([], [], color=INK, marker="D", mfc="none", mew=1.6, ls="", ms=7, label="the claim's own"))
    figure.legend(handles=handles, loc="outside upper left", ncols=5, fontsize=9, columnspacing=1.1)
    return figure


Lane = tuple[str, str, float]  # choice, option, height in the dashboard


def _lanes(drawn: pd.DataFrame, config: SpecificationsConfig, choices: Iterable[str]) -> Iterator[Lane]:
    """The rows below, options as in the file; levels from the highest."""
    height = 0.0
    for choice in choices:
        present = set(drawn[choice])
        for option in RUNGS if choice == LEVEL else config.choices[choice]:
            if option in present:
                yield choice, option, height
                height += 1
        height += BETWEEN


def _effect_axis(axes: Axes, sizes: np.ndarray, band: Band, is_ratio: bool) -> None:
    low, high = np.quantile(sizes, [FARTHEST, 1 - FARTHEST])
    low, high = min(low, band.low), max(high, band.high)
    if is_ratio:
        room = (high / low) ** 0.06
        axes.set_yscale("log")
        axes.set_ylim(low / room, high * room)
        marks = [*PLACES, band.low, band.high]
    else:  # a band's width and, in the same picture, many times that
        axes.set_yscale("symlog", linthresh=band.high, linscale=0.5)
        axes.set_ylim(*(end * 1.3 for end in (low, high)))
        marks = [sign * place for place in (*PLACES, band.high) if place >= band.high for sign in (-1, 1)] + [0.0]
    least, most = axes.get_ylim()
    axes.yaxis.set_major_locator(FixedLocator([mark for mark in marks if least <= mark <= most]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{plain_number(y)}{'×' if is_ratio else ''}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.axhspan(band.low, band.high, color=BAND_COLOUR, alpha=0.13, lw=0)
    axes.axhline(band.neutral, color=INK, lw=0.8)
    axes.set_xlim(-0.01 * len(sizes) - 0.5, 1.01 * len(sizes) - 0.5)


def _draw_few(axes: Axes, drawn: pd.DataFrame, sizes: np.ndarray) -> None:
    """A dot for each, with the range of its seeds; an arrow where only a bound is known."""
    least, most = axes.get_ylim()
    columns = (drawn[name].tolist() for name in ("verdict", "effect_low", "effect_high", "seeds_low", "seeds_high"))
    for place, (size, verdict, low, high, lows, highs) in enumerate(zip(sizes, *columns, strict=True)):
        colour = COLOURS[verdict]
        axes.plot([place, place], np.clip([min(lows), max(highs)], least, most), color=colour, lw=1)
        marker = "^" if math.isinf(high) else "v" if low < high else "o"
        axes.plot(place, np.clip(size, least, most), marker, color=colour, ms=4.5, mew=0, clip_on=False)


def _draw_many(axes: Axes, drawn: pd.DataFrame, sizes: np.ndarray) -> None:
    """A dot for each, without intervals, as near to one another as they lie."""
    places, (least, most) = np.arange(len(sizes)), axes.get_ylim()
    thinned = np.unique(np.linspace(0, len(sizes) - 1, 6 * BINS).astype(int))
    verdicts = drawn["verdict"].to_numpy()
    for verdict in sorted(set(verdicts[thinned])):  # a line without dots would take room at the figure's corner
        of = thinned[verdicts[thinned] == verdict]
        axes.plot(places[of], np.clip(sizes[of], least, most), "o", color=COLOURS[verdict], ms=3, mew=0, clip_on=False)


def _draw_dashboard(axes: Axes, drawn: pd.DataFrame, lanes: Sequence[Lane], few: bool) -> None:
    verdicts = drawn["verdict"].to_numpy()
    for choice, of_choice in itertools.groupby(lanes, key=lambda lane: lane[0]):
        rows = [(height, (drawn[choice] == option).to_numpy()) for _, option, height in of_choice]
        if not few:
            _draw_shares(axes, rows, verdicts)
            continue
        for height, has in rows:
            for verdict in DRAWN:
                places = np.flatnonzero(has & (verdicts == verdict))
                axes.plot(places, np.full(len(places), height), "|", color=COLOURS[verdict], ms=7, mew=1.6)
    heights = [height for _, _, height in lanes]
    axes.set_ylim(heights[-1] + 0.6, -0.6)
    axes.set_yticks(heights, [option for _, option, _ in lanes], fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_shares(axes: Axes, rows: Sequence[tuple[float, np.ndarray]], verdicts: np.ndarray) -> None:
    """One choice's rows: how many of each stretch of the line have the option, as opacity; the verdict as colour."""
    edges = np.linspace(0, len(verdicts), BINS + 1).astype(int)
    shares = [np.array([has[a:b].mean() for a, b in itertools.pairwise(edges)]) for _, has in rows]
    most = max(share.max() for share in shares)
    colours = np.array([mpl.colors.to_rgb(COLOURS[verdicts[(a + b) // 2]]) for a, b in itertools.pairwise(edges)])
    for (height, _), share in zip(rows, shares, strict=True):
        axes.imshow(
            np.concatenate([colours, share[:, None] / most], axis=1)[None],
            extent=(-0.5, len(verdicts) - 0.5, height + 0.42, height - 0.42),
            aspect="auto",
            interpolation="nearest",
        )


def _name_choices(axes: Axes, lanes: Sequence[Lane], shares: Mapping[str, float]) -> None:
    """Name each choice at the right, and its share of the variance where it has one."""
    for choice, of_choice in itertools.groupby(lanes, key=lambda lane: lane[0]):
        heights = [height for _, _, height in of_choice]
        percent = f"{100 * shares[choice]:.0f} %"
        axes.annotate(
            choice if percent == "0 %" else f"{choice}, {percent}", (1, sum(heights) / len(heights)),
            xycoords=axes.get_yaxis_transform(), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8.5,
            fontweight="bold", annotation_clip=False,
        )  # fmt: skip
