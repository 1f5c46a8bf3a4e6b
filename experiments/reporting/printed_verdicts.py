"""The verdicts as a reader sees them on the console, however narrow it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.analysis.claims import ClaimResult, Verdict
from experiments.analysis.tuning import tuned_words
from experiments.configuration.tiers import Claims
from experiments.reporting.findings import Fold, effects_of, finding, folds, row_counts
from experiments.reporting.terminal import print_paragraph
from experiments.reporting.wording import claim_verdict, counts

COLOURS: dict[Verdict, str] = {
    "supported": "green",
    "no material difference": "blue",
    "reversed": "red",
    "depends": "magenta",
    "unresolved": "yellow",
    "not tested": "bright_black",
}


def print_verdicts(console: Console, judged: Sequence[ClaimResult]) -> None:
    """Print each claim's verdict, id and statement, and below a line for each of its comparisons.

    Rows that differ only in numbers, such as rates, share a line with their counts and the range of their effects; a
    row alone says what happens in its seeds.
    """
    for result in judged:
        console.print(Text.assemble((claim_verdict(result), COLOURS[result.verdict]), "  ", (result.id, "bold")))
        print_paragraph(console, result.config.statement, indent=2)
        deciding = folds(row for row in result.rows if row.part.role != "beside")
        if not deciding:
            print_paragraph(console, result.reason.partition(": ")[0], indent=4)
            continue
        table = Table.grid(padding=(0, 1))
        for no_wrap in (True, True, False, False):
            table.add_column(no_wrap=no_wrap)
        for fold in deciding:
            table.add_row("  ", *map(Text, (row_counts(fold.rows), _words(fold), _effects(fold))))
        console.print(table)
    console.print()
    print_paragraph(console, counts(judged), style="bold")


def print_agreement(console: Console, sentences: Sequence[str]) -> None:
    """Print whether the verdicts are the published ones: the count first, then what differs and why it may."""
    for i, sentence in enumerate(sentences):
        print_paragraph(console, sentence, indent=2 if i else 0, style=None if i else "bold")


def _words(fold: Fold) -> str:
    return fold.words + (" (premise)" if fold.rows[0].part.role == "premise" else "")


def _effects(fold: Fold) -> str:
    found = effects_of(fold.rows)
    if len(fold.rows) > 1 or found == fold.rows[0].reason:
        return found
    return f"{found}: {finding(fold.rows[0])}"


def print_tuning(console: Console, claims: Claims, tables: Mapping[str, pd.DataFrame]) -> None:
    """Print the best values that each experiment's arms were tuned to. tables: experiment → results of its runs."""
    for name, table in tables.items():
        for words in tuned_words(table, claims.experiments[name].config):
            print_paragraph(console, f"{name}: {words}")
