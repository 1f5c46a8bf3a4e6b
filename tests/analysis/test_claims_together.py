"""Claims of several parts, and all claims of a table together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from judging import (
    ACCURACY,
    BOUND,
    STEPS,
    evaluation_rows,
    experiment,
    judged,
    table,
    tuned_experiment,
    tuning_rows,
    whole_table,
)

from experiments.analysis.claims import ClaimResult, judge, judge_table


def two_parts(steps: float, accuracy: float, second: dict | None = None, **claim: object) -> ClaimResult:
    config = experiment(STEPS, ACCURACY | (second or {}), claim=dict(claim))
    rows = table(config, 0, {"arm": "no_bn", "value": 100.0}, {"arm": "bn", "value": 100.0 / steps})
    rows["final_value(accuracy/test)"] = np.where(rows.arm == "bn", 0.9 + accuracy / 100, 0.9)
    return judge("id", config, rows)


def test_a_claim_is_supported_only_if_every_part_is_and_refuted_if_one_is():
    assert two_parts(2.0, 1.0).verdict == "supported"
    assert two_parts(2.0, 0.1).verdict == "refuted"
    assert two_parts(1.5, 1.0).verdict == "inconclusive"  # the interval is at the margin, p = 1
    assert two_parts(1.5, 0.1).verdict == "refuted"


def test_only_the_parts_that_decide_do():
    shown = two_parts(2.0, 0.1, {"decides": False})
    assert shown.verdict == "supported"
    assert shown.parts[1].verdict == "refuted"


def test_separate_verdicts_are_all_given():
    result = two_parts(2.0, 0.1, separate_verdicts=True)
    assert result.verdict == "refuted"
    assert "steps_to_target: supported" in result.reason
    assert "final_value: refuted" in result.reason


def test_a_claim_without_deciding_parts_is_inconclusive():
    assert judge("id", experiment(), pd.DataFrame()).reason == "no part decides"


def test_holm_adjusts_over_all_deciding_statistical_parts_of_the_table():
    alone = judged(STEPS, [200.0] * 9 + [100.0], 100.0)  # p = 47/1024: the one below the margin is the farthest
    strong = judged(STEPS, 200.0, 100.0)
    exact = judged(BOUND, None, 1e-4, claim={"kind": "exact"})
    missing = judge("id", experiment(STEPS), pd.DataFrame())
    aside = two_parts(2.0, 1.0, {"decides": False})
    found = whole_table([alone, strong, exact, missing, aside])
    assert alone.parts[0].p == 47 / 1024
    # family: alone, strong, missing (as p = 1), and the deciding part of aside, as strong as strong
    assert found[1].parts[0].p_adjusted == pytest.approx(4 * 2.0**-10)
    assert found[4].parts[0].p_adjusted == pytest.approx(4 * 2.0**-10)
    assert found[0].parts[0].p_adjusted == pytest.approx(2 * 47 / 1024)
    assert found[2].parts[0].p_adjusted is None
    assert found[3].parts[0].p_adjusted is None
    assert found[4].parts[1].p_adjusted is None
    verdicts = [result.verdict for result in found]
    assert verdicts == ["inconclusive", "supported", "supported", "inconclusive", "supported"]
    assert alone.verdict == "supported"


def test_a_verdict_that_does_not_survive_holm_is_withdrawn_with_the_reason():
    strong = judged(STEPS, 200.0, 100.0)
    found = whole_table([strong] * 60)  # 60 · 2⁻¹⁰ = 0.059
    assert {result.verdict for result in found} == {"inconclusive"}
    assert "p = 0.059 is not below 0.05" in found[0].reason
    assert {result.verdict for result in whole_table([strong] * 50)} == {"supported"}


def test_claims_that_are_not_at_hand_count_in_the_family_as_p_1():
    weak, strong = judged(STEPS, [200.0] * 9 + [100.0], 100.0), judged(STEPS, 200.0, 100.0)
    found = judge_table([weak, strong], 5)
    assert found[1].parts[0].p_adjusted == pytest.approx(5 * 2.0**-10)
    assert found[0].parts[0].p_adjusted == pytest.approx(4 * 47 / 1024)
    assert [result.verdict for result in found] == ["inconclusive", "supported"]
    together = judge_table([weak, strong, *[judge("id", experiment(STEPS), pd.DataFrame())] * 3], 5)
    assert [result.parts for result in found] == [result.parts for result in together[:2]]


def test_a_blocked_part_stays_blocked():
    config = tuned_experiment(STEPS)
    rows = evaluation_rows(config, no_bn={10.0: 300.0}, bn={1.0: 100.0})
    edge = judge("id", config, pd.concat([tuning_rows({"no_bn": 10.0, "bn": 1.0}), rows]))
    assert whole_table([edge])[0].verdict == "inconclusive"


def over_all(*others: ClaimResult) -> ClaimResult:
    config = experiment(claim={"kind": "over_all_claims", "says_bn_helps": False})
    return whole_table([judge("does_not_always_help", config, pd.DataFrame()), *others])[0]


def test_over_all_claims_lists_the_refuted_comparisons():
    helps, absent, reversed_ = (judged(STEPS, steps, 100.0) for steps in (200.0, 100.0, 50.0))
    result = over_all(helps, replace(absent, id="a"), replace(reversed_, id="b"))
    assert result.verdict == "supported"
    assert result.reason == (
        "2 of 3 comparisons that claim a benefit are refuted, 0 inconclusive: "
        "a, steps_to_target: absent; b, steps_to_target: reversed"
    )


def test_a_premise_is_no_benefit_that_is_claimed():
    premise = judged(STEPS | {"says_bn_helps": False}, 100.0, 100.0)
    assert premise.verdict == "refuted"
    assert over_all(premise).reason.startswith("0 of 0 comparisons")


def test_over_all_claims_is_refuted_where_all_hold_and_inconclusive_where_some_are_open():
    helps, unsure = judged(STEPS, 200.0, 100.0), judged(STEPS, [100.0, 200.0] * 5, 100.0)
    assert over_all(helps).verdict == "refuted"
    assert over_all(helps, unsure).verdict == "inconclusive"
    assert over_all().verdict == "inconclusive"
    config = experiment(claim={"kind": "over_all_claims", "says_bn_helps": False})
    partly = judge_table([judge("does_not_always_help", config, pd.DataFrame()), helps], 2)[0]
    assert (partly.verdict, partly.reason) == (
        "inconclusive",
        "0 of 1 comparisons that claim a benefit are refuted, 0 inconclusive, others not judged here",
    )


def test_refuted_limits_levels_identities_and_asides_do_not_show_that_it_fails_to_help():
    limit = judged(STEPS, 100.0, 100.0, claim={"says_bn_helps": False})
    level = judged(ACCURACY | {"effect": "level", "baseline": None}, None, 0.0)
    identity = judged(BOUND, None, 1.0, claim={"kind": "exact"})
    aside = two_parts(2.0, 0.1, {"decides": False})
    assert [result.parts[-1].verdict for result in (limit, level, identity, aside)] == ["refuted"] * 4
    assert (
        over_all(limit, level, identity, aside).reason
        == "0 of 1 comparisons that claim a benefit are refuted, 0 inconclusive"
    )
