"""The Markdown that is kept with the project: README's first look, and the page of all verdicts, tier beside tier."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from experiments.analysis.claims import DECIDED, ClaimResult, Row
from experiments.reporting.findings import finding, main_effect
from experiments.reporting.headline_figures import LEVEL
from experiments.reporting.quotable import quotable
from experiments.reporting.wording import (
    SYMBOLS,
    claim_verdict,
    counts,
    format_band,
    format_effect,
    moderator_words,
    notes,
    side_words,
    verdict_words,
)

Tiers = Mapping[str, Sequence[ClaimResult]]  # tier → its judged claims
Settings = Mapping[str, Sequence[str]]  # claim → what its specifications come to, the shortest first
HOW_ROBUST = (
    "How much of that is its settings? On {}, by net, data, optimizer, budget, statistics and more, in combination:"
)
DATA = {"embedded": "8×8 digits", "mnist": "MNIST"}  # of each tier, in words
FIGURES = {
    "steps_by_rate": "At the same learning rate, how many times fewer steps does BN need?",
    "steps_by_accuracy": "At the best learning rates, how many times fewer steps does BN need?",
    "accuracy_by_rate": "At which learning rates does a network train, with and without BN?",
}
MOST_APART = 3  # rows that are named where tiers differ
HEAD = ("comparison", "held", "effect [99.7 % interval]", "baseline", "treatment", "no difference", "verdict", "why")


def first_look(
    tier: str,
    judged: Sequence[ClaimResult],
    folder: str,
    settings: Mapping[str, Settings] = MappingProxyType({}),
) -> str:
    """Return what README shows first: three figures of a tier, then what can be quoted.

    folder: of all tiers' published results. settings: tier → claim → what its specifications come to; those of the tier
    are shown, or of another where it has none.
    """
    pictures = [f"![{words} {DATA[tier]}]({folder}/{tier}/{name}.svg)" for name, words in FIGURES.items()]
    quoted = "\n".join(f"* {cell([words])}" for words in quotable(judged, DATA[tier]))
    of = next((of for of in (tier, *settings) if settings.get(of)), tier)
    robust = [
        f"* {cell([result.config.statement])} {cell(settings[of][result.id][:1])} "
        f"([all of them]({folder}/{of}/multiverse/{result.id}.svg))."
        for result in judged
        if result.id in settings.get(of, {})
    ]
    asked = HOW_ROBUST.format(DATA[of])
    return "\n\n".join([*pictures, *([quoted, asked, "\n".join(robust)] if robust else [quoted])])


def verdict_page(tiers: Tiers, introduction: str = "", settings: Mapping[str, Settings] = MappingProxyType({})) -> str:
    """Return docs/results.md: a table with the tiers side by side, then every claim with all its rows.

    settings: tier → claim → what its specifications come to.
    """
    top = ["# Verdicts", introduction.strip(), verdict_table_markdown(tiers)]
    return "\n\n".join(filter(None, [*top, *(_section(name, tiers, settings) for name in _claims(tiers))])) + "\n"


def verdict_table_markdown(tiers: Tiers) -> str:
    """Return the verdict table: a line a claim, a column a tier, and what verdicts differ between tiers."""
    names = _claims(tiers)
    if not names:
        return counts([])
    lines = [f"{DATA[tier]}: {counts(judged)}  " for tier, judged in tiers.items()]
    several = len(tiers) > 1
    lines += [f"{_agreement(tiers)}  "] if several else []
    head = ["claim", "statement", "the source says", *(DATA[tier] for tier in tiers), *(["differs"] if several else [])]
    lines += ["", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for name in names:
        found = _of(name, tiers)
        config = next(result.config for result in found.values())
        verdicts = [_verdict(found.get(tier)) for tier in tiers]
        differs = [cell(_difference(found))] if several else []
        cells = [
            f"[{name}](#{name})",
            cell([config.statement]),
            cell([config.source_says or "–"]),
            *verdicts,
            *differs,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _section(name: str, tiers: Tiers, settings: Mapping[str, Settings]) -> str:
    """A claim's section: statement, source and, for each tier, the verdict and all rows."""
    found = _of(name, tiers)
    config = next(result.config for result in found.values())
    lines = [f"## {name}", "", cell([config.statement]), "", f"* Source: {cell([config.source])}"]
    lines += [f"* The source says: {cell([config.source_says])}"] if config.source_says else []
    lines += [f"* Scale: {cell([config.scale])}"] if config.scale else []
    for tier, result in found.items():
        lines += ["", f"**{DATA[tier]}: {claim_verdict(result)}**: {cell([result.reason])}"]
        if noted := notes(result.rows):
            lines += ["", *(f"* {cell([note])}" for note in noted)]
        if result.rows:
            lines += ["", f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}", *map(_row, result.rows)]
        if words := settings.get(tier, {}).get(name):
            curve = f"[all of them](results/{tier}/multiverse/{name}.svg)"
            lines += ["", f"With other settings ({curve}): {cell(words[:1])}", *(f"* {cell([w])}" for w in words[1:])]
    return "\n".join(lines)


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


