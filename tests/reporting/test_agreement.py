"""Whether a tier came out as published, and what may have made the difference."""

from __future__ import annotations

from typing import Any

from experiments.analysis.claims import ClaimResult, Row, Verdict
from experiments.analysis.comparison import Comparison
from experiments.configuration.claim import ClaimConfig, PartConfig
from experiments.reporting.agreement import agreement

HERE: dict[str, Any] = {"processor": "AMD EPYC", "python": "3.12.1", "packages": {"keras": "3.15.1", "numpy": "2.4.6"}}
THERE: dict[str, Any] = {"processor": "Xeon", "python": "3.12.1", "packages": {"keras": "3.14.0", "numpy": "2.4.6"}}


def claim(name: str, verdict: Verdict, measure: str = "drift", reason: str = "", **changes: Any) -> ClaimResult:
    part = PartConfig.model_validate({"measure": measure, "effect": "level", "treatment": "bn", "band": 1})
    row = Row(Comparison(part, {}), verdict, "as the numbers say")
    return ClaimResult(name, ClaimConfig(statement="s", source="q", **changes), verdict, reason, (row,))


def said(judged: list[ClaimResult], published: list[ClaimResult], here: Any = HERE, there: Any = THERE) -> list[str]:
    return agreement(judged, {result.id: result for result in published}, lambda: (here, there))


def unasked() -> Any:
    raise AssertionError("provenance is read only where a verdict differs")


def test_all_as_published_is_one_line() -> None:
    both = [claim("a", "supported"), claim("b", "reversed")]
    assert agreement(both, {result.id: result for result in both}, unasked) == ["2 of 2 as published."]


def test_what_differs_is_named_with_both_verdicts_and_the_differences_of_the_surroundings() -> None:
    judged = [claim("a", "supported"), claim("b", "unresolved")]
    assert said(judged, [claim("a", "supported"), claim("b", "reversed")]) == [
        "1 of 2 as published; different:",
        "b: unresolved, published as reversed",
        "Rounding differs between surroundings, and close verdicts with it. "
        "Here: processor AMD EPYC (published: Xeon), keras 3.15.1 (published: 3.14.0).",
    ]


def test_a_timed_claim_may_differ_by_the_load_alone() -> None:
    judged, published = (claim("a", verdict, "seconds_per_step") for verdict in ("reversed", "supported"))
    assert said([judged], [published]) == [
        "0 of 1 as published; different:",
        "a, timed: reversed, published as supported",
        "Timed claims depend on the processor and on what else it was busy with.",
    ]


def test_with_the_same_names_the_code_is_to_be_compared() -> None:
    lines = said([claim("a", "reversed")], [claim("a", "supported")], THERE, THERE)
    assert lines[2:] == [
        "Processor and packages are by name the published ones; equal code gives equal curves: compare the code."
    ]


def test_what_is_not_published_is_not_compared() -> None:
    assert said([claim("a", "supported"), claim("mine", "reversed")], [claim("a", "supported")]) == [
        "1 of 1 as published.",
        "Not compared, as nothing is published with their settings: mine.",
    ]
    assert said([claim("mine", "reversed")], []) == []


def test_a_claim_over_all_claims_is_compared_only_where_all_are_judged() -> None:
    published = [claim("a", "supported"), claim("b", "reversed"), claim("all", "supported", kind="over_all_claims")]
    open_yet = claim("all", "unresolved", kind="over_all_claims")
    assert said([published[0], open_yet], published) == ["1 of 1 as published."]
    assert said([*published[:2], open_yet], published)[0] == "2 of 3 as published; different:"


def test_runs_of_several_machines_and_package_sets_are_all_named() -> None:
    here = HERE | {"processor": ["AMD EPYC (avx2)", "ARM"], "packages": [{"keras": "3.14.0"}, {"keras": "3.15.1"}]}
    assert said([claim("b", "unresolved")], [claim("b", "reversed")], here, THERE)[-1] == (
        "Rounding differs between surroundings, and close verdicts with it. Here: processor AMD EPYC and ARM "
        "(published: Xeon), keras 3.14.0 and 3.15.1 (published: 3.14.0), numpy unknown (published: 2.4.6)."
    )


def test_what_keeps_a_claim_from_a_verdict_is_the_reason_that_is_given() -> None:
    missing = claim("b", "not tested", reason="runs of bn failed")
    assert said([missing], [claim("b", "reversed")]) == [
        "0 of 1 as published; different:",
        "b: not tested, published as reversed: runs of bn failed",
    ]


def test_another_setting_of_onednn_is_a_difference() -> None:
    found = said([claim("b", "unresolved")], [claim("b", "reversed")], {"onednn": False}, {"onednn": True})
    assert found[-1].endswith("Here: onednn False (published: True).")
