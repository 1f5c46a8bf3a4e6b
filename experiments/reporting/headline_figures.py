"""What does batch normalization do for training, in three pictures?

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
from experiments.analysis.comparison import Results
from experiments.configuration.experiment import LEARNING_RATE
from experiments.reporting.figures import INK, STYLE, log_axis, new_figure
from experiments.reporting.wording import format_times, plain_number

AT_EQUAL_RATE, WHEN_TUNED, CNN = "faster_at_equal_rate", "faster_when_tuned", "faster_cnn"
RATE, LEVEL = "learning rate", "level"
NETS = {  # as the core experiments name them
    "sigmoid_x1": "MLP, sigmoid, Glorot weights",
    "sigmoid_x4": "MLP, sigmoid, Glorot weights × 4",
    "relu": "MLP, ReLU, He weights",
    "cnn": "CNN, ReLU, He weights",
}
COLOURS = {"sigmoid_x1": "#E69F00", "sigmoid_x4": "#CC79A7", "relu": "#0072B2", "cnn": "#009E73"}
SHAPES = {"sigmoid_x1": "o", "sigmoid_x4": "^", "relu": "s", "cnn": "D"}
LATE = "late_validation_accuracy"
MOST = 100.0  # times fewer steps; more is drawn at the edge
ARMS = {"no_bn": ("without BN", "#808A94"), "custom_bn": ("with BN", "#0072B2")}


def rows_by(results: Iterable[ClaimResult], claims: Sequence[str], moderator: str) -> dict[str, list[Row]]:
    """Return network → the rows of these claims that stand at a value of a moderator and have an effect, in order."""
    found: dict[str, list[Row]] = {}
    for result in results:
        for row in result.rows if result.id in claims else ():
            if moderator in row.moderators and row.comparison.seeds:
                found.setdefault(str(row.moderators.get("net")), []).append(row)
    return {net: sorted(found[net], key=lambda row: row.moderators[moderator]) for net in NETS if net in found}


@mpl.rc_context(STYLE)
def steps_by_rate_figure(results: Sequence[ClaimResult], data: str) -> Figure:
    """Draw how many times fewer steps at the same rate, a line a network, and the rates that only one arm trains at."""
    found = rows_by(results, (AT_EQUAL_RATE, CNN), RATE)
    figure, (axes,) = new_figure(4.3)
    _times_axis(axes)
    for net, rows in found.items():
        _draw_line(axes, net, [float(row.moderators[RATE]) for row in rows], rows)
    only = {net: rows[0].comparison.alone for net, rows in found.items()}
    for lane, net in enumerate(found):
        for arm, edge in (("custom_bn", 0.985 - 0.035 * lane), ("no_bn", 0.015 + 0.035 * lane)):
            rates = [float(rate) for rate in only[net].get(arm, ())]
            axes.plot(
                rates, [edge] * len(rates), SHAPES[net], transform=axes.get_xaxis_transform(), color=COLOURS[net], ms=6,
                mfc="none", mew=1.3, clip_on=False,
            )  # fmt: skip
    log_axis(axes)
    axes.set(xlabel="learning rate, the same with and without", ylabel="times fewer steps with BN")
    axes.set_title(f"How many times fewer steps to the same accuracy, by learning rate ({data})", loc="left")
    axes.annotate("hollow, top: only the network with BN trains", (0.01, 0.03), xycoords="axes fraction", fontsize=8)
    _legend(axes, found)
    return figure


@mpl.rc_context(STYLE)
def steps_by_accuracy_figure(results: Sequence[ClaimResult], data: str) -> Figure:
    """Draw how many times fewer steps, each arm at its fastest rate, by the accuracy asked for, a line a network."""
    found = rows_by(results, (WHEN_TUNED, CNN), LEVEL)
    figure, (axes,) = new_figure(4.0)
    _times_axis(axes)
    errors = [100 * (1 - row.moderators[LEVEL]) for rows in found.values() for row in rows] or [1.0, 100.0]
    for net, rows in found.items():
        _draw_line(axes, net, [100 * (1 - float(row.moderators[LEVEL])) for row in rows], rows)
    axes.set_xscale("log")
    axes.set_xlim(max(errors) * 1.15, min(errors) / 1.15)
    ticks = [
        error for error in (50, 40, 30, 20, 15, 10, 7, 5, 4, 3, 2, 1) if min(errors) / 1.15 < error < max(errors) * 1.15
    ]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda error, _: f"{plain_number(100 - error)} %"))
    axes.set(xlabel="validation accuracy asked for (the axis is the error, on a logarithmic scale)")
    axes.set_ylabel("times fewer steps with BN")
    axes.set_title(f"… with the best learning rate for each, by the accuracy asked for ({data})", loc="left")
    _legend(axes, found)
    return figure


@mpl.rc_context(STYLE)
def accuracy_by_rate_figure(core: Mapping[str, Results], data: str) -> Figure:
    """Draw accuracy at the end against the learning rate, median and quartiles over seeds, a panel a network."""
    nets = [net for net in NETS if net in core]
    figure, all_axes = new_figure(4.6, rows=max(1, -(-len(nets) // 2)), columns=2)
    for axes, net in zip(all_axes, nets, strict=False):
        config, table = core[net].config, core[net].table
        rates = [float(rate) for rate in config.grid[LEARNING_RATE]]
        for arm, (words, colour) in ARMS.items():
            of_arm = table[(table["arm"] == arm) & table["seed"].isin(config.seeds) & table[LEARNING_RATE].isin(rates)]
            if of_arm.empty:
                continue
            by_rate = [(rate, group[LATE].to_numpy(float)) for rate, group in of_arm.groupby(LEARNING_RATE)]
            x = [float(str(rate)) for rate, _ in by_rate]
            low, middle, high = 100 * np.array([np.quantile(values, (0.25, 0.5, 0.75)) for _, values in by_rate]).T
            axes.fill_between(x, low, high, color=colour, alpha=0.2, lw=0)
            axes.plot(x, middle, color=colour, marker="o", ms=4, label=words)
        log_axis(axes)
        axes.set_ylim(0, 101)
        axes.set_title(NETS[net], loc="left", fontsize=9)
        axes.set_xlabel("learning rate", fontsize=9)
    for axes in all_axes[len(nets) :]:
        axes.set_axis_off()
    for axes in all_axes[::2]:
        axes.set_ylabel("accuracy (%)", fontsize=9)
    if nets and all_axes[0].get_lines():
        all_axes[0].legend(loc="lower center", fontsize=8.5)
    figure.suptitle(
        f"Validation accuracy at the end, by learning rate ({data}); 0: diverged", fontsize=10, x=0.01, ha="left"
    )
    return figure


def _times_axis(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.axhspan(0.8, 1.25, color=INK, alpha=0.09, lw=0)
    axes.axhline(1, color=INK, lw=1)
    axes.yaxis.set_major_locator(FixedLocator([0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda times, _: format_times(times).replace(".00", "").replace(".0", ""))
    )


def _draw_line(axes: Axes, net: str, x: Sequence[float], rows: Sequence[Row]) -> None:
    estimates = np.array([row.estimate for row in rows])
    ends = np.array([row.usual for row in rows])
    known = np.where(np.isfinite(estimates[:, 0]) & (estimates[:, 0] > 0), estimates[:, 0], estimates[:, 1])
    low, high = np.clip(ends[:, 0], 1 / MOST, MOST), np.clip(ends[:, 1], 1 / MOST, MOST)
    axes.fill_between(x, low, high, color=COLOURS[net], alpha=0.13, lw=0)
    axes.plot(
        x,
        np.clip(known, 1 / MOST, MOST),
        color=COLOURS[net],
        marker=SHAPES[net],
        ms=5.5,
        lw=1.6,
        label=NETS.get(net, net),
    )
    for at, (least, most), value in zip(x, estimates, known, strict=True):
        if math.isinf(most) or least == 0:  # only a bound is known
            axes.annotate(
                "↑" if math.isinf(most) else "↓", (at, np.clip(value, 1 / MOST, MOST)), color=COLOURS[net], ha="center",
                va="bottom" if math.isinf(most) else "top", fontsize=11, xytext=(0, 2 if math.isinf(most) else -2),
                textcoords="offset points",
            )  # fmt: skip


def _legend(axes: Axes, found: Mapping[str, Sequence[Row]]) -> None:
    drawn = [
        end for rows in found.values() for row in rows for end in (*row.usual, *row.estimate) if 0 < end < math.inf
    ]
    low, high = min([0.5, *drawn]), max([2.0, *drawn])
    axes.set_ylim(max(low / 1.3, 1 / MOST), min(high * 1.6, MOST * 1.3))
    if found:
        axes.legend(loc="best", fontsize=8.5)
