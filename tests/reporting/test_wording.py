"""How a number, a margin and a comparison read."""

from __future__ import annotations

import math

import pytest
from claim_results import (
    LEVEL,
    POINTS,
    RATIO,
    RESULTS,
    part,
    settings,
)

from experiments.reporting import wording


@pytest.mark.parametrize(
    ("value", "changes", "expected"),
    [
        (2.34, RATIO, "2.3×"),
        (14.2, RATIO, "14×"),
        (1.044, RATIO, "1.04×"),
        (0.0, RATIO, "0×"),
        (12345.0, RATIO, "12,345×"),
        (math.inf, RATIO, "∞"),
        (1.4999, RATIO, "1.4999×"),
        (1.2, POINTS, "+1.2 points"),
        (-0.21, POINTS, "−0.2 points"),
        (1.0, POINTS, "+1.0 point"),
        (0.49, POINTS, "+0.49 points"),
        (-math.inf, POINTS, "−∞ points"),
        (97.24, LEVEL, "97.2 %"),
        (3.21e-7, {"effect": "level", "unit": ""}, "3.2e−7"),
        (120.4, {"effect": "difference", "unit": "steps"}, "+120 steps"),
        (math.nan, RATIO, "no value"),
    ],
)
def test_a_value_reads_with_its_unit_and_on_its_side_of_the_margin(
    value: float, changes: dict[str, object], expected: str
) -> None:
    assert wording.format_value(value, settings(**changes)) == expected


def test_an_effect_reads_with_its_interval_unless_it_is_one_exact_number() -> None:
    assert wording.format_effect(part(2.34, 1.9, math.inf)) == "2.3× [1.90, ∞]"
    assert wording.format_effect(part(-0.21, -0.4, 0.2, **POINTS)) == "−0.2 points [−0.4, +0.2]"
    assert wording.format_effect(part(2.0, 2.0, 2.0)) == "2.0×"
    assert wording.format_effect(part(math.nan, math.nan, math.nan)) == "no value"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (RATIO, "≥ 1.5×"),
        ({"margin": {"above": 1}}, "> 1×"),
        ({"margin": {"below": 0.8}}, "< 0.8×"),
        ({"margin": {"within": (0.8, 1.25)}}, "0.8 … 1.25×"),
        (POINTS, "≥ +0.5 points"),
        (POINTS | {"margin": {"at_least": -0.2}}, "≥ −0.2 points"),
        (POINTS | {"margin": {"within": (-0.5, 0.5)}}, "−0.5 … +0.5 points"),
        (LEVEL, "≤ 30 %"),
    ],
)
def test_a_margin_reads_with_its_sign_and_unit(changes: dict[str, object], expected: str) -> None:
    assert wording.format_margin(settings(**changes)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (RATIO, "steps to target, no_bn / custom_bn"),
        (POINTS | {"metric": "accuracy/test"}, "final value (accuracy/test), custom_bn − no_bn"),
        (LEVEL, "final value, custom_bn"),
        ({"measure": "drift", "per_seed": "slope", "axis": "model.depth"}, "slope of drift with model.depth, "),
        (POINTS | {"baseline": {"a": 0.5, "b": 0.5}, "over": "treatment"}, "final value, 0.5 a + 0.5 b − custom_bn"),
        (POINTS | {"baseline": {"a": 0.5, "b": 0.5}, "over": "baseline"}, "final value, custom_bn − (0.5 a + 0.5 b)"),
        (
            {"measure": "first_values", "effect": "largest_difference", "over": "baseline"},
            "first values, largest |custom_bn − no_bn|",
        ),
        ({"measure": "value_at_step", "metric": "loss/test", "step": 1000}, "value at step 1,000 (loss/test), "),
    ],
)
def test_a_comparison_reads_from_its_settings(changes: dict[str, object], expected: str) -> None:
    assert wording.comparison_words(settings(**changes)).startswith(expected)


def test_p_and_probability_read_short_and_as_a_dash_where_there_is_none() -> None:
    assert [wording.format_p(p) for p in (0.0123, 0.00001, None)] == ["0.012", "< 0.0001", "–"]
    assert [wording.format_probability(p) for p in (0.934, None)] == ["0.93", "–"]


def test_the_headline_counts_every_verdict() -> None:
    assert wording.headline(RESULTS) == "Of 4 claims, 1 is supported, 1 refuted and 2 inconclusive."
    assert wording.headline(RESULTS[:1]) == "The one claim tested is supported."
    assert wording.headline([]) == "No claim has been evaluated yet."
