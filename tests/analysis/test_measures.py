from __future__ import annotations

import typing
from math import inf, isnan, nan

import numpy as np
import pytest

from experiments.analysis import measures
from experiments.configuration.claim import MeasureName, PartConfig
from experiments.configuration.run import RunConfig
from experiments.records.storage import Curve, Record, Status


def curve(values: dict[int, float]) -> Curve:
    return Curve(np.array(list(values), np.int64), np.array(list(values.values()), float))


def record(
    curves: dict[str, dict[int, float]] | None = None,
    status: Status = "finished",
    diverged_at: int | None = None,
    seconds: dict[int, float] | None = None,
    timed: bool = True,
) -> Record:
    named = {name: curve(values) for name, values in (curves or {}).items()}
    return Record(RunConfig(timed=timed), status, named, diverged_at, seconds=curve(seconds or {}))


LEARNING = {"accuracy/validation": {0: 0.1, 50: 0.8, 100: 0.93, 150: 0.91}}


def test_seconds_per_step_is_the_median_over_intervals():
    # 0.02, 0.01 and 0.10 seconds a step
    assert measures.seconds_per_step(record(seconds={0: 0.0, 50: 1.0, 100: 1.5, 110: 2.5})) == pytest.approx(0.02)
    assert isnan(measures.seconds_per_step(record(seconds={50: 1.0})))


@pytest.mark.parametrize(
    ("metric", "worst"),
    [("accuracy/test", 0.0), ("loss/test", inf), ("saturation/all", 1.0), ("attacked/pgd/0.1", 0.0)],
)
def test_a_diverged_run_ends_with_the_worst_value_whatever_was_measured(metric: str, worst: float):
    assert measures.final_value(record({metric: {0: 0.3, 50: 0.5}}, "diverged", 40), metric) == worst
    assert measures.final_value(record({metric: {0: 0.3, 50: 0.5}}), metric) == 0.5


def test_a_diverged_run_has_no_final_value_of_a_metric_without_a_worst_end():
    assert isnan(measures.final_value(record({"gradient_norm/1": {0: 1.0}}, "diverged", 40), "gradient_norm/1"))


def test_the_late_value_is_the_median_of_the_last_three_and_the_worst_of_a_diverged_run():
    assert measures.late_value(record(LEARNING), "accuracy/validation") == 0.91  # of 0.8, 0.93, 0.91
    assert measures.late_value(record(LEARNING, "diverged", 200), "accuracy/validation") == 0.0
    assert isnan(measures.late_value(record(), "accuracy/validation"))


def test_a_curve_has_one_value_an_evaluation_from_step_0_on():
    assert measures.evaluations(record(LEARNING), "accuracy/validation") == [0.1, 0.8, 0.93, 0.91]
    assert measures.evaluations(record({"loss/train": {1: 9.0, 50: 2.0, 99: 8.0, 150: 1.0}}), "loss/train") == (
        pytest.approx([nan, 2.0, nan, 1.0], nan_ok=True)
    )
    assert measures.evaluations(record(), "loss/train") == []


def test_a_curve_ends_before_divergence():
    diverged = record(LEARNING, "diverged", 100)
    assert measures.evaluations(diverged, "accuracy/validation") == [0.1, 0.8]
    assert measures.evaluations(record(LEARNING, "diverged", 0), "accuracy/validation") == []


def test_a_curve_is_the_mean_over_all_below_its_name_unless_there_is_one_of_that_name():
    layers = {"change/1": {0: 1.0, 50: 3.0}, "change/2": {0: 5.0, 50: 7.0}, "changed": {0: 99.0}}
    assert measures.evaluations(record(layers), "change") == [3.0, 5.0]
    assert measures.evaluations(record(layers | {"change": {0: 2.0}}), "change") == [2.0]


def test_best_value_is_the_highest_accuracy_and_the_lowest_loss():
    assert measures.best_value(record(LEARNING), "accuracy/validation") == 0.93
    assert measures.best_value(record({"loss/test": {0: 2.3, 50: 0.4, 100: 0.7}}), "loss/test") == 0.4
    assert measures.best_value(record(LEARNING, "diverged", 60), "accuracy/validation") == 0.8
    assert measures.best_value(record({}, "diverged", 0), "accuracy/validation") == 0.0


