"""The page of courses: what ten seeds come to, and what each of them alone would have said."""

from __future__ import annotations

import pytest
from claim_results import POINTS, STEPS, claim, row

from experiments.analysis.claims import ClaimResult
from experiments.reporting.courses_page import Course, Exercise, SingleSeeds, courses_page, single_seeds

LIKELY = [-0.4, -0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9, 1.5]  # two of ten seeds say less


def lines_of(*results: ClaimResult, title: str = "Exercise 1: does it help?") -> list[str]:
    exercises = [
        Exercise(title, "../../configs/courses/c/x.yaml", "courses/c/x/effects.svg", result) for result in results
    ]
    return courses_page([Course("## A course\n", exercises, {"runs": "3"})]).splitlines()


@pytest.mark.parametrize(
    ("effects", "found"),
    [
        (LIKELY, SingleSeeds(-0.4, 1.5, more=8, less=2, opposite=2)),
        ([-effect for effect in LIKELY], SingleSeeds(-1.5, 0.4, more=2, less=8, opposite=2)),
        ([-1.0, 0.0, 0.0, 2.0], SingleSeeds(-1.0, 2.0, more=1, less=1, opposite=None)),
        ([0.5, 0.5, 0.5, 0.0], SingleSeeds(0.0, 0.5, more=3, less=0, opposite=0)),
    ],
    ids=["more", "less", "neither", "no seed on the other side"],
)
def test_the_opposite_is_on_the_other_side_of_no_difference_than_the_median(effects: list[float], found: SingleSeeds):
    assert single_seeds(row(effects, POINTS)) == found


def test_no_difference_between_ratios_is_one():
    assert single_seeds(row([0.8, 1.2, 1.3], STEPS)) == SingleSeeds(0.8, 1.3, more=2, less=1, opposite=1)


def test_a_seed_of_which_only_a_bound_is_known_says_nothing_that_the_bound_leaves_open():
    bounded = row([(0.5, 2.0), (1.5, 2.0), (3.0, float("inf"))], STEPS)
    assert single_seeds(bounded) == SingleSeeds(0.5, float("inf"), more=2, less=0, opposite=0)


def test_an_exercise_has_question_statement_answer_interval_and_what_one_seed_would_have_said():
    found = claim(
        "x", "unresolved", row(LIKELY, POINTS, name="with, less without"), source_says="Yes.", scale="One epoch."
    )
    lines = lines_of(found)
    assert lines[lines.index("### Exercise 1: does it help?") + 2] == (
        "Put to the test: *BN helps* **? unresolved** ([file](../../configs/courses/c/x.yaml))"
    )
    assert (
        "* with, less without: +0.5 points [−0.1, +0.9]. One seed alone would have said anything from −0.4 to +1.5 "
        "points, 2 of 10 the opposite."
    ) in lines
    assert "* Expected: Yes." in lines
    assert "![What each of the seeds says, a dot a seed: Exercise 1: does it help?](courses/c/x/effects.svg)" in lines
    assert "* Settings: One epoch." in lines
    assert (
        "| with, less without | +0.5 points [−0.1, +0.9] | – | – | −0.4 … +1.5 points | 2 of 10 the opposite "
        "| ? unresolved | more than +0.5 points in 5 and within −0.5 … +0.5 points in 5 of 10 seeds, where 10 decide |"
    ) in lines
    assert lines[-3:] == ["### Provenance", "", "* runs: 3"]


def test_a_row_beside_is_in_the_table_alone_and_one_without_an_effect_says_why():
    beside = row([0.2] * 10, POINTS, name="at the lesson's rate", role="beside")
    missing = row([], POINTS, name="at its best", reason="runs of bn are missing")
    lines = lines_of(claim("x", "not tested", missing, beside))
    assert "* at its best: runs of bn are missing." in lines
    assert not any(line.startswith("* at the lesson's rate") for line in lines)
    table = [line for line in lines if line.startswith("| at ")]
    assert table[0] == "| at its best | – | – | – | – | – | – not tested | runs of bn are missing |"
    assert table[1].startswith("| at the lesson's rate (beside) | +0.2 points | – | – | +0.2 … +0.2 points | 0 of 10")


def test_where_the_median_is_on_no_side_both_sides_are_counted():
    even = row([-0.3, -0.2, -0.1, 0.0, 0.0, 0.0, 0.1, 0.2, 0.2, 0.3], POINTS)
    assert any("4 more and 3 less, the median neither" in line for line in lines_of(claim("x", "unresolved", even)))


def test_without_courses_there_is_no_page_and_a_question_cannot_break_it():
    assert courses_page([]) == ""
    assert "### Is a \\| b?" in lines_of(claim("x", "supported", row(LIKELY, POINTS)), title="Is a | b?")
