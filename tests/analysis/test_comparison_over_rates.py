"""At which rates and levels the arms of a part are compared, on invented results."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from tests.judging import (
    ARMS,
    RATE,
    SCALE,
    SEEDS,
    TIMES,
    TUNING,
    compared,
    experiment,
    results,
    runs,
    tuned,
)

RATES = (0.1, 1.0, 10.0)


HALVES = {"no_bn": {0.1: 400, 1.0: 200, 10.0: nan}, "bn": {0.1: 300, 1.0: 50, 10.0: 100}}


def at_rates(part: dict, no_bn: dict[float, float], bn: dict[float, float], **columns: float) -> list:
    config = experiment(tuple(no_bn))
    return compared(part, results(tuned("no_bn", no_bn, **columns) + tuned("bn", bn, **columns), config))


def test_each_arm_is_taken_at_the_rate_that_is_best_for_the_measure():
    ladder = TIMES | {"level": "ladder", "tuned_for": "measure"}
    rows = at_rates(ladder, {0.1: 400, 1.0: 200, 3.0: 380, 10.0: nan}, {0.1: 300, 1.0: 60, 3.0: 50, 10.0: 100})
    # 0.95 at best: the error is 0.05, and the levels 0.8, 0.86, 0.9, 0.93 and half a point below
    assert [row.moderators["level"] for row in rows] == [0.945, 0.93, 0.9, 0.86, 0.8]
    assert [row.rungs["level"] for row in rows] == [0, 1, 2, 3, 4]
    for row in rows:
        assert row.rates == {"no_bn": 1.0, "bn": 3.0}
        assert row.low == pytest.approx(np.full(20, 4.0), rel=0.05)


def test_who_is_tuned_for_accuracy_is_taken_at_the_most_accurate_rate_whatever_the_measure():
    config = experiment((0.1, 1.0, 3.0, 10.0))
    halves = {"no_bn": {1.0: 200.0, 3.0: 300.0}, "bn": {1.0: 50.0, 3.0: 100.0}}
    rows = []
    for arm, of_arm in halves.items():  # the faster rate ends lower
        rows += tuned(arm, {1.0: of_arm[1.0]}, top=0.6) + tuned(arm, {3.0: of_arm[3.0]}, top=0.7)
        rows += tuned(arm, {0.1: nan, 10.0: nan})
    (row,) = compared(TIMES, results(rows, config))
    assert row.rates == {"no_bn": 3.0, "bn": 3.0}
    assert row.low == pytest.approx(np.full(20, 3.0))
    (row,) = compared(TIMES | {"tuned_for": "measure"}, results(rows, config))
    assert row.rates == {"no_bn": 1.0, "bn": 1.0}
    assert row.low == pytest.approx(np.full(20, 4.0))


@pytest.mark.parametrize("tuned_for", ["accuracy", "measure"])
@pytest.mark.parametrize("best", [0.1, 10.0])
def test_a_best_rate_at_the_edge_of_the_grid_is_not_tested(tuned_for: str, best: float):
    bn = {rate: 50.0 if rate == best else 1e9 for rate in RATES}
    (row,) = at_rates(TIMES | {"tuned_for": tuned_for}, {0.1: nan, 1.0: 200, 10.0: nan}, bn)
    assert row.problem == "the best learning rate of bn is at the edge of the grid"
    assert row.rates == {"no_bn": 1.0}


def test_an_arm_that_reaches_the_level_at_no_rate_is_not_tested():
    (row,) = at_rates(TIMES | {"tuned_for": "measure"}, dict.fromkeys(RATES, nan), HALVES["bn"])
    assert row.problem == "no_bn reaches the level at no learning rate"


def test_for_a_loss_the_best_rate_is_the_one_with_the_smallest():
    loss = {"measure": "late_value", "metric": "loss/test", "tuned_for": "measure", "effect": "ratio", **ARMS}
    rows = [
        row
        for arm, losses in {"no_bn": (2.0, 0.6, 1.0), "bn": (2.0, 0.3, 1.0)}.items()
        for rate, value in zip(RATES, losses, strict=True)
        for row in runs(arm, (*TUNING, *SEEDS), **{RATE: rate, "loss/test": [value] * 41})
    ]
    (row,) = compared(loss, results(rows, experiment(RATES)))
    assert row.rates == {"no_bn": 1.0, "bn": 1.0}
    assert row.low == pytest.approx(np.full(20, 0.5))


def test_an_arm_without_all_its_tuning_runs_is_not_tuned():
    rows = tuned("no_bn", HALVES["no_bn"]) + [
        row for row in tuned("bn", HALVES["bn"]) if row["seed"] != TUNING[0] or row[RATE] != 1.0
    ]
    found = results(rows, experiment(RATES))
    (row,) = compared(TIMES | {"level": "common"}, found)
    assert "bn" in row.problem
    (row,) = compared(TIMES | {"tuned_for": "measure"}, found)
    assert row.problem == "runs of bn are missing"
    (row,) = compared(TIMES | {"level": "half_way", "each": [RATE]}, found)
    assert row.problem == "tuning runs of no_bn or bn are missing or failed"


def test_each_rate_at_which_both_arms_train_is_a_row_and_the_others_are_told():
    no_bn = {0.01: nan, 0.1: 300, 0.3: 300, 1.0: 200, 3.0: nan, 10.0: nan, 30.0: nan}
    bn = {0.01: nan, 0.1: 200, 0.3: 100, 1.0: 50, 3.0: 60, 10.0: 80, 30.0: nan}
    rows = at_rates(TIMES | {"each": [RATE]}, no_bn, bn)
    assert [row.moderators for row in rows] == [{"learning rate": 0.1}, {"learning rate": 0.3}, {"learning rate": 1.0}]
    assert [row.rates for row in rows] == [{"no_bn": rate, "bn": rate} for rate in (0.1, 0.3, 1.0)]
    assert [row.low[0] for row in rows] == pytest.approx([1.5, 3.0, 4.0])
    assert {row.note for row in rows} == {"neither trains at: 0.01, 30; only bn trains at: 3, 10"}


def test_where_both_arms_train_at_no_rate_there_is_nothing_to_compare():
    (row,) = at_rates(TIMES | {"each": [RATE]}, {0.1: nan, 1.0: nan}, {0.1: nan, 1.0: 50})
    assert row.problem == "neither trains at: 0.1; only bn trains at: 1"


def test_the_common_level_is_that_of_each_rate():
    # at 1 no_bn comes to 0.6 and at 10 to 0.8, bn to 0.95: 0.595 and 0.795, at 2 τ · level
    config = experiment((1.0, 10.0))
    rows = tuned("no_bn", {1.0: 200}, top=0.6) + tuned("no_bn", {10.0: 200}, top=0.8)
    rows += tuned("bn", {1.0: 100, 10.0: 100})
    first, second = compared(TIMES | {"level": "common", "each": [RATE]}, results(rows, config))
    assert first.baseline == pytest.approx((238.0, 238.0), rel=0.02)
    assert second.baseline == pytest.approx((318.0, 318.0), rel=0.02)
    assert first.low == pytest.approx(np.full(20, 2.0), rel=0.02)


def test_half_way_is_between_chance_and_the_best_of_either_arm_at_any_rate():
    # 0.95 at best: 0.525 with a chance of 0.1, 0.725 of 0.5
    part, rows = TIMES | {"level": "half_way"}, tuned("no_bn", {0.1: 400, 1.0: 200, 10.0: 400}, top=0.9)
    found = results(rows + tuned("bn", {0.1: 400, 1.0: 100, 10.0: 400}), experiment(RATES))
    (row,) = compared(part, found)
    assert row.treatment == pytest.approx((105.0, 105.0))
    (row,) = compared(part, found, chance=0.5)
    assert row.treatment == pytest.approx((145.0, 145.0))


def test_matched_values_are_taken_where_both_arms_have_come_to_the_same_loss():
    # losses fall to 0.8 and 0.4: both arms are looked at where they come to 0.84
    state = {"measure": "late_value", "metric": "saturation/all", "matched": True, "effect": "ratio", **ARMS}
    slow, fast = [4.0, 2.0, 1.0, 0.8], [4.0, 0.8, 0.5, 0.4]
    rows = runs("no_bn", (*TUNING, *SEEDS), **{"loss/train": slow, "saturation/all": [0.1, 0.2, 0.3, 0.6], RATE: 1.0})
    rows += runs("bn", (*TUNING, *SEEDS), **{"loss/train": fast, "saturation/all": [0.1, 0.3, 0.9, 0.9], RATE: 1.0})
    rows += [row | {RATE: rate, "late_validation_accuracy": 0.1} for row in rows for rate in (0.1, 10.0)]
    rows = [{"late_validation_accuracy": 0.9} | row for row in rows]
    (row,) = compared(state, results(rows, experiment(RATES)))
    assert row.problem == ""
    assert row.low == pytest.approx(np.full(20, 0.5))
    (row,) = compared(state | {"matched": False}, results(rows, experiment(RATES)))
    assert row.low == pytest.approx(np.full(20, 0.9 / 0.3))  # medians of the last three


def test_gaps_are_compared_at_each_training_loss_of_the_ladder():
    gap = {"measure": "gap_at_training_loss", "effect": "ratio", "over": "treatment", **ARMS}
    training = [2.0, 1.0, 0.5, 0.25 / 1.25]
    rows = runs("no_bn", (*TUNING, *SEEDS), **{"loss/training_split": training, "loss/test": [3 * v for v in training]})
    rows += runs("bn", (*TUNING, *SEEDS), **{"loss/training_split": training, "loss/test": [2 * v for v in training]})
    config = experiment(tuning={"over": SCALE, "seeds": TUNING, "evaluate": "all"}, grid={SCALE: [1.0, 2.0, 3.0]})
    found = [
        row | {SCALE: scale, "late_validation_accuracy": top}
        for row in rows
        for scale, top in {1.0: 0.1, 2.0: 0.9, 3.0: 0.1}.items()
    ]
    rows = compared(gap, results(found, config))
    assert [row.moderators["training loss"] for row in rows] == [0.25, 0.354, 0.5, 0.707, 1.0]
    assert [row.rungs["training loss"] for row in rows] == [0, 1, 2, 3, 4]
    for row in rows:
        assert row.low == pytest.approx(np.full(20, 2.0))
    never = [row | {"loss/training_split": [2.0, 1.5, 1.5, 1.5]} for row in found]
    (row,) = compared(gap, results(never, config))
    assert row.problem == "not every tuning run comes to half of its first training loss"
