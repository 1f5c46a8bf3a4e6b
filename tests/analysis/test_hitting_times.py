"""When curves reach levels, by straight lines drawn by hand."""

from __future__ import annotations

from math import inf, isnan, nan

import numpy as np
import pytest

from experiments.analysis.hitting_times import best_sustained, falling_time, hitting_time, late
from experiments.analysis.statistics import band_of, decide

CURVE = [0.1, 0.5, 0.9, 0.95]  # at steps 0, 10, 20, 30


@pytest.mark.parametrize(
    ("level", "steps"),
    [(0.3, 5.0), (0.5, 10.0), (0.6, 12.5), (0.9, 20.0), (0.1, 0.0), (0.05, 0.0), (0.0, 0.0)],
)
def test_a_level_is_reached_on_the_straight_line_between_two_evaluations(level: float, steps: float):
    assert hitting_time(CURVE, 10, level) == pytest.approx(steps)


@pytest.mark.parametrize("level", [0.96, 2.0])
def test_a_level_above_the_curve_is_never_reached(level: float):
    assert hitting_time(CURVE, 10, level) == inf


def test_one_lucky_evaluation_is_not_reaching_a_level():
    lucky = [0.1, 0.9, 0.5, 0.7, 0.9, 0.9]  # 0.8 is half way from 0.7 to 0.9
    assert hitting_time(lucky, 10, 0.8) == pytest.approx(35.0)
    assert hitting_time(lucky, 10, 0.8, in_a_row=1) == pytest.approx(8.75)
    assert hitting_time([0.1, 0.9, 0.5, 0.9, 0.5], 10, 0.8) == inf


def test_the_last_evaluation_alone_is_one():
    assert hitting_time([0.1, 0.5, 0.9], 10, 0.8) == inf
    assert hitting_time([0.1, 0.5, 0.9, 0.9], 10, 0.8) == pytest.approx(17.5)


def test_after_a_plateau_below_the_level_time_is_counted_from_its_end():
    assert hitting_time([0.1, 0.5, 0.5, 0.5, 0.7, 0.7], 10, 0.6) == pytest.approx(35.0)


def test_a_plateau_at_the_level_is_reached_where_it_begins():
    assert hitting_time([0.1, 0.5, 0.5, 0.5], 10, 0.5) == pytest.approx(10.0)


def test_a_curve_that_was_not_measured_throughout_has_no_time():
    assert isnan(hitting_time([], 10, 0.5))
    assert isnan(hitting_time([nan, nan, 0.9], 10, 0.5))
    assert isnan(hitting_time([nan, 0.9, 0.9], 10, 0.5))


def test_a_loss_falls_to_a_level_on_the_straight_line():
    assert falling_time([2.0, 1.0, 0.5], 10, 0.75) == pytest.approx(15.0)
    assert falling_time([2.0, 1.0, 0.5], 10, 0.5) == pytest.approx(20.0)
    assert falling_time([2.0, 1.0, 0.5], 10, 2.0) == falling_time([2.0, 1.0], 10, 3.0) == 0.0
    assert falling_time([2.0, 1.0, 0.5], 10, 0.4) == falling_time([], 10, 0.4) == inf


def test_a_loss_that_was_not_measured_at_an_evaluation_is_passed_over():
    assert falling_time([nan, 2.0, nan, 1.0], 10, 1.5) == pytest.approx(20.0)
    assert falling_time([nan, 1.0], 10, 1.5) == pytest.approx(10.0)
    assert falling_time([nan, nan], 10, 1.5) == inf


def test_the_late_value_is_the_median_of_the_last_three():
    assert late([0.0, 0.9, 0.1, 0.7, 0.8]) == 0.7
    assert late([0.2, 0.4]) == pytest.approx(0.3)
    assert isnan(late([]))


def test_the_best_sustained_value_is_the_highest_running_median_of_three():
    assert best_sustained([0.1, 0.99, 0.2, 0.6, 0.7, 0.5]) == 0.6  # medians: 0.2, 0.6, 0.6, 0.6
    assert best_sustained([0.1, 0.8, 0.9, 0.85, 0.2]) == 0.85
    assert best_sustained([0.2, 0.4]) == pytest.approx(0.3)
    assert isnan(best_sustained([]))


FINEST, STEPS = 5, 800


def accuracies(time_constant: float, noise: float, seed: int) -> np.ndarray:
    """An invented run: 0.95 is approached exponentially. At every fifth step."""
    steps = np.arange(0, STEPS + 1, FINEST)
    return 0.95 * (1 - np.exp(-steps / time_constant)) + np.random.default_rng(seed).normal(0, noise, steps.size)


@pytest.mark.parametrize("noise", [0.0, 0.003, 0.01])
@pytest.mark.parametrize(
    ("speedup", "verdict"),
    [(2.0, "supported"), (1.05, "no material difference"), (1.0, "no material difference"), (0.5, "reversed")],
)
def test_halving_or_doubling_the_evaluation_interval_changes_no_verdict(noise: float, speedup: float, verdict: str):
    runs = [
        (accuracies(100.0, noise, 2 * seed), accuracies(100.0 / speedup, noise, 2 * seed + 1)) for seed in range(20)
    ]
    for level in (0.5, 0.8, 0.9):
        for every in (10, 20, 5):
            baseline, treatment = np.array(
                [[hitting_time(curve[:: every // FINEST], every, level) for curve in pair] for pair in runs]
            ).T
            effects = baseline / treatment
            assert decide(effects, effects, band_of(1.25, is_ratio=True), "more") == verdict


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_the_time_on_a_smooth_curve_hardly_depends_on_the_evaluation_interval(level: float):
    curve, exact = accuracies(100.0, 0.0, 0), -100.0 * np.log(1 - level / 0.95)
    for every in (5, 10, 20, 40):
        assert hitting_time(curve[:: every // FINEST], every, level) == pytest.approx(exact, rel=0.03)
