from __future__ import annotations

import typing
from math import inf, isnan

import numpy as np
import pytest

from experiments.analysis import measures
from experiments.configuration.claim import ClaimConfig, MeasureName, PartConfig
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


def test_steps_to_target_is_the_first_evaluation_at_or_above_it():
    assert measures.steps_to_target(record(LEARNING), "accuracy/validation", 0.9) == 100
    assert measures.steps_to_target(record(LEARNING), "accuracy/validation", 0.93) == 100
    assert measures.steps_to_target(record(LEARNING), "accuracy/validation", 0.05) == 0


def test_a_target_never_reached_takes_infinitely_many_steps():
    assert measures.steps_to_target(record(LEARNING), "accuracy/validation", 0.94) == inf


def test_a_diverged_run_never_reached_its_target_not_even_before():
    diverged = record(LEARNING, "diverged", diverged_at=100, seconds={50: 2.0, 150: 6.0})
    assert measures.steps_to_target(diverged, "accuracy/validation", 0.9) == inf
    assert measures.steps_to_target(diverged, "accuracy/validation", 0.8) == inf
    assert measures.seconds_to_target(diverged, "accuracy/validation", 0.8) == inf
    assert measures.steps_to_target(record({}, "diverged", 3), "accuracy/validation", 0.8) == inf


def test_a_metric_that_was_not_measured_has_no_steps_to_target():
    assert isnan(measures.steps_to_target(record(), "accuracy/validation", 0.9))


def test_seconds_to_target_are_those_at_the_step_that_reaches_it():
    timed = record(LEARNING, seconds={50: 2.0, 150: 6.0})
    assert measures.seconds_to_target(timed, "accuracy/validation", 0.9) == 4.0
    assert measures.seconds_to_target(timed, "accuracy/validation", 0.99) == inf
    assert isnan(measures.seconds_to_target(record(LEARNING), "accuracy/validation", 0.9))


def test_seconds_per_step_is_the_median_over_intervals():
    # 0.02, 0.01 and 0.10 seconds a step
    assert measures.seconds_per_step(record(seconds={0: 0.0, 50: 1.0, 100: 1.5, 110: 2.5})) == pytest.approx(0.02)
    assert isnan(measures.seconds_per_step(record(seconds={50: 1.0})))


@pytest.mark.parametrize(("metric", "worst"), [("accuracy/test", 0.0), ("loss/test", inf), ("saturation/all", 1.0)])
def test_a_diverged_run_ends_with_the_worst_value_whatever_was_measured(metric: str, worst: float):
    assert measures.final_value(record({metric: {0: 0.3, 50: 0.5}}, "diverged", 40), metric) == worst
    assert measures.final_value(record({metric: {0: 0.3, 50: 0.5}}), metric) == 0.5


def test_a_diverged_run_has_no_final_value_of_a_metric_without_a_worst_end():
    assert isnan(measures.final_value(record({"gradient_norm/1": {0: 1.0}}, "diverged", 40), "gradient_norm/1"))


def test_the_late_value_is_the_median_of_the_last_three():
    assert measures.late_value(record(LEARNING), "accuracy/validation") == 0.91  # of 0.8, 0.93 and 0.91
    assert measures.late_value(record({"loss/test": {0: 2.3, 50: 0.7}}), "loss/test") == 1.5
    assert measures.late_value(record(LEARNING, "diverged", 160), "accuracy/validation") == 0.0
    assert isnan(measures.late_value(record({}, "failed"), "accuracy/validation"))


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


def test_mean_value_is_over_steps_and_layers():
    probed = record({"change/1": {0: 1.0, 50: 3.0}, "change/2": {0: 5.0, 50: 7.0}})
    assert measures.mean_value(probed, "change") == 4.0
    assert isnan(measures.mean_value(record({"change/1": {0: 1.0}}, "diverged", 50), "change"))


def test_value_at_step_is_nan_between_evaluations_and_after_divergence():
    norms = {"gradient_norm/1": {0: 4.0, 100: 2.0}}
    assert measures.value_at_step(record(norms), "gradient_norm/1", 100) == 2.0
    assert isnan(measures.value_at_step(record(norms), "gradient_norm/1", 50))
    assert isnan(measures.value_at_step(record(norms, "diverged", 80), "gradient_norm/1", 100))


