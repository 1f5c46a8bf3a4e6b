"""Whether a tier came out as published, and what may have made the difference."""

from __future__ import annotations

import dataclasses
from typing import Any

from claim_results import COST, STEPS, row
from claim_results import claim as made

from experiments.analysis.claims import ClaimResult, Verdict
from experiments.reporting.agreement import agreement

HERE: dict[str, Any] = {"processor": "AMD EPYC", "python": "3.12.1", "packages": {"keras": "3.15.1", "numpy": "2.4.6"}}
THERE: dict[str, Any] = {"processor": "Xeon", "python": "3.12.1", "packages": {"keras": "3.14.0", "numpy": "2.4.6"}}


def claim(name: str, verdict: Verdict, part: dict[str, Any] = STEPS, **changes: Any) -> ClaimResult:
    return made(name, verdict, row([], part), **changes)


def said(judged: list[ClaimResult], published: list[ClaimResult], here: Any = HERE, there: Any = THERE) -> list[str]:
    return agreement(judged, {result.id: result for result in published}, lambda: (here, there))


def unasked() -> Any:
    raise AssertionError("provenance is read only where a verdict differs")


def test_all_as_published_is_one_line() -> None:
    both = [claim("a", "supported"), claim("b", "reversed")]
    assert agreement(both, {result.id: result for result in both}, unasked) == ["2 of 2 verdicts as published."]


def test_what_differs_is_named_with_both_verdicts_and_the_differences_of_the_surroundings() -> None:
    judged = [claim("a", "supported"), claim("b", "unresolved")]
    assert said(judged, [claim("a", "supported"), claim("b", "reversed")]) == [
        "1 of 2 verdicts as published; different:",
        "b: unresolved, published as reversed",
        "Rounding differs between surroundings, and close verdicts with it. "
        "Here: processor AMD EPYC (published: Xeon), keras 3.15.1 (published: 3.14.0).",
    ]


def test_what_fewer_seeds_leave_open_is_told_from_what_they_contradict() -> None:
    def of(name: str, verdict: Verdict, effect: float, seeds: int) -> ClaimResult:
        return made(name, verdict, row([effect] * seeds, STEPS))

    judged = [of("open", "unresolved", 1.1, 10), of("other", "reversed", 0.5, 10), of("same", "supported", 2.0, 10)]
    published = [of("open", "supported", 2.0, 20), of("other", "supported", 2.0, 20), of("same", "supported", 2.0, 20)]
    judged[0] = dataclasses.replace(judged[0], rows=[dataclasses.replace(judged[0].rows[0], verdict="unresolved")])
    known, was_open = of("more", "supported", 2.0, 10), of("more", "depends", 2.0, 20)
    was_open = dataclasses.replace(was_open, rows=[dataclasses.replace(was_open.rows[0], verdict="unresolved")])
    assert said([known], [was_open])[1] == "more: supported, published as depends"
    same, few = row([2.0] * 10, STEPS, name="a"), row([1.0] * 10, STEPS, name="b", verdict="unresolved")
    both = row([2.0] * 20, STEPS, name="a"), row([1.0] * 20, STEPS, name="b")
    otherwise = said([made("half", "supported", same, few)], [made("half", "depends", *both)])
    assert otherwise[1] == "half: supported, published as depends"
    found = said(judged, published)
    assert found[-1] == "With fewer seeds effects scatter more."
    assert found[:3] == [
        "1 of 3 verdicts as published; different:",
        "open with 10 of 20 seeds, nothing of them otherwise: open",
        "other: reversed, published as supported",
    ]


def test_a_timed_claim_may_differ_by_the_load_alone() -> None:
    judged, published = (claim("a", verdict, COST) for verdict in ("reversed", "supported"))
    assert said([judged], [published]) == [
        "0 of 1 verdicts as published; different:",
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
        "1 of 1 verdicts as published.",
        "Not compared, as nothing is published with their settings: mine.",
    ]
    assert said([claim("mine", "reversed")], []) == []


def test_a_claim_over_all_claims_is_compared_only_where_all_are_judged() -> None:
    published = [claim("a", "supported"), claim("b", "reversed"), claim("all", "supported", kind="over_all_claims")]
    open_yet = claim("all", "unresolved", kind="over_all_claims")
    assert said([published[0], open_yet], published) == ["1 of 1 verdicts as published."]
    assert said([*published[:2], open_yet], published)[0] == "2 of 3 verdicts as published; different:"


def test_runs_of_several_machines_and_package_sets_are_all_named() -> None:
    here = HERE | {"processor": ["AMD EPYC (avx2)", "ARM"], "packages": [{"keras": "3.14.0"}, {"keras": "3.15.1"}]}
    assert said([claim("b", "unresolved")], [claim("b", "reversed")], here, THERE)[-1] == (
        "Rounding differs between surroundings, and close verdicts with it. Here: processor AMD EPYC and ARM "
        "(published: Xeon), keras 3.14.0 and 3.15.1 (published: 3.14.0), numpy unknown (published: 2.4.6)."
    )


def test_what_keeps_a_claim_from_a_verdict_is_the_reason_that_is_given() -> None:
    missing = claim("b", "not tested", reason="runs of bn failed")
    assert agreement([missing], {"b": claim("b", "reversed")}, unasked) == [
        "0 of 1 verdicts as published; different:",
        "b: not tested, published as reversed: runs of bn failed",
    ]


def rated(*effects: list[float]) -> ClaimResult:
    return made(
        "a", "supported", *(row(of, held={"net": "relu", "learning rate": at}) for at, of in enumerate(effects))
    )


def test_effects_inside_the_published_intervals_are_as_published() -> None:
    there = rated(list(range(1, 21)), [2.0] * 20)  # of the first the 4th and the 17th seed: 4 to 17
    assert agreement([rated([6.0] * 20, [2.0] * 20)], {"a": there}, unasked) == [
        "1 of 1 verdicts as published.",
        "2 of 2 effects inside the published 99.7 % intervals.",
    ]
    assert said([rated([18.0] * 20, [2.0] * 20)], [there])[:3] == [
        "1 of 1 verdicts as published.",
        "1 of 2 effects inside the published 99.7 % intervals; outside:",
        "a, relu, learning rate 0: 18×, published as 10× [4.0, 17]",
    ]
    assert said([rated([18.0] * 20)], [there])[-1].startswith("Rounding differs between surroundings")


def test_rows_are_found_again_by_their_place_on_the_ladder() -> None:
    def on_ladder(level: float, effect: float) -> ClaimResult:
        return made("a", "supported", row([effect] * 20, held={"level": level}, of={"rungs": {"level": 0}}))

    assert said([on_ladder(0.93, 2.0)], [on_ladder(0.92, 2.0)])[1] == (
        "1 of 1 effects inside the published 99.7 % intervals."
    )


def test_of_many_effects_outside_ten_are_named() -> None:
    lines = said([rated(*[[9.0] * 20] * 12)], [rated(*[[2.0] * 20] * 12)])
    assert len([line for line in lines if line.startswith("a, relu")]) == 10
    assert "and 2 more" in lines


def test_another_setting_of_onednn_is_a_difference() -> None:
    found = said([claim("b", "unresolved")], [claim("b", "reversed")], {"onednn": False}, {"onednn": True})
    assert found[-1].endswith("Here: onednn False (published: True).")
