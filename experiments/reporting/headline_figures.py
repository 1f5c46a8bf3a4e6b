"""What does batch normalization do for training, in three pictures, and in one of them all?

How many times fewer steps by learning rate, by the accuracy asked for, and which accuracy at which learning rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from experiments.analysis.claims import ClaimResult, Row
from experiments.analysis.part_runs import Results
from experiments.configuration.experiment import LEARNING_RATE
from experiments.reporting.arm_styles import arm_styles
from experiments.reporting.figures import INK, STYLE, line_of, log_axis, new_figure
from experiments.reporting.findings import interval_words
from experiments.reporting.wording import known_end, plain_number

AT_EQUAL_RATE, WHEN_TUNED, CNN = "faster_at_equal_rate", "faster_when_tuned", "faster_cnn"
RATE, LEVEL = "learning rate", "level"
NETS = {  # as the core experiments name them
    "sigmoid_x1": "sigmoid MLP",
    "sigmoid_x4": "sigmoid MLP (weights × 4)",
    "relu": "ReLU MLP",
    "cnn": "ReLU CNN",
}
COLOURS = {"sigmoid_x1": "#B8386A", "sigmoid_x4": "#6B7A1F", "relu": "#2E8B57", "cnn": "#6F4E37"}  # no arm's
SHAPES = {"sigmoid_x1": "o", "sigmoid_x4": "^", "relu": "s", "cnn": "D"}
ARMS = {"no_bn": "without BN", "custom_bn": "with BN"}
BELOW_ACCURACIES = (
    "Validation accuracy at the end of training: median and quartiles over seeds; a diverged run counts as 0."
)
ASKED = "At the {} learning {}, how many times fewer steps does BN need? ({})"
SAME_RATE = "learning rate, the same with and without BN"
AT_A_GLANCE = "at_a_glance"
GLANCE = (10.4, 5.6)  # inches
GLANCES = (
    "Times fewer steps with BN, at the same rate ({})",
    "… and at the best learning rate of each ({})",
)
MOST = 100.0  # times fewer steps, or more: the axis goes no further
ARROW = 1.45  # how far an arrow reaches, as a factor
LABEL = 0.065  # of the axes' height, between the names of two lines
WORDS = "Line: median; shade: {} interval over seeds; arrow: at least, or at most. Grey band: no material difference."


@mpl.rc_context(STYLE)
def at_a_glance_figure(results: Sequence[ClaimResult], core: Mapping[str, Results], data: str) -> Figure:
    """Draw the three figures below as one: ratios of steps above, accuracy by learning rate in a row below.

    results, core, data: as they take them. Which rates one arm alone trains at is told by the row below.
    """
    figure = Figure(figsize=GLANCE, layout="constrained")
    above, below = np.ravel(figure.subfigures(2, 1, height_ratios=(1.85, 1)))  # type: ignore[arg-type]
    panels = above.subplots(1, 2, sharey=True)
    limits = []
    for axes, draw, words in zip(panels, (_draw_by_rate, _draw_by_accuracy), GLANCES, strict=True):
        draw(axes, results)
        limits += axes.get_ylim()
        axes.set_title(words.format(data), loc="left", fontsize=10.5, fontweight="bold")
    panels[0].set_ylim(min(limits), max(limits))
    panels[1].set_ylabel("")
    drawn = {net: line for axes in panels for line, net in zip(*axes.get_legend_handles_labels(), strict=True)}
    above.legend(drawn.values(), drawn, loc="outside lower center", ncols=len(NETS), fontsize=9.5)
    nets = [net for net in NETS if net in core]
    row = below.subplots(1, max(1, len(nets)), sharey=True, squeeze=False)[0]
    for axes, net in zip(row, nets, strict=False):
        _draw_accuracies(axes, core[net])
        axes.set_title(NETS[net], loc="left", fontsize=9, fontweight="bold", color=COLOURS[net])
        axes.set_xlabel("learning rate", fontsize=8.5)
        axes.tick_params(labelsize=8)
    row[0].set_ylabel("accuracy (%)", fontsize=9)
    below.suptitle(
        f"Validation accuracy at the end of training ({data})", x=0.062, ha="left", fontsize=10.5, fontweight="bold"
    )
    below.legend(*row[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, fontsize=9.5)
    return figure


@mpl.rc_context(STYLE)
def steps_by_rate_figure(results: Sequence[ClaimResult], data: str) -> Figure:
    """Draw how many times fewer steps at the same learning rate, a line a network; and where only one arm trains.

    data: what the networks were trained on, for the title.
    """
    alone = rates_alone(results)
    strips = {arm: {net: of[arm] for net, of in alone.items() if of.get(arm)} for arm in ("custom_bn", "no_bn")}
    lanes = [0.17 * len(strips["custom_bn"]), 3.6, 0.17 * len(strips["no_bn"])]
    shown = [height for height in lanes if height]
    figure, all_axes = new_figure(1.35 + sum(shown), rows=len(shown), heights=shown, share_x=True)
    axes = all_axes[1 if strips["custom_bn"] else 0]
    if strips["custom_bn"]:
        _draw_strip(all_axes[0], strips["custom_bn"], "trains only\nwith BN")
    if strips["no_bn"]:
        _draw_strip(all_axes[-1], strips["no_bn"], "trains only\nwithout BN")
    _draw_by_rate(axes, results, named=True)
    axes.set_xlabel("")
    all_axes[-1].set_xlabel(SAME_RATE)
    _titles(figure, ASKED.format("same", "rate", data), words_below(results))
    return figure


@mpl.rc_context(STYLE)
def steps_by_accuracy_figure(results: Sequence[ClaimResult], data: str) -> Figure:
    """Draw how many times fewer steps, each arm at its fastest rate, by the accuracy asked for, a line a network."""
    figure, (axes,) = new_figure(4.6)
    _draw_by_accuracy(axes, results, named=True)
    _titles(figure, ASKED.format("best", "rates", data), words_below(results))
    return figure


@mpl.rc_context(STYLE)
def accuracy_by_rate_figure(core: Mapping[str, Results], data: str) -> Figure:
    """Draw late validation accuracy by learning rate, median and quartiles over evaluation seeds, a panel a network.

    core: network → results of its core experiment. A diverged run counts as 0.
    """
    nets = [net for net in NETS if net in core]
    columns = min(2, max(1, len(nets)))
    rows = max(1, -(-len(nets) // columns))
    figure, all_axes = new_figure(0.9 + 2.1 * rows, rows=rows, columns=columns)
    for place, (axes, net) in enumerate(zip(all_axes, nets, strict=False)):
        _draw_accuracies(axes, core[net])
        if axes.get_lines():
            axes.legend(loc="best", fontsize=8.5, handlelength=1.5)
        axes.set_title(NETS[net], loc="left", fontsize=10, fontweight="bold")
        if place % columns == 0:
            axes.set_ylabel("accuracy (%)")
        if place >= len(nets) - columns:
            axes.set_xlabel("learning rate")
    for axes in all_axes[len(nets) :]:
        axes.set_axis_off()
    _titles(figure, f"At which learning rates does a network train, with and without BN? ({data})", BELOW_ACCURACIES)
    return figure


def headlines(results: Sequence[ClaimResult], core: Mapping[str, Results], data: str) -> list[tuple[str, str, Figure]]:
    """Return the three: caption, name of the file, figure."""
    return [
        ("How many times fewer steps at the same rate", "steps_by_rate", steps_by_rate_figure(results, data)),
        ("… and at the best rate of each", "steps_by_accuracy", steps_by_accuracy_figure(results, data)),
        ("Which accuracy at which rate", "accuracy_by_rate", accuracy_by_rate_figure(core, data)),
    ]


def words_below(results: Iterable[ClaimResult]) -> str:
    """Return what line, shade and arrow mean in figures of ratios."""
    return WORDS.format(interval_words(_deciding(results, (AT_EQUAL_RATE, WHEN_TUNED, CNN))))


def rows_by(results: Iterable[ClaimResult], claims: Sequence[str], moderator: str) -> dict[str, list[Row]]:
    """Return network → the rows of these claims that stand at a value of a moderator and have an effect, in order."""
    found: dict[str, list[Row]] = {}
    for row in _deciding(results, claims):
        if moderator in row.moderators and not math.isnan(known_end(row)[0]):
            found.setdefault(str(row.moderators.get("net")), []).append(row)
    return {net: sorted(found[net], key=lambda row: row.moderators[moderator]) for net in NETS if net in found}


def rates_alone(results: Iterable[ClaimResult]) -> dict[str, dict[str, list[float]]]:
    """Return network → arm → the learning rates at which that arm alone trains."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in _deciding(results, (AT_EQUAL_RATE, CNN)):
        for arm, rates in row.comparison.alone.items():
            of_arm = found.setdefault(str(row.moderators.get("net")), {})
            of_arm[arm] = sorted({*of_arm.get(arm, []), *map(float, rates)})
    return {net: found[net] for net in NETS if net in found}


