from __future__ import annotations

import itertools
from math import inf, isnan, nan

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from experiments.analysis.statistics import (
    bootstrap_interval,
    decide,
    estimate,
    false_support_share,
    holm,
    interval_coverage,
    margin_p,
    median,
    paired_differences,
    paired_ratios,
    probability_of_improvement,
    signed_rank_p,
)
from experiments.configuration.claim import Margin


def test_ratios_where_both_or_one_never_reach_the_target():
    numerator, denominator = np.array([3, inf, inf, 2, 0, 4]), np.array([2, inf, 5, inf, 0, 0])
    np.testing.assert_array_equal(paired_ratios(numerator, denominator), [1.5, 1, inf, 0, 1, inf])


def test_a_negative_value_has_no_ratio():
    np.testing.assert_array_equal(paired_ratios(np.array([-1.0, 1.0]), np.array([-1.0, -2.0])), [nan, nan])


def test_differences_of_equal_infinities_are_ties():
    np.testing.assert_array_equal(paired_differences(np.array([inf, inf, 1]), np.array([inf, 2, inf])), [0, inf, -inf])


@pytest.mark.parametrize(
    ("values", "middle"),
    [
        ([3, 1, 2], 2),
        ([4, 1, 2, 3], 2.5),
        ([1, inf, inf], inf),
        ([1, 2, inf, inf], inf),
        ([1, 2, 4, inf], 3),
        ([inf, inf], inf),
    ],
)
def test_median_takes_infinities(values: list[float], middle: float):
    assert median(np.array(values, float)) == middle


def test_median_of_nothing_known_is_nan():
    assert isnan(median(np.array([])))
    assert isnan(median(np.array([1, 2, nan])))
    assert isnan(median(np.array([-inf, inf])))


def test_interval_of_constants_is_the_constant():
    assert bootstrap_interval(np.full(20, 1.5)) == (1.5, 1.5)
    assert bootstrap_interval(np.full(20, inf)) == (inf, inf)


def test_interval_of_two_values_holds_both():
    # A resample of two is (a, a), (a, b) or (b, b): its median is a in a quarter of them, b in another.
    assert bootstrap_interval(np.array([1.0, 5.0])) == (1.0, 5.0)


def test_interval_agrees_with_resampling_written_out():
    values = np.random.default_rng(3).lognormal(size=20)
    drawn = np.sort(values)[np.random.default_rng(1).integers(0, 20, (10_000, 20))]
    medians = np.sort(np.median(drawn, axis=1))
    assert bootstrap_interval(values, seed=1) == (medians[250], medians[9749])


def test_interval_reaches_to_infinity_where_many_seeds_do():
    low, high = bootstrap_interval(np.array([1.0] * 12 + [inf] * 8))
    assert (low, high) == (1.0, inf)


def test_interval_between_two_infinities_is_unbounded():
    assert bootstrap_interval(np.array([-inf] * 5 + [inf] * 5)) == (-inf, inf)
    # With 6 of 20 at −inf, 1.7 % of resamples have more than 10 of them and 3.1 % just 10, which counts for both ends.
    assert bootstrap_interval(np.array([-inf] * 6 + [inf] * 14)) == (-inf, inf)
    assert bootstrap_interval(np.array([-inf] * 14 + [inf] * 6)) == (-inf, inf)


def test_the_seed_decides_the_interval():
    values = np.random.default_rng(0).normal(size=21) ** 3
    few = [bootstrap_interval(values, seed, resamples=50) for seed in (1, 1, 2, 3, 4)]
    assert few[0] == few[1]
    assert len(set(few)) > 1


def test_the_order_of_seeds_does_not_matter_to_the_interval():
    values = np.random.default_rng(0).normal(size=20)
    assert bootstrap_interval(values) == bootstrap_interval(values[::-1])


def test_a_missing_value_leaves_no_interval_and_no_p():
    assert all(map(isnan, bootstrap_interval(np.array([1, nan]))))
    assert isnan(signed_rank_p(np.array([1, nan])))


