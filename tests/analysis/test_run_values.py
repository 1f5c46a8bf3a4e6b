"""What a row of the results table comes to by each measure, by hand."""

from __future__ import annotations

from math import inf, isnan, nan
from typing import Any

import pytest

from experiments.analysis.run_values import Sought, value_of
from experiments.configuration.claim import PartConfig

ROW = {
    "status": "finished",
    "steps": 40,
    "evaluate_every": 10,
    "accuracy/validation": [0.1, 0.5, 0.9, 0.95, 0.93],
    "loss/train": [nan, 2.0, 1.0, 0.5, 0.25],
    "saturation/all": [0.0, 0.2, 0.4, 0.6, 0.5],
    "drift": [0.0, 1.0, 3.0, 4.0, 5.0],
    "loss/training_split": [2.0, 1.0, 0.5, 0.25, 0.2],
    "loss/test": [2.0, 1.2, 0.8, 0.7, 0.9],
    "final(accuracy/test)": 0.91,
    "worst(error)": 1e-6,
    "gradient_ratio(step 0)": 0.25,
    "seconds_per_step": 0.02,
}
NOWHERE = Sought()


def value(measure: str, sought: Sought = NOWHERE, row: dict[str, Any] = ROW, **fields: Any) -> Any:
    level = {"level": 0.5} if measure == "steps_to_level" else {}
    common = {"measure": measure, "effect": "level", "treatment": "bn", "role": "beside"}
    low, high = value_of(PartConfig.model_validate(common | level | fields), row.get, sought)
    return low if low == high or isnan(low) else (low, high)


def diverged(**columns: Any) -> dict[str, Any]:
    return ROW | {"status": "diverged"} | columns


def test_steps_are_counted_to_the_level_sought():
    assert value("steps_to_level", Sought(level=0.7)) == pytest.approx(15.0)
    assert value("steps_to_level", Sought(level=0.5), metric="saturation/all") == pytest.approx(25.0)


def test_a_level_never_reached_is_known_to_take_the_steps_of_the_run_or_more():
    assert value("steps_to_level", Sought(level=0.96)) == (40.0, inf)


def test_a_diverged_run_never_reached_a_level_even_if_it_was_there_before():
    assert value("steps_to_level", Sought(level=0.7), diverged()) == (40.0, inf)


def test_a_run_that_was_not_measured_has_no_steps_to_a_level():
    assert isnan(value("steps_to_level", Sought(level=0.7), ROW | {"accuracy/validation": []}))
    assert isnan(value("steps_to_level", Sought(level=0.7), ROW | {"accuracy/validation": None}))


def test_the_late_value_is_the_median_of_the_last_three():
    assert value("late_value") == 0.93
    assert value("late_value", metric="saturation/all") == 0.5
    assert value("late_value", row=diverged()) == 0.0
    assert isnan(value("late_value", metric="accuracy/test"))


def test_a_state_is_taken_where_the_training_loss_has_fallen_to_the_loss_matched():
    # 0.8 is reached between steps 20 and 30
    at = {"matched": True, "metric": "saturation/all"}
    assert value("late_value", Sought(loss=0.8), **at) == 0.6
    assert value("late_value", Sought(loss=1.0), **at) == 0.4
    assert value("drift", Sought(loss=0.8), matched=True) == 4.0
    assert value("late_value", Sought(loss=3.0), **at) == 0.2  # not before something was trained
    assert value("late_value", Sought(loss=0.1), **at) == 0.5  # never: at the end


def test_a_mean_is_taken_up_to_the_loss_matched():
    assert value("mean_value", metric="saturation/all") == pytest.approx(0.34)
    assert value("mean_value", Sought(loss=0.8), matched=True, metric="saturation/all") == pytest.approx(0.3)
    gaps = ROW | {"saturation/all": [nan, 0.2, nan, 0.6, 0.5]}
    assert value("mean_value", Sought(loss=0.8), gaps, matched=True, metric="saturation/all") == pytest.approx(0.4)
    assert isnan(value("mean_value", row=ROW | {"saturation/all": [nan, nan]}, metric="saturation/all"))


def test_a_diverged_run_has_drifted_infinitely_and_saturated_wholly():
    assert value("drift") == 5.0
    assert value("drift", row=diverged()) == inf
    assert value("mean_value", row=diverged(), metric="saturation/all") == 1.0
    assert isnan(value("mean_value", row=diverged(), metric="cosine"))


def test_a_value_at_a_step_is_that_of_its_evaluation_and_of_no_other():
    assert value("value_at_step", metric="saturation/all", step=20) == 0.4
    assert isnan(value("value_at_step", metric="saturation/all", step=15))
    assert isnan(value("value_at_step", metric="saturation/all", step=50))


def test_a_value_before_divergence_is_kept():
    run = diverged(**{"accuracy/validation": [0.1, 0.5]})
    assert value("value_at_step", row=run, metric="accuracy/validation", step=10) == 0.5
    assert value("value_at_step", row=run, metric="accuracy/validation", step=20) == 0.0


def test_the_gap_is_that_of_the_losses_on_the_straight_line():
    # training loss 0.375 half way between steps 20 and 30, where the test loss is 0.75
    assert value("gap_at_training_loss", Sought(loss=0.375)) == pytest.approx(1.0)
    assert value("gap_at_training_loss", Sought(loss=0.5)) == pytest.approx(0.6)
    assert value("gap_at_training_loss", Sought(loss=0.5), ROW | {"loss/test": [0.1] * 5}) == 0.01  # no gap at all
    assert isnan(value("gap_at_training_loss", Sought(loss=0.1)))
    assert isnan(value("gap_at_training_loss", Sought(loss=0.5), ROW | {"loss/test": []}))


@pytest.mark.parametrize(
    ("measure", "fields", "expected"),
    [
        ("final_value", {}, 0.91),
        ("worst_value", {"metric": "error"}, 1e-6),
        ("gradient_ratio", {"step": 0}, 0.25),
        ("seconds_per_step", {}, 0.02),
    ],
)
def test_what_stands_in_a_column_by_itself_is_read_from_it(measure: str, fields: dict, expected: float):
    assert value(measure, **fields) == expected
    assert isnan(value(measure, row={name: ROW[name] for name in ("status", "steps", "evaluate_every")}, **fields))


def test_a_level_is_reached_by_one_evaluation_or_by_two_in_a_row():
    blip = ROW | {"accuracy/validation": [0.0, 0.6, 0.2, 0.4, 0.8]}
    assert value("steps_to_level", Sought(level=0.5), blip, in_a_row=1) == pytest.approx(25 / 3)
    assert value("steps_to_level", Sought(level=0.5), blip) == (40.0, inf)
