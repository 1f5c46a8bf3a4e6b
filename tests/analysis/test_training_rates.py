"""Which rates train and where that ends, on tables whose answer is known by hand."""

from __future__ import annotations

from math import inf, isnan, nan
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.analysis.training_rates import edges, half_way, midpoints, next_runs, trains_at
from experiments.configuration.experiment import ExperimentConfig

RATE, DEPTH = "optimizer.learning_rate", "model.depth"
TUNING = (100, 101, 102, 103, 104)
DIVERGED = -1.0  # in the place of an accuracy


def experiment(*arms: str, rates: tuple[float, ...] = (0.1, 1.0, 10.0), **fields: Any) -> ExperimentConfig:
    base = {"title": "t", "arms": {arm: {} for arm in arms or ("bn",)}, "grid": {RATE: rates}, "seeds": [0]}
    return ExperimentConfig.model_validate(base | {"tuning": {"seeds": TUNING, "evaluate": "all"}} | fields)


def rows(arm: str, seed: int, by_rate: dict[float, float], **columns: Any) -> list[dict[str, Any]]:
    """Rows of one seed: rate → late accuracy; nan stands for a failed run."""
    return [
        {
            "arm": arm,
            RATE: rate,
            "seed": seed,
            "status": "failed" if isnan(late) else "diverged" if late == DIVERGED else "finished",
            "late_validation_accuracy": max(late, 0.0) if late == DIVERGED else late,
            **columns,
        }
        for rate, late in by_rate.items()
    ]


def tuning_rows(arm: str, by_rate: dict[float, list[float]], **columns: Any) -> list[dict[str, Any]]:
    return [
        row
        for rate, of_rate in by_rate.items()
        for seed, late in zip(TUNING, of_rate, strict=True)
        for row in rows(arm, seed, {rate: late}, **columns)
    ]


def edge(by_rate: dict[float, float], definition: Any = "trains", level: float = 0.5) -> tuple[float, float]:
    (found,) = edges(pd.DataFrame(rows("bn", 0, by_rate)), experiment(rates=tuple(by_rate)), "bn", level, definition)
    return found


def test_half_way_is_from_chance_to_the_best_median_of_any_arm_and_rate():
    table = pd.DataFrame(
        tuning_rows("no_bn", {0.1: [0.3] * 5, 1.0: [0.6] * 5, 10.0: [DIVERGED] * 5})
        + tuning_rows("bn", {0.1: [0.2] * 5, 1.0: [1.0, 1.0, 0.7, 0.3, 0.3], 10.0: [0.1] * 5})  # medians 0.2, 0.7, 0.1
    )
    config = experiment("no_bn", "bn")
    assert half_way(table, config, ["no_bn", "bn"]) == pytest.approx(0.4)
    assert half_way(table, config, ["no_bn"]) == pytest.approx(0.35)
    assert half_way(table, config, ["no_bn"], chance=0.5) == pytest.approx(0.55)


def test_half_way_is_not_known_while_a_tuning_run_is_missing_or_failed():
    complete = tuning_rows("bn", {0.1: [0.3] * 5, 1.0: [0.6] * 5, 10.0: [0.1] * 5})
    failed = tuning_rows("bn", {0.1: [0.3] * 5, 1.0: [0.6] * 5, 10.0: [0.1, 0.1, 0.1, 0.1, nan]})
    assert half_way(pd.DataFrame(complete), experiment(), ["bn"]) == pytest.approx(0.35)
    assert isnan(half_way(pd.DataFrame(complete[:-1]), experiment(), ["bn"]))
    assert isnan(half_way(pd.DataFrame(failed), experiment(), ["bn"]))
    assert isnan(half_way(pd.DataFrame(complete), experiment(tuning=None), ["bn"]))


def test_an_arm_trains_where_four_of_five_tuning_seeds_reach_the_level():
    table = pd.DataFrame(
        tuning_rows(
            "bn",
            {0.1: [0.5, 0.5, 0.5, 0.49, 0.49], 1.0: [0.5, 0.5, 0.5, 0.5, 0.49], 10.0: [0.9, 0.9, 0.9, DIVERGED, 0.4]},
        )
    )
    assert trains_at(table, experiment(), "bn", 0.5) == {0.1: False, 1.0: True, 10.0: False}
    assert trains_at(table, experiment(), "bn", nan) == {}
    assert trains_at(table[:-1], experiment(), "bn", 0.5) == {0.1: False, 1.0: True}  # one is missing at 10