@given(st.integers(1, 20), st.integers(0, 1000))
def test_signed_rank_p_is_scipys_exact_p_without_ties(size: int, seed: int):
    values = np.random.default_rng(seed).normal(0.3, 1, size)
    expected = scipy.stats.wilcoxon(values, alternative="greater", method="exact").pvalue
    assert signed_rank_p(values) == pytest.approx(expected, abs=1e-12)


def by_every_sign(values: np.ndarray) -> float:
    ranks = scipy.stats.rankdata(np.abs(values))
    observed = ranks[values > 0].sum()
    signs = itertools.product((0, 1), repeat=int(np.count_nonzero(values)))
    sums = [np.dot(sign, ranks[values != 0]) for sign in signs]
    return float(np.mean([total >= observed - 1e-9 for total in sums]))


@given(st.lists(st.sampled_from([-inf, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, inf]), min_size=1, max_size=9))
def test_signed_rank_p_counts_every_assignment_of_signs_with_ties_zeros_and_infinities(values: list[float]):
    assert signed_rank_p(np.array(values)) == pytest.approx(by_every_sign(np.array(values)), abs=1e-12)


@pytest.mark.parametrize("seeds", [5, 10, 20])
def test_with_all_seeds_of_one_sign_p_is_two_to_the_minus_n(seeds: int):
    assert signed_rank_p(np.full(seeds, inf)) == 2.0**-seeds
    assert signed_rank_p(np.arange(1.0, seeds + 1)) == 2.0**-seeds
    assert signed_rank_p(-np.arange(1.0, seeds + 1)) == 1.0


def test_zeros_take_ranks_but_speak_for_neither_side():
    assert signed_rank_p(np.zeros(20)) == 1.0
    # Ranks 1.5, 1.5 (the zeros), 3, 4. Sums of 3 and 4: 0, 3, 4, 7; the observed 4 is reached by two of four.
    assert signed_rank_p(np.array([0.0, 0.0, -1.0, 2.0])) == 0.5


def test_ratios_are_tested_on_the_logarithm():
    # log 3 − log 1.5 = log 2 and log 0.75 − log 1.5 = −log 2 share a rank; plain differences 1.5 and −0.75 would not.
    assert margin_p(np.array([3.0, 0.75]), Margin(at_least=1.5), is_ratio=True) == 0.75
    assert margin_p(np.array([3.0, 0.75]), Margin(at_least=1.5), is_ratio=False) == 0.5


def test_p_counts_from_the_margin_and_towards_its_side():
    effects = np.full(10, 2.0)
    assert margin_p(effects, Margin(at_least=1.5), is_ratio=True) == 2.0**-10
    assert margin_p(effects, Margin(above=2.0), is_ratio=True) == 1.0
    assert margin_p(effects, Margin(at_most=2.5), is_ratio=False) == 2.0**-10
    assert margin_p(effects, Margin(below=1.5), is_ratio=False) == 1.0
    assert margin_p(np.array([inf] * 10), Margin(at_least=1.5), is_ratio=True) == 2.0**-10
    assert margin_p(np.zeros(10), Margin(at_least=1.5), is_ratio=True) == 1.0


def test_rounding_errors_break_no_ties():
    effects = 100 * (np.array([0.92, 0.90]) - 0.91)  # 1.0000000000000009 and −1.0000000000000009
    assert margin_p(effects + 0.5, Margin(at_least=0.5), is_ratio=False) == 0.75
    assert margin_p(np.array([0.1 + 0.2]), Margin(above=0.3), is_ratio=False) == 1.0


def test_p_of_a_band_is_the_larger_of_its_two_ends():
    effects = np.linspace(0.9, 1.5, 10)
    ends = [margin_p(effects, margin, True) for margin in (Margin(at_least=0.8), Margin(at_most=1.25))]
    assert margin_p(effects, Margin(within=(0.8, 1.25)), True) == max(ends) == ends[1] > ends[0]


def test_estimate_gathers_median_interval_and_p():
    found = estimate(np.full(10, 2.0), Margin(at_least=1.5), is_ratio=True)
    assert (found.median, found.low, found.high, found.p) == (2.0, 2.0, 2.0, 2.0**-10)


