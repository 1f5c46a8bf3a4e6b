"""README's first screen, as drawn."""

from __future__ import annotations

import itertools
import math
import xml.etree.ElementTree as ET

import pandas as pd
import pytest
from claim_results import STEPS, claim, experiment, row
from matplotlib.figure import Figure

from experiments.analysis.claims import ClaimResult, Row
from experiments.analysis.part_runs import Results
from experiments.reporting.figures import svg_file
from experiments.reporting.headline_figures import (
    COLOURS,
    accuracy_by_rate_figure,
    at_a_glance_figure,
    rates_alone,
    rows_by,
    steps_by_accuracy_figure,
    steps_by_rate_figure,
)

TUNED = STEPS | {"level": "ladder", "tuned_for": "measure"}
ALONE = {"custom_bn": (1.0, 3.0), "no_bn": (0.001,)}


def at_rates(net: str, effects: dict[float, object], **of: object) -> list[Row]:
    return [row([effect] * 20, held={"net": net, "learning rate": rate}, of=of) for rate, effect in effects.items()]


def judged() -> list[ClaimResult]:
    levels = [row([m] * 20, TUNED, held={"net": "relu", "level": level}) for level, m in ((0.9, 2.0), (0.8, 4.0))]
    return [
        claim("faster_at_equal_rate", "supported", *at_rates("relu", {0.1: 3.0, 0.01: 1.5}, alone=ALONE)),
        claim("faster_when_tuned", "supported", *levels),
        claim("faster_cnn", "reversed", *at_rates("cnn", {0.01: 0.5, 0.1: (2.0, math.inf)})),
        claim("faster_elsewhere", "supported", *at_rates("sigmoid_x1", {0.1: 9.0})),
    ]


def lines(figure: Figure) -> dict[str, list[tuple[float, float]]]:
    """Colour → the points of the line that has it, in the panel of effects."""
    axes = max(figure.axes, key=lambda axes: axes.get_position().height)
    return {line.get_color(): [(float(x), float(y)) for x, y in zip(*line.get_data(), strict=True)]
            for line in axes.get_lines() if line.get_color() in COLOURS.values()}  # fmt: skip


def texts(figure: Figure) -> set[str]:
    return {t.strip() for t in ET.fromstring(svg_file(figure, "x")).itertext() if t.strip()}


def test_rows_are_found_by_network_in_the_order_of_the_moderator() -> None:
    found = rows_by(judged(), ("faster_at_equal_rate", "faster_cnn"), "learning rate")
    assert {net: [row.moderators["learning rate"] for row in rows] for net, rows in found.items()} == {
        "relu": [0.01, 0.1], "cnn": [0.01, 0.1]}  # fmt: skip


def test_times_fewer_steps_are_a_line_a_network_over_the_rates() -> None:
    figure = steps_by_rate_figure(judged(), "MNIST")
    assert lines(figure) == {COLOURS["relu"]: [(0.01, 1.5), (0.1, 3.0)], COLOURS["cnn"]: [(0.01, 0.5), (0.1, 2.0)]}
    assert {"ReLU MLP", "ReLU CNN", "learning rate, the same with and without BN"} <= texts(figure)
    assert any("(MNIST)" in text for text in texts(figure))


def test_rates_at_which_one_arm_alone_trains_stand_at_the_edge_in_the_network_s_colour() -> None:
    assert rates_alone(judged()) == {"relu": {"custom_bn": [1.0, 3.0], "no_bn": [0.001]}}
    above, _, below = steps_by_rate_figure(judged(), "MNIST").axes
    for strip, rates in ((above, [1.0, 3.0]), (below, [0.001])):
        (line,) = strip.get_lines()
        assert line.get_xdata() == pytest.approx(rates)
        assert line.get_color() == COLOURS["relu"]
    assert len(steps_by_rate_figure(judged()[2:], "MNIST").axes) == 1


def test_rates_at_which_one_arm_alone_trains_are_shown_where_both_never_do() -> None:
    never = claim("faster_at_equal_rate", "not tested", row([], held={"net": "relu"}, of={"alone": ALONE}))
    assert rates_alone([never]) == {"relu": {"custom_bn": [1.0, 3.0], "no_bn": [0.001]}}
    assert len(steps_by_rate_figure([never], "MNIST").axes) == 3


