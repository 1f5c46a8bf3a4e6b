"""Is the claim supported, refuted or inconclusive?

Verdicts from a results table and the claim's own words, nothing else: no TensorFlow, no files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from experiments.analysis.comparison import Comparison, compare
from experiments.analysis.short_words import short_interval, short_value
from experiments.analysis.statistics import (
    Verdict,
    bootstrap_interval,
    bounds,
    decide,
    estimate,
    holm,
    median,
    satisfies,
)
from experiments.analysis.tuning import Cell, ResultRows, Tuned, axis_words, tuned_rates
from experiments.configuration.claim import ClaimConfig, PartConfig
from experiments.configuration.experiment import ExperimentConfig

FEWEST_SEEDS = 10  # protocol 1, rule 1; identities need no more than one


@dataclass(frozen=True)
class PartResult:
    """One comparison with its numbers.

    effects: seed → effect of that seed's pair; estimate, low, high: their median and its 95 % interval. For a plain
    bound the worst seed, the smallest and the largest. Of unit points, all of them are times 100.
    p: one-sided, against the margin; p_adjusted: after Holm over the table; both None for plain bounds.
    probability_of_improvement: of the direction that the claim states; None for levels, bands and plain bounds.
    direction: how a refuted effect stands: "smaller than claimed", "absent" or "reversed", "larger than allowed" where
    the margin allows no effect, "below the band" or "above the band"; else empty.
    blocked: why no verdict may be given whatever the numbers say, such as missing runs; else empty.
    at_edge: arms whose best rate is at the edge of the grid. note: rates left out of the comparison.
    unweighted: where arms have weights, the interval of the effect without them, against the arm that is easiest to
    beat: how the effect stands to none at all, which the margin, being in the weights, does not say.
    """

    config: PartConfig
    effects: Mapping[int, float]
    estimate: float
    low: float
    high: float
    p: float | None
    p_adjusted: float | None
    probability_of_improvement: float | None
    baseline_median: float | None
    treatment_median: float | None
    verdict: Verdict
    reason: str
    direction: str = ""
    blocked: str = ""
    at_edge: tuple[str, ...] = ()
    note: str = ""
    unweighted: tuple[float, float] | None = None


@dataclass(frozen=True)
class ClaimResult:
    """The verdict on one claim. `tuned`: arm (with the values it was tuned for) → its best rate."""

    id: str
    config: ClaimConfig
    verdict: Verdict
    reason: str
    parts: tuple[PartResult, ...]
    tuned: Mapping[str, Any] = field(default_factory=dict)


def judge(claim_id: str, config: ExperimentConfig, table: pd.DataFrame) -> ClaimResult:
    """Judge one claim by its own p-values; `judge_table` adjusts them for the other claims.

    table: one row a run, tuning and evaluation seeds, as `results_table` makes it. Raises ValueError without a claim.
    """
    if config.claim is None:
        raise ValueError(f"{claim_id}: claim: the experiment makes none, so there is nothing to judge")
    rows, tuned = ResultRows(table, config), tuned_rates(table, config)
    parts = tuple(_judge_part(part, config.claim, config, rows, tuned) for part in config.claim.parts)
    verdict, reason = _claim_verdict(config.claim, parts)
    per = config.tuning.per if config.tuning else ()
    labels = {
        arm + (f" ({', '.join(f'{a}={v}' for a, v in zip(per, values, strict=True))})" if per else ""): found.value
        for (arm, values), found in tuned.items()
    }
    return ClaimResult(claim_id, config.claim, verdict, reason, parts, labels)


def judge_table(results: Sequence[ClaimResult], family: int) -> list[ClaimResult]:
    """Adjust the p-values of a table after Holm, decide again, and decide the claims over all claims.

    family: `family_size` of all claims of the tier, judged here or not. A part without a p, for want of runs or
    because its claim is not among the results, counts as p = 1.
    """
    places = [
        (i, j)
        for i, result in enumerate(results)
        for j, part in enumerate(result.parts)
        if part.config.decides and not _is_plain_bound(part.config, result.config)
    ]
    found = [results[i].parts[j].p for i, j in places]
    absent = [1.0] * (family - len(places))
    adjusted = dict(zip(places, holm([*(1.0 if p is None else p for p in found), *absent]), strict=False))
    decided = []
    for i, result in enumerate(results):
        parts = tuple(
            _with_verdict(replace(part, p_adjusted=adjusted[i, j]), result.config)
            if (i, j) in adjusted and part.p is not None
            else part
            for j, part in enumerate(result.parts)
        )
        verdict, reason = _claim_verdict(result.config, parts)
        decided.append(replace(result, parts=parts, verdict=verdict, reason=reason))
    over_all = [result.config.kind == "over_all_claims" for result in decided]
    return [_over_all(r, decided, bool(absent)) if over else r for r, over in zip(decided, over_all, strict=True)]


def family_size(claims: Iterable[ClaimConfig]) -> int:
    """Return how many parts of these claims are statistical and decide: Holm's family (protocol 1, rule 5)."""
    return sum(part.decides and not _is_plain_bound(part, claim) for claim in claims for part in claim.parts)


