"""The verdicts as a reader sees them on the console, however narrow it is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from experiments.analysis.claims import ClaimResult, Verdict
from experiments.reporting import wording
from experiments.reporting.terminal import print_paragraph

COLOURS: dict[Verdict, str] = {
    "supported": "green",
    "no material difference": "blue",
    "reversed": "red",
    "depends": "magenta",
    "unresolved": "yellow",
    "not tested": "bright_black",
}
MOST_ROWS = 8  # of a claim; the report has all


def print_verdicts(console: Console, judged: Sequence[ClaimResult]) -> None:
    """Print each claim's verdict, id and statement and, below, the effect of each row that decides, or its reason."""
    for result in judged:
        verdict = (f"{wording.claim_verdict(result)}  ", COLOURS[result.verdict])
        console.print(Text.assemble(verdict, (result.id, "bold")))
        print_paragraph(console, result.config.statement, indent=2)
        rows = [row for row in result.rows if row.decides and row.comparison.seeds]
        for row in rows[:MOST_ROWS]:
            text = f"{wording.SYMBOLS[row.verdict]} {wording.row_words(row)}: {wording.effect_or_reason(row)}"
            print_paragraph(console, text, indent=4)
        if len(rows) > MOST_ROWS:
            print_paragraph(console, f"and {len(rows) - MOST_ROWS} more rows: {result.reason}", indent=4)
        elif len(rows) != 1:
            print_paragraph(console, result.reason, indent=4)
    console.print()
    print_paragraph(console, wording.counts(judged), style="bold")


def print_agreement(console: Console, sentences: Sequence[str]) -> None:
    """Print whether the verdicts are the published ones: the count first, then what differs and why it may."""
    for i, sentence in enumerate(sentences):
        print_paragraph(console, sentence, indent=2 if i else 0, style=None if i else "bold")
