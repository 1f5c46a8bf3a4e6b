"""Which pictures of its own quantity does a claim get, by what its parts declare?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from claim_results import POINTS, STEPS, claim, experiment, row

from experiments.analysis.claims import Row
from experiments.analysis.part_runs import Results, Side
from experiments.configuration.claim import PartConfig
from experiments.reporting.figures import inline_svg
from experiments.reporting.quantities import Panel, panels_of, side_numbers
from experiments.reporting.quantity_figures import quantity_figure
from experiments.reporting.quantity_words import quantity_words

AXIS = {"measure": "late_value", "effect": "difference", "band": 0.2, "per_seed": "share_training"} | {
    "axis": "model.init_scale",
    "baseline": "no_bn",
    "treatment": "custom_bn",
}


def side(*values: float, high: float | None = None, **fields: Any) -> Side:
    low = np.array(values)
    return Side(low, np.full(len(low), high) if high is not None else low, **fields)


def measured(part: dict[str, Any], held: dict[str, Any], no_bn: Side, custom_bn: Side, **fields: Any) -> Row:
    sides = {fields.get("baseline", "no_bn"): no_bn, fields.get("treatment", "custom_bn"): custom_bn}
    alone = fields.pop("alone", {})
    return row([2.0] * 3, part, held=held, of={"sides": sides, "alone": alone}, **fields)


def panels(*rows: Row, results: dict[str, Results] | None = None) -> list[Panel]:
    return panels_of(claim("x", "supported", *rows), results or {})


def at_rates(net: str, steps: dict[float, tuple[float, float]], **fields: Any) -> list[Row]:
    return [
        measured(STEPS, {"net": net, "learning rate": rate}, side(*[no_bn] * 3), side(*[bn] * 3), **fields)
        for rate, (no_bn, bn) in steps.items()
    ]


def test_rows_that_differ_in_a_rate_are_a_line_over_it_a_panel_a_network() -> None:
    relu, cnn = panels(
        *at_rates("relu", {0.1: (300, 200), 0.01: (900, 800)}), *at_rates("cnn", {0.1: (5, 4), 1: (2, 1)})
    )
    assert (relu.title, relu.over, relu.quantity) == ("relu", "learning rate", "steps to the level")
    assert [(of.label, of.x.tolist(), of.middle.tolist()) for of in relu.series] == [
        ("no_bn", [0.01, 0.1], [900, 300]),
        ("custom_bn", [0.01, 0.1], [800, 200]),
    ]
    assert (cnn.title, relu.logarithmic) == ("cnn", True)


def test_rates_at_which_one_arm_alone_trains_stand_beside_the_line() -> None:
    (panel,) = panels(*at_rates("relu", {0.1: (3, 2), 1: (2, 1)}, alone={"custom_bn": (10.0,)}))
    assert [of.alone for of in panel.series] == [(), (10.0,)]


def test_a_part_that_reduces_an_axis_is_shown_over_that_axis() -> None:
    sides = [
        side(0.5, 0.5, places=(0.1, 1.0), values=np.array([[0.1, 0.2, 0.6], [0.8, 0.9, 1.0]])),
        side(1.0, 1.0, places=(0.1, 1.0), values=np.full((2, 3), 0.9)),
    ]
    (panel,) = panels(measured(AXIS, {}, *sides))
    assert (panel.over, panel.quantity) == ("init scale", "validation accuracy at the end (%)")
    assert panel.series[0].middle.tolist() == pytest.approx([20, 90])
    assert (panel.series[0].low[0], panel.series[0].high[0]) == pytest.approx((10, 60))


def test_arms_that_differ_with_what_the_panel_runs_over_are_one_series() -> None:
    rows = [
        measured(POINTS, {"batch": float(batch)}, side(0.97), side(0.9 + batch / 1000),
                 baseline="mlp_bn_32", treatment=f"mlp_bn_{batch}")
        for batch in (16, 4, 2)
    ]  # fmt: skip
    (panel,) = panels(*rows)
    assert [(of.label, of.x.tolist()) for of in panel.series] == [("mlp_bn_32", [2, 4, 16]), ("mlp_bn_…", [2, 4, 16])]
    assert panel.series[1].middle.tolist() == pytest.approx([90.2, 90.4, 91.6])


def test_rows_that_differ_in_words_are_lanes_and_a_number_somewhere_a_word_is_one() -> None:
    rows = [
        measured(POINTS, {"net": net, "scale": scale}, side(0.5), side(0.9))
        for net, scale in (("sigmoid", 1.0), ("sigmoid", 4.0), ("relu", "He"))
    ]
    (panel,) = panels(*rows)
    assert panel.lanes == ("sigmoid, scale 1", "sigmoid, scale 4", "relu, scale He")
    assert [of.middle.tolist() for of in panel.series] == [[50] * 3, [90] * 3]


def test_a_level_that_was_not_reached_leaves_the_least() -> None:
    (panel,) = panels(measured(STEPS, {}, side(400.0, 400.0, high=math.inf), side(20.0, 30.0)))
    assert [(of.open.tolist(), of.middle.tolist()) for of in panel.series] == [([True], [400.0]), ([False], [25.0])]


def test_the_same_values_are_drawn_once_with_what_both_hold() -> None:
    def priced(layer: str) -> list[Row]:
        return [
            measured(STEPS, {"net": "relu", "layer": layer, "level": level}, side(9.0), side(3.0), name=layer)
            for level in (0.8, 0.9)
        ]

    (panel,) = panels(*priced("custom"), *priced("stock"))
    assert (panel.title, panel.over) == ("relu", "level (%)")
    assert panel.series[0].x.tolist() == [80, 90]


def test_training_loss_is_set_against_test_loss() -> None:
    gap = {"measure": "gap_at_training_loss", "effect": "ratio", "over": "treatment"} | {
        "baseline": "no_bn",
        "treatment": "custom_bn",
    }
    (panel,) = panels(*[measured(gap, {"training loss": at}, side(3.0), side(2.0)) for at in (0.1, 1.0)])
    assert (panel.quantity, panel.over) == ("test loss", "training loss")
    assert panel.series[0].middle.tolist() == pytest.approx([0.3, 3.0])


def test_what_is_held_against_a_bound_needs_no_picture_beside_its_effect() -> None:
    found = {"measure": "worst_value", "metric": "error", "effect": "level", "bound": {"at_most": 1}}
    assert panels(row([0.5], found, treatment="custom_bn", of={"sides": {"custom_bn": side(0.5)}})) == []


def results() -> dict[str, Results]:
    import pandas as pd

    table = pd.DataFrame({"status": ["finished", "diverged"], "late_validation_accuracy": [0.9, 0.0]})
    return {"x": Results(experiment(), table)}


def test_an_arm_has_its_rate_its_accuracy_and_the_runs_that_diverged() -> None:
    no_bn = side(0.9, 0.0, rate=0.3, runs=np.array([[0, 1]]))
    found = measured(POINTS, {"net": "relu"}, no_bn, side(0.9, 0.9, runs=np.array([[0, 0]])))
    numbers = side_numbers(found, "baseline", "x", results())
    assert numbers
    assert (numbers.arm, numbers.rate, numbers.accuracy, numbers.diverged, numbers.runs) == ("no_bn", 0.3, 45.0, 1, 2)
    assert side_numbers(found, "whole", "x", results()) is None
    (panel,) = panels(found, results=results())
    assert [(of.kind, of.diverged.tolist()) for of in panel.series] == [("none", [1]), ("custom", [0])]


def test_quantities_are_called_by_their_names() -> None:
    def words(**fields: Any) -> str:
        return quantity_words(
            PartConfig.model_validate({"effect": "ratio", "baseline": "a", "treatment": "b"} | fields)
        )

    assert words(measure="late_value", budget=0.25) == "validation accuracy at the end, first 25 % of the steps (%)"
    assert words(measure="mean_value", metric="landscape/loss_range") == "landscape: loss range, mean"
    assert words(measure="value_at_step", metric="gradient_norm/1", step=100) == "gradient norm 1 at step 100"
    assert words(measure="late_value", metric="saturation/all", matched=True) == "saturation at equal training loss"


def test_the_figure_draws_every_panel_and_arms_in_one_colour() -> None:
    rows = at_rates("relu", {0.1: (300, 200), 0.01: (900, 800)}, alone={"custom_bn": (10.0,)})
    lanes = measured(POINTS, {"net": "cnn"}, side(0.5, 0.6), side(0.9, 0.9))
    figure = quantity_figure(panels(*rows, lanes))
    over_rates, of_lanes = figure.axes
    assert [line.get_color() for line in over_rates.get_lines()[:2]] != []
    colours = [{line.get_color() for line in axes.get_lines()} for axes in (over_rates, of_lanes)]
    assert colours[0] == colours[1] == {"#C77700", "#5F55CF"}
    svg = inline_svg(figure, "x", "steps")
    for text in ("at the top: only this arm trains", "steps to the level", ">90.0<", ">55.0<"):
        assert text in svg
