"""The Markdown that is kept with the project: README's first look, and the page of all verdicts, tier beside tier."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from experiments.analysis.claims import DECIDED, ClaimResult, Row
from experiments.reporting.findings import finding, main_effect
from experiments.reporting.headline_figures import AT_A_GLANCE, LEVEL, words_below
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
    "How much of that is its settings? On {}, with other nets, data, optimizers, budgets, statistics and more, which "
    "would have been as good a choice, not all of them crossed, over five seeds each:"
)
DATA = {"embedded": "8×8 digits", "mnist": "MNIST"}  # of each tier, in words
GLANCE = "How many times fewer steps does BN need, by learning rate and by accuracy, and at which rates does it train?"
LARGER = {
    "steps_by_rate": "steps by learning rate",
    "steps_by_accuracy": "steps by accuracy",
    "accuracy_by_rate": "accuracy by learning rate",
}
BELOW = "Below: median and quartiles; 0 is a run that diverged, 10 % is guessing. Seeds are whole repetitions."
MOST_APART = 3  # rows that are named where tiers differ
HEAD = ("comparison", "held", "effect [99.7 % interval]", "baseline", "treatment", "no difference", "verdict", "why")


def first_look(
    tier: str,
    judged: Sequence[ClaimResult],
    folder: str,
    settings: Mapping[str, Settings] = MappingProxyType({}),
) -> dict[str, str]:
    """Return what README shows of a tier between its markers: the `picture`, and `verdicts` that can be quoted.

    folder: of all tiers' published results. settings: tier → claim → what its specifications come to; those of the tier
    are shown, or of another where it has none.
    """
    quoted = "\n".join(f"* {cell([words])}" for words in quotable(judged, DATA[tier]))
    of = next((of for of in (tier, *settings) if settings.get(of)), tier)
    robust = []
    for result in judged:
        if result.id in settings.get(of, {}):
            own = f"{claim_verdict(result)}; over those settings " if of == tier else ""
            words = f"*“{cell([result.config.statement])}”* {own}{cell(settings[of][result.id][:1])}"
            robust.append(f"* {words} ([all of them]({folder}/{of}/multiverse/{result.id}.svg)).")
    asked = HOW_ROBUST.format(DATA[of])
    return {
        "picture": _picture(tier, judged, folder),
        "verdicts": "\n\n".join([quoted, asked, "\n".join(robust)] if robust else [quoted]),
    }


def _picture(tier: str, judged: Sequence[ClaimResult], folder: str) -> str:
    larger = [f"[{words}]({folder}/{tier}/{name}.svg)" for name, words in LARGER.items()]
    others = [f"[on {words}]({folder}/{name}/{AT_A_GLANCE}.svg)" for name, words in DATA.items() if name != tier]
    shown = f"![{GLANCE} {DATA[tier]}]({folder}/{tier}/{AT_A_GLANCE}.svg)"
    return f"{shown}\n\n{words_below(judged)} {BELOW} Larger: {', '.join(larger)}. The same {', '.join(others)}."


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
    verdicts = ", ".join(f"{SYMBOLS[result.verdict]} on {DATA[tier]}" for tier, result in found.items())
    both = _decided_on_all(found)
    if not both:
        return [verdicts, "no row decided on both"]
    apart = [rows for rows in both if _differ(rows)]
    words = [verdicts, f"of {len(both)} decided on both, {len(both) - len(apart)} the same"]
    for rows in apart[:MOST_APART]:
        held = " / ".join(dict.fromkeys(map(moderator_words, rows))) or rows[0].part.name or ""
        words.append(f"{held}: {', '.join(SYMBOLS[row.verdict] for row in rows)}")
    return [*words, *([f"and {len(apart) - MOST_APART} more"] if len(apart) > MOST_APART else [])]


def _agreement(tiers: Tiers) -> str:
    """How far the tiers agree, by claim and by the rows that are decided on all of them."""
    found = [of for of in (_of(name, tiers) for name in _claims(tiers)) if len(of) == len(tiers)]
    same = sum(len({result.verdict for result in of.values()}) == 1 for of in found)
    rows = [_decided_on_all(of) for of in found]
    apart = [sum(map(_differ, of)) for of in rows]
    decided = sum(map(len, rows))
    return (
        f"Of {len(found)} claims judged on both, {same} come to the same verdict; of {decided} rows decided on both, "
        f"{decided - sum(apart)} do, and the other {sum(apart)} belong to {sum(map(bool, apart))} claims."
    )


def _differ(rows: Sequence[Row]) -> bool:
    return len({row.verdict for row in rows}) > 1


def _decided_on_all(found: Mapping[str, ClaimResult]) -> list[list[Row]]:
    """The rows of a claim that all tiers decide, each as every tier has it.

    Rows are the same that compare and hold the same; levels, which are each tier's own, go by their place.
    """
    tiers = []
    for result in found.values():
        places: Counter[Any] = Counter()
        decided = {}
        for row in result.rows:
            what = row.part.name, row.part.measure, tuple(pair for pair in row.moderators.items() if pair[0] != LEVEL)
            if row.decides and row.verdict in DECIDED:
                decided[*what, places[what]] = row
            places[what] += 1
        tiers.append(decided)
    return [[of[key] for of in tiers] for key in tiers[0] if all(key in of for of in tiers)]


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