def _deciding(results: Iterable[ClaimResult], claims: Sequence[str]) -> list[Row]:
    return [row for result in results if result.id in claims for row in result.rows if row.decides]


def _draw_by_rate(axes: Axes, results: Iterable[ClaimResult], named: bool = False) -> None:
    found = rows_by(results, (AT_EQUAL_RATE, CNN), RATE)
    axes.set_xscale("log")
    _draw_lines(
        axes, {net: ([float(row.moderators[RATE]) for row in rows], rows) for net, rows in found.items()}, named
    )
    log_axis(axes)
    axes.set_xlabel(SAME_RATE)


def _draw_by_accuracy(axes: Axes, results: Iterable[ClaimResult], named: bool = False) -> None:
    found = rows_by(results, (WHEN_TUNED, CNN), LEVEL)
    lines = {net: ([100 * (1 - float(row.moderators[LEVEL])) for row in rows], rows) for net, rows in found.items()}
    errors = [error for x, _ in lines.values() for error in x] or [1.0, 50.0]
    axes.set_xscale("log")
    axes.set_xlim(max(errors) * 1.1, min(errors) / 1.1)
    steps = (90, 80, 70, 60, 50, 40, 30, 20, 15, 10, 7, 5, 4, 3, 2, 1.5, 1, 0.7, 0.5)
    ticks = [error for error in steps if min(errors) / 1.1 <= error <= max(errors) * 1.1]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda error, _: f"{plain_number(100 - error)} %"))
    axes.set_xlabel("validation accuracy asked for (error on a logarithmic axis)")
    _draw_lines(axes, lines, named)