def test_the_edge_of_a_seed_lies_between_the_last_rate_that_counts_and_the_next():
    assert edge({0.1: 0.9, 1.0: 0.8, 10.0: 0.2}) == (1.0, 10.0)
    assert edge({0.1: 0.9, 1.0: 0.5, 10.0: DIVERGED}) == (1.0, 10.0)
    assert edge({0.1: 0.9, 1.0: 0.49, 10.0: DIVERGED}) == (0.1, 1.0)
    assert edge({0.1: 0.9, 1.0: 0.49, 10.0: DIVERGED}, "finite") == (1.0, 10.0)


def test_rates_too_small_to_train_do_not_close_the_interval():
    assert edge({0.01: 0.1, 0.1: 0.2, 1.0: 0.8, 10.0: 0.1}) == (1.0, 10.0)


def test_what_trains_beyond_a_gap_does_not_open_the_interval_again():
    assert edge({0.1: 0.9, 1.0: 0.2, 10.0: 0.9}) == (0.1, 1.0)
    assert edge({0.1: 0.9, 1.0: DIVERGED, 10.0: 0.9}, "finite") == (0.1, 1.0)


def test_a_seed_that_never_trains_or_diverges_at_once_has_its_edge_below_the_smallest_rate():
    assert edge({0.1: 0.1, 1.0: 0.1, 10.0: 0.1}) == (0.0, 0.1)
    assert edge(dict.fromkeys((0.1, 1.0, 10.0), DIVERGED)) == (0.0, 0.1)
    assert edge(dict.fromkeys((0.1, 1.0, 10.0), DIVERGED), "finite") == (0.0, 0.1)


def test_a_seed_that_trains_at_the_top_has_no_upper_end():
    assert edge({0.1: 0.9, 1.0: 0.9, 10.0: 0.9}) == (10.0, inf)
    assert edge({0.1: 0.1, 1.0: 0.1, 10.0: 0.1}, "finite") == (10.0, inf)


def test_a_seed_has_no_edge_while_a_run_of_the_grid_is_missing_or_failed():
    config = experiment(seeds=[0, 1])
    whole, failed = rows("bn", 1, {0.1: 0.9, 1.0: 0.9, 10.0: 0.1}), rows("bn", 0, {0.1: 0.9, 1.0: 0.9, 10.0: nan})
    for table in (pd.DataFrame(whole + failed), pd.DataFrame(whole + failed[:-1])):
        first, second = edges(table, config, "bn", 0.5, "trains")
        assert np.isnan(first).all()
        assert second == (1.0, 10.0)
    assert np.isnan(edges(pd.DataFrame(), config, "bn", 0.5, "finite")).all()


def test_without_a_level_only_divergence_has_an_edge():
    assert np.isnan(edge({0.1: 0.9, 1.0: DIVERGED}, level=nan)).all()
    assert edge({0.1: 0.9, 1.0: DIVERGED}, "finite", level=nan) == (0.1, 1.0)


def test_rates_tried_between_those_of_the_grid_narrow_the_interval_of_their_own_seed():
    config = experiment(seeds=[0, 1])
    by_rate = {0.1: 0.9, 1.0: 0.9, 10.0: 0.1}
    table = rows("bn", 0, by_rate | {3.162: 0.9}) + rows("bn", 1, by_rate)
    assert edges(pd.DataFrame(table), config, "bn", 0.5, "trains") == [(3.162, 10.0), (1.0, 10.0)]
    table += rows("bn", 0, {5.623: 0.1, 4.217: nan})  # what failed was not tried
    assert edges(pd.DataFrame(table), config, "bn", 0.5, "trains")[0] == (3.162, 5.623)