def _claims(tiers: Tiers) -> list[str]:
    return list(dict.fromkeys(result.id for judged in tiers.values() for result in judged))


def _of(name: str, tiers: Tiers) -> dict[str, ClaimResult]:
    return {tier: result for tier, judged in tiers.items() for result in judged if result.id == name}


def _verdict(result: ClaimResult | None) -> str:
    return "not run" if result is None else cell([claim_verdict(result), main_effect(result)])


def _difference(found: Mapping[str, ClaimResult]) -> list[str]:
    """Which verdicts the tiers come to, where they are not the same, and the rows that tell them apart."""
    if len({result.verdict for result in found.values()}) < 2:
        return []
    return [
        ", ".join(f"{SYMBOLS[result.verdict]} on {DATA[tier]}" for tier, result in found.items()),
        *_rows_apart([_decided(result.rows) for result in found.values()]),
    ]


def _agreement(tiers: Tiers) -> str:
    """How far the tiers agree, by claim and by the rows that are decided on all of them."""
    found = [of for of in (_of(name, tiers) for name in _claims(tiers)) if len(of) == len(tiers)]
    same = sum(len({result.verdict for result in of.values()}) == 1 for of in found)
    rows, apart, where = 0, 0, 0
    for of in found:
        first, *others = [_decided(result.rows) for result in of.values()]
        both = [key for key in first if all(key in tier for tier in others)]
        otherwise = sum(any(tier[key].verdict != first[key].verdict for tier in others) for key in both)
        rows, apart, where = rows + len(both), apart + otherwise, where + bool(otherwise)
    return (
        f"Of {len(found)} claims tested on both, {same} come to the same verdict; of {rows} rows decided on both, "
        f"{rows - apart} do, and the other {apart} belong to {where} claims."
    )


def _rows_apart(tiers: Sequence[Mapping[Any, Row]]) -> list[str]:
    """How many rows are decided on all tiers, and in what is held those are that are decided otherwise."""
    first, *others = tiers
    both = [key for key in first if all(key in of for of in others)]
    apart = [key for key in both if len({of[key].verdict for of in tiers}) > 1]
    if not both:
        return ["no row decided on both"]
    words = [f"of {len(both)} decided on both, {len(both) - len(apart)} the same"]
    for key in apart[:MOST_APART]:
        of = [*dict.fromkeys(moderator_words(tier[key]) for tier in tiers)]
        held = " / ".join(of) if any(of) else first[key].part.name or ""
        words.append(f"{held}: {', '.join(SYMBOLS[tier[key].verdict] for tier in tiers)}")
    return [*words, *([f"and {len(apart) - MOST_APART} more"] if len(apart) > MOST_APART else [])]


def _decided(rows: Sequence[Row]) -> dict[Any, Row]:
    """The decided rows by what is compared and held; levels, which are each tier's own, by their place."""
    places: Counter[Any] = Counter()
    found = {}
    for row in rows:
        held = tuple(pair for pair in row.moderators.items() if pair[0] != LEVEL)
        what = row.part.name, row.part.measure, held
        key = *what, places[what]
        places[what] += 1
        if row.decides and row.verdict in DECIDED:
            found[key] = row
    return found


def _row(row: Row) -> str:
    aside = "" if row.decides else f" ({row.part.role})"
    cells = [
        (row.part.name or row.part.measure.replace("_", " ")) + aside,
        moderator_words(row),
        format_effect(row),
        side_words(row, "baseline"),
        side_words(row, "treatment"),
        format_band(row),
        verdict_words(row.verdict),
        finding(row),
    ]
    return f"| {' | '.join(cell([words]) for words in cells)} |"


def cell(lines: Sequence[str]) -> str:
    """Return lines as one cell of a Markdown table; what the text itself holds cannot end the cell or start a tag."""
    return "<br>".join(re.sub(r"(?=[\\|<>`*])|(?<=\])(?=[(\[])", r"\\", " ".join(line.split())) for line in lines)
