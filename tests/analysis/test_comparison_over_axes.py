"""What becomes of the axes of a grid in a comparison, and of the edges of rates, on invented results."""

from __future__ import annotations

from math import inf

import pytest

from tests.judging import (
    ACCURACY,
    ARMS,
    RATE,
    SCALE,
    SEEDS,
    TEST,
    TIMES,
    TUNING,
    compared,
    experiment,
    learning,
    results,
    run,
    runs,
)

SCALES = (0.1, 1.0, 10.0)


def by_scale(values: dict[str, dict[float, float]], **fields: object) -> object:
    rows = [
        row
        for arm, of_arm in values.items()
        for scale, value in of_arm.items()
        for row in runs(arm, **{SCALE: scale, TEST: value})
    ]
    return results(rows, experiment(grid={SCALE: SCALES}, **fields))


ACCURACIES = {"no_bn": dict(zip(SCALES, (0.1, 0.9, 0.3), strict=True)), "bn": dict.fromkeys(SCALES, 0.8)}


def test_each_value_of_an_axis_taken_apart_is_a_row():
    rows = compared(ACCURACY | {"each": [SCALE]}, by_scale(ACCURACIES))
    assert [row.moderators for row in rows] == [{"init scale": scale} for scale in SCALES]
    assert [row.low[0] for row in rows] == [70.0, -10.0, 50.0]


def test_an_axis_that_is_not_taken_apart_has_to_become_one_number():
    (row,) = compared(ACCURACY, by_scale(ACCURACIES))
    assert row.problem == "3 runs a seed, so per_seed has to say how they become one number"
    (row,) = compared(ACCURACY | {"per_seed": "worst", "axis": SCALE}, by_scale(ACCURACIES))
    assert (row.baseline, row.treatment) == ((10.0, 10.0), (80.0, 80.0))
    assert set(row.low) == {70.0}


def test_each_side_keeps_its_runs_and_its_values_before_they_became_one_number():
    found = by_scale(ACCURACIES)
    (row,) = compared(ACCURACY | {"per_seed": "worst", "axis": SCALE}, found)
    side = row.sides["no_bn"]
    assert (side.places, side.low.tolist()) == (SCALES, [0.1] * len(SEEDS))
    assert [set(of_place) for of_place in side.values.tolist()] == [{0.1}, {0.9}, {0.3}]
    table = found.table.iloc[side.runs[1]]
    assert (set(table["arm"]), set(table[SCALE]), table["seed"].tolist()) == ({"no_bn"}, {1.0}, list(SEEDS))


def share_of_scales(bn: dict[float, float], no_bn: dict[float, float]) -> object:
    config = experiment(tuning={"over": SCALE, "seeds": TUNING, "evaluate": "all"}, grid={SCALE: list(bn)})
    rows = [
        run(arm, seed, [0.1, accuracy], **{SCALE: scale})
        | {"late_validation_accuracy": accuracy, "accuracy/validation": [accuracy] * 3}
        for arm, of_arm in {"bn": bn, "no_bn": no_bn}.items()
        for scale, accuracy in of_arm.items()
        for seed in (*TUNING, *SEEDS)
    ]
    return results(rows, config)


def test_the_share_of_the_values_at_which_an_arm_trains_is_counted_past_half_way():
    # 0.9 at best: half way is 0.5; the axis may be the tuned one itself
    part = {"measure": "late_value", "effect": "difference", "per_seed": "share_training", "axis": SCALE, "band": 0.2}
    bn = {0.01: 0.2, 0.1: 0.8, 1.0: 0.9, 10.0: 0.5}
    no_bn = {0.01: 0.1, 0.1: 0.4, 1.0: 0.8, 10.0: 0.1}
    (row,) = compared(part | ARMS, share_of_scales(bn, no_bn))
    assert (row.treatment, row.baseline) == ((0.75, 0.75), (0.25, 0.25))
    assert set(row.low) == {0.5}


def test_whether_an_arm_trains_at_its_best_value_is_one_or_none_of_each_seed():
    part = {"measure": "late_value", "effect": "difference", "per_seed": "share_training", "band": 0.5}
    bn = {0.01: 0.2, 0.1: 0.8, 1.0: 0.9, 10.0: 0.5}
    (row,) = compared(part | ARMS, share_of_scales(bn, {0.01: 0.1, 0.1: 0.4, 1.0: 0.2, 10.0: 0.1}))
    assert (row.treatment, row.baseline, set(row.low)) == ((1.0, 1.0), (0.0, 0.0), {1.0})
    (row,) = compared(part | ARMS, share_of_scales(bn, {0.01: 0.1, 0.1: 0.4, 1.0: 0.8, 10.0: 0.1}))
    assert (row.baseline, set(row.low)) == ((1.0, 1.0), {0.0})