def _draw_lines(axes: Axes, lines: Mapping[str, tuple[Sequence[float], Sequence[Row]]], named: bool) -> None:
    """Draw a line a network, x against its rows' effects. named: with the networks' names at the lines' ends."""
    for net, (x, rows) in lines.items():
        known = [known_end(row) for row in rows]
        middle = np.clip([value for value, _ in known], 1 / MOST, MOST)
        seeds = np.array([row.decided for row in rows])
        low, high = (np.clip(np.where(np.isnan(end), middle, end), 1e-3 / MOST, 1e3 * MOST) for end in seeds.T)
        axes.fill_between(x, low, high, color=COLOURS[net], alpha=0.15, lw=0)
        axes.plot(x, middle, color=COLOURS[net], marker=SHAPES[net], ms=5.5, lw=1.8, label=NETS[net])
        for at, value, (_, sign) in zip(x, middle, known, strict=True):
            if sign:
                axes.annotate(
                    "", (at, value * (ARROW if sign == "≥" else 1 / ARROW)), (at, value),
                    arrowprops={"arrowstyle": "-|>", "color": COLOURS[net], "shrinkA": 0, "shrinkB": 0},
                )  # fmt: skip
    _times_axis(axes, [row for _, rows in lines.values() for row in rows])
    ends = {}
    for net, (x, rows) in lines.items() if named else ():
        last = int(np.argmin(x)) if axes.xaxis_inverted() else int(np.argmax(x))
        ends[net] = (x[last], float(np.clip(known_end(rows[last])[0], *axes.get_ylim())))
    _name_lines(axes, ends)
    if not lines:
        axes.text(0.5, 0.5, "no rate at which an effect is known", transform=axes.transAxes, ha="center")


