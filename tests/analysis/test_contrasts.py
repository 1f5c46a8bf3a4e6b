"""Every arm against the first of its network, with ratios and differences known by hand."""

from __future__ import annotations

from math import inf, nan

import pytest

from experiments.analysis.contrasts import Contrast, Effect, contrasts
from experiments.analysis.summary import ArmSummary, Level, Network, Outcome

LEVEL = Level(0.5, "half way")


def outcome(reached: float, test: float = 0.5, steps: int = 400) -> Outcome:
    """A run whose accuracy goes from 0 to 1 so that it is 0.5 at the step `reached`; inf: it never comes there."""
    if reached == inf:
        return Outcome([0.0, 0.0, 0.0], steps // 2, steps, diverged=False, test=test)
    return Outcome([0.0, 1.0, 1.0], round(2 * reached), steps, diverged=False, test=test)


def network(of_arms: dict[str, dict[object, Outcome]], level: Level | None = LEVEL) -> Network:
    arms = tuple(ArmSummary(arm, None, False, 0, None, None, None, False, 0, 0, 0, 0) for arm in of_arms)
    keyed = {
        arm: {key if isinstance(key, tuple) else (key,): run for key, run in runs.items()}
        for arm, runs in of_arms.items()
    }
    return Network("MLP", level, arms, keyed)


def of_steps(first: list[float], second: list[float]) -> Effect:
    arms = {
        "no_bn": {seed: outcome(steps) for seed, steps in enumerate(first)},
        "bn": {seed: outcome(steps) for seed, steps in enumerate(second)},
    }
    (contrast,) = contrasts(network(arms))
    assert contrast.speed_up is not None
    return contrast.speed_up


def of_accuracy(gains: list[float], points: float = 0.5) -> Effect:
    arms = {
        "no_bn": {seed: outcome(100, 0.9) for seed in range(len(gains))},
        "bn": {seed: outcome(100, 0.9 + gain / 100) for seed, gain in enumerate(gains)},
    }
    (contrast,) = contrasts(network(arms, None), points)
    assert contrast.speed_up is None
    assert contrast.accuracy is not None
    return contrast.accuracy


def test_the_speed_up_is_the_steps_of_the_first_over_those_of_the_arm_seed_by_seed() -> None:
    effect = of_steps([200, 300, 400, 100, 100, 100], [100, 100, 100, 100, 100, 50])
    found = effect.estimate  # of 1, 1, 2, 2, 3 and 4
    assert (found.low, found.high) == pytest.approx((2, 2))
    assert (found.interval, found.is_range, found.seeds) == (pytest.approx((1, 4)), False, 6)


def test_the_middle_of_two_ratios_is_that_of_their_logarithms() -> None:
    found = of_steps([100, 400], [100, 100]).estimate
    assert (found.low, found.high) == pytest.approx((2, 2))  # of 1 and 4


@pytest.mark.parametrize(
    ("ratio", "side"), [(1.26, "more"), (1.24, "same"), (0.81, "same"), (0.79, "less"), (1.25, "open"), (0.8, "open")]
)
def test_a_ratio_is_set_against_the_band_of_no_material_difference(ratio: float, side: str) -> None:
    assert of_steps([100 * ratio] * 6, [100] * 6).side == side


def test_an_interval_that_reaches_across_an_end_of_the_band_is_open() -> None:
    assert of_steps([200] * 5 + [100], [100] * 6).side == "open"
    assert of_steps([200] * 9 + [100], [100] * 10).side == "more"  # of ten, one end may lie anywhere


def test_fewer_than_six_seeds_settle_nothing() -> None:
    effect = of_steps([1000] * 5, [100] * 5)
    assert (effect.side, effect.estimate.is_range) == ("open", True)


def test_a_run_that_never_comes_there_leaves_a_bound() -> None:
    slow = of_steps([inf] * 6, [100] * 6)  # 400 steps and more, against 100
    assert (slow.estimate.low, slow.estimate.high, slow.estimate.interval) == (4, inf, (4, inf))
    assert slow.side == "more"
    fast = of_steps([100] * 6, [inf] * 6)
    assert (fast.estimate.low, fast.estimate.high, fast.estimate.interval) == (0, 0.25, (0, 0.25))
    assert fast.side == "less"
    neither = of_steps([inf] * 6, [inf] * 6)
    assert (neither.estimate.low, neither.estimate.high, neither.side) == (0, inf, "open")


@pytest.mark.parametrize(
    ("gain", "points", "side"),
    [(0.6, 0.5, "more"), (-0.6, 0.5, "less"), (0.4, 0.5, "same"), (0.6, 1.0, "same"), (0.5, 0.5, "open")],
)
def test_a_difference_of_accuracy_is_in_points(gain: float, points: float, side: str) -> None:
    effect = of_accuracy([gain] * 6, points)
    assert (effect.estimate.low, effect.side) == (pytest.approx(gain), side)


def test_what_lacks_its_pair_or_its_value_is_left_out_and_counted() -> None:
    first = {0: outcome(100), 2: outcome(100), 3: outcome(100, nan)}
    second = {0: outcome(100, 0.75), 1: outcome(100, 0.75), 3: outcome(100, 0.75)}
    (contrast,) = contrasts(network({"no_bn": first, "bn": second}))
    assert contrast.accuracy is not None
    assert contrast.speed_up is not None
    assert (contrast.accuracy.estimate.low, contrast.accuracy.estimate.seeds) == (25, 1)
    assert contrast.speed_up.estimate.seeds == 2
    assert contrasts(network({"no_bn": {}, "bn": second})) == [Contrast("bn", None, None)]


def test_of_several_pairs_of_a_seed_the_median_is_the_seeds() -> None:
    first = {(depth, 0): outcome(100) for depth in (1, 2, 3)}
    second = {(depth, 0): outcome(100, 0.5 + gain) for depth, gain in ((1, 0.125), (2, 0.5), (3, 0.25))}
    (contrast,) = contrasts(network({"no_bn": first, "bn": second}))
    assert contrast.accuracy is not None
    assert (contrast.accuracy.estimate.low, contrast.accuracy.estimate.seeds) == (25, 1)


def test_a_lone_arm_is_compared_with_nothing() -> None:
    assert contrasts(network({"bn": {0: outcome(100)}})) == []
