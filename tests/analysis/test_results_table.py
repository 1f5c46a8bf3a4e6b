from __future__ import annotations

import io
from math import inf

import numpy as np
import pandas as pd
import pytest

from experiments.analysis.results_table import column_name, results_table
from experiments.configuration.claim import ClaimConfig
from experiments.configuration.run import RunConfig
from experiments.records.storage import Curve, Record


def claim(*parts: dict, **fields: object) -> ClaimConfig:
    common = {"effect": "level", "treatment": "bn", "margin": {"at_least": 0}}
    return ClaimConfig.model_validate(
        {"statement": "s", "source": "s", "parts": [common | part for part in parts], **fields}
    )


def test_a_column_names_the_measure_with_all_that_decides_its_value():
    tested = claim(
        {"measure": "steps_to_target"},
        {"measure": "steps_to_target", "target": 0.95},
        {"measure": "drift"},
        {"measure": "value_at_step", "metric": "gradient_norm/1", "step": 0},
        {"measure": "gap_at_training_loss"},
        {"measure": "final_value"},
        target=0.93,
        training_loss=0.5,
    )
    assert [column_name(part, tested) for part in tested.parts] == [
        "steps_to_target(accuracy/validation, 0.93)",
        "steps_to_target(accuracy/validation, 0.95)",
        "drift",
        "value_at_step(gradient_norm/1, step 0)",
        "gap_at_training_loss(0.5)",
        "final_value(accuracy/test)",
    ]


def test_targets_that_differ_in_the_seventh_digit_are_different_columns():
    near = claim({"measure": "steps_to_target", "target": 0.9300001}, {"measure": "steps_to_target", "target": 0.93})
    assert len({column_name(part, near) for part in near.parts}) == 2


STEPS = np.array([0, 50])
TESTED = claim({"measure": "steps_to_target"}, {"measure": "final_value"}, target=0.9)


def record(seed: int, status: str = "finished", diverged_at: int | None = None) -> Record:
    curves = {
        "accuracy/validation": Curve(STEPS, np.array([0.1, 0.92])),
        "accuracy/test": Curve(STEPS[1:], np.array([0.9])),
        "loss/train": Curve(STEPS, np.array([2.3, 0.3])),
    }
    run = RunConfig().model_copy(update={"seed": seed, "timed": seed == 0})
    return Record(run, status, curves, diverged_at, seconds=Curve(STEPS, np.array([0.0, 1.0])))  # type: ignore[arg-type]


def test_one_row_a_run_with_its_place_outcome_and_measures():
    grid = {"optimizer.learning_rate": 0.1, "model.layers": (10, 5)}
    table = results_table(
        [("bn", grid, record(0)), ("bn", grid, record(1, "diverged", 30)), ("no_bn", grid, record(2, "failed"))], TESTED
    )
    assert table["arm"].tolist() == ["bn", "bn", "no_bn"]
    assert table["optimizer.learning_rate"].tolist() == [0.1] * 3
    assert table["model.layers"].tolist() == [[10, 5]] * 3
    assert table["seed"].tolist() == [0, 1, 2]
    assert table["status"].tolist() == ["finished", "diverged", "failed"]
    np.testing.assert_array_equal(table["diverged_at"], [np.nan, 30, np.nan])
    np.testing.assert_array_equal(table["final_test_accuracy"], [0.9, 0.0, np.nan])
    np.testing.assert_array_equal(table["final_validation_accuracy"], [0.92, 0.0, np.nan])
    np.testing.assert_array_equal(table["late_validation_accuracy"], [0.51, 0.0, np.nan])
    np.testing.assert_array_equal(table["best_validation_accuracy"], [0.92, 0.1, np.nan])
    np.testing.assert_array_equal(table["final_train_loss"], [0.3, inf, np.nan])
    np.testing.assert_array_equal(table["train_seconds"], [1.0, np.nan, np.nan])
    np.testing.assert_array_equal(table["seconds_per_step"], [0.02, np.nan, np.nan])
    np.testing.assert_array_equal(table["steps_to_target(accuracy/validation, 0.9)"], [50, inf, np.nan])
    np.testing.assert_array_equal(table["final_value(accuracy/test)"], [0.9, 0.0, np.nan])


def test_without_a_claim_the_standard_measures_stand_alone():
    assert list(results_table([("bn", {}, record(0))]).columns) == [
        *("arm", "seed", "trial", "status", "diverged_at", "final_test_accuracy", "final_validation_accuracy"),
        *(
            "late_validation_accuracy",
            "best_validation_accuracy",
            "final_train_loss",
            "train_seconds",
            "seconds_per_step",
        ),
    ]


def test_the_table_survives_parquet():
    table = results_table([("bn", {"model.layers": (10, 5)}, record(0))], TESTED)
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    again = pd.read_parquet(buffer)
    assert again.drop(columns="model.layers").equals(table.drop(columns="model.layers"))
    assert again["model.layers"][0].tolist() == [10, 5]


@pytest.mark.parametrize("status", ["finished", "diverged"])
def test_a_run_without_curves_has_a_row_all_the_same(status: str):
    bare = Record(RunConfig(), status, {})  # type: ignore[arg-type]
    assert results_table([("bn", {}, bare)], TESTED)["status"].tolist() == [status]
