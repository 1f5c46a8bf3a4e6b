"""The verdicts as a reader sees them on the console, however narrow it is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from experiments.analysis.claims import ClaimResult
from experiments.reporting import wording

COLOURS = {"supported": "green", "refuted": "red", "inconclusive": "yellow"}


def print_verdicts(console: Console, judged: Sequence[ClaimResult]) -> None:
    """Print each claim with its verdict and, below, each deciding effect with its interval and its margin."""
    for result in judged:
        verdict = (f"{wording.SYMBOLS[result.verdict]} {result.verdict:<12} ", COLOURS[result.verdict])
        console.print(Text.assemble(verdict, (result.id, "bold")))
        parts = [part for part in result.parts if part.config.decides]
        for part in parts:
            name = f"{part.config.name}: " if part.config.name else ""
            shown = f"{name}{wording.effect_or_reason(part)} (margin {wording.format_margin(part.config)})"
            console.print(f"    {shown}", soft_wrap=True)
        if not parts:
            console.print(f"    {result.reason.partition(': ')[0]}", soft_wrap=True)
    console.print(f"\n{wording.headline(judged)}", style="bold")