def test_worst_value_is_the_largest_magnitude_under_the_name():
    probed = record({"standardization/mean": {0: 1e-6, 50: -3e-4}, "standardization/meaning": {0: 9.0}})
    assert measures.worst_value(probed, "standardization/mean") == 3e-4
    by_layer = record({"error/1": {0: 1.0}, "error/2": {0: 2.0, 50: 0.5}})
    assert measures.worst_value(by_layer, "error/") == measures.worst_value(by_layer, "error") == 2.0
    assert measures.worst_value(record({"error": {0: 1.0, 50: np.nan}}), "error") == inf
    assert isnan(measures.worst_value(record(), "error"))


def test_the_largest_fall_is_a_share_of_the_value_before_it():
    norms = {"weight_norm/1": {0: 4.0, 50: 5.0, 100: 4.5}, "weight_norm/2": {0: 1.0, 50: 0.8, 100: 2.0}}
    assert measures.largest_fall(record(norms), "weight_norm/1") == pytest.approx(0.1)
    assert measures.largest_fall(record(norms), "weight_norm") == pytest.approx(0.2)
    assert measures.largest_fall(record({"weight_norm/1": {0: 1.0, 50: 1.0, 100: 3.0}}), "weight_norm/1") == 0.0
    assert measures.largest_fall(record({"weight_norm/1": {0: 1.0, 50: np.nan}}), "weight_norm/1") == inf
    assert isnan(measures.largest_fall(record({"weight_norm/1": {0: 1.0}}), "weight_norm/1"))
    assert measures.largest_fall(record(norms, "diverged", 80), "weight_norm/1") == 0.0  # it fell after that


def test_value_at_step_is_nan_between_evaluations_and_after_divergence():
    norms = {"gradient_norm/1": {0: 4.0, 100: 2.0}}
    assert measures.value_at_step(record(norms), "gradient_norm/1", 100) == 2.0
    assert isnan(measures.value_at_step(record(norms), "gradient_norm/1", 50))
    assert isnan(measures.value_at_step(record(norms, "diverged", 80), "gradient_norm/1", 100))


def percentiles(layer: int, unit: str, p15: list[float], p50: list[float], p85: list[float]) -> dict:
    by_percent = {15: p15, 50: p50, 85: p85}
    return {
        f"pre_activation/{layer}/{unit}/p{percent}": dict(zip((0, 50, 100), values, strict=True))
        for percent, values in by_percent.items()
    }


def test_drift_is_the_largest_movement_so_far_in_spreads_median_over_units_of_the_last_layer():
    probed = record(
        percentiles(2, "unit_000", [-1, -1, -1], [0, 0, 0], [1, 1, 1])  # no movement: 0, 0, 0
        | percentiles(2, "unit_001", [-1, -3, -1], [0, -2, 0], [1, 0, 1])  # p15, p50 by 2; spreads 2, 3, 2: 0, 2/3, 1
        | percentiles(2, "unit_002", [0, 0, 0], [0, 5, 1], [2, 2, 2])  # p50 by 5, spread 2: 0, 2.5, 2.5
        | percentiles(1, "unit_009", [0, 99, 0], [0, 0, 0], [1, 1, 1])  # not the last layer
        | {"pre_activation/3/p15": {0: 0.0, 50: 9.0, 100: 0.0}}  # the output layer's, without units
    )
    assert measures.drift(probed) == pytest.approx([0.0, 2 / 3, 1.0])


def test_a_unit_without_spread_drifts_infinitely_if_it_moved_and_not_at_all_if_it_did_not():
    assert measures.drift(record(percentiles(1, "unit_000", [0, 1, 2], [0, 1, 2], [0, 1, 2]))) == [0.0, inf, inf]
    assert measures.drift(record(percentiles(1, "unit_000", [2, 2, 2], [2, 2, 2], [2, 2, 2]))) == [0.0, 0.0, 0.0]


def test_a_run_that_was_not_probed_has_no_drift():
    assert measures.drift(record()) == []


