from __future__ import annotations

import io
from math import inf

import numpy as np
import pandas as pd
import pytest

from experiments.analysis.results_table import results_table
from experiments.configuration.claim import PartConfig
from experiments.configuration.run import RunConfig
from experiments.records.storage import Curve, Record


def part(measure: str, **fields: object) -> PartConfig:
    common = {"measure": measure, "effect": "level", "treatment": "bn", "role": "beside"}
    return PartConfig.model_validate(common | fields)


STEPS = np.array([0, 50])
TESTED = [part("late_value", metric="accuracy/test"), part("final_value", metric="loss/train"), part("drift")]


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
    np.testing.assert_array_equal(table["best_validation_accuracy"], [0.92, 0.1, np.nan])
    np.testing.assert_array_equal(table["final_train_loss"], [0.3, inf, np.nan])
    np.testing.assert_array_equal(table["train_seconds"], [1.0, np.nan, np.nan])
    np.testing.assert_array_equal(table["seconds_per_step"], [0.02, np.nan, np.nan])
    np.testing.assert_array_equal(table["late_validation_accuracy"], [0.51, 0.0, np.nan])
    assert table["steps"].tolist() == [1000] * 3
    assert table["evaluate_every"].tolist() == [50] * 3


def test_curves_stand_in_the_table_whole_up_to_divergence_and_not_at_all_of_a_failed_run():
    runs = [record(0), record(1, "diverged", 30), record(2, "failed")]
    table = results_table([("bn", {}, run) for run in runs], TESTED)
    assert table["accuracy/validation"].tolist() == [[0.1, 0.92], [0.1], []]
    assert table["loss/train"].tolist() == [[2.3, 0.3], [2.3], []]
    assert table["accuracy/test"][0] == pytest.approx([np.nan, 0.9], nan_ok=True)
    assert table["accuracy/test"].tolist()[1:] == [[], []]
    assert table["drift"].tolist() == [[], [], []]
    np.testing.assert_array_equal(table["final(loss/train)"], [0.3, inf, np.nan])


def test_readings_with_moving_averages_stand_beside():
    run = record(0)
    curves = {**run.curves, "accuracy/validation/moving_0.9": Curve(STEPS, np.array([0.1, 0.8]))}
    config = run.config.model_copy(update={"moving_averages": (0.9, 0.99)})
    table = results_table([("bn", {}, Record(config, "finished", curves))])
    assert table["accuracy/validation/moving_0.9"].tolist() == [[0.1, 0.8]]
    assert table["accuracy/validation/moving_0.99"].tolist() == [[]]
    assert table["accuracy/validation"].tolist() == [[0.1, 0.92]]


def test_without_a_claim_the_standard_measures_stand_alone():
    assert list(results_table([("bn", {}, record(0))]).columns) == [
        *("arm", "seed", "trial", "status", "diverged_at", "final_test_accuracy", "final_validation_accuracy"),
        *("late_validation_accuracy", "best_validation_accuracy", "final_train_loss", "train_seconds"),
        *("seconds_per_step", "steps", "evaluate_every", "accuracy/validation", "loss/train"),
    ]


def test_the_table_survives_parquet():
    table = results_table([("bn", {"model.layers": (10, 5)}, record(0))], TESTED)
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    again = pd.read_parquet(buffer)
    for name in table:
        found, expected = again[name].tolist()[0], table[name].tolist()[0]
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("status", ["finished", "diverged"])
def test_a_run_without_curves_has_a_row_all_the_same(status: str):
    bare = Record(RunConfig(), status, {})  # type: ignore[arg-type]
    assert results_table([("bn", {}, bare)], TESTED)["status"].tolist() == [status]


def test_no_runs_make_an_empty_table_that_can_be_asked_for_its_runs():
    table = results_table([])
    assert len(table) == 0
    assert {"arm", "seed", "status"} <= set(table.columns)
