"""The verdicts on a console."""

from __future__ import annotations

import io

import pytest
from claim_results import RESULTS, around, claim, row

from experiments.analysis.claims import ClaimResult
from experiments.reporting import terminal
from experiments.reporting.printed_verdicts import print_verdicts


def printed(results: list[ClaimResult], width: int = 80) -> list[str]:
    console, text = terminal.open_console(), io.StringIO()
    console.file, console.width = text, width
    print_verdicts(console, results)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def test_a_verdict_stands_with_id_statement_effect_and_what_happens() -> None:
    lines = printed(RESULTS[:1], 160)
    assert lines[:2] == ["✓ supported  faster", "  BN helps"]
    assert lines[2] == (
        "   ✓ steps to level 2.3× [2.1, 2.5]: more than 1.25× in 20 of 20 seeds; smaller than the source says (14×)"
    )
    assert lines[3:] == ["", "By claim: 1 ✓ supported; resting on 1 distinct set of trainings."]


def test_rows_that_differ_in_a_rate_share_a_line_and_what_is_shown_beside_has_none() -> None:
    rows = [row([2.0 * at] * 20, held={"net": "relu", "learning rate": at}) for at in (0.3, 1.0, 3.0)]
    found = claim("x", "supported", *rows, row([2.0] * 20, held={"net": "cnn"}, role="beside"))
    assert printed([found])[2] == "   ✓ 2, ⇄ 1 relu, learning rate 0.3 … 3 0.60 … 6.0×"
    assert not any("cnn" in line for line in printed([found]))


def test_what_is_open_or_untested_says_why_and_a_premise_is_called_one() -> None:
    premise = row([1.0] * 20, name="noise", role="premise")
    unmet = row([2.0] * 20, name="speed", verdict="not tested", reason="premise unmet: noise")
    lines = printed([claim("x", "not tested", premise, unmet), RESULTS[3]], 120)
    assert lines[0] == "– not tested  x"
    assert "noise (premise)" in lines[2]
    assert lines[3].endswith("2.0×: premise unmet: noise")
    assert lines[6] == "    relu has no results"


@pytest.mark.parametrize("width", [40, 80])
def test_lines_break_between_words_at_any_width(width: int) -> None:
    statement = "With batch normalization [see below] the same accuracy is reached in fewer steps than without."
    rows = [row(around(2.3), name="steps [to] level", held={"net": net}) for net in ("relu", "cnn")]
    lines = printed([claim("x", "depends", *rows, statement=statement, depends_on=("net",)), *RESULTS], width)
    assert max(map(len, lines)) <= width
    assert statement in " ".join(line.strip() for line in lines)
