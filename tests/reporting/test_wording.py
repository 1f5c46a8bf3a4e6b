import math
from dataclasses import replace

import pytest

from experiments.reporting import wording
from tests.judging import experiment, judged, results, runs
from tests.reporting.invented import COST, points, ratio, several, untested


@pytest.mark.parametrize(
    ("times", "verdict", "effect"),
    [
        (2.0, "✓ supported", "2.0× [1.91, 2.1]"),
        (1.0, "≈ no material difference", "1.00× [0.95, 1.05]"),
        (0.5, "⇄ reversed", "0.5× [0.48, 0.52]"),
        (1.25, "? unresolved", "1.25× [1.19, 1.31]"),
    ],
)
def test_effect_with_the_interval_and_the_verdict(times: float, verdict: str, effect: str):
    result = ratio(times)
    assert wording.claim_verdict(result) == verdict
    assert wording.format_effect(result.rows[0]) == effect


def test_a_difference_has_its_sign_and_its_unit():
    assert wording.effect_or_reason(points(1.2).rows[0]) == "+1.2 points"
    assert wording.effect_or_reason(points(-0.7).rows[0]) == "−0.7 points"
    assert wording.format_band(points(1.2).rows[0]) == "−0.5 … +0.5 points"
    assert wording.format_band(ratio(2).rows[0]) == "0.8 … 1.25×"


def test_where_only_a_bound_is_known_it_is_called_one():
    (row,) = ratio(2).rows
    assert wording.format_effect(replace(row, estimate=(5.2, math.inf))).startswith("≥ 5.2×")
    assert wording.format_effect(replace(row, estimate=(0.0, 0.4))).startswith("≤ 0.4×")
    assert wording.format_effect(replace(row, estimate=(3.14, 4.4))).startswith("3.1 … 4.4×")


def test_what_is_not_tested_says_why():
    (row,) = untested().rows
    assert wording.format_effect(row) == ""
    assert wording.effect_or_reason(row) == "runs of bn are missing"


def test_a_claim_that_depends_names_the_moderator_and_a_row_its_own():
    result = several()
    assert wording.claim_verdict(result) == "◐ depends on net"
    assert [wording.row_words(row) for row in result.rows] == ["relu", "cnn"]


def test_a_remark_and_the_source_s_number_stand_with_a_smaller_effect():
    (row,) = ratio(2.0, source_value=14).rows
    assert wording.finding(row).endswith("; smaller than the source says (14×)")


def test_an_identity_shows_the_seeds_ends_and_its_bound():
    part = {"measure": "seconds_per_step", "effect": "level", "treatment": "bn", "bound": {"at_most": 1e-3}}
    values = [1e-5] * 19 + [1e-4]
    rows = [row for i, value in enumerate(values) for row in runs("bn", [i], seconds_per_step=value)]
    (row,) = judged(results(rows, experiment()), part).rows
    assert wording.format_effect(row) == "1.0e−5 [1.0e−5, 1.0e−4 over seeds]"
    assert wording.format_band(row) == "≤ 0.001"


def test_counts_stand_with_the_sets_of_trainings():
    assert wording.counts([ratio(2), points(-1)]) == (
        "By claim: 1 ✓ supported, 1 ⇄ reversed; resting on 1 distinct set of trainings."
    )
    assert wording.counts([]) == "No claim has been evaluated yet."


def test_sides_show_medians():
    (row,) = ratio(2).rows
    assert (wording.side_words(row, "baseline"), wording.side_words(row, "treatment")) == ("1.00", "2.0")
    late = replace(row, comparison=replace(row.comparison, baseline=(400.0, math.inf), rates={"no_bn": 0.3}))
    assert wording.side_words(late, "baseline") == "> 400 at 0.3"


def test_comparisons_in_words():
    (row,) = ratio(2).rows
    assert wording.comparison_words(row.part) == "seconds per step, bn / no_bn"
    turned = row.part.model_copy(update={"over": "treatment", "budget": 0.25})
    assert wording.comparison_words(turned) == "seconds per step, first 25 % of the steps, no_bn / bn"
    assert COST["over"] == "baseline"
