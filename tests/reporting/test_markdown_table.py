"""The tables of README and docs/results, and the markers between which they stand."""

from __future__ import annotations

import dataclasses
import re

import pytest
from claim_results import (
    HOSTILE,
    RESULTS,
    claim,
    part,
)

from experiments.reporting.report import (
    replace_between_markers,
    verdict_table_markdown,
)


def test_the_readme_table_links_to_the_page_of_results() -> None:
    lines = verdict_table_markdown(RESULTS, "docs/results/mnist.md").splitlines()
    assert lines[0] == "**Of 4 claims, 1 is supported, 1 refuted and 2 inconclusive.**"
    assert "| effect [95 % interval], P(improvement) |" in lines[2]
    assert lines[4] == "| [faster](docs/results/mnist.md#faster) | ✓ supported | 2.3× [1.90, ∞], P = 0.93 | ≥ 1.5× |"
    assert lines[6].endswith("| ? inconclusive | 11.4 % [10.8, 12.0], P = 0.93 | ≤ 30 % |")
    assert lines[7].endswith("| ? inconclusive | as the numbers say |  |")


def test_the_table_of_the_results_page_carries_the_anchors_and_the_statements() -> None:
    lines = verdict_table_markdown(RESULTS).splitlines()
    assert lines[4].startswith('| <a id="faster"></a>faster | BN helps | ✓ supported |')
    assert verdict_table_markdown([]) == "No claim has been evaluated yet."


def test_a_claim_over_all_claims_counts_in_the_readme_and_lists_on_the_page() -> None:
    result = dataclasses.replace(claim("limits", "supported"), reason="1 of 9 comparisons refuted: faster, absent")
    assert verdict_table_markdown([result], "r.md").endswith("| 1 of 9 comparisons refuted |  |")
    assert "1 of 9 comparisons refuted: faster, absent" in verdict_table_markdown([result])


def test_parts_stand_below_each_other_in_a_cell() -> None:
    both = claim("both", "refuted", part(2.0, 1.9, 2.1, name="MLP"), part(1.0, 0.9, 1.1, "refuted", name="CNN"))
    cells = verdict_table_markdown([both], "r.md").splitlines()[-1].split(" | ")
    assert cells[2:] == ["✓ MLP: 2.0× [1.90, 2.1], P = 0.93<br>✗ CNN: 1.00× [0.90, 1.10], P = 0.93", "≥ 1.5× |"]


def test_hostile_words_cannot_break_the_markdown_table() -> None:
    row = verdict_table_markdown([claim("x", "refuted", statement=HOSTILE)]).splitlines()[-1]
    assert len(re.findall(r"(?<!\\)\|", row)) == 6
    assert re.search(r"(?<!\\)<(?!a id|/a>)", row) is None
    assert "](javascript" not in row


def test_a_block_between_markers_is_replaced_and_then_stays() -> None:
    text = "before\n<!-- verdicts:begin -->\nold\n<!-- verdicts:end -->\nafter\n"
    once = replace_between_markers(text, "verdicts", "new\n")
    assert once == "before\n<!-- verdicts:begin -->\nnew\n<!-- verdicts:end -->\nafter\n"
    assert replace_between_markers(once, "verdicts", "new") == once


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("nothing", "verdicts:begin -->: expected exactly once, found 0 times"),
        ("<!-- v:begin -->", "verdicts:begin -->: expected exactly once, found 0 times"),
        ("<!-- verdicts:begin -->" * 2, "begin -->: expected exactly once, found 2 times"),
        ("<!-- verdicts:begin -->", "verdicts:end -->: expected exactly once, found 0 times"),
        ("<!-- verdicts:end --><!-- verdicts:begin -->", "end -->: expected after .* found before it"),
    ],
)
def test_missing_doubled_and_swapped_markers_are_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        replace_between_markers(text, "verdicts", "new")