def test_gradient_ratio_is_first_over_output_layer_by_number_not_by_name():
    norms = {f"gradient_norm/{layer}": {0: value} for layer, value in {1: 2.0, 9: 50.0, 10: 8.0}.items()}
    assert measures.gradient_ratio(record(norms), 0) == 0.25
    assert isnan(measures.gradient_ratio(record(norms), 100))
    assert measures.gradient_ratio(record(norms | {"gradient_norm/10": {0: 0.0}}), 0) == inf
    dead = {"gradient_norm/1": {0: 0.0}, "gradient_norm/2": {0: 0.0}}
    assert isnan(measures.gradient_ratio(record(dead), 0))


def part(measure: str, **fields: object) -> PartConfig:
    least = {"step": 0} if measure in ("value_at_step", "gradient_ratio") else {}
    least |= (
        {"metric": "landscape"} if measure in ("worst_value", "mean_value", "value_at_step", "largest_fall") else {}
    )
    least |= {"level": 0.5} if measure == "steps_to_level" else {}
    common = {"measure": measure, "effect": "level", "treatment": "bn", "role": "beside"}
    return PartConfig.model_validate(common | least | fields)


EVERYTHING = record(
    LEARNING
    | percentiles(1, "unit_000", [0, 0, 0], [1, 1, 1], [2, 2, 2])
    | {
        "accuracy/test": {100: 0.9},
        "loss/train": {0: 2.0, 50: 1.0},
        "loss/training_split": {0: 2.1, 50: 0.9},
        "loss/test": {0: 2.2, 50: 1.1},
        "gradient_norm/1": {0: 1.0},
        "gradient_norm/2": {0: 4.0},
        "landscape/smoothness": {0: 3.0, 50: -5.0},
    },
    seconds={0: 0.0, 100: 1.0},
)


@pytest.mark.parametrize(
    ("asked", "columns"),
    [
        (part("steps_to_level"), {"accuracy/validation": [0.1, 0.8, 0.93, 0.91]}),
        (part("steps_to_level", metric="accuracy/test"), {"accuracy/test": [nan, nan, 0.9]}),
        (part("late_value"), {"accuracy/validation": [0.1, 0.8, 0.93, 0.91]}),
        (part("late_value", matched=True), {"accuracy/validation": [0.1, 0.8, 0.93, 0.91], "loss/train": [2.0, 1.0]}),
        (part("final_value"), {"final(accuracy/test)": 0.9}),
        (part("final_value", metric="accuracy/validation"), {"final(accuracy/validation)": 0.91}),
        (part("value_at_step"), {"landscape": [3.0, -5.0]}),
        (part("mean_value"), {"landscape": [3.0, -5.0]}),
        (part("worst_value"), {"worst(landscape)": 5.0}),
        (part("largest_fall"), {"fall(landscape)": 8 / 3}),
        (part("drift"), {"drift": [0.0, 0.0, 0.0]}),
        (part("drift", matched=True), {"drift": [0.0, 0.0, 0.0], "loss/train": [2.0, 1.0]}),
        (part("gap_at_training_loss"), {"loss/training_split": [2.1, 0.9], "loss/test": [2.2, 1.1]}),
        (part("gradient_ratio"), {"gradient_ratio(step 0)": 0.25}),
        (part("largest_rate"), {}),
        (part("seconds_per_step"), {"seconds_per_step": 0.01}),
    ],
    ids=lambda value: value.measure if isinstance(value, PartConfig) else "",
)
def test_a_measure_is_read_from_its_columns(asked: PartConfig, columns: dict[str, object]):
    assert measures.columns_of(asked) == tuple(columns)
    for name, value in columns.items():
        assert measures.column_value(EVERYTHING, name) == pytest.approx(value, nan_ok=True)


def test_every_name_of_the_schema_has_its_columns():
    for measure in typing.get_args(MeasureName):
        assert bool(measures.columns_of(part(measure))) == (measure != "largest_rate")


def test_a_failed_run_has_no_value_in_any_column():
    failed = Record(EVERYTHING.config, "failed", EVERYTHING.curves, seconds=EVERYTHING.seconds)
    for measure in typing.get_args(MeasureName):
        for name in measures.columns_of(part(measure, matched=measure in ("late_value", "mean_value", "drift"))):
            value = measures.column_value(failed, name)
            assert value == [] or isnan(value), name


def test_seconds_of_a_run_that_was_not_timed_count_for_nothing():
    untimed = record(LEARNING, seconds={0: 0.0, 100: 1.0}, timed=False)
    assert isnan(measures.column_value(untimed, "seconds_per_step"))
