"""The verdicts on a console."""

from __future__ import annotations

import io

import pytest
from claim_results import RESULTS, claim, part

from experiments.analysis.claims import ClaimResult
from experiments.reporting import terminal
from experiments.reporting.printed_verdicts import print_verdicts


def printed(results: list[ClaimResult], width: int = 80) -> list[str]:
    console, text = terminal.open_console(), io.StringIO()
    console.file, console.width = text, width
    print_verdicts(console, results)
    return text.getvalue().splitlines()


def test_a_verdict_stands_with_id_statement_effect_and_margin() -> None:
    assert printed(RESULTS[:1]) == [
        "✓ supported    faster",
        "  BN helps",
        "    2.3× [1.90, ∞], P = 0.93 (margin ≥ 1.5×)",
        "",
        "The one claim tested is supported.",
    ]


def test_what_is_open_says_why_and_several_parts_have_a_verdict_each() -> None:
    parts = part(2.3, 1.9, 2.8, name="MLP"), part(1.6, 1.2, 2.1, "inconclusive", name="CNN")
    assert printed([claim("both", "inconclusive", *parts)])[:5] == [
        "? inconclusive both",
        "  BN helps",
        "    ✓ MLP: 2.3× [1.90, 2.8], P = 0.93 (margin ≥ 1.5×)",
        "    ? CNN: 1.60× [1.20, 2.1], P = 0.93 (margin ≥ 1.5×)",
        "      because the interval lies wholly beyond the margin",  # the reason of the tests' parts
    ]


@pytest.mark.parametrize("width", [40, 80])
def test_lines_break_between_words_and_keep_a_margin_whole(width: int) -> None:
    statement = "With batch normalization [see below] the same accuracy is reached in fewer steps than without."
    lines = printed([claim("x", "supported", part(2.34, 1.9, 3.0, name="steps to target"), statement=statement)], width)
    assert max(map(len, lines)) <= width
    assert statement in " ".join(line.strip() for line in lines)
    assert [line for line in lines if line.endswith("(margin ≥ 1.5×)")]
