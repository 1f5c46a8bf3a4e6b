"""The sign rule, its intervals and what they decide, by values counted by hand."""

from __future__ import annotations

from math import comb, inf, isnan, nan

import numpy as np
import pytest

from experiments.analysis.statistics import (
    USUAL,
    aa_check,
    band_of,
    coverage,
    decide,
    decisive_count,
    median,
    order_interval,
    seeds_to_resolve,
)

RATIO, POINTS = band_of(1.25, is_ratio=True), band_of(0.5, is_ratio=False)
ONE_TO_TWENTY = np.random.default_rng(0).permutation(np.arange(1.0, 21.0))


def verdict(effects: list[float], band=RATIO, expect="more") -> str:
    return decide(np.array(effects), np.array(effects), band, expect)


def test_the_bands_are_symmetric_as_factors_and_as_distances():
    assert (RATIO.low, RATIO.neutral, RATIO.high) == (0.8, 1.0, 1.25)
    assert (POINTS.low, POINTS.neutral, POINTS.high) == (-0.5, 0.0, 0.5)


@pytest.mark.parametrize(("seeds", "count"), [(20, 17), (10, 10), (11, 11), (13, 13), (14, 13), (40, 30)])
def test_the_decisive_count_is_the_fewest_that_a_fair_coin_rarely_reaches(seeds: int, count: int):
    def tail(least: int) -> float:
        return sum(comb(seeds, heads) for heads in range(least, seeds + 1)) / 2**seeds

    assert decisive_count(seeds) == count
    assert tail(count) <= 0.0013 < tail(count - 1)


def test_of_twenty_seeds_seventeen_decide_with_the_probability_the_protocol_states():
    assert sum(comb(20, heads) for heads in range(17, 21)) / 2**20 == pytest.approx(0.001288, abs=5e-7)
    assert decisive_count(20, USUAL) == 15


@pytest.mark.parametrize("seeds", range(10))
def test_below_ten_seeds_no_count_is_decisive(seeds: int):
    assert decisive_count(seeds) is None
    assert verdict([100.0] * seeds) == "not tested"


def test_a_count_of_thousands_of_seeds_is_exact_too():
    # n/2 + z √n/2 with z = 3.011, and half a seed: 5,000 + 150.6
    assert decisive_count(10_000) == 5152


def test_the_intervals_are_the_fourth_and_seventeenth_and_the_sixth_and_fifteenth_of_twenty():
    assert order_interval(ONE_TO_TWENTY, ONE_TO_TWENTY) == (4.0, 17.0)
    assert order_interval(ONE_TO_TWENTY, ONE_TO_TWENTY, USUAL) == (6.0, 15.0)
    assert order_interval(ONE_TO_TWENTY[:10], ONE_TO_TWENTY[:10]) == (min(ONE_TO_TWENTY[:10]), max(ONE_TO_TWENTY[:10]))


def test_the_lower_end_is_of_the_lower_ends_and_the_upper_of_the_upper():
    assert order_interval(ONE_TO_TWENTY, ONE_TO_TWENTY + 100) == (4.0, 117.0)
    assert order_interval(ONE_TO_TWENTY, np.full(20, inf)) == (4.0, inf)


def test_there_is_no_interval_with_a_value_missing():
    missing = np.where(ONE_TO_TWENTY == 7, nan, ONE_TO_TWENTY)
    assert np.isnan(order_interval(missing, ONE_TO_TWENTY)).all()
    assert np.isnan(order_interval(ONE_TO_TWENTY, missing)).all()
    assert decide(missing, missing, RATIO, "more") == "not tested"


def test_medians_of_ratios_are_those_of_their_logarithms():
    assert median(np.array([1.0, 4.0]), is_ratio=True) == 2.0
    assert median(np.array([1.0, 4.0])) == 2.5
    assert median(np.array([9.0, 1.0, 4.0]), is_ratio=True) == 4.0
    assert median(np.array([0.25, 4.0]), is_ratio=True) == 1.0


def test_medians_take_infinities_but_never_a_value_that_is_missing():
    assert median(np.array([1.0, 2.0, inf])) == 2.0
    assert median(np.array([1.0, inf])) == inf
    assert median(np.array([inf, inf]), is_ratio=True) == inf
    assert isnan(median(np.array([-inf, inf])))
    assert isnan(median(np.array([0.0, inf]), is_ratio=True))
    assert isnan(median(np.array([1.0, 2.0, nan])))
    assert isnan(median(np.array([])))


@pytest.mark.parametrize(
    ("beyond", "found"), [(20, "supported"), (17, "supported"), (16, "unresolved"), (10, "unresolved")]
)
def test_seventeen_of_twenty_seeds_above_the_band_support(beyond: int, found: str):
    assert verdict([1.26] * beyond + [1.0] * (20 - beyond)) == found


@pytest.mark.parametrize(("beyond", "found"), [(17, "reversed"), (16, "unresolved")])
def test_seventeen_of_twenty_seeds_below_the_band_reverse(beyond: int, found: str):
    assert verdict([0.79] * beyond + [1.0] * (20 - beyond)) == found


@pytest.mark.parametrize(("within", "found"), [(17, "no material difference"), (16, "unresolved")])
def test_seventeen_of_twenty_seeds_on_the_inner_side_of_both_bounds_make_no_material_difference(
    within: int, found: str
):
    assert verdict([1.1] * within + [3.0] * (20 - within)) == found
    assert verdict([1.1] * within + [0.1] * (20 - within)) == found