def test_many_that_never_reach_a_level_do_not_become_one_number():
    part = TIMES | {"per_seed": "slope", "axis": SCALE}
    rows = [row for arm in ("no_bn", "bn") for s in SCALES for row in runs(arm, curve=learning(1000 * s), **{SCALE: s})]
    (row,) = compared(part, results(rows, experiment(grid={SCALE: SCALES})))
    assert row.problem == "runs of no_bn never reach the level"


def edge_results(
    no_bn: list[float],
    bn: list[float],
    rates: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0),
    other: float = 0.5,
) -> object:
    """Results of runs that train at all rates up to one that is given, of all seeds; beyond they diverge."""
    rows = [
        run(arm, seed, [0.9 if rate <= last else 0.1] * 3, status="finished" if rate <= last else "diverged")
        | {RATE: rate}
        for arm, of_seeds in {"no_bn": no_bn, "bn": bn}.items()
        for seed, last in zip((*TUNING, *SEEDS), [of_seeds[0]] * 5 + of_seeds, strict=True)
        for rate in rates
    ]
    rows += [run("other", seed, [other] * 3) | {RATE: rate} for seed in TUNING for rate in rates]
    return results(rows, experiment(rates, edges={}))


LARGEST = {"measure": "largest_rate", "effect": "ratio", **ARMS}


@pytest.mark.parametrize("definition", [None, "trains", "finite"])
def test_the_largest_rates_are_compared_by_their_worse_and_their_better_ends(definition: str | None):
    # no_bn between 0.1 and 1, bn between 10 and 100: from 10 to 1,000 times
    (row,) = compared(LARGEST | {"metric": definition}, edge_results([0.1] * 20, [10.0] * 20))
    assert (set(row.low), set(row.high)) == ({10.0}, {1000.0})
    assert (row.baseline, row.treatment) == ((0.1, 1.0), (10.0, 100.0))
    assert row.censored == (0, 0)


def test_an_edge_beyond_the_grid_leaves_a_bound():
    (row,) = compared(LARGEST, edge_results([0.1] * 20, [100.0] * 20))
    assert (set(row.low), set(row.high)) == ({100.0}, {inf})
    assert row.censored == (0, 20)
    (row,) = compared(LARGEST, edge_results([100.0] * 20, [0.1] * 20))
    assert (set(row.low), set(row.high)) == ({0.0}, {0.01})


def test_an_arm_that_trains_at_no_rate_has_no_largest():
    (row,) = compared(LARGEST, edge_results([0.0] * 20, [10.0] * 20))
    assert row.problem == "no_bn trains at no rate"
    (row,) = compared(LARGEST | {"metric": "finite"}, edge_results([0.0] * 20, [10.0] * 20))
    assert row.problem == "no_bn stays finite at no rate"


def test_there_is_no_largest_rate_with_a_run_of_the_grid_missing():
    found = edge_results([0.1] * 20, [10.0] * 20)
    found = results((row for row in found.table.to_dict("records") if row["seed"] != 3), found.config)
    (row,) = compared(LARGEST, found)
    assert row.problem == "runs of no_bn are missing or failed"


def test_the_level_of_an_edge_is_half_way_to_the_best_of_all_arms():
    found = edge_results([0.1] * 20, [10.0] * 20, other=1.0)  # 0.55 in place of 0.5
    of_bn = (found.table["arm"] == "bn") & (found.table[RATE] == 10.0)
    found.table.loc[of_bn, "late_validation_accuracy"] = 0.52
    (row,) = compared(LARGEST, found)
    assert row.treatment == (1.0, 10.0)


def test_an_edge_is_looked_for_at_each_value_of_a_further_axis():
    found = edge_results([0.1] * 20, [10.0] * 20).table.to_dict("records")
    deeper = [row | {"late_validation_accuracy": 0.1 if row[RATE] == 10.0 else 0.9, SCALE: 2.0} for row in found]
    rates = (0.1, 1.0, 10.0, 100.0)
    config = experiment(grid={RATE: rates, SCALE: (1.0, 2.0)}, tuning={"seeds": TUNING, "evaluate": "all"}, edges={})
    first, second = compared(
        LARGEST | {"each": [SCALE]}, results([row | {SCALE: 1.0} for row in found] + deeper, config)
    )
    assert (first.treatment, first.moderators) == ((10.0, 100.0), {"init scale": 1.0})
    assert (second.treatment, second.moderators) == ((1.0, 10.0), {"init scale": 2.0})
