"""The verdicts as a reader sees them on the console."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from experiments import wording
from experiments.claims import ClaimResult

COLOURS = {"supported": "green", "refuted": "red", "inconclusive": "yellow"}


def print_verdicts(console: Console, judged: Sequence[ClaimResult]) -> None:
    """Print one row a claim: verdict, effect with its interval, and the margin it had to pass."""
    table = Table(title=wording.headline(judged), title_justify="left", title_style="bold")
    table.add_column("claim", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("effect [95 % interval]")
    table.add_column("margin", no_wrap=True)
    for result in judged:
        parts = [part for part in result.parts if part.config.decides]
        effects = [wording.effect_or_reason(part) for part in parts] or [result.reason]
        margins = [wording.format_margin(part.config) for part in parts]
        verdict = f"[{COLOURS[result.verdict]}]{wording.verdict_words(result.verdict)}[/]"
        table.add_row(result.id, verdict, "\n".join(effects), "\n".join(margins))
    console.print(table)