def test_the_next_rates_are_the_geometric_means_by_both_definitions():
    config = experiment(rates=(0.1, 0.3, 1.0, 3.0), seeds=[0, 1, 2, 3])
    table = pd.DataFrame(
        rows("bn", 0, {0.1: 0.9, 0.3: 0.1, 1.0: 0.1, 3.0: DIVERGED})  # √0.03 and √3
        + rows("bn", 1, {0.1: 0.9, 0.3: 0.9, 1.0: DIVERGED, 3.0: DIVERGED})  # √0.3 by both
        + rows("bn", 2, {0.1: 0.9, 0.3: 0.9, 1.0: 0.9, 3.0: 0.9})  # beyond the grid
        + rows("bn", 3, dict.fromkeys((0.1, 0.3, 1.0, 3.0), DIVERGED))  # below it
    )
    assert midpoints(table, config, "bn", 0.5) == {0: (0.1732, 1.732), 1: (0.5477,)}


def test_an_interval_of_neighbours_in_four_digits_is_not_halved():
    config = experiment(rates=(1.0, 1.001))
    table = pd.DataFrame(rows("bn", 0, {1.0: 0.9, 1.001: DIVERGED}))
    assert midpoints(table, config, "bn", 0.5) == {}


TWO_DEPTHS = pd.DataFrame(
    rows("bn", 0, {0.1: 0.9, 1.0: 0.9, 10.0: DIVERGED}, **{DEPTH: 1})
    + rows("bn", 0, {0.1: 0.9, 1.0: 0.1, 10.0: 0.1}, **{DEPTH: 2})
    + tuning_rows("bn", {0.1: [0.9] * 5, 1.0: [0.9] * 5, 10.0: [DIVERGED] * 5}, **{DEPTH: 1})
    + tuning_rows("bn", {0.1: [0.7] * 5, 1.0: [0.1] * 5, 10.0: [0.1] * 5}, **{DEPTH: 2})
)
DEPTHS = experiment(grid={RATE: (0.1, 1.0, 10.0), DEPTH: (1, 2)}, edges={})


def test_a_further_axis_is_fixed_or_counts_by_its_worst():
    assert half_way(TWO_DEPTHS, DEPTHS, ["bn"]) == pytest.approx(0.5)
    assert half_way(TWO_DEPTHS, DEPTHS, ["bn"], at={DEPTH: 2}) == pytest.approx(0.4)
    assert trains_at(TWO_DEPTHS, DEPTHS, "bn", 0.5, {DEPTH: 1}) == {0.1: True, 1.0: True, 10.0: False}
    assert trains_at(TWO_DEPTHS, DEPTHS, "bn", 0.5) == {0.1: True, 1.0: False, 10.0: False}
    assert edges(TWO_DEPTHS, DEPTHS, "bn", 0.5, "trains", {DEPTH: 1}) == [(1.0, 10.0)]
    assert edges(TWO_DEPTHS, DEPTHS, "bn", 0.5, "trains") == [(0.1, 1.0)]


def test_each_combination_of_further_axes_is_halved_by_itself():
    assert list(next_runs(TWO_DEPTHS, DEPTHS)) == [
        ("bn", {RATE: 3.162, DEPTH: 1}, 0),
        ("bn", {RATE: 0.3162, DEPTH: 2}, 0),  # where it is finite at the top
    ]


def test_only_the_arms_asked_for_are_halved_and_the_level_is_that_of_all():
    # the level is 0.5 by bn, and would be 0.2 by no_bn alone
    config = experiment("no_bn", "bn", edges={"arms": ["no_bn"]})
    table = pd.DataFrame(
        tuning_rows("bn", {0.1: [0.9] * 5, 1.0: [0.9] * 5, 10.0: [0.1] * 5})
        + tuning_rows("no_bn", {0.1: [0.3] * 5, 1.0: [0.3] * 5, 10.0: [0.1] * 5})
        + rows("no_bn", 0, {0.1: 0.6, 1.0: 0.3, 10.0: 0.1})
        + rows("bn", 0, {0.1: 0.9, 1.0: 0.9, 10.0: 0.1})
    )
    assert list(next_runs(table, config)) == [("no_bn", {RATE: 0.3162}, 0)]
    assert list(next_runs(table, experiment("no_bn", "bn"))) == []
