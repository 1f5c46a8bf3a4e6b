"""Did the claims come out as published, and if not, why may that be?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from experiments.analysis.claims import ClaimResult, Row
from experiments.configuration.claim import TIMED_MEASURES
from experiments.reporting.findings import most_seeds
from experiments.reporting.wording import format_effect, has_effect, row_words

SURROUNDINGS = ("python", "processor", "system", "threads", "onednn", "environment")  # and packages
MOST_EFFECTS = 10  # that are named

Provenance = Mapping[str, Any]


def agreement(
    judged: Sequence[ClaimResult],
    published: Mapping[str, ClaimResult],
    provenance: Callable[[], tuple[Provenance, Provenance]],
) -> list[str]:
    """Return, in sentences, how many verdicts and effects are as published, which are not, and what may be the reason.

    published: by claim; what is not among them is not compared, nor is a claim over all claims where not all are
    judged. An effect is as published where its estimate lies in the published 99.7 % interval. provenance: of the runs
    judged here and of the published ones; asked for only where something differs.
    """
    whole = published.keys() <= {result.id for result in judged}
    compared = [r for r in judged if r.id in published and (whole or r.config.kind != "over_all_claims")]
    if not compared:
        return []
    different = [result for result in compared if result.verdict != published[result.id].verdict]
    count = f"{len(compared) - len(different)} of {len(compared)} verdicts as published"
    lines = [f"{count}; different:" if different else f"{count}."]
    fewer = [result for result in different if _less_decided(result, published[result.id])]
    if fewer:
        seeds, names = most_seeds(fewer[0].rows), ", ".join(result.id for result in fewer)
        of = most_seeds(published[fewer[0].id].rows)
        lines.append(f"open with {seeds} of {of} seeds, nothing of them otherwise: {names}")
    different = [result for result in different if result not in fewer]
    for result in different:
        timed = ", timed" if _is_timed(result) else ""
        reason = f": {result.reason}" if result.verdict == "not tested" else ""
        lines.append(f"{result.id}{timed}: {result.verdict}, published as {published[result.id].verdict}{reason}")
    outside, pairs = _effects(compared, published)
    lines += _of_effects(outside, pairs)
    unexplained = [result for result in different if result.verdict != "not tested"]
    unexplained += [result for result, _, _ in outside]
    if any(most_seeds(result.rows) < most_seeds(published[result.id].rows) for result in unexplained):
        lines.append("With fewer seeds effects scatter more.")
    elif unexplained:
        lines += _why(unexplained, *provenance())
    if absent := [result.id for result in judged if result.id not in published]:
        lines.append(f"Not compared, as nothing is published with their settings: {', '.join(absent)}.")
    return lines


def _less_decided(result: ClaimResult, published: ClaimResult) -> bool:
    """Whether a verdict is open for want of seeds alone: each of its rows is open, or as published."""
    there = {_key(row): row.verdict for row in published.rows}
    rows = [row for row in result.rows if row.decides]
    same = all(row.verdict in ("unresolved", there.get(_key(row), row.verdict)) for row in rows)
    return result.verdict == "unresolved" and most_seeds(result.rows) < most_seeds(published.rows) and same


def _effects(
    compared: Sequence[ClaimResult], published: Mapping[str, ClaimResult]
) -> tuple[list[tuple[ClaimResult, Row, Row]], int]:
    """The effects outside of the published interval, as (claim, row, published row), and how many were compared."""
    outside, pairs = [], 0
    for result in compared:
        there = {_key(row): row for row in published[result.id].rows if has_effect(row)}
        for row in result.rows:
            other = there.get(_key(row)) if has_effect(row) else None
            if other is not None and other.decided[0] <= other.usual[1]:
                pairs += 1
                if row.estimate[1] < other.decided[0] or row.estimate[0] > other.usual[1]:
                    outside.append((result, row, other))
    return outside, pairs


def _key(row: Row) -> tuple[Any, ...]:
    """By what a row is found again: levels by their place on the ladder, as they follow from tuning runs."""
    part, held = row.part, {**row.moderators, **row.comparison.rungs}
    return (part.name, part.measure, part.baseline, part.treatment, *sorted((name, str(held[name])) for name in held))


def _of_effects(outside: Sequence[tuple[ClaimResult, Row, Row]], pairs: int) -> Iterator[str]:
    if not pairs:
        return
    count = f"{pairs - len(outside)} of {pairs} effects inside the published 99.7 % intervals"
    yield f"{count}; outside:" if outside else f"{count}."
    for result, row, other in outside[:MOST_EFFECTS]:
        yield f"{result.id}, {row_words(row)}: {format_effect(row)}, published as {format_effect(other)}"
    if (more := len(outside) - MOST_EFFECTS) > 0:
        yield f"and {more} more"


def _why(different: Sequence[ClaimResult], here: Provenance, there: Provenance) -> Iterator[str]:
    if any(_is_timed(result) for result in different):
        yield "Timed claims depend on the processor and on what else it was busy with."
    if all(_is_timed(result) for result in different):
        return
    ours, theirs = _flat(here), _flat(there)
    found = [
        f"{name} {ours.get(name, 'unknown')} (published: {theirs.get(name, 'unknown')})"
        for name in {**theirs, **ours}
        if name in there or name not in SURROUNDINGS  # of what was not recorded then, nothing is known
        if ours.get(name) != theirs.get(name)
    ]
    if found:
        yield f"Rounding differs between surroundings, and close verdicts with it. Here: {', '.join(found)}."
    else:
        yield "Processor and packages are by name the published ones; equal code gives equal curves: compare the code."


def _flat(provenance: Provenance) -> dict[str, str]:
    """Surroundings and packages by name, all where runs had several; a processor without its instruction sets."""
    flat: dict[str, str] = {}
    for name in (*SURROUNDINGS, "packages"):
        found = provenance.get(name)
        for one in found if isinstance(found, list) else [] if found is None else [found]:
            for key, value in one.items() if name == "packages" else [(name, one)]:
                text = str(value).partition(" (")[0] if name == "processor" else str(value)
                flat[key] = text if flat.get(key) in (None, text) else f"{flat[key]} and {text}"
    return flat


def _is_timed(result: ClaimResult) -> bool:
    return any(row.part.measure in TIMED_MEASURES or row.part.cost for row in result.rows if row.decides)
