from __future__ import annotations

from math import e, inf, isnan, nan

import numpy as np
import pytest

from experiments.analysis.seed_values import (
    largest_relative_difference,
    paired_effects,
    reduce_seeds,
    weighted_sum,
    weights,
)
from experiments.configuration.claim import PartConfig


def part(per_seed: str = "value", **fields: object) -> PartConfig:
    base = {"measure": "final_value", "effect": "level", "treatment": "bn", "axis": "a", "margin": {"at_least": 0}}
    return PartConfig.model_validate(base | {"per_seed": per_seed} | fields)


RATES = np.array([0.01, 0.1, 1.0, 10.0])


def largest_stable(*accuracies: float, tolerance: float = 0.05) -> float:
    # Two seeds; the second is the one asked for, the first sets the arm's best accuracy to at least 0.9.
    table = np.array([[0.9] * 4, accuracies]).T
    return float(reduce_seeds(part("largest_stable_rate", tolerance=tolerance), table, RATES)[1])


def test_the_largest_stable_rate_is_the_last_before_one_falls_short():
    assert largest_stable(0.9, 0.9, 0.9, 0.2) == 1.0
    assert largest_stable(0.9, 0.9, 0.0, 0.9) == 0.1  # diverged at 1: what comes after does not count
    assert largest_stable(0.9, 0.9, 0.9, 0.9) == 10.0


def test_rates_too_small_to_train_do_not_count_as_unstable():
    assert largest_stable(0.1, 0.5, 0.9, 0.2) == 1.0


def test_a_seed_that_is_never_stable_has_the_rate_zero():
    assert largest_stable(0.1, 0.2, 0.1, 0.0) == 0.0


def test_stable_is_within_the_tolerance_of_the_arms_best_median_over_seeds():
    table = np.array([[0.9, 0.5], [0.86, 0.5], [0.88, 0.1], [0.84, 0.1]]).T  # (cells, seeds): medians 0.87, 0.3
    stable = reduce_seeds(part("largest_stable_rate"), table, np.array([1.0, 2.0]))
    assert stable.tolist() == [1.0, 1.0, 1.0, 1.0]  # 0.82 and more is stable
    strict = reduce_seeds(part("largest_stable_rate", tolerance=0.02), table, np.array([1.0, 2.0]))
    assert strict.tolist() == [1.0, 1.0, 1.0, 0.0]  # 0.85 and more


def test_with_further_axes_a_rate_is_as_stable_as_its_worst_run():
    table = np.array([[0.9], [0.9], [0.9], [0.0]])
    assert reduce_seeds(part("largest_stable_rate"), table, np.array([1.0, 1.0, 2.0, 2.0])).tolist() == [1.0]


def test_the_share_that_trains_is_relative_to_the_arms_best():
    # medians over two seeds: 0.8, 0.75, 0.2; the best is 0.8, so 0.76 has to be reached
    table = np.array([[0.8, 0.8], [0.76, 0.74], [0.3, 0.1]])
    assert reduce_seeds(part("share_reaching"), table, np.arange(3)).tolist() == pytest.approx([2 / 3, 1 / 3])


def test_rank_correlation_looks_at_order_only():
    table = np.array([[1.0, 9.0, 5.0, 1.0], [2.0, 4.0, 5.0, nan], [100.0, 1.0, 5.0, 3.0]])
    found = reduce_seeds(part("rank_correlation"), table, np.array([16.0, 64.0, 512.0]))
    assert found[:3].tolist() == pytest.approx([1.0, -1.0, 0.0])
    assert isnan(found[3])


def test_rank_correlation_by_hand():
    # ranks 1 2 3 4 against 2 1 4 3: 1 − 6·4 / (4·15) = 0.6
    assert reduce_seeds(part("rank_correlation"), np.array([[2.0], [1.0], [4.0], [3.0]]), RATES) == pytest.approx(0.6)


def test_slope_is_the_factor_of_the_square_per_unit_of_the_axis():
    depths = np.array([10.0, 20.0, 30.0])
    table = np.array([[1.0, 1.0], [e**5, 0.0], [e**10, 4.0]])  # the square grows by e for each unit
    found = reduce_seeds(part("slope"), table, depths)
    assert found[0] == pytest.approx(e)
    assert isnan(found[1])


def test_median_over_cells():
    assert reduce_seeds(part("median"), np.array([[1.0], [2.0], [inf]]), np.arange(3)).tolist() == [2.0]


def test_one_arm_weighs_one_and_a_sum_goes_seed_by_seed():
    assert weights("bn") == {"bn": 1.0}
    assert weights(None) == {}
    values = {"renorm": np.array([0.9, 0.8]), "small": np.array([0.7, 0.7]), "large": np.array([0.9, 0.9])}
    total = weighted_sum(values, {"renorm": 1, "small": -0.5, "large": -0.5})
    assert total.tolist() == pytest.approx([0.1, 0.0])


@pytest.mark.parametrize(
    ("effect", "over", "expected"),
    [
        ("ratio", "baseline", [0.5, inf]),
        ("ratio", "treatment", [2.0, 0.0]),
        ("difference", "baseline", [-2.0, 3.0]),
        ("difference", "treatment", [2.0, -3.0]),
        ("level", "baseline", [2.0, 3.0]),
    ],
)
def test_over_names_the_denominator_or_subtrahend(effect: str, over: str, expected: list[float]):
    asked = part(effect=effect, over=over, baseline="no_bn")
    assert paired_effects(asked, np.array([4.0, 0.0]), np.array([2.0, 3.0])).tolist() == expected


def test_the_largest_relative_difference_over_the_steps():
    assert largest_relative_difference([2.0, 4.0, 1.0], [2.0, 5.0, 0.9]) == 0.25
    assert largest_relative_difference([0.0, 1.0], [0.0, 1.0]) == 0.0
    assert largest_relative_difference([0.0], [1e-9]) == inf


def test_runs_of_which_only_one_goes_on_or_stays_finite_differ_infinitely():
    assert largest_relative_difference([1.0, 2.0], [1.0]) == inf
    assert largest_relative_difference([1.0, nan], [1.0, 2.0]) == inf
    assert largest_relative_difference([1.0, 2.0], [1.0, inf]) == inf
    assert largest_relative_difference([1.0, inf, nan], [1.0, inf, nan]) == 0.0


def test_nothing_measured_is_no_difference_known():
    assert isnan(largest_relative_difference([], []))
