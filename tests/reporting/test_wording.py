"""How a number, a comparison and a verdict read."""

from __future__ import annotations

import math

import pytest
from claim_results import ARMS, IDENTITY, POINTS, RESULTS, STEPS, around, claim, row

from experiments.analysis.claims import Row
from experiments.configuration.claim import PartConfig
from experiments.reporting import wording

LEVEL = {"measure": "final_value", "effect": "level", "unit": "points", "treatment": "custom_bn", "role": "beside"}
SHARE = {**ARMS, "measure": "late_value", "effect": "recovered", "whole": "all", "band": 0.1}


@pytest.mark.parametrize(
    ("value", "part", "expected"),
    [
        (2.34, STEPS, "2.3×"),
        (14.2, STEPS, "14×"),
        (1.044, STEPS, "1.04×"),
        (0.6, STEPS, "0.60×"),
        (0.996, STEPS, "1.00×"),
        (9.96, STEPS, "10×"),
        (1.999999, STEPS, "2.0×"),
        (12345.0, STEPS, "12,345×"),
        (math.inf, STEPS, "∞"),
        (1.2, POINTS, "+1.2 points"),
        (-0.21, POINTS, "−0.2 points"),
        (-0.04, POINTS, "0.0 points"),
        (97.24, LEVEL, "97.2 %"),
        (3.21e-7, IDENTITY, "3.2e−7"),
        (0.34, SHARE, "0.34"),
    ],
)
def test_a_value_reads_with_its_unit_and_sign(value: float, part: dict[str, object], expected: str) -> None:
    assert wording.format_value(value, PartConfig.model_validate(part)) == expected


def test_a_note_stands_once_after_what_all_its_rows_hold() -> None:
    def noted(net: str, rate: float, note: str) -> Row:
        return row([2.0] * 20, held={"net": net, "learning rate": rate}, of={"note": note})

    rows = [
        noted("relu", 0.1, "neither trains at: 3"),
        noted("relu", 1.0, "neither trains at: 3"),
        noted("cnn", 0.1, ""),
    ]
    assert wording.notes(rows) == ["relu: neither trains at: 3"]
    assert wording.notes([row([2.0] * 20, of={"note": "a step takes 1.1 times as long"})]) == [
        "a step takes 1.1 times as long"
    ]


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        # Of 20 seeds 1, 2 … 20: the median 10.5 (of ratios √110), and the 4th and the 17th.
        (list(range(1, 21)), "10× [4.0, 17]"),
        # 14 seeds at least 5, six exactly 3: the median is at least 5, and the 6th seed 3.
        ([3.0] * 6 + [(5.0, math.inf)] * 14, "≥ 5.0× [≥ 3.0]"),
        # BN never arrives in 14 seeds: the median is at most 0.4, and so is the 15th seed, which says no more.
        ([0.2] * 6 + [(0.0, 0.4)] * 14, "≤ 0.40×"),
        ([0.5] * 6 + [(0.0, 0.4)] * 14, "≤ 0.40× [≤ 0.50]"),
        # The median is known, and the upper end of its interval is not.
        ([2.0] * 12 + [(3.0, math.inf)] * 8, "2.0× [≥ 2.0]"),
        ([(3.1, 4.4)] * 20, "3.1 … 4.4×"),
        ([(0.0, math.inf)] * 20, "no bound known"),
        ([2.0] * 20, "2.0×"),
        ([], ""),
    ],
)
def test_an_effect_reads_with_its_interval_or_the_bound_that_is_known(effects: list, expected: str) -> None:
    assert wording.format_effect(row(effects)) == expected


def test_an_identity_reads_as_its_worst_seed_against_its_bound() -> None:
    assert wording.format_effect(row([1e-7] * 19 + [1.2e-6], IDENTITY)) == "worst seed 1.2e−6, bound ≤ 1e−5"
    share = IDENTITY | {"bound": {"at_least": 0.9}}
    assert wording.format_effect(row([0.99] * 19 + [0.91], share)) == "worst seed 0.91, bound ≥ 0.9"


