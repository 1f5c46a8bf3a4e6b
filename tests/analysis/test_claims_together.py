"""What rows come to together: moderators, premises, open rows, and the claims over all claims."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.analysis.claims import ClaimResult, distinct_trainings, judge_over_all
from tests.judging import (
    ACCURACY,
    EVERY,
    RATE,
    SEEDS,
    STEPS,
    TIMES,
    TUNING,
    by_accuracy,
    experiment,
    judged,
    learning,
    results,
    runs,
    tuned,
)

OPEN = (0.9, [0.92, 0.9] * 10)
EFFECTS = {"+": (0.90, 0.92), "=": (0.90, 0.902), "-": (0.92, 0.90), "?": OPEN}  # accuracies of no_bn and bn


def claim_of(*parts: tuple[str, dict], **fields: object) -> ClaimResult:
    """A claim with a part for each effect, read from a file of that effect."""
    sources = {effect: by_accuracy(*accuracies) for effect, accuracies in EFFECTS.items()}
    return judged(sources, *(ACCURACY | {"runs": effect} | given for effect, given in parts), **fields)


def rows_of(effects: str, **moderators: str) -> list[tuple[str, dict]]:
    """A part for each effect; moderators: name → the value of each part, a letter."""
    return [
        (effect, {"where": {name: values[i] for name, values in moderators.items()}})
        for i, effect in enumerate(effects)
    ]


@pytest.mark.parametrize(
    ("effects", "verdict", "reason"),
    [
        ("+++", "supported", "supported in 3 of 3 rows"),
        ("===", "no material difference", "no material difference in 3 of 3 rows"),
        ("---", "reversed", "reversed in 3 of 3 rows"),
        ("++=", "depends", "supported in 2, no material difference in 1 of 3 rows"),
        ("+-", "depends", "supported in 1, reversed in 1 of 2 rows"),
        ("=-", "depends", "no material difference in 1, reversed in 1 of 2 rows"),
        ("++?", "supported", "supported in 2, unresolved in 1 of 3 rows"),
        ("+?", "unresolved", "supported in 1, unresolved in 1 of 2 rows"),
        ("+++??", "unresolved", "supported in 3, unresolved in 2 of 5 rows"),
        ("+=??", "unresolved", "supported in 1, no material difference in 1, unresolved in 2 of 4 rows"),
        ("+==?", "depends", "supported in 1, no material difference in 2, unresolved in 1 of 4 rows"),
        ("??", "unresolved", "unresolved in 2 of 2 rows"),
    ],
)
def test_rows_agree_depend_or_leave_it_open(effects: str, verdict: str, reason: str):
    result = claim_of(*rows_of(effects))
    assert (result.verdict, result.reason) == (verdict, reason)


def test_rows_that_are_not_tested_are_left_out():
    result = claim_of(("+", {}), ("missing", {}))
    assert (result.verdict, [row.verdict for row in result.rows]) == ("supported", ["supported", "not tested"])
    result = claim_of(("missing", {}), ("gone", {}), ("gone", {}))
    assert (result.verdict, result.reason) == ("not tested", "missing has no results; gone has no results")


@pytest.mark.parametrize(
    ("effects", "moderators", "names"),
    [
        ("++==", {"net": "rrss", "data": "mdmd"}, ("net",)),
        ("+=+=", {"net": "rrss", "data": "mdmd"}, ("data",)),
        ("+-=", {"net": "rst", "data": "mmm"}, ("net",)),
        ("+===", {"net": "rrss", "data": "mdmd"}, ("net", "data")),
        ("+==+", {"net": "rrss", "data": "mdmd"}, ("net", "data")),  # neither helps alone
        ("+===?", {"net": "rrsss", "data": "mdmdm"}, ("net", "data")),  # open rows tell nothing apart
        ("++==", {"run": "abcd", "net": "rrss"}, ("net",)),  # of two that tell all apart the one of fewer values
        ("++==", {"net": "rrrr"}, ("comparison",)),
        ("+=+=", {}, ("comparison",)),
    ],
)
def test_the_moderators_that_tell_the_verdicts_apart_are_named(effects: str, moderators: dict, names: tuple):
    given = [(effect, part | {"name": f"of {effect}"}) for effect, part in rows_of(effects, **moderators)]
    assert claim_of(*given).depends_on == names


def test_nothing_is_named_where_nothing_tells_apart():
    assert claim_of(*rows_of("+=")).depends_on == ()
    assert claim_of(*rows_of("+=", net="rr")).depends_on == ()


def test_a_claim_that_depends_on_nothing_names_no_moderator():
    assert claim_of(*rows_of("++", net="rs")).depends_on == ()


def test_levels_of_different_ladders_are_told_apart_by_their_rungs():
    # Each network has levels of its own, so that a level's value alone would tell every row apart.
    rates, never = (0.1, 1.0, 10.0), 1e9
    early = np.interp(range(0, STEPS + 1, EVERY), [0, 60, 150, 184], [0, 0.69, 0.75, 0.92])  # ahead up to 0.7 alone
    no_bn = tuned("no_bn", {0.1: never, 1.0: 100.0, 10.0: never}, top=0.92)
    sources = {
        "early": results(no_bn + at_the_middle_rate(early.tolist()), experiment(rates)),
        "faster": results(
            tuned("no_bn", {0.1: never, 1.0: 100.0, 10.0: never}) + at_the_middle_rate(learning(50.0)),
            experiment(rates),
        ),
    }
    part = TIMES | {"level": "ladder", "tuned_for": "measure"}
    result = judged(sources, *(part | {"runs": name, "where": {"net": name}} for name in sources))
    assert [row.verdict for row in result.rows] == ["no material difference"] * 4 + ["supported"] * 6
    assert len({row.moderators["level"] for row in result.rows}) == 10
    assert (result.verdict, result.depends_on) == ("depends", ("net", "level"))


def at_the_middle_rate(curve: list[float]) -> list[dict]:
    seeds = (*TUNING, *SEEDS)
    return tuned("bn", {0.1: 1e9, 10.0: 1e9}) + runs("bn", seeds, curve=curve, **{RATE: 1.0})


# --- premises ---


def test_an_unmet_premise_leaves_the_rows_of_equal_moderators_untested():
    relu, sigmoid = {"where": {"net": "relu"}}, {"where": {"net": "sigmoid"}}
    premise = {"role": "premise", "name": "dropout helps"}
    result = claim_of(("=", relu | premise), ("+", relu), ("+", sigmoid | premise), ("+", sigmoid))
    assert [row.verdict for row in result.rows] == [
        "no material difference",
        "not tested",
        "supported",
        "supported",
    ]
    assert result.rows[1].reason == "premise unmet: dropout helps"
    assert (result.verdict, result.depends_on) == ("supported", ())


def test_a_premise_without_moderators_holds_for_all_rows():
    relu, sigmoid = {"where": {"net": "relu"}}, {"where": {"net": "sigmoid"}}
    result = claim_of(("-", {"role": "premise"}), ("+", relu), ("-", sigmoid), ("+", {"role": "beside"}))
    assert (result.verdict, result.reason) == ("not tested", "premise unmet: final_value")
    assert result.rows[3].verdict == "supported"


@pytest.mark.parametrize(
    ("premise", "words"), [("?", "premise unresolved"), ("=", "premise unmet"), ("missing", "premise not tested")]
)
def test_a_premise_has_to_be_supported(premise: str, words: str):
    result = claim_of((premise, {"role": "premise", "name": "p"}), ("+", {"source_value": 99}))
    assert (result.verdict, result.reason) == ("not tested", f"{words}: p")
    assert (result.rows[1].remark, result.rows[1].resolved_by) == ("", None)


def test_a_premise_alone_decides_nothing():
    assert claim_of(("+", {"role": "premise"})).verdict == "not tested"


# --- over all claims ---

OVER_ALL = judged({}, kind="over_all_claims")


def over_all(*results: ClaimResult) -> ClaimResult:
    return judge_over_all([*results, OVER_ALL])[-1]


def test_rows_that_claim_a_benefit_and_show_none_support_that_it_does_not_always_help():
    result = over_all(claim_of(*rows_of("+=")), claim_of(*rows_of("+-?")))
    assert result.verdict == "supported"
    assert result.reason == "2 of 4 rows show no benefit or the reverse, on 2 sets of trainings: id"


def test_limits_and_costs_that_are_not_found_do_not_show_that_it_is_no_help():
    limit = claim_of(*rows_of("=-"), says_bn_helps=False)
    row = claim_of(("+", {}), ("=", {"says_bn_helps": False}), ("=", {"role": "beside"}))
    result = over_all(limit, row)
    assert (result.verdict, result.reason) == (
        "no material difference",
        "0 of 1 rows show no benefit or the reverse, on 0 sets of trainings",
    )


def test_without_a_decided_claim_nothing_is_known_about_all():
    assert over_all().verdict == "not tested"
    assert over_all(claim_of(*rows_of("??"))).reason == "no other claim is decided"


def test_the_other_claims_stay_as_they_are():
    other = claim_of(*rows_of("+="))
    assert judge_over_all([other, OVER_ALL])[0] is other
    assert (OVER_ALL.verdict, OVER_ALL.reason) == ("not tested", "decided from the rows of all other claims")


def test_a_set_of_trainings_counts_once_however_many_claims_read_it():
    first, second = claim_of(*rows_of("+=")), claim_of(*rows_of("+-"))
    assert first.experiments == ("+", "=")
    assert distinct_trainings([first, second]) == 3
    assert OVER_ALL.experiments == ()
