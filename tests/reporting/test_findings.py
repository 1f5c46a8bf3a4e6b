"""What happens in rows, said in words."""

from __future__ import annotations

import dataclasses
import math

from claim_results import IDENTITY, POINTS, STEPS, around, claim, row

from experiments.analysis.claims import Row
from experiments.analysis.statistics import USUAL
from experiments.reporting.findings import effects_of, finding, folds, interval_words, main_effect, row_counts


def rates(*middles: float, net: str = "relu") -> list[Row]:
    return [row(around(middle), held={"net": net, "learning rate": 10.0**at}) for at, middle in enumerate(middles, -2)]


def test_how_sure_an_interval_is_follows_from_the_number_of_seeds() -> None:
    rows = [row([2.0] * 10), row([])]
    assert interval_words(rows) == "99.8 %"
    assert interval_words(rows, USUAL) == "97.9 %"
    assert interval_words([*rows, row([2.0] * 20)]) == "99.7 %"
    assert interval_words([row([2.0] * 4)]) == "–"


def test_a_supported_row_says_in_how_many_seeds_and_what_the_source_says() -> None:
    found = row([1.0, 1.2] + [2.0] * 18, source_value=14, remark="smaller than the source says")
    assert found.verdict == "supported"
    assert finding(found) == "more than 1.25× in 18 of 20 seeds; smaller than the source says (14×)"


def test_a_reversed_row_and_one_without_a_difference_say_the_same_of_the_other_bounds() -> None:
    assert finding(row([0.9] * 2 + [0.5] * 18)) == "the other way round: less than 0.8× in 18 of 20 seeds"
    # The bounds of the band belong to it.
    same = row([0.7, 0.8] + [1.0] * 16 + [1.25, 1.3])
    assert same.verdict == "no material difference"
    assert finding(same) == "not below 0.8× in 19 and not above 1.25× in 19 of 20 seeds"


def test_no_less_is_said_where_that_is_claimed() -> None:
    assert finding(row([0.5] + [1.0] * 19, expect="not_less")) == "not below 0.8× in 19 of 20 seeds"


def test_an_open_row_says_where_the_seeds_lie_and_how_many_would_decide() -> None:
    found = row([2.0] * 14 + [1.0] * 4 + [0.5] * 2)
    assert found.verdict == "unresolved"
    assert finding(dataclasses.replace(found, resolved_by=1055)) == (
        "more than 1.25× in 14, within 0.8 … 1.25× in 4 and less than 0.8× in 2 of 20 seeds, where 17 decide; "
        "about 1,055 seeds would decide it"
    )
    hidden = row([(0.5, math.inf)] * 10 + [2.0] * 10)
    assert finding(hidden) == "more than 1.25× in 10 and not known that closely in 10 of 20 seeds, where 17 decide"


def test_what_is_not_tested_or_an_identity_keeps_the_judge_s_reason() -> None:
    assert finding(row([], reason="runs of no_bn are missing")) == "runs of no_bn are missing"
    assert finding(row([1e-7] * 20, IDENTITY, reason="every seed keeps the bound")) == "every seed keeps the bound"
    unmet = row(around(3.0), verdict="not tested", reason="premise unmet: dropout helps")
    assert finding(unmet) == "premise unmet: dropout helps"


def test_rows_that_differ_in_numbers_are_folded_and_those_that_differ_in_words_are_not() -> None:
    found = folds([*rates(1.0, 2.0, 3.0), *rates(1.0, net="cnn")])
    assert [fold.words for fold in found] == ["relu, learning rate 0.01 … 1", "cnn, learning rate 0.01"]
    assert [row_counts(fold.rows) for fold in found] == ["✓ 2, ≈ 1", "≈"]
    levels = [row(around(2.0), held={"net": "relu", "level": level}, name="tuned") for level in (0.72, 0.9)]
    assert folds(levels)[0].words == "tuned: relu, level 72.0 … 90.0 %"


def test_effects_of_many_rows_are_their_smallest_and_their_largest() -> None:
    assert effects_of(rates(2.0, 1.0, 3.0)) == "1.00 … 3.0×"
    assert effects_of([*rates(2.0), row([(5.0, math.inf)] * 20)]) == "2.0 … ≥ 5.0×"
    assert effects_of([*rates(2.0), row([(0.0, 0.4)] * 20)]) == "≤ 0.40 … 2.0×"
    # The larger of 6 and at least 5 is at least 6, and that between 3 and 3.5 at most 3.5.
    assert effects_of([*rates(6.0), row([(5.0, math.inf)] * 20)]) == "≥ 5.0 … ≥ 6.0×"
    assert effects_of([row([(2.0, 2.5)] * 20), row([(3.0, 3.5)] * 20)]) == "2.0 … 3.5×"
    assert effects_of([row([(5.0, math.inf)] * 20)] * 2) == "≥ 5.0×"
    assert effects_of([row([1.0] * 20, POINTS)] * 2) == "+1.0 points"
    assert effects_of([row(around(-1.0), POINTS), row(around(2.0), POINTS)]) == "−1.0 … +2.0 points"
    assert effects_of([row([], reason="runs are missing")] * 2) == "runs are missing"
    assert effects_of([row([], reason="missing"), *rates(2.0)]) == "2.0× [1.86, 2.1]"


def test_effects_of_identities_are_the_worst_seed_of_all() -> None:
    found = [row([1e-7] * 20, IDENTITY), row([1e-8] * 19 + [3e-6], IDENTITY)]
    assert effects_of(found) == "worst seed 3e−6, bound ≤ 1e−5"


def test_a_claim_s_effect_is_said_by_kind_and_without_one_the_reason() -> None:
    mixed = claim("x", "depends", *rates(2.0, 3.0), row(around(1.0), POINTS), row(around(9.0), STEPS, role="beside"))
    assert main_effect(mixed).startswith("2.0 … 3.0× in 2 rows; +1.0 points [")
    assert main_effect(claim("x", "not tested", reason="relu has no results")) == "relu has no results"
    over_all = claim("x", "supported", kind="over_all_claims", reason="4 of 20 rows show no benefit: faster, better")
    assert main_effect(over_all) == "4 of 20 rows show no benefit"
