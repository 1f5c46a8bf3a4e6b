"""Did the claims come out as published, and if not, why may that be?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from experiments.analysis.claims import ClaimResult
from experiments.configuration.claim import TIMED_MEASURES

SURROUNDINGS = ("python", "processor", "system", "threads", "onednn", "environment")  # and packages

Provenance = Mapping[str, Any]


def agreement(
    judged: Sequence[ClaimResult],
    published: Mapping[str, ClaimResult],
    provenance: Callable[[], tuple[Provenance, Provenance]],
) -> list[str]:
    """Return, in sentences, how many verdicts are as published, which are not, and what may have made the difference.

    published: by claim; what is not among them is not compared, nor is a claim over all claims where not all are
    judged. provenance: of the runs judged here and of the published ones; asked for only where a verdict differs.
    """
    whole = published.keys() <= {result.id for result in judged}
    compared = [r for r in judged if r.id in published and (whole or r.config.kind != "over_all_claims")]
    if not compared:
        return []
    different = [result for result in compared if result.verdict != published[result.id].verdict]
    count = f"{len(compared) - len(different)} of {len(compared)} as published"
    lines = [f"{count}; different:" if different else f"{count}."]
    for result in different:
        timed = ", timed" if _is_timed(result) else ""
        reason = f": {result.reason}" if result.verdict == "not tested" else ""
        lines.append(f"{result.id}{timed}: {result.verdict}, published as {published[result.id].verdict}{reason}")
    if unexplained := [result for result in different if result.verdict != "not tested"]:
        lines += _why(unexplained, *provenance())
    if absent := [result.id for result in judged if result.id not in published]:
        lines.append(f"Not compared, as nothing is published with their settings: {', '.join(absent)}.")
    return lines


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