def test_first_values_are_the_first_hundred_and_end_at_divergence():
    losses = {"loss/step": {step: float(step) for step in range(1, 151)}}
    assert measures.first_values(record(losses), "loss/step") == [float(step) for step in range(1, 101)]
    assert measures.first_values(record(losses, "diverged", 4), "loss/step") == [1.0, 2.0, 3.0]


def percentiles(layer: int, unit: str, p15: list[float], p50: list[float], p85: list[float]) -> dict:
    by_percent = {15: p15, 50: p50, 85: p85}
    return {
        f"pre_activation/{layer}/{unit}/p{percent}": dict(zip((0, 50, 100), values, strict=True))
        for percent, values in by_percent.items()
    }


def test_drift_is_the_largest_movement_in_final_spreads_median_over_units_of_the_last_layer():
    probed = record(
        percentiles(2, "unit_000", [-1, -1, -1], [0, 0, 0], [1, 1, 1])  # no movement: 0
        | percentiles(2, "unit_001", [-1, -3, -1], [0, -2, 0], [1, 0, 1])  # p15 moves by 2, spread 2: 1
        | percentiles(2, "unit_002", [0, 0, 0], [0, 5, 1], [2, 2, 2])  # p50 moves by 5, spread 2: 2.5
        | percentiles(1, "unit_009", [0, 99, 0], [0, 0, 0], [1, 1, 1])  # not the last layer
        | {"pre_activation/3/p15": {0: 0.0, 50: 9.0, 100: 0.0}}  # the output layer's, without units
    )
    assert measures.drift(probed) == 1.0


def test_a_unit_without_spread_drifts_infinitely_if_it_moved_and_not_at_all_if_it_did_not():
    assert measures.drift(record(percentiles(1, "unit_000", [0, 1, 2], [0, 1, 2], [0, 1, 2]))) == inf
    assert measures.drift(record(percentiles(1, "unit_000", [2, 2, 2], [2, 2, 2], [2, 2, 2]))) == 0.0


def test_a_diverged_run_drifts_infinitely_and_an_unprobed_one_has_no_drift():
    assert measures.drift(record({}, "diverged", 3)) == inf
    assert isnan(measures.drift(record()))


def test_gradient_ratio_is_first_over_output_layer_by_number_not_by_name():
    norms = {f"gradient_norm/{layer}": {0: value} for layer, value in {1: 2.0, 9: 50.0, 10: 8.0}.items()}
    assert measures.gradient_ratio(record(norms), 0) == 0.25
    assert isnan(measures.gradient_ratio(record(norms), 100))
    assert measures.gradient_ratio(record(norms | {"gradient_norm/10": {0: 0.0}}), 0) == inf
    dead = {"gradient_norm/1": {0: 0.0}, "gradient_norm/2": {0: 0.0}}
    assert isnan(measures.gradient_ratio(record(dead), 0))


SMALL_SUBSET = {
    "loss/training_split": {0: 2.0, 50: 1.0, 100: 0.2},
    "loss/test": {0: 2.1, 50: 1.4, 75: 9.0, 100: 0.8},  # 75 has no training loss beside it
}


def test_gap_is_taken_on_the_straight_line_between_evaluations():
    # training loss passes 0.6 half way between 50 and 100, where the test loss is 1.1
    assert measures.gap_at_training_loss(record(SMALL_SUBSET), 0.6) == pytest.approx(0.5)
    assert measures.gap_at_training_loss(record(SMALL_SUBSET), 1.0) == pytest.approx(0.4)
    assert measures.gap_at_training_loss(record(SMALL_SUBSET), 0.2) == pytest.approx(0.6)
    assert measures.gap_at_training_loss(record(SMALL_SUBSET), 3.0) == pytest.approx(0.1)


def test_there_is_no_gap_at_a_training_loss_never_reached():
    assert isnan(measures.gap_at_training_loss(record(SMALL_SUBSET), 0.1))
    assert isnan(measures.gap_at_training_loss(record(SMALL_SUBSET, "diverged", 60), 0.6))
    assert isnan(measures.gap_at_training_loss(record(), 0.6))


