"""Which rows does a part of a claim come to, and what is the effect of each seed in each?

A part becomes a row for each level, and for each value of the grid axes that it takes apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from experiments.analysis.effects import Ends, paired_effects, scale_of
from experiments.analysis.part_runs import Fixed, Level, NoEffectError, PartRuns, Results, Side
from experiments.analysis.statistics import median
from experiments.analysis.tuning import ResultRows, axis_words
from experiments.configuration.claim import ClaimConfig, PartConfig


@dataclass(frozen=True)
class Comparison:
    """One row, ready to be decided.

    moderators: what is held here and differs between rows, by name. rungs: of these, the levels by their place on the
    ladder, counted from the best, as levels themselves are no row's but their own. low, high: (seeds,), the ends of
    each seed's effect in the direction claimed, times 100 for points; equal where it is known. baseline, treatment:
    (low, high) medians of the two sides. rates: arm → where it was trained. censored: runs of baseline and treatment
    of which only a lower end is known. problem: why there is no effect; else "". note: what else is to be known.
    alone: arm → the rates at which it is the only one that trains, and which have no row. sides: arm → its values.
    """

    part: PartConfig
    moderators: Mapping[str, Any]
    seeds: tuple[int, ...] = ()
    low: np.ndarray = field(default_factory=lambda: np.zeros(0))
    high: np.ndarray = field(default_factory=lambda: np.zeros(0))
    baseline: tuple[float, float] | None = None
    treatment: tuple[float, float] | None = None
    rates: Mapping[str, Any] = field(default_factory=dict)
    censored: tuple[int, int] = (0, 0)
    problem: str = ""
    note: str = ""
    rungs: Mapping[str, int] = field(default_factory=dict)
    alone: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    sides: Mapping[str, Side] = field(default_factory=dict)


def compare(part: PartConfig, source: Results, cost: Results | None, claim: ClaimConfig) -> list[Comparison]:
    """Return the rows of one part of a claim. source, cost: results of its runs, and of its timed runs."""
    runs = PartRuns(part, source, claim)
    apart = [axis for axis in part.each if axis != runs.over]
    found = [
        row
        for choice in itertools.product(*map(runs.values, apart))
        for row in _rows(runs, dict(zip(apart, choice, strict=True)))
    ]
    if part.cost is None:
        return found
    factor = _cost(part, cost) if cost is not None else np.nan
    return [row if row.problem else _divided(row, factor) for row in found]


def _rows(runs: PartRuns, fixed: Fixed) -> list[Comparison]:
    """The rows at fixed values of all axes taken apart but the tuned one, and at each rate at which both arms train."""
    if runs.over not in runs.part.each or runs.over is None:
        return list(_at(runs, fixed))
    found: list[Comparison] = []
    left_out: dict[str, list[str]] = {}
    alone: dict[str, tuple[Any, ...]] = {}
    for rate in runs.values(runs.over):
        try:
            training = runs.training(fixed, rate)
        except NoEffectError as problem:
            return [Comparison(runs.part, _moderators(runs, fixed), problem=str(problem))]
        if len(training) == len(runs.arms):
            found += _at(runs, {**fixed, runs.over: rate})
        else:
            words = f"only {' and '.join(training)} trains at" if training else "neither trains at"
            if len(training) == 1:
                alone[training[0]] = (*alone.get(training[0], ()), rate)
            left_out.setdefault(words, []).append(f"{rate:g}" if isinstance(rate, float | int) else str(rate))
    note = "; ".join(f"{words}: {', '.join(rates)}" for words, rates in left_out.items())
    if not found:
        return [Comparison(runs.part, _moderators(runs, fixed), problem=note, alone=alone)]
    return [replace(row, note=note, alone=alone) for row in found]


def _at(runs: PartRuns, fixed: Fixed) -> Iterator[Comparison]:
    """The rows at fixed values of all axes taken apart: one, or one a level."""
    try:
        levels = list(runs.levels(fixed))
    except NoEffectError as problem:
        yield Comparison(runs.part, _moderators(runs, fixed), problem=str(problem))
        return
    yield from (_row(runs, fixed, level) for level in levels)


def _moderators(runs: PartRuns, fixed: Fixed) -> dict[str, Any]:
    return {**runs.part.where, **{axis_words(axis): value for axis, value in fixed.items()}}


def _row(runs: PartRuns, fixed: Fixed, level: Level) -> Comparison:
    part, sides, rates = runs.part, dict[str, Side](), dict[str, Any]()
    row = Comparison(part, {**_moderators(runs, fixed), **level.label}, rungs=dict.fromkeys(level.label, level.rung))
    try:
        for arm in runs.arms:
            side = sides[arm] = runs.side(arm, fixed, level.sought)
            if side.rate is not None:
                rates[arm] = side.rate
    except NoEffectError as problem:
        return replace(row, rates=rates, problem=str(problem))
    ends = {arm: side.ends for arm, side in sides.items()}
    if part.effect == "largest_difference":
        low = high = runs.largest_differences(sides)
    else:
        low, high = paired_effects(part, ends)
    if undefined := int(np.sum(np.isnan(low) | np.isnan(high))):
        text = f"the {part.effect} is not defined for {undefined} of {len(low)} seeds"
        return replace(row, rates=rates, problem=text)
    base = ends[part.baseline] if part.baseline else None
    treated, scale = ends[part.treatment], scale_of(part)
    return replace(
        row,
        seeds=tuple(runs.config.seeds),
        low=low,
        high=high,
        baseline=_medians(base, scale) if base else None,
        treatment=_medians(treated, scale),
        rates=rates,
        censored=(_censored(base) if base else 0, _censored(treated)),
        sides=sides,
    )


def _medians(ends: Ends, scale: float) -> tuple[float, float]:
    return median(ends[0]) * scale, median(ends[1]) * scale


def _censored(ends: Ends) -> int:
    return int(np.sum(np.isinf(ends[1]) & np.isfinite(ends[0])))


def _cost(part: PartConfig, timed: Results) -> float:
    """How many times as long a step of the treatment takes: the median over seeds; nan where a timed run is missing."""
    assert part.cost
    rows, seeds = ResultRows(timed.table, timed.config), timed.config.seeds
    times = {}
    for arm in (part.cost.baseline, part.cost.treatment):
        places = [rows.row(arm, (), seed) for seed in seeds]
        times[arm] = np.array([np.nan if place is None else rows.column("seconds_per_step")[place] for place in places])
    return median(times[part.cost.treatment] / times[part.cost.baseline], is_ratio=True)


def _divided(row: Comparison, factor: float) -> Comparison:
    if np.isnan(factor):
        assert row.part.cost
        return replace(row, problem=f"timed runs of {row.part.cost.runs} are missing")
    note = f"a step takes {factor:.3g} times as long"
    return replace(row, low=row.low / factor, high=row.high / factor, note="; ".join(filter(None, (row.note, note))))
