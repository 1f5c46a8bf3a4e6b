"""What happens here to the effect that is claimed?

Verdicts from results tables and the claim's own words, no TensorFlow, no files. Rules 6 to 11 of protocol 2.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from experiments.analysis.comparison import Comparison, compare
from experiments.analysis.effects import scale_of
from experiments.analysis.part_runs import Results
from experiments.analysis.statistics import (
    FEWEST_SEEDS,
    USUAL,
    Band,
    Verdict,
    band_of,
    decide,
    median,
    order_interval,
    seeds_to_resolve,
)
from experiments.configuration.claim import ClaimConfig, PartConfig

DECIDED: tuple[Verdict, ...] = ("supported", "no material difference", "reversed")
PREMISE: Mapping[Verdict, str] = {"not tested": "premise not tested", "unresolved": "premise unresolved"}
COMPARISON = "comparison"  # the name of a part, as a moderator where no declared one tells verdicts apart
UNKNOWN = Band(np.nan, np.nan, np.nan)
MOST_OPEN = 1 / 3  # of a claim's rows that may be unresolved


@dataclass(frozen=True)
class Row:
    """One comparison with its numbers and its verdict.

    estimate: (low, high) medians of the seeds' effects, different where only a bound is known. decided: the order
    statistics that decide, 99.7 %; usual: those printed beside, 95.9 %, of 20 seeds. Of an exact claim the smallest
    and the largest seed.
    resolved_by: how many seeds would decide an unresolved row, did the shares stay; None where that cannot be said.
    band: the effects that make no material difference.
    """

    comparison: Comparison
    verdict: Verdict
    reason: str
    estimate: tuple[float, float] = (np.nan, np.nan)
    decided: tuple[float, float] = (np.nan, np.nan)
    usual: tuple[float, float] = (np.nan, np.nan)
    resolved_by: int | None = None
    remark: str = ""
    band: Band = UNKNOWN

    @property
    def part(self) -> PartConfig:
        """What is compared."""
        return self.comparison.part

    @property
    def moderators(self) -> Mapping[str, Any]:
        """What is held here and differs between rows."""
        return self.comparison.moderators

    @property
    def decides(self) -> bool:
        """Whether the row has a part in the verdict."""
        return self.part.role == "decides"


@dataclass(frozen=True)
class ClaimResult:
    """The verdict on one claim.

    depends_on: the moderators that tell supported rows from the others. experiments: whose runs it rests on.
    """

    id: str
    config: ClaimConfig
    verdict: Verdict
    reason: str
    rows: tuple[Row, ...]
    depends_on: tuple[str, ...] = ()
    experiments: tuple[str, ...] = field(default=())


def judge(claim_id: str, claim: ClaimConfig, sources: Mapping[str, Results]) -> ClaimResult:
    """Judge one claim. sources: results of experiments by name, its own under the claim's."""
    rows = []
    for part in claim.parts:
        source = sources.get(part.runs or claim_id)
        if source is None:
            rows.append(Row(Comparison(part, part.where), "not tested", f"{part.runs or claim_id} has no results"))
            continue
        cost = sources.get(part.cost.runs) if part.cost else None
        rows += [_row(found, claim, source) for found in compare(part, source, cost, claim)]
    rows = _without_unmet_premises(rows)
    read = [name for part in claim.parts for name in (part.runs or claim_id, part.cost.runs if part.cost else "")]
    verdict, reason, depends_on = _claim_verdict(claim, rows)
    return ClaimResult(
        claim_id, claim, verdict, reason, tuple(rows), depends_on, tuple(dict.fromkeys(filter(None, read)))
    )


def judge_over_all(results: Sequence[ClaimResult]) -> list[ClaimResult]:
    """Decide the claims over all claims, by the rows of the others."""
    return [_over_all(result, results) if result.config.kind == "over_all_claims" else result for result in results]


def distinct_trainings(results: Iterable[ClaimResult]) -> int:
    """Return on how many distinct sets of trainings the verdicts rest (rule 11)."""
    return len({name for result in results for name in result.experiments})


def _row(found: Comparison, claim: ClaimConfig, source: Results) -> Row:
    part, seeds = found.part, len(source.config.seeds)
    if found.problem:
        return Row(found, "not tested", found.problem)
    low, high = found.low, found.high
    is_ratio = part.effect == "ratio"
    estimate = median(low, is_ratio), median(high, is_ratio)
    if part.bound is not None:
        return _identity(found, estimate)
    decided, usual = order_interval(low, high), order_interval(low, high, USUAL)
    band = band_of(claim.band_of(part), is_ratio)
    row = Row(found, "not tested", "", estimate, decided, usual, band=band)
    if part.effect == "level" and part.band is None:
        return replace(row, reason="shown beside")
    if seeds < FEWEST_SEEDS:
        return replace(row, reason=f"{seeds} seeds, where a verdict takes {FEWEST_SEEDS}")
    if _at_its_end(found, band):
        words = f"the baseline is within {band.high:g} of {part.limit:g} already, and can go no further"
        return replace(row, reason=words)
    verdict = decide(low, high, band, part.expect)
    needed = seeds_to_resolve(low, high, band) if verdict == "unresolved" else None
    row = replace(row, verdict=verdict, resolved_by=needed, remark=_remark(verdict, estimate, part))
    return replace(row, reason=_reason(row))


def _at_its_end(found: Comparison, band: Band) -> bool:
    """Whether the baseline leaves no room for a difference beyond the band."""
    part = found.part
    if part.limit is None or found.baseline is None:
        return False
    return max(abs(end - part.limit * scale_of(part)) for end in found.baseline) <= band.high