@pytest.mark.parametrize(
    ("margin", "low", "high", "verdict"),
    [
        (Margin(at_least=1.5), 1.5, 2.0, "supported"),
        (Margin(at_least=1.5), 1.4, 2.0, "inconclusive"),
        (Margin(at_least=1.5), 1.0, 1.5, "inconclusive"),
        (Margin(at_least=1.5), 1.0, 1.4, "refuted"),
        (Margin(above=1.0), 1.0, 2.0, "inconclusive"),
        (Margin(above=1.0), 1.1, inf, "supported"),
        (Margin(above=1.0), 0.5, 1.0, "refuted"),
        (Margin(at_most=0.8), 0.1, 0.8, "supported"),
        (Margin(at_most=0.8), 0.8, 0.9, "inconclusive"),
        (Margin(at_most=0.8), 0.81, inf, "refuted"),
        (Margin(below=0.8), 0.1, 0.8, "inconclusive"),
        (Margin(below=0.8), 0.8, 0.9, "refuted"),
        (Margin(within=(0.8, 1.25)), 0.8, 1.25, "supported"),
        (Margin(within=(0.8, 1.25)), 0.7, 1.0, "inconclusive"),
        (Margin(within=(0.8, 1.25)), 0.7, 1.3, "inconclusive"),
        (Margin(within=(0.8, 1.25)), 0.1, 0.7, "refuted"),
        (Margin(within=(0.8, 1.25)), 1.3, inf, "refuted"),
        (Margin(at_least=1.5), nan, nan, "inconclusive"),
    ],
)
def test_verdict_from_the_interval(margin: Margin, low: float, high: float, verdict: str):
    assert decide(low, high, 0.001, margin) == verdict


def test_support_takes_a_p_below_five_percent_and_refutation_takes_none():
    assert decide(2.0, 3.0, 0.049, Margin(at_least=1.5)) == "supported"
    assert decide(2.0, 3.0, 0.05, Margin(at_least=1.5)) == "inconclusive"
    assert decide(2.0, 3.0, None, Margin(at_least=1.5)) == "supported"
    assert decide(0.5, 1.0, 1.0, Margin(at_least=1.5)) == "refuted"


def test_holm_by_hand():
    # sorted 0.01, 0.02, 0.03, 0.5 times 4, 3, 2, 1; the third may not fall below the second
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_probability_of_improvement_over_all_pairs():
    # 2 > 1, 2 = 2, inf > 1, inf > 2: 3.5 of 4
    assert probability_of_improvement(np.array([2.0, inf]), np.array([1.0, 2.0])) == 0.875
    assert probability_of_improvement(np.array([inf]), np.array([inf])) == 0.5


A_A_ARMS = {
    "steps": (
        np.array([150, 200, 200, 250, 250, 250, 300, 300, 300, 350, 350, 400, 450, 500, 600, 800, 900] + [inf] * 3),
        "ratio",
    ),
    "accuracies": (0.95 + 0.01 * np.random.default_rng(1).normal(size=20), "difference"),
    "ties": (np.array([0.9, 0.91] * 10), "difference"),
}


@pytest.mark.parametrize("name", A_A_ARMS)
def test_halves_of_one_arm_are_told_apart_in_at_most_five_percent_of_splits(name: str):
    values, effect = A_A_ARMS[name]
    assert false_support_share(values, effect, seed=0) <= 0.05  # type: ignore[arg-type]


def test_the_split_check_would_notice_a_test_that_supports_too_much(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "experiments.analysis.statistics.decide", lambda low, *_: "supported" if low > 0.5 else "refuted"
    )
    assert false_support_share(A_A_ARMS["steps"][0], "ratio", seed=0, splits=100) > 0.05


def test_the_seed_decides_the_splits():
    values = A_A_ARMS["accuracies"][0]
    shares = [false_support_share(values, "difference", seed, splits=200) for seed in (1, 1, 2, 3)]
    assert shares[0] == shares[1]
    assert len(set(shares)) > 1


def test_intervals_cover_a_known_effect_in_93_percent_of_draws():
    assert 0.93 <= interval_coverage(seed=0) <= 0.99


def test_the_coverage_check_would_notice_intervals_that_are_too_short(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("experiments.analysis.statistics.LEVEL", 0.3)
    assert interval_coverage(seed=0, draws=300) < 0.9
