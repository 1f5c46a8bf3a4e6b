"""Which rows a part comes to, on invented results: pairs, censoring, cost, and what is missing."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest

from tests.judging import (
    ACCURACY,
    SEEDS,
    TEST,
    TIMES,
    by_accuracy,
    compared,
    experiment,
    learning,
    results,
    run,
    runs,
)


def steps(no_bn: object, bn: object) -> object:
    """Results of runs that come to an accuracy of 0.5 at the steps given; a list has one for each seed."""
    rows = []
    for arm, halves in {"no_bn": no_bn, "bn": bn}.items():
        of_seeds = halves if isinstance(halves, list) else [halves] * len(SEEDS)
        rows += [run(arm, seed, learning(half)) for seed, half in zip(SEEDS, of_seeds, strict=True)]
    return results(rows)


def test_a_part_without_grid_is_one_row_of_paired_effects():
    (row,) = compared(ACCURACY | {"where": {"net": "relu"}}, by_accuracy([0.9, 0.8] * 10, [0.93, 0.81] * 10))
    assert row.low.tolist() == row.high.tolist() == [3.0, 1.0] * 10
    assert row.baseline == pytest.approx((85.0, 85.0))
    assert row.treatment == pytest.approx((87.0, 87.0))
    assert (row.seeds, row.moderators, row.rates, row.problem, row.note) == (SEEDS, {"net": "relu"}, {}, "", "")


def test_times_to_a_level_are_compared_as_ratios():
    (row,) = compared(TIMES, steps(no_bn=200, bn=100))
    assert row.low == pytest.approx(np.full(20, 2.0))
    assert row.baseline == pytest.approx((200.0, 200.0))
    assert row.treatment == pytest.approx((100.0, 100.0))
    assert row.censored == (0, 0)


def test_a_baseline_that_never_reaches_the_level_leaves_a_lower_bound():
    (row,) = compared(TIMES, steps(no_bn=[200] * 5 + [1000] * 15, bn=100))
    assert row.low == pytest.approx([2.0] * 5 + [4.0] * 15)
    assert row.high == pytest.approx([2.0] * 5 + [inf] * 15)
    assert row.baseline == (400.0, inf)
    assert row.censored == (15, 0)


def test_a_treatment_that_never_reaches_the_level_leaves_an_upper_bound():
    (row,) = compared(TIMES, steps(no_bn=200, bn=1000))
    assert (row.low == 0).all()
    assert row.high == pytest.approx(np.full(20, 0.5))
    assert row.censored == (0, 20)


def test_of_two_that_never_reach_the_level_nothing_is_known():
    (row,) = compared(TIMES, steps(no_bn=1000, bn=1000))
    assert (set(row.low), set(row.high)) == ({0.0}, {inf})
    assert row.censored == (20, 20)


def test_a_diverged_run_is_one_that_never_reaches_the_level():
    rows = runs("no_bn", status="diverged", curve=learning(50)[:20]) + runs("bn", curve=learning(100))
    (row,) = compared(TIMES, results(rows))
    assert (set(row.low), set(row.high)) == ({4.0}, {inf})


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ([], "runs of bn are missing"),
        ([run("bn", 7, status="failed", **{TEST: nan})], "runs of bn failed"),
        ([run("bn", 7, **{TEST: nan})], "runs of bn have no value of final_value"),
    ],
)
def test_one_run_that_is_missing_or_has_no_value_leaves_the_row_untested(changed: list, problem: str):
    rows = runs("no_bn", **{TEST: 0.9}) + [row for row in runs("bn", **{TEST: 0.9}) if row["seed"] != 7] + changed
    (row,) = compared(ACCURACY, results(rows))
    assert row.problem == problem
    assert row.low.size == 0


def test_an_effect_that_is_not_defined_for_a_seed_leaves_the_row_untested():
    part = ACCURACY | {"effect": "ratio", "unit": ""}
    (row,) = compared(part, by_accuracy([0.0, 0.0] + [0.5] * 18, [0.0, 0.5] + [0.5] * 18))
    assert row.problem == "the ratio is not defined for 1 of 20 seeds"


def test_a_table_of_no_runs_is_told_from_a_comparison():
    (row,) = compared(ACCURACY, results([run("other", 0)]))
    assert row.problem == "runs of no_bn are missing"


def timed(no_bn: list[float], bn: list[float]) -> object:
    config = experiment(seeds=tuple(range(len(no_bn))))
    rows = [
        row
        for arm, values in {"no_bn": no_bn, "bn": bn}.items()
        for row in runs(arm, config.seeds, seconds_per_step=np.array(values))
    ]
    return results(rows, config)


COST = {"cost": {"runs": "timed.yaml", "baseline": "no_bn", "treatment": "bn"}}


def test_a_saving_in_steps_is_divided_by_the_cost_of_a_step():
    # 1.5, 2 and 1 times as long, in the median 1.5
    (row,) = compared(TIMES | COST, steps(no_bn=300, bn=100), timed([0.1, 0.1, 0.2], [0.15, 0.2, 0.2]))
    assert row.low == pytest.approx(np.full(20, 2.0))
    assert row.note == "a step takes 1.5 times as long"
    assert row.baseline == pytest.approx((300.0, 300.0))


def test_a_bound_is_divided_too():
    (row,) = compared(TIMES | COST, steps(no_bn=1000, bn=100), timed([0.1], [0.2]))
    assert (set(row.low), set(row.high)) == ({2.0}, {inf})


def test_without_its_cost_a_saving_is_not_tested():
    for cost in (None, timed([0.1, nan], [0.1, 0.1]), results([], experiment(seeds=(0,)))):
        (row,) = compared(TIMES | COST, steps(no_bn=300, bn=100), cost)
        assert row.problem == "timed runs of timed.yaml are missing"