def adjusted_p(part: PartResult) -> float:
    """Return the p that decides, adjusted where the part was judged in a table; 1 where there is none."""
    p = part.p if part.p_adjusted is None else part.p_adjusted
    return 1.0 if p is None else p


def _judge_part(
    part: PartConfig,
    claim: ClaimConfig,
    config: ExperimentConfig,
    rows: ResultRows,
    tuned: Mapping[tuple[str, Cell], Tuned],
) -> PartResult:
    found, plain_bound = compare(part, claim, config, rows, tuned), _is_plain_bound(part, claim)
    problems = list(found.problems)
    result = PartResult(part, {}, np.nan, np.nan, np.nan, None, None, None, None, None, "inconclusive", "")
    if not problems:
        scale = 100.0 if part.unit == "points" else 1.0
        result = _with_numbers(result, found, config.seeds, scale, plain_bound)
        undefined = sum(map(np.isnan, result.effects.values()))
        beyond = satisfies(result.low, part.margin) and satisfies(result.high, part.margin)
        if undefined:
            problems.append(f"the {part.effect} is not defined for {undefined} of {len(config.seeds)} seeds")
        elif not beyond and found.still_stable_at_top():
            problems.append("the largest rate of the grid is still stable, so the effect may be larger")
    if not plain_bound and len(config.seeds) < FEWEST_SEEDS:
        problems.append(f"{len(config.seeds)} seeds, where a verdict takes {FEWEST_SEEDS}")
    if found.at_edge and config.tuning:
        best = f"best {axis_words(config.tuning.over)}"
        problems.append(f"the {best} of {' and '.join(found.at_edge)} is at the edge of the grid")
    result = replace(result, blocked="; ".join(problems), at_edge=found.at_edge, note=found.note)
    return _with_verdict(result, claim)


def _with_numbers(
    result: PartResult, found: Comparison, seeds: Sequence[int], scale: float, plain_bound: bool
) -> PartResult:
    part = result.config
    effects = found.effects() * (scale if part.effect != "ratio" else 1.0)
    if part.effect == "difference" or len(found.treatment) > 1:
        effects = np.round(effects, 10)  # so that 0.92 − 0.915 is not short of half a point
    result = replace(result, effects=dict(zip(seeds, map(float, effects), strict=True)))
    if part.effect != "largest_difference":
        result = replace(
            result,
            baseline_median=median(found.side(found.baseline)) * scale if found.baseline else None,
            treatment_median=median(found.side(found.treatment)) * scale,
            probability_of_improvement=None if plain_bound else found.probability(),
        )
    if np.isnan(effects).any():
        return result
    if plain_bound:
        low, high = float(effects.min()), float(effects.max())
        worst = low if bounds(part.margin)[1] is None else high
        return replace(result, estimate=worst, low=low, high=high)
    numbers = estimate(effects, part.margin, part.effect == "ratio")
    result = replace(result, estimate=numbers.median, low=numbers.low, high=numbers.high, p=numbers.p)
    return replace(result, unweighted=_unweighted(found))


def _unweighted(found: Comparison) -> tuple[float, float] | None:
    """Interval of the effect without weights, see `PartResult`; None where there are none."""
    if all(weight == 1 for weight in (*found.baseline.values(), *found.treatment.values())):
        return None
    sides = [{"baseline": b, "treatment": t} for b in found.baseline for t in found.treatment]
    compared = [replace(found, part=found.part.model_copy(update=side)) for side in sides]
    easiest = min if bounds(found.part.margin)[0] is None else max
    return easiest((bootstrap_interval(pair.effects()) for pair in compared), default=None)


def _with_verdict(part: PartResult, claim: ClaimConfig) -> PartResult:
    """Decide one part from its numbers and say why."""
    verdict, reason, direction = _decision(part, _is_plain_bound(part.config, claim))
    note = f" ({part.note})" if part.note else ""
    return replace(part, verdict=verdict, reason=reason + note, direction=direction)


