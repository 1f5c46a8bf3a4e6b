"""A part reads the same wherever it is shown: page, tables, console and TensorBoard."""

from __future__ import annotations

import dataclasses
import io
import math

from claim_results import (
    RESULTS,
    claim,
    part,
    report,
    words,
)
from rich.console import Console

from experiments.reporting import wording
from experiments.reporting.printed_verdicts import print_verdicts
from experiments.reporting.report import (
    verdict_table_markdown,
)
from experiments.reporting.tensorboard_summary import verdict_text


def test_a_part_without_an_effect_says_why_and_is_not_drawn() -> None:
    nan = math.nan
    blocked = dataclasses.replace(
        part(nan, nan, nan, "inconclusive"),
        effects={},
        p=None,
        reason="2 runs are missing",
        blocked="2 runs are missing",
    )
    result = claim("x", "inconclusive", blocked)
    assert "No verdict before this is mended: 2 runs are missing." in words(report([result]))
    assert "<figcaption>" not in report([result])
    assert "| 2 runs are missing | ≥ 1.5× |" in verdict_table_markdown([result])


def test_a_blocked_part_shows_its_effect_and_why_it_decides_nothing() -> None:
    edge = "the best rate of no_bn is at the edge of the grid"
    blocked = dataclasses.replace(part(2.34, 1.9, 3.0, "inconclusive"), blocked=edge, reason=edge)
    expected = f"2.3× [1.90, 3.0], P = 0.93; {edge}"
    assert wording.effect_or_reason(blocked) == expected
    assert f"| {expected} | ≥ 1.5× |" in verdict_table_markdown([claim("x", "inconclusive", blocked)])
    console = Console(file=io.StringIO(), width=120)
    print_verdicts(console, [claim("x", "inconclusive", blocked)])
    assert f"    {expected} (margin ≥ 1.5×)\n" in console.file.getvalue()  # type: ignore[attr-defined]
    assert f"2.3× [1.90, 3.0]; {edge}" in words(report([claim("x", "inconclusive", blocked)]))


def test_a_plain_bound_shows_its_range_as_one_over_seeds() -> None:
    exact = {"effect": "level", "unit": "", "margin": {"at_most": 1e-3}}
    bound = dataclasses.replace(
        part(1.3e-6, 5.5e-7, 1.3e-6, **exact), p=None, p_adjusted=None, probability_of_improvement=None
    )
    assert wording.format_effect(bound) == "1.3e−6 [5.5e−7, 1.3e−6 over seeds]"
    assert wording.format_effect(bound, explained=True) == "1.3e−6 [5.5e−7, 1.3e−6]"
    assert "1.3e−6 [5.5e−7, 1.3e−6 over seeds] | ≤ 0.001 |" in verdict_table_markdown([claim("x", "supported", bound)])


def test_the_verdict_in_tensorboard_says_that_its_p_is_of_this_claim_alone() -> None:
    assert verdict_text(RESULTS[0]) == (
        "**✓ supported** (p not adjusted for other claims): BN helps\n\n"
        "* steps to target, no_bn / custom_bn: 2.3× [1.90, ∞], P = 0.93"
    )
    exact = dataclasses.replace(part(1.0, 1.0, 1.0), p=None, p_adjusted=None)
    assert verdict_text(claim("x", "supported", exact)).startswith("**✓ supported**: BN helps")