def _identity(found: Comparison, estimate: tuple[float, float]) -> Row:
    part = found.part
    assert part.bound
    kept = [part.bound.kept_by(value) for value in found.low]
    ends = float(found.low.min()), float(found.high.max())
    words = "every seed keeps the bound" if all(kept) else f"{kept.count(False)} of {len(kept)} seeds break the bound"
    return Row(found, "supported" if all(kept) else "reversed", words, estimate, ends, ends)


def _remark(verdict: Verdict, estimate: tuple[float, float], part: PartConfig) -> str:
    if verdict != "supported" or part.expect != "more" or part.source_value is None:
        return ""
    return "smaller than the source says" if estimate[1] < part.source_value else ""


def _reason(row: Row) -> str:
    """Why the row came out so: how many seeds lie on which side of the band."""
    band, low, high = row.band, row.comparison.low, row.comparison.high
    seeds = len(low)
    above, below = int(np.sum(low > band.high)), int(np.sum(high < band.low))
    inside = int(np.sum((low >= band.low) & (high <= band.high)))
    bounds = seeds - above - below - inside
    counts = f"{above} of {seeds} seeds beyond the band, {inside} within, {below} beyond on the other side"
    return counts + (f", {bounds} not known that closely" if bounds else "")


def _without_unmet_premises(rows: Sequence[Row]) -> list[Row]:
    """Leave untested the rows that hold what an unmet premise holds (rule 8)."""
    unmet = [row for row in rows if row.part.role == "premise" and row.verdict != "supported"]

    def checked(row: Row) -> Row:
        for premise in unmet:
            if row.decides and premise.moderators.items() <= row.moderators.items():
                words = PREMISE.get(premise.verdict, "premise unmet")
                reason = f"{words}: {premise.part.name or premise.part.measure}"
                return replace(row, verdict="not tested", remark="", resolved_by=None, reason=reason)
        return row

    return [checked(row) for row in rows]


def _claim_verdict(claim: ClaimConfig, rows: Sequence[Row]) -> tuple[Verdict, str, tuple[str, ...]]:
    """Put the rows that decide together: verdict, reason, and the moderators it depends on (rule 7)."""
    if claim.kind == "over_all_claims":
        return "not tested", "decided from the rows of all other claims", ()
    deciding = [row for row in rows if row.decides]
    tested = [row for row in deciding if row.verdict != "not tested"]
    if not tested:
        reasons = dict.fromkeys(row.reason for row in deciding)
        return "not tested", "; ".join(reasons) or "no part decides", ()
    counts = Counter(row.verdict for row in tested)
    found = [verdict for verdict in DECIDED if counts[verdict]]
    shown = ", ".join(f"{verdict} in {counts[verdict]}" for verdict in (*DECIDED, "unresolved") if counts[verdict])
    of_rows = f"{shown} of {len(tested)} rows" if len(tested) > 1 else tested[0].reason
    if not found or counts["unresolved"] > MOST_OPEN * len(tested):
        return "unresolved", of_rows, ()
    if len(found) > 1:
        return "depends", of_rows, _telling_apart([row for row in tested if row.verdict in DECIDED])
    return found[0], of_rows, ()


def _telling_apart(rows: Sequence[Row]) -> tuple[str, ...]:
    """The moderators by which verdicts differ: one that tells them apart by itself, else several.

    A moderator tells apart by how many rows it gets right when every row is guessed by its value's commonest verdict.
    The first is the best alone, then those that help; two at once where neither helps without the other. The name of
    the comparison is one where no declared moderator helps.
    """
    held = [{**row.moderators, **row.comparison.rungs} for row in rows]
    parts = [{COMPARISON: row.part.name or row.part.measure} for row in rows]

    def right(names: tuple[str, ...]) -> int:
        groups: dict[tuple[Any, ...], Counter[Verdict]] = {}
        for of_row, part, row in zip(held, parts, rows, strict=True):
            groups.setdefault(tuple((of_row | part).get(name) for name in names), Counter())[row.verdict] += 1
        return sum(max(counts.values()) for counts in groups.values())

    values = {name: len({of_row.get(name) for of_row in held}) for name in dict.fromkeys(itertools.chain(*held))}
    chosen: tuple[str, ...] = ()
    rest = [name for name in values if values[name] > 1]
    size = 1
    while right(chosen) < len(rows) and size <= len(rest):
        more = [(*chosen, *names) for names in itertools.combinations(rest, size)]
        best = max(more, key=lambda names: (right(names), -sum(values[name] for name in names)))  # fewer values first
        if right(best) == right(chosen):
            size += 1
            continue
        chosen, size = best, 1
        rest = [name for name in rest if name not in chosen]
    return (*chosen, COMPARISON) if right((*chosen, COMPARISON)) > right(chosen) else chosen


def _over_all(result: ClaimResult, others: Sequence[ClaimResult]) -> ClaimResult:
    """Decide does_not_always_help: rows that claim a benefit and show none, or the reverse."""
    claiming = [
        (other, row)
        for other in others
        if other.config.says_bn_helps
        for row in other.rows
        if row.decides and row.part.says_bn_helps and row.verdict in DECIDED
    ]
    without = [(other, row) for other, row in claiming if row.verdict != "supported"]
    names = dict.fromkeys(other.id for other, _ in without)
    sets = len({row.part.runs or other.id for other, row in without})
    if not claiming:
        return replace(result, verdict="not tested", reason="no other claim is decided")
    reason = f"{len(without)} of {len(claiming)} rows show no benefit or the reverse, on {sets} sets of trainings"
    reason += f": {', '.join(names)}" if names else ""
    return replace(result, verdict="supported" if without else "no material difference", reason=reason)