def _decision(part: PartResult, plain_bound: bool) -> tuple[Verdict, str, str]:
    """Verdict, reason and direction."""
    if part.blocked:
        return "inconclusive", part.blocked, ""
    margin = part.config.margin
    beyond = satisfies(part.low, margin) and satisfies(part.high, margin)
    if plain_bound:
        kept = "every seed keeps" if beyond else "not every seed keeps"
        reason = f"{kept} the bound; the worst is {short_value(part.estimate, part.config)}"
        return "supported" if beyond else "refuted", reason, ""
    interval = f"the interval, {short_interval(part.low, part.high, part.config)},"
    verdict = decide(part.low, part.high, adjusted_p(part), margin)
    match verdict:
        case "supported":
            return verdict, f"{interval} lies wholly beyond the margin", ""
        case "refuted":
            direction = _direction(part)
            reason = f"{interval} lies wholly short of the margin" if not margin.within else f"{interval} lies outside"
            return verdict, reason + (f": {direction}" if direction else ""), direction
        case "inconclusive" if beyond:
            return verdict, f"{interval} lies beyond the margin, but p = {adjusted_p(part):.2g} is not below 0.05", ""
        case _:
            return verdict, f"{interval} includes the margin", ""


def _claim_verdict(claim: ClaimConfig, parts: Sequence[PartResult]) -> tuple[Verdict, str]:
    """Put the deciding parts together (protocol 1, rules 2 and 6)."""
    if claim.kind == "over_all_claims":
        return "inconclusive", "decided from the verdicts of all other claims"
    deciding = [part for part in parts if part.config.decides]
    if not deciding:
        return "inconclusive", "no part decides"
    edges = [part for part in deciding if part.at_edge]
    verdicts: tuple[Verdict, ...] = ("refuted", "inconclusive", "supported")  # the first that a part has
    verdict = next(verdict for verdict in verdicts if any(part.verdict == verdict for part in deciding))
    shown = [part for part in deciding if part.verdict == verdict]
    if edges:
        verdict, shown = "inconclusive", edges
    if claim.separate_verdicts:
        return verdict, "; ".join(f"{_name(part)}: {part.verdict}, {part.reason}" for part in deciding)
    reasons = {f"{_name(part)}: {part.reason}" if len(parts) > 1 else part.reason: None for part in shown}
    return verdict, "; ".join(reasons)


def _over_all(result: ClaimResult, table: Sequence[ClaimResult], some_absent: bool) -> ClaimResult:
    """Decide does_not_always_help: at least one comparison that claims a benefit is refuted; lists them."""
    comparisons = [
        (other.id, part)
        for other in table
        if other.config.says_bn_helps
        for part in other.parts
        if part.config.decides and part.config.says_bn_helps and part.config.effect in ("ratio", "difference")
    ]
    refuted = [(name, part) for name, part in comparisons if part.verdict == "refuted"]
    undecided = sum(part.verdict == "inconclusive" for _, part in comparisons)
    is_open = undecided or some_absent or not comparisons
    verdict: Verdict = "supported" if refuted else "inconclusive" if is_open else "refuted"
    count = (
        f"{len(refuted)} of {len(comparisons)} comparisons that claim a benefit are refuted, {undecided} inconclusive"
    )
    count += ", others not judged here" if some_absent else ""
    listed = "; ".join(f"{name}, {_name(part)}: {part.direction}" for name, part in refuted)
    return replace(result, verdict=verdict, reason=f"{count}: {listed}" if listed else count)


def _direction(part: PartResult) -> str:
    """How a refuted effect stands to no effect at all: ratio 1, difference 0."""
    margin, (lower, _) = part.config.margin, bounds(part.config.margin)
    if margin.within is not None:
        return "below the band" if part.high <= margin.within[0] else "above the band"
    if part.config.effect not in ("ratio", "difference"):
        return ""
    none = 1.0 if part.config.effect == "ratio" else 0.0
    if satisfies(none, margin) and none not in bounds(margin):
        return "larger than allowed"
    low, high = part.unweighted or (part.low, part.high)
    if low <= none <= high:
        return "absent"
    return "reversed" if (high < none) == (lower is not None) else "smaller than claimed"


def _is_plain_bound(part: PartConfig, claim: ClaimConfig) -> bool:
    """Whether every seed has to keep the bound, without interval or p: exact claims and step-by-step equality."""
    return claim.kind == "exact" or part.effect == "largest_difference"


def _name(part: PartResult) -> str:
    return part.config.name or part.config.measure