def _times_axis(axes: Axes, rows: Sequence[Row]) -> None:
    """Make the y axis one of times fewer steps, with 1 and the band of no material difference."""
    known = [known_end(row) for row in rows]
    ends = [end for row in rows for end in row.decided if 0 < end < math.inf]
    ends += [value * {"≥": ARROW, "≤": 1 / ARROW, "": 1.0}[sign] for value, sign in known]
    low, high = max(min([0.5, *ends]) / 1.15, 1 / MOST), min(max([2.0, *ends]) * 1.3, MOST)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    band = rows[0].band if rows else None
    if band:
        axes.axhspan(band.low, band.high, color=INK, alpha=0.09, lw=0)
    axes.axhline(1, color=INK, lw=1)
    axes.yaxis.set_major_locator(FixedLocator([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda times, _: f"{plain_number(times)}×"))
    axes.set_ylabel("steps without BN ÷ steps with BN")


def _name_lines(axes: Axes, ends: Mapping[str, tuple[float, float]]) -> None:
    """Write each line's name to the right of the axes, at the height of its end, none over another."""
    low, high = np.log(axes.get_ylim())
    heights = {net: float((np.log(y) - low) / (high - low)) for net, (_, y) in ends.items()}
    order = sorted(heights, key=heights.__getitem__)
    places = [heights[net] for net in order]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + LABEL)
    for i in range(len(places) - 1, -1, -1):
        places[i] = min(places[i], 1.0 - LABEL * (len(places) - 1 - i))
    for net, place in zip(order, places, strict=True):
        axes.annotate(
            NETS[net], ends[net], (1.02, place), textcoords="axes fraction", color=COLOURS[net], fontsize=9,
            va="center", fontweight="bold", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": COLOURS[net], "lw": 0.7, "alpha": 0.6, "relpos": (0, 0.5)},
        )  # fmt: skip


def _draw_strip(axes: Axes, rates: Mapping[str, Sequence[float]], words: str) -> None:
    """Mark the rates at which one arm alone trains: a lane a network, in its colour and shape."""
    for lane, (net, of_net) in enumerate(rates.items()):
        axes.plot(
            of_net, [lane] * len(of_net), SHAPES[net], color=COLOURS[net], ms=6, mfc="none", mew=1.5, clip_on=False
        )
    axes.set_ylim(len(rates) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="x", which="both", length=0)
    axes.set_ylabel(words, rotation=0, ha="right", va="center", fontsize=8)


def _draw_accuracies(axes: Axes, of_net: Results) -> None:
    config, table = of_net.config, of_net.table
    rates = [float(rate) for rate in config.grid[LEARNING_RATE]]
    runs = table[table["seed"].isin(config.seeds) & table[LEARNING_RATE].isin(rates)]
    styles = arm_styles(ARMS)
    for arm, words in ARMS.items():
        by_rate = runs[runs["arm"] == arm].groupby(LEARNING_RATE)["late_validation_accuracy"]
        quartiles = 100 * by_rate.quantile(np.array([0.25, 0.5, 0.75])).unstack()
        if quartiles.empty:
            continue
        x = quartiles.index.to_numpy(float)
        axes.fill_between(x, quartiles[0.25], quartiles[0.75], color=styles[arm].colour, alpha=0.18, lw=0)
        axes.plot(x, quartiles[0.5], marker=styles[arm].marker, ms=4.5, lw=1.6, label=words, **line_of(styles[arm]))
    log_axis(axes)
    axes.set_ylim(-2, 102)


def _titles(figure: Figure, question: str, words: str) -> None:
    figure.suptitle(question, x=0.01, ha="left", fontsize=11, fontweight="bold")
    figure.supxlabel(words, x=0.01, ha="left", fontsize=8)
