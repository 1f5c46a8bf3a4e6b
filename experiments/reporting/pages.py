"""The Markdown that is kept with the project: README's first look, and the page of all verdicts, tier beside tier."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from experiments.analysis.claims import ClaimResult, Row
from experiments.reporting import wording
from experiments.reporting.quotable import quotable

DATA = {"embedded": "8×8 digits", "mnist": "MNIST"}  # of each tier, in words


def first_look(tier: str, judged: Sequence[ClaimResult], folder: str) -> str:
    """Return what README shows first: three figures, then what can be quoted. folder: of the tier's figures."""
    figures = [
        ("How many times fewer steps at the same learning rate", "steps_by_rate"),
        ("How many times fewer steps by the accuracy asked for", "steps_by_accuracy"),
        ("Accuracy by learning rate, with and without", "accuracy_by_rate"),
    ]
    pictures = "\n\n".join(f"![{words}, {DATA[tier]}]({folder}/{name}.svg)" for words, name in figures)
    sentences = "\n".join(f"* {sentence}" for sentence in quotable(judged))
    return f"{pictures}\n\n{sentences}"


def verdict_page(tiers: Mapping[str, Sequence[ClaimResult]], introduction: str = "") -> str:
    """Return docs/results.md: a table with the tiers side by side, then every claim with all its rows."""
    by_claim: dict[str, dict[str, ClaimResult]] = {}
    for tier, judged in tiers.items():
        for result in judged:
            by_claim.setdefault(result.id, {})[tier] = result
    heads = " | ".join(DATA[tier] for tier in tiers)
    lines = ["# Verdicts", "", introduction.strip(), ""] if introduction else ["# Verdicts", ""]
    lines += [f"{DATA[tier]}: {wording.counts(judged)}  " for tier, judged in tiers.items()]
    lines += ["", f"| claim | statement | source says | {heads} |", f"|---|---|---|{'---|' * len(tiers)}"]
    for name, found in sorted(by_claim.items()):
        config = next(iter(found.values())).config
        verdicts = [_cell([wording.claim_verdict(found[tier])]) if tier in found else "not run" for tier in tiers]
        cells = [f"[{name}](#{name})", _cell([config.statement]), _cell([config.source_says or "–"]), *verdicts]
        lines.append(f"| {' | '.join(cells)} |")
    for name, found in sorted(by_claim.items()):
        lines += _section(name, found)
    return "\n".join(lines) + "\n"


def _section(name: str, found: Mapping[str, ClaimResult]) -> list[str]:
    config = next(iter(found.values())).config
    lines = ["", f'<a id="{name}"></a>', f"## {name}", "", config.statement, "", f"Source: {config.source}.  "]
    lines += [f"Source says: {config.source_says}.  "] if config.source_says else []
    lines += [f"Scale: {config.scale}"] if config.scale else []
    for tier, result in found.items():
        lines += ["", f"**{DATA[tier]}: {wording.claim_verdict(result)}**. {_cell([result.reason])}."]
        if result.rows:
            lines += ["", "| row | verdict | effect [95.9 %] | band | without | with | finding |", f"|{'---|' * 7}"]
            lines += [_row(row) for row in result.rows]
        if notes := dict.fromkeys(row.comparison.note for row in result.rows if row.comparison.note):
            lines += ["", *(f"{_cell([note])}.  " for note in notes)]
    return lines


def _row(row: Row) -> str:
    aside = "" if row.decides else f" ({row.part.role})"
    cells = [
        wording.row_words(row) + aside,
        wording.verdict_words(row.verdict),
        wording.format_effect(row) or "–",
        wording.format_band(row) or "–",
        wording.side_words(row, "baseline"),
        wording.side_words(row, "treatment"),
        wording.finding(row),
    ]
    return f"| {' | '.join(_cell([cell]) for cell in cells)} |"


def replace_between_markers(text: str, name: str, content: str) -> str:
    """Return `text` with all between `<!-- name:begin -->` and `<!-- name:end -->` replaced by `content`.

    Raises ValueError unless each marker stands there exactly once, in this order.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    for marker in (begin, end):
        if (found := text.count(marker)) != 1:
            raise ValueError(f"{marker}: expected exactly once, found {found} times")
    before, _, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_end:
        raise ValueError(f"{end}: expected after {begin}, found before it")
    return f"{before}{begin}\n{content.strip()}\n{end}{after}"


def _cell(lines: Sequence[str]) -> str:
    """Return lines as one cell of a Markdown table; what the text itself holds cannot end the cell or start a tag."""
    return "<br>".join(re.sub(r"(?=[\\|<>`*])|(?<=\])(?=[(\[])", r"\\", " ".join(line.split())) for line in lines)