def test_what_is_known_of_an_effect_is_a_number_and_on_which_side_of_it_the_effect_lies() -> None:
    assert wording.known_end(row([2.0] * 20)) == (2.0, "")
    assert wording.known_end(row([(5.0, math.inf)] * 20)) == (5.0, "≥")
    assert wording.known_end(row([(0.0, 0.4)] * 20)) == (0.4, "≤")
    assert wording.known_end(row([(-1.0, 3.0)] * 20, POINTS)) == (-1.0, "≥")
    assert math.isnan(wording.known_end(row([(0.0, math.inf)] * 20))[0])


@pytest.mark.parametrize(
    ("part", "expected"),
    [(STEPS, "0.8 … 1.25×"), (POINTS, "−0.5 … +0.5 points"), (POINTS | {"band": 2}, "−2 … +2 points"),
     (IDENTITY, "≤ 1e−5")],
)  # fmt: skip
def test_the_band_reads_exactly(part: dict[str, object], expected: str) -> None:
    assert wording.format_band(row([1.0] * 20, part)) == expected


def test_a_side_reads_as_its_median_with_unit_and_the_rate_of_its_arm() -> None:
    of = {"baseline": (180.4, 180.4), "treatment": (400.0, math.inf), "rates": {"no_bn": 0.3, "custom_bn": 1.0}}
    found = row([1.0] * 20, of=of)
    assert wording.side_words(found, "baseline") == "180 steps at 0.3"
    assert wording.side_words(found, "treatment") == "> 400 steps at 1"
    held = row([1.0] * 20, held={"learning rate": 0.3}, of=of)
    assert wording.side_words(held, "baseline") == "180 steps"
    assert wording.side_words(row([1.0] * 20), "baseline") == "–"


def test_moderators_read_by_name_and_a_network_by_itself() -> None:
    found = row([1.0] * 20, held={"net": "relu", "learning rate": 0.3, "level": 0.93}, name="tuned")
    assert wording.row_words(found) == "tuned: relu, learning rate 0.3, level 93.0 %"
    assert wording.row_words(row([1.0] * 20)) == "steps to level"


def test_a_verdict_that_depends_names_what_it_depends_on() -> None:
    assert wording.claim_verdict(claim("x", "depends", depends_on=("net", "level"))) == "◐ depends on net and level"
    assert [wording.claim_verdict(result)[0] for result in RESULTS] == ["✓", "⇄", "◐", "–"]
    assert len(set(wording.SYMBOLS.values())) == 6


def test_verdicts_are_counted_with_the_trainings_they_rest_on() -> None:
    assert wording.counts(RESULTS) == (
        "By claim: 1 ✓ supported, 1 ⇄ reversed, 1 ◐ depends, 1 – not tested; resting on 2 distinct sets of trainings."
    )
    assert wording.counts([]) == "No claim has been evaluated yet."


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (STEPS, "steps to level, no_bn / custom_bn"),
        (POINTS | {"metric": "accuracy/test"}, "final value (accuracy/test), custom_bn − no_bn"),
        (LEVEL, "final value, custom_bn"),
        (SHARE, "late value, (custom_bn − no_bn) / (all − no_bn)"),
        (POINTS | {"measure": "late_value", "budget": 0.25}, "late value, first 25 % of the steps, custom_bn − no_bn"),
    ],
)
def test_a_comparison_reads_from_its_settings(part: dict[str, object], expected: str) -> None:
    assert wording.comparison_words(PartConfig.model_validate(part)) == expected


def test_words_are_listed_as_one_says_them() -> None:
    assert [wording.listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "", "a", "a and b", "a, b and c"]  # fmt: skip


def test_an_effect_without_an_interval_is_a_number_alone() -> None:
    assert wording.format_effect(row(around(2.0, seeds=3))) == "2.0×"