def test_each_bound_is_a_decision_of_its_own():
    # 17 of 20 are below the upper bound and 17 above the lower, though 14 alone are between
    assert verdict([1.0] * 14 + [3.0] * 3 + [0.1] * 3) == "no material difference"


def test_of_ten_seeds_all_have_to_agree():
    assert verdict([1.26] * 10) == "supported"
    assert verdict([1.26] * 9 + [1.25]) == "unresolved"


def test_the_bounds_themselves_belong_to_the_band():
    assert verdict([0.5, -0.5] * 10, POINTS) == "no material difference"
    assert verdict([0.5] * 20, POINTS) == "no material difference"
    assert verdict([0.8, 1.25] * 10) == "no material difference"


def test_who_expects_no_less_is_supported_from_the_lower_end_of_the_band_on_and_reversed_below():
    assert verdict([1.1] * 20, expect="not_less") == verdict([1.3] * 20, expect="not_less") == "supported"
    assert verdict([0.8] * 20, expect="not_less") == "supported"
    assert verdict([0.7] * 20, expect="not_less") == "reversed"
    assert verdict([0.7, 1.3] * 10, expect="not_less") == "unresolved"


OTHER_WAY_ROUND = {"supported": "reversed", "reversed": "supported"}


@pytest.mark.parametrize("middle", [0.5, 0.75, 1.0, 1.3, 2.0])
def test_exchanging_the_arms_exchanges_the_verdict_and_inverts_the_intervals(middle: float):
    rng = np.random.default_rng(1)
    for spread in (0.05, 0.2, 0.6):
        low = middle * np.exp(rng.normal(0, spread, 20))
        high = np.where(rng.random(20) < 0.2, inf, low)
        found, exchanged = (decide(*ends, RATIO, "more") for ends in ((low, high), (1 / high, 1 / low)))
        assert exchanged == OTHER_WAY_ROUND.get(found, found)
        for p in (0.0013, USUAL):
            first, last = order_interval(low, high, p)
            assert order_interval(1 / high, 1 / low, p) == pytest.approx((1 / last, 1 / first))
        assert median(1 / low, is_ratio=True) == pytest.approx(1 / median(low, is_ratio=True))


def test_a_decision_holds_wherever_in_the_intervals_the_truth_lies():
    low, high = np.full(20, 2.0), np.full(20, inf)
    assert decide(low, high, RATIO, "more") == "supported"
    assert decide(1 / high, 1 / low, RATIO, "more") == "reversed"
    assert decide(np.full(20, 1.0), high, RATIO, "more") == "unresolved"
    assert decide(np.zeros(20), high, RATIO, "more") == "unresolved"


@pytest.mark.parametrize(("unknown", "found"), [(3, "supported"), (4, "unresolved")])
def test_three_of_twenty_seeds_may_be_unknown(unknown: int, found: str):
    low, high = np.full(20, 2.0), np.full(20, 2.0)
    low[:unknown], high[:unknown] = 0.0, inf
    assert decide(low, high, RATIO, "more") == found


def seeds_for(effects: list[float]) -> int | None:
    return seeds_to_resolve(np.array(effects), np.array(effects), RATIO)


def test_the_seeds_that_resolve_keep_the_share_on_the_side_seen():
    # three quarters of the seeds first decide at 40, of which it takes 30
    assert decisive_count(40) == 30
    assert all(0.75 * n < decisive_count(n) for n in range(10, 40))
    assert seeds_for([2.0] * 15 + [1.0] * 5) == 40
    assert seeds_for([0.5] * 15 + [1.0] * 5) == 40
    assert seeds_for([1.0] * 15 + [2.0] * 5) == 40
    assert seeds_for([1.25] * 15 + [2.0] * 5) == 40
    assert seeds_for([2.0] * 20) == 10


def test_a_small_majority_takes_more_seeds_than_are_worth_naming():
    # 65 % of n exceed n/2 + 1.505 √n from (1.505 / 0.15)² = 101 on
    assert 95 <= seeds_for([2.0] * 65 + [1.0] * 35) <= 112
    # 60 %: (1.505 / 0.1)² = 226
    assert seeds_for([2.0] * 60 + [1.0] * 40) is None


def test_no_number_of_seeds_resolves_an_even_split():
    assert seeds_for([2.0] * 10 + [1.0] * 10) is None
    assert seeds_to_resolve(np.zeros(20), np.full(20, inf), RATIO) is None


def test_one_arm_against_itself_shows_no_difference_and_the_interval_covers():
    times = np.random.default_rng(5).lognormal(5.0, 0.05, 20)
    found = aa_check(times, 1.25, seed=3)
    assert found.found <= 0.01
    assert found.same > 0.5
    assert 0.94 <= found.covered <= 0.98
    assert (found.splits, found.draws) == (1000, 1000)
    assert aa_check(times, 1.25, seed=3) == found


def test_one_arm_that_varies_widely_is_seldom_found_to_differ_from_itself():
    # a pair of halves lies beyond in all of 10 seeds with a probability of at most 2 · 2⁻¹⁰
    assert aa_check(np.random.default_rng(6).lognormal(5.0, 2.0, 20), 1.25).found <= 0.01


def test_the_interval_holds_the_median_as_often_as_heads_and_tails_say() -> None:
    assert coverage(20) == pytest.approx(1 - 2 * (1140 + 190 + 20 + 1) / 2**20)
    assert coverage(10) == 1 - 2 / 2**10
    assert coverage(10, USUAL) == 1 - 2 * 11 / 2**10
    assert round(coverage(20, USUAL), 3) == 0.959
    assert isnan(coverage(3))
