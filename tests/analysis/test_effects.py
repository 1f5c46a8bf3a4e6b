"""The effect of a pair, and the one number of many, by hand."""

from __future__ import annotations

from math import e, inf, isnan, nan
from typing import Any

import numpy as np
import pytest

from experiments.analysis.effects import largest_difference, one_of_many, paired_effects
from experiments.configuration.claim import PartConfig


def part(**fields: Any) -> PartConfig:
    common = {"measure": "final_value", "effect": "ratio", "baseline": "no_bn", "treatment": "bn"}
    return PartConfig.model_validate(common | fields)


def effect(asked: PartConfig, **sides: tuple[float, float]) -> Any:
    ends = {arm: (np.array([low]), np.array([high])) for arm, (low, high) in sides.items()}
    (low,), (high,) = paired_effects(asked, ends)
    return low if low == high or isnan(low) else (low, high)


def test_a_ratio_is_over_the_side_named():
    assert effect(part(over="baseline"), no_bn=(2, 2), bn=(6, 6)) == 3.0
    assert effect(part(over="treatment"), no_bn=(2, 2), bn=(6, 6)) == pytest.approx(1 / 3)


def test_a_difference_is_from_the_side_named():
    difference = {"effect": "difference", "band": 1.0}
    assert effect(part(**difference), no_bn=(2, 2), bn=(6, 6)) == 4.0
    assert effect(part(**difference, over="treatment"), no_bn=(2, 2), bn=(6, 6)) == -4.0


def test_points_are_hundredths_and_rounding_does_not_decide():
    assert effect(part(effect="difference", unit="points"), no_bn=(0.915, 0.915), bn=(0.92, 0.92)) == 0.5
    assert effect(part(effect="level", unit="points", role="beside"), bn=(0.92, 0.92)) == 92.0


def test_an_effect_reaches_from_the_smallest_to_the_largest_that_is_possible():
    # 400 steps or more without; 100 with: 4 or more. The other way round 1/4 or less, of both anything
    times = part(over="treatment")
    assert effect(times, no_bn=(400, inf), bn=(100, 100)) == (4.0, inf)
    assert effect(times, no_bn=(100, 100), bn=(400, inf)) == (0.0, 0.25)
    assert effect(times, no_bn=(400, inf), bn=(400, inf)) == (0.0, inf)
    assert effect(part(), no_bn=(1, 2), bn=(4, 8)) == (2.0, 8.0)
    assert effect(part(effect="difference", band=1), no_bn=(1, 2), bn=(4, 8)) == (2.0, 7.0)


def test_exchanging_the_arms_inverts_a_ratio_and_its_ends():
    sides = {"no_bn": (3.0, 5.0), "bn": (1.0, inf)}
    low, high = effect(part(over="treatment"), **sides)
    exchanged = part(over="treatment", baseline="bn", treatment="no_bn")
    assert effect(exchanged, **sides) == pytest.approx((1 / high, inf))
    assert (low, high) == (0.0, 5.0)
    assert effect(exchanged, **sides)[0] == pytest.approx(0.2)


def test_a_ratio_of_values_below_zero_or_of_nothing_to_nothing_is_not_defined():
    assert isnan(effect(part(), no_bn=(-1, -1), bn=(-2, -2)))
    assert isnan(effect(part(), no_bn=(1, 1), bn=(-2, -2)))
    assert isnan(effect(part(), no_bn=(0, 0), bn=(0, 0)))
    assert effect(part(), no_bn=(0, 0), bn=(2, 2)) == inf
    assert effect(part(), no_bn=(2, 2), bn=(0, 0)) == 0.0


def test_what_is_recovered_is_a_share_of_the_way():
    share = part(effect="recovered", whole="large", band=0.1)
    assert effect(share, no_bn=(0.8, 0.8), bn=(0.85, 0.85), large=(0.9, 0.9)) == pytest.approx(0.5)
    assert effect(share, no_bn=(0.8, 0.8), bn=(0.75, 0.75), large=(0.9, 0.9)) == pytest.approx(-0.5)
    assert isnan(effect(share, no_bn=(0.8, 0.8), bn=(0.8, 0.8), large=(0.8, 0.8)))


def test_the_largest_difference_of_two_curves_is_a_share_of_the_baseline():
    assert largest_difference([nan, 1.1, 2.0], [nan, 1.0, 4.0]) == 0.5
    assert largest_difference([4.0], [2.0]) == 1.0
    assert largest_difference([1.0], [1.0, 2.0]) == inf  # one of them ended
    assert isnan(largest_difference([], []))
    assert isnan(largest_difference([nan, 1.0], [1.0, 1.0]))  # of one of them it is not known


def one(per_seed: str, places: list[float], values: list[float], level: float = 0.5) -> float:
    return one_of_many(part(per_seed=per_seed, axis="x"), np.array(places), np.array(values), level)


def test_worst_is_the_smallest_and_the_share_that_trains_counts_the_level_in():
    assert one("worst", [1, 2, 3], [0.9, 0.2, 0.7]) == 0.2
    assert one("share_training", [1, 2, 3, 4], [0.9, 0.2, 0.5, 0.0]) == 0.5


def test_growth_is_the_factor_per_unit_of_the_axis():
    assert one("growth", [4, 8, 16], [3 * 1.4**4, 3 * 1.4**8, 3 * 1.4**16]) == pytest.approx(1.4)
    assert one("growth", [0, 1, 2], [1, e, 1]) == pytest.approx(1.0)


def test_slope_is_the_median_slope_of_the_logarithm_per_doubling():
    # logarithms 0, 1, 2, 30 at 1, 2, 4, 8: slopes 1, 1, 10, 1, 14.5, 28 of the pairs, whose median is 5.5
    assert one("slope", [1, 2, 4, 8], [1, e, e**2, e**30]) == pytest.approx(5.5)
    # the last of five lies off: 1 six times, then 7.25, 9.33, 13.5 and 26
    assert one("slope", [1, 2, 4, 8, 16], [1, e, e**2, e**3, e**29]) == pytest.approx(1.0)
    assert one("slope", [16, 32], [2.0, 2.0]) == 0.0


@pytest.mark.parametrize("per_seed", ["growth", "slope"])
@pytest.mark.parametrize("value", [0.0, -1.0, inf])
def test_what_has_no_logarithm_neither_grows_nor_slopes(per_seed: str, value: float):
    assert isnan(one(per_seed, [1, 2], [1.0, value]))