CORRUPTED = {
    "accuracy/test": {100: 0.9},
    "corrupted/kept/brightness_0.5": {100: 0.5},
    "corrupted/kept/contrast_4": {100: 0.7},
    "corrupted/recomputed/contrast_4": {100: 0.85},
}


def test_accuracy_drop_is_against_the_mean_over_the_changed_images():
    assert measures.accuracy_drop(record(CORRUPTED), "corrupted/kept") == pytest.approx(0.3)
    assert measures.accuracy_drop(record(CORRUPTED), "corrupted/recomputed/") == pytest.approx(0.05)


def test_a_diverged_run_has_no_accuracy_to_lose():
    assert isnan(measures.accuracy_drop(record(CORRUPTED, "diverged", 200), "corrupted/kept"))


def part(measure: MeasureName, **fields: object) -> PartConfig:
    effect = "largest_difference" if measure == "first_values" else "level"
    return PartConfig.model_validate(
        {"measure": measure, "effect": effect, "treatment": "bn", "margin": {"at_least": 0}, **fields}
    )


def claim(*parts: PartConfig, **fields: object) -> ClaimConfig:
    return ClaimConfig.model_validate({"statement": "s", "source": "s", "parts": parts, **fields})


EVERYTHING = record(
    LEARNING
    | SMALL_SUBSET
    | CORRUPTED
    | percentiles(1, "unit_000", [0, 0, 0], [1, 1, 1], [2, 2, 2])
    | {
        "gradient_norm/1": {0: 1.0},
        "gradient_norm/2": {0: 4.0},
        "loss/step": {1: 2.0},
        "landscape/smoothness": {0: 3.0},
    },
    seconds={0: 0.0, 100: 1.0},
)


@pytest.mark.parametrize(
    ("asked", "value"),
    [
        (part("steps_to_target"), 100),
        (part("steps_to_target", target=0.8), 50),
        (part("seconds_to_target"), 1.0),
        (part("seconds_per_step"), 0.01),
        (part("final_value"), 0.9),
        (part("final_value", metric="accuracy/validation"), 0.91),
        (part("best_value"), 0.93),
        (part("worst_value", metric="landscape"), 3.0),
        (part("mean_value", metric="landscape/smoothness"), 3.0),
        (part("value_at_step", metric="gradient_norm/2", step=0), 4.0),
        (part("first_values", baseline="no_bn"), [2.0]),
        (part("drift"), 0.0),
        (part("gradient_ratio", step=0), 0.25),
        (part("gap_at_training_loss"), pytest.approx(0.5)),
        (part("accuracy_drop"), pytest.approx(0.3)),
    ],
    ids=lambda value: value.measure if isinstance(value, PartConfig) else "",
)
def test_each_measure_is_dispatched_with_its_own_curve_and_level(asked: PartConfig, value: object):
    assert measures.measure_value(EVERYTHING, asked, claim(asked, target=0.9, training_loss=0.6)) == value


@pytest.mark.parametrize("measure", ["seconds_to_target", "seconds_per_step"])
def test_seconds_of_a_run_that_was_not_timed_count_for_nothing(measure: str):
    untimed, asked = record(LEARNING, seconds={0: 0.0, 100: 1.0}, timed=False), part(measure)
    assert isnan(measures.measure_value(untimed, asked, claim(asked, target=0.9)))


def test_every_name_of_the_schema_is_dispatched():
    for measure in typing.get_args(MeasureName):
        step = 0 if measure in ("value_at_step", "gradient_ratio") else None
        metric = "landscape" if measure in ("worst_value", "mean_value", "value_at_step") else None
        measures.measure_value(EVERYTHING, part(measure, step=step, metric=metric, baseline="no_bn"), claim())


def test_a_failed_run_and_a_claim_without_a_target_have_no_value():
    failed = record(LEARNING, "failed")
    assert isnan(measures.measure_value(failed, part("final_value", metric="accuracy/validation"), claim()))
    assert measures.measure_value(failed, part("first_values", baseline="no_bn"), claim()) == []
    assert isnan(measures.measure_value(EVERYTHING, part("steps_to_target"), claim(training_loss=0.6)))
    assert isnan(measures.measure_value(EVERYTHING, part("gap_at_training_loss"), claim(target=0.9)))
