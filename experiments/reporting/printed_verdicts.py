"""The verdicts as a reader sees them on the console, however narrow it is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from experiments.analysis.claims import ClaimResult
from experiments.reporting import wording
from experiments.reporting.terminal import NO_BREAK, print_paragraph

COLOURS = {"supported": "green", "refuted": "red", "inconclusive": "yellow"}


def print_verdicts(console: Console, judged: Sequence[ClaimResult]) -> None:
    """Print each claim's verdict, id and statement and, below, each deciding effect with its interval and its margin.

    What is inconclusive says why.
    """
    for result in judged:
        verdict = (f"{wording.SYMBOLS[result.verdict]} {result.verdict:<12} ", COLOURS[result.verdict])
        console.print(Text.assemble(verdict, (result.id, "bold")))
        print_paragraph(console, result.config.statement, indent=2)
        parts = [part for part in result.parts if part.config.decides]
        for part in parts:
            symbol = f"{wording.SYMBOLS[part.verdict]} " if len(parts) > 1 else ""
            name = f"{part.config.name}: " if part.config.name else ""
            effect = wording.effect_or_reason(part).replace("P = ", _together("P = "))
            margin = _together(f"(margin {wording.format_margin(part.config)})")
            print_paragraph(console, f"{symbol}{name}{effect} {margin}", indent=4)
            if part.verdict == "inconclusive" and not part.blocked:
                print_paragraph(console, f"because {part.reason}", indent=6)
        if not parts:
            print_paragraph(console, result.reason.partition(": ")[0], indent=4)
    console.print()
    print_paragraph(console, wording.headline(judged), style="bold")


def print_agreement(console: Console, sentences: Sequence[str]) -> None:
    """Print whether the verdicts are the published ones: the count first, then what differs and why it may."""
    for i, sentence in enumerate(sentences):
        print_paragraph(console, sentence, indent=2 if i else 0, style=None if i else "bold")


def _together(text: str) -> str:
    return text.replace(" ", NO_BREAK)
