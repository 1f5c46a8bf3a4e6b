"""The levels at which arms are compared, each worked out by hand."""

from __future__ import annotations

from math import e, inf, nan

import pytest

from experiments.analysis import levels


def flat(*accuracies: float) -> list[list[float]]:
    """One run a tuning seed, each at one accuracy after its start."""
    return [[0.1, accuracy, accuracy, accuracy] for accuracy in accuracies]


def test_what_an_arm_comes_to_is_the_median_over_seeds_of_the_best_running_median():
    assert levels.sustained(flat(0.7, 0.9, 0.8)) == 0.8
    assert levels.sustained([[0.1, 0.99, 0.5, 0.6, 0.55]]) == 0.6  # medians of three: 0.5, 0.6, 0.55
    assert levels.sustained([*flat(0.7, 0.9), []]) == 0.7  # diverged before anything was measured: 0


def test_the_common_level_is_short_of_the_run_that_ends_lower():
    lower, higher = [0.1, 0.9, 0.92, 0.94], [0.1, 0.97, 0.95, 0.99]  # medians of three: 0.9 and 0.92, 0.95 and 0.97
    assert levels.common_level([lower, higher], 0.005) == pytest.approx(0.915)
    assert levels.common_level([higher, lower], 0.01) == pytest.approx(0.91)
    assert levels.common_level([higher, []], 0.01) == pytest.approx(-0.01)  # diverged at once


def test_the_ladder_climbs_by_shares_of_the_error_of_the_worse_arm_at_its_best_rate():
    # best: 0.95 and 0.9, so the error is 0.1: 0.6, 0.72, 0.8, 0.86 and half a point below
    no_bn, bn = [flat(0.2), flat(0.9), flat(0.5)], [flat(0.95), flat(0.4), flat(0.1)]
    expected = pytest.approx([0.6, 0.72, 0.8, 0.86, 0.895])
    assert levels.ladder([no_bn, bn], 0.005) == levels.ladder([bn, no_bn], 0.005) == expected


def test_levels_below_half_of_the_best_are_no_levels():
    # 0.7: the error is 0.3, and 1 − 1.2 and 1 − 0.84 lie below 0.35
    assert levels.ladder([[flat(0.7)], [flat(0.8)]], 0.005) == pytest.approx([0.4, 0.58, 0.695])


def test_near_the_ceiling_half_a_point_below_is_not_the_highest_level():
    # the error is 0.01: 0.96, 0.972, 0.98, 0.986 and 0.985
    assert levels.ladder([[flat(0.99)], [flat(0.99)]], 0.005) == pytest.approx([0.96, 0.972, 0.98, 0.985, 0.986])


def test_the_common_loss_is_five_per_cent_above_what_the_slower_arm_falls_to():
    # lowest 0.2, 0.4, 0.6 and 0.1, 0.1, 0.3
    no_bn, bn = [[2, 0.2, 0.5], [2, 0.4], [2, 0.6]], [[2, 0.1], [2, 0.1], [2, 0.3]]
    assert levels.common_loss([no_bn, bn]) == levels.common_loss([bn, no_bn]) == pytest.approx(0.42)
    assert levels.common_loss([[[nan, 2, nan, 0.5]], [[2, 0.1]]]) == pytest.approx(0.525)
    assert levels.common_loss([[[]], [[2, 0.1]]]) == inf


def test_the_loss_ladder_descends_in_equal_ratios_to_what_every_run_falls_to():
    # from half of the lowest first loss, 1, to 1.25 times the highest lowest
    lowest = e**-2 / 1.25
    no_bn, bn = [[2.0, lowest], [2.5, lowest / 2]], [[3.0, lowest / 10]]
    assert levels.loss_ladder([no_bn, bn]) == pytest.approx([1.0, e**-0.5, e**-1, e**-1.5, e**-2])


def test_there_is_no_loss_ladder_where_a_run_does_not_halve_its_loss():
    assert levels.loss_ladder([[[2.0, 0.1], [2.0, 1.0]]]) == []
    assert levels.loss_ladder([[[2.0, 0.1], []]]) == []