def test_a_bound_has_an_arrow_and_the_band_is_shaded() -> None:
    figure = steps_by_rate_figure(judged()[2:], "MNIST")
    (axes,) = figure.axes
    arrows = [text.arrow_patch for text in axes.texts if getattr(text, "arrow_patch", None) and not text.get_text()]
    assert len(arrows) == 1
    box = axes.patches[0].get_extents().transformed(axes.transData.inverted())
    assert (box.y0, box.y1) == pytest.approx((0.8, 1.25))


def test_accuracy_asked_for_rises_to_the_right_over_the_logarithm_of_the_error() -> None:
    figure = steps_by_accuracy_figure(judged(), "MNIST")
    assert lines(figure)[COLOURS["relu"]] == [pytest.approx((20.0, 4.0)), pytest.approx((10.0, 2.0))]
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert axes.xaxis_inverted()
    assert {"80 %", "90 %"} <= texts(figure)


def test_names_of_lines_that_end_together_do_not_lie_over_each_other() -> None:
    rows = [row for net in ("sigmoid_x1", "sigmoid_x4", "relu") for row in at_rates(net, {0.1: 2.0})]
    figure = steps_by_rate_figure([claim("faster_at_equal_rate", "supported", *rows)], "MNIST")
    heights = sorted(text.xyann[1] for text in figure.axes[0].texts if text.get_text())
    assert min(b - a for a, b in itertools.pairwise(heights)) > 0.06
    assert heights[-1] <= 1


def test_accuracy_by_rate_is_the_median_of_evaluation_seeds_at_the_rates_of_the_grid() -> None:
    config = experiment()  # rates 0.1 and 1; evaluation seeds 0, 1, 2 and 7
    accuracies = {0: 0.1, 1: 0.5, 2: 0.7, 7: 0.9, 100: 0.0}
    table = pd.DataFrame(
        [{"arm": "custom_bn", "optimizer.learning_rate": rate, "seed": seed, "late_validation_accuracy": found}
         for rate in (0.1, 0.3, 1.0) for seed, found in accuracies.items()]
    )  # fmt: skip
    figure = accuracy_by_rate_figure({"relu": Results(config, table), "elsewhere": Results(config, table)}, "MNIST")
    (axes,) = figure.axes
    (line,) = axes.get_lines()
    assert line.get_xdata().tolist() == [0.1, 1.0]
    assert line.get_ydata().tolist() == pytest.approx([60, 60])
    assert "ReLU MLP" in texts(figure)


def test_a_network_of_which_only_tuning_runs_are_at_hand_has_an_empty_panel() -> None:
    run = {"arm": "custom_bn", "optimizer.learning_rate": 0.1, "seed": 100, "late_validation_accuracy": 0.9}
    (axes,) = accuracy_by_rate_figure({"relu": Results(experiment(), pd.DataFrame([run]))}, "MNIST").axes
    assert not axes.get_lines()


def test_at_a_glance_both_ratios_have_one_axis_and_networks_one_legend() -> None:
    results = [*judged(), claim("faster_cnn", "supported", *at_rates("cnn", {1.0: 40.0}))]
    figure = at_a_glance_figure(results, {}, "digits")
    by_rate, by_accuracy, *_ = (axes for part in figure.subfigs for axes in part.axes)
    for axes, alone in ((by_rate, steps_by_rate_figure), (by_accuracy, steps_by_accuracy_figure)):
        low, high = max(alone(results, "digits").axes, key=lambda of: of.get_position().height).get_ylim()
        assert axes.get_ylim()[0] <= low < high <= axes.get_ylim()[1]
    shown = [
        [tuple(map(float, y)) for y in (line.get_ydata() for line in axes.get_lines())]
        for axes in (by_rate, by_accuracy)
    ]
    assert (1.5, 3.0) in shown[0]
    assert (4.0, 2.0) in shown[1]
    assert {"sigmoid MLP", "ReLU MLP", "ReLU CNN"} & texts(figure) == {"ReLU MLP", "ReLU CNN"}


def test_without_results_the_figures_say_so() -> None:
    assert "no rate at which an effect is known" in texts(steps_by_rate_figure([], "MNIST"))
    assert texts(steps_by_accuracy_figure([], "MNIST"))
    assert texts(accuracy_by_rate_figure({}, "MNIST"))
