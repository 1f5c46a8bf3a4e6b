"""Which runs does a part of a claim set against each other, and what is the effect of each seed?

A part becomes a row for each level, and for each value of the grid axes that it takes apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from experiments.analysis import levels
from experiments.analysis.measures import ACCURACY, TRAIN_LOSS
from experiments.analysis.run_values import Sought, value_of
from experiments.analysis.statistics import median
from experiments.analysis.training_rates import edges, half_way, trains_at
from experiments.analysis.tuning import Cell, ResultRows, axis_words, plain, tuned_rates
from experiments.configuration.claim import PartConfig
from experiments.configuration.experiment import ExperimentConfig

Ends = tuple[np.ndarray, np.ndarray]  # the lower and the upper end of a value, (seeds,) each


@dataclass(frozen=True)
class Results:
    """An experiment, resolved, and its table of runs."""

    config: ExperimentConfig
    table: pd.DataFrame


@dataclass(frozen=True)
class Comparison:
    """One row, ready to be decided.

    moderators: what is held here and differs between rows, by name. low, high: (seeds,), the ends of each seed's
    effect in the direction claimed, times 100 for points; equal where it is known. baseline, treatment: (low, high)
    medians of the two sides. rates: arm → where it was trained. censored: runs of baseline and treatment that never
    reached the level. problem: why there is no effect; else "". note: what else is to be known.
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


def compare(part: PartConfig, source: Results, cost: Results | None, chance: float) -> list[Comparison]:
    """Return the rows of one part. source: whose runs it reads. cost: of its timed runs. chance: accuracy of guessing."""
    found = list(_Compared(part, source, chance).rows())
    if part.cost is None or cost is None:
        return found
    factor = _cost(part, cost)
    return [row if row.problem else _divided(row, factor) for row in found]


class _Compared:
    """The rows of one part of a claim."""

    def __init__(self, part: PartConfig, source: Results, chance: float):
        self.part, self.config, self.chance = part, source.config, chance
        self.table, self.rows_of = source.table, ResultRows(source.table, source.config)
        self.axes = list(source.config.grid)
        self.tuning = source.config.tuning
        self.over = self.tuning.over if self.tuning else None
        self.arms = [arm for arm in (part.baseline, part.treatment, part.whole) if arm is not None]

    def rows(self) -> Iterator[Comparison]:
        apart = [[(axis, plain(value)) for value in self.config.grid[axis]] for axis in self.part.each]
        left_out: dict[str, list[Any]] = {}
        found = []
        for choice in itertools.product(*apart):
            fixed = dict(choice)
            if self.over in fixed and not self._tests(fixed, left_out):
                continue
            found += list(self._at(fixed))
        note = "; ".join(
            f"{words}: {', '.join(f'{value:g}' for value in values)}" for words, values in left_out.items()
        )
        if not found:
            yield Comparison(self.part, self.part.where, problem=note or "nothing to compare")
        yield from (replace(row, note=note) for row in found)

    def _tests(self, fixed: Mapping[str, Any], left_out: dict[str, list[Any]]) -> bool:
        """Whether both arms train at a rate; where not, it is noted."""
        assert self.over
        others = {axis: value for axis, value in fixed.items() if axis != self.over}
        level = half_way(self.table, self.config, self.arms, self.chance)
        trained = [
            arm for arm in self.arms if trains_at(self.table, self.config, arm, level, others).get(fixed[self.over])
        ]
        if len(trained) == len(self.arms):
            return True
        words = f"only {trained[0]} trains at" if trained else "neither trains at"
        left_out.setdefault(words, []).append(fixed[self.over])
        return False

    def _at(self, fixed: Mapping[str, Any]) -> Iterator[Comparison]:
        """The rows at fixed values of the axes taken apart: one, or one a level."""
        moderators = {**self.part.where, **{axis_words(axis): value for axis, value in fixed.items()}}
        if self.part.measure == "largest_rate":
            yield self._edges(moderators)
            return
        try:
            sought = list(self._sought(fixed))
        except _ProblemError as problem:
            yield Comparison(self.part, moderators, problem=str(problem))
            return
        for label, at in sought:
            yield self._row({**moderators, **label}, fixed, at)

    def _sought(self, fixed: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], Sought]]:
        """At what level, or down to which training loss, the measure is taken."""
        part = self.part
        match part.level:
            case "ladder":
                for level in levels.ladder(self._curves_by_rate(arm, fixed) for arm in self.arms):
                    yield {"level": round(level, 4)}, Sought(level=level)
            case "common":
                yield {}, Sought(level=levels.common_level(self._curves_at(fixed)))
            case "half_way":
                yield {}, Sought(level=half_way(self.table, self.config, self.arms, self.chance))
            case None if part.measure == "gap_at_training_loss":
                for loss in levels.loss_ladder(self._curves_at(fixed, "loss/training_split")):
                    yield {"training loss": float(f"{loss:.3g}")}, Sought(loss=loss)
            case None:
                loss = levels.common_loss(self._curves_at(fixed, TRAIN_LOSS)) if part.matched else None
                yield {}, Sought(loss=loss)
            case number:
                yield {}, Sought(level=float(number))

    def _row(self, moderators: Mapping[str, Any], fixed: Mapping[str, Any], sought: Sought) -> Comparison:
        sides, rates, censored = {}, {}, {}
        try:
            for arm in dict.fromkeys(self.arms):
                ends, rates[arm] = self._side(arm, fixed, sought)
                censored[arm] = int(np.sum(ends[0] != ends[1]))
                sides[arm] = ends
        except _ProblemError as problem:
            return Comparison(self.part, moderators, rates=rates, problem=str(problem))
        low, high = self._effects(sides)
        scale = 100.0 if self.part.unit == "points" else 1.0
        if self.part.effect in ("difference", "level"):
            low, high = (np.round(end * scale, 10) for end in (low, high))  # 0.92 − 0.915 is not short of half a point
        if undefined := int(np.sum(np.isnan(low) | np.isnan(high))):
            text = f"the {self.part.effect} is not defined for {undefined} of {len(self.config.seeds)} seeds"
            return Comparison(self.part, moderators, rates=rates, problem=text)
        base, treated = self.part.baseline, self.part.treatment
        return Comparison(
            self.part,
            moderators,
            tuple(self.config.seeds),
            low,
            high,
            _medians(sides[base], scale) if base else None,
            _medians(sides[treated], scale),
            {arm: rate for arm, rate in rates.items() if rate is not None},
            (censored[base] if base else 0, censored[treated]),
        )

    def _effects(self, sides: Mapping[str, Ends]) -> Ends:
        """Effect of each seed's pair, from the ends of either side that make it smallest, and largest."""
        part, treatment = self.part, sides[self.part.treatment]
        if part.effect == "level" or part.baseline is None:
            return treatment
        first, second = treatment, sides[part.baseline]
        if part.effect == "recovered":
            assert part.whole
            whole = sides[part.whole][0]
            with np.errstate(divide="ignore", invalid="ignore"):
                share = (first[0] - second[0]) / (whole - second[0])
            return share, share
        if part.over == "treatment":
            first, second = second, first
        with np.errstate(divide="ignore", invalid="ignore"):
            if part.effect == "ratio":
                return first[0] / second[1], first[1] / second[0]
            return first[0] - second[1], first[1] - second[0]

    def _side(self, arm: str, fixed: Mapping[str, Any], sought: Sought) -> tuple[Ends, Any]:
        """One value a seed for one arm, and the rate it was taken at, if one."""
        cells = self._cells(arm, fixed, sought)
        values = np.array([[self._value(arm, cell, seed, sought) for seed in self.config.seeds] for cell in cells])
        low, high = values[..., 0], values[..., 1]  # (cells, seeds)
        rates = {cell[self.axes.index(self.over)] for cell in cells} if self.over else set()
        rate = rates.pop() if len(rates) == 1 else None
        part = self.part
        if part.per_seed == "value":
            if len(cells) != 1:
                raise _ProblemError(f"{len(cells)} runs a seed, so per_seed has to say how they become one number")
            return (low[0], high[0]), rate
        places = np.array([cell[self.axes.index(part.axis or "")] for cell in cells], float)
        level = half_way(self.table, self.config, self.arms, self.chance) if part.per_seed == "share_training" else 0.0
        reduced = np.array([_reduced(part, places, of_seed, level) for of_seed in low.T])
        return (reduced, reduced), rate

    def _value(self, arm: str, cell: Cell, seed: int, sought: Sought) -> tuple[float, float]:
        row = self.rows_of.row(arm, cell, seed)
        if row is None:
            what = "failed" if self.rows_of.failed(arm, cell, seed) else "are missing"
            raise _ProblemError(f"runs of {arm} {what}")
        found = value_of(
            self.part, lambda name: self.rows_of.column(name)[row] if self.rows_of.column(name) else None, sought
        )
        if np.isnan(found[0]):
            raise _ProblemError(f"runs of {arm} have no value of {self.part.measure}")
        return found

    def _cells(self, arm: str, fixed: Mapping[str, Any], sought: Sought | None) -> list[Cell]:
        """The cells whose runs make one seed's value: at the fixed values, at the arm's best rate, along the rest.

        sought: what the rate is best for where the part says so; None: accuracy.
        """
        free = [axis for axis in self.axes if axis not in fixed and axis != self.over]
        chosen = []
        for rest in itertools.product(*([(axis, plain(v)) for v in self.config.grid[axis]] for axis in free)):
            at = {**fixed, **dict(rest)}
            if self.over and self.over not in at:
                at[self.over] = self._best(arm, at, sought)
            chosen.append(tuple(at[axis] for axis in self.axes))
        return chosen

    def _best(self, arm: str, at: Mapping[str, Any], sought: Sought | None) -> Any:
        """The arm's best value of the tuned axis at values of the others, on tuning seeds."""
        assert self.tuning and self.over
        words = f"the best {axis_words(self.over)} of {arm}"
        if self.part.tuned_for == "accuracy" or sought is None:
            found = self._tuned[arm, tuple(at[axis] for axis in self.tuning.per)]
            if found.value is None:
                raise _ProblemError(f"{arm} is not tuned: {found.missing} tuning runs are missing or failed")
            if found.at_edge:
                raise _ProblemError(f"{words} is at the edge of the grid")
            return found.value
        scores = {}
        for rate in map(plain, self.config.grid[self.over]):
            cell = tuple({**at, self.over: rate}[axis] for axis in self.axes)
            scores[rate] = median(np.array([self._value(arm, cell, seed, sought)[1] for seed in self.tuning.seeds]))
        least = self.part.measure == "steps_to_level"
        best = min(scores.values()) if least else max(scores.values())
        if least and np.isinf(best):
            raise _ProblemError(f"{arm} reaches the level at no {axis_words(self.over)}")
        rate = next(rate for rate in sorted(scores) if scores[rate] == best)
        if rate in (min(scores), max(scores)):
            raise _ProblemError(f"{words} is at the edge of the grid")
        return rate

    @property
    def _tuned(self) -> Mapping[tuple[str, Cell], Any]:
        return tuned_rates(self.table, self.config)

    def _curves_by_rate(self, arm: str, fixed: Mapping[str, Any]) -> list[levels.Curves]:
        """An arm's curves on tuning seeds, at each rate apart."""
        assert self.over
        rates = [fixed[self.over]] if self.over in fixed else [plain(rate) for rate in self.config.grid[self.over]]
        return [self._curves(arm, self._cells(arm, {**fixed, self.over: rate}, None)) for rate in rates]

    def _curves(self, arm: str, cells: Iterable[Cell], column: str = "") -> levels.Curves:
        """An arm's curves on tuning seeds, of all cells together."""
        assert self.tuning
        places = [self.rows_of.row(arm, cell, seed) for cell in cells for seed in self.tuning.seeds]
        if any(place is None for place in places):
            raise _ProblemError(f"tuning runs of {arm} are missing or failed")
        values = self.rows_of.column(column or self.part.metric or ACCURACY)
        return [values[place] for place in places if place is not None]

    def _curves_at(self, fixed: Mapping[str, Any], column: str = "") -> list[levels.Curves]:
        """Every arm's curves on tuning seeds, each at its most accurate rate where that is not fixed."""
        return [self._curves(arm, self._cells(arm, fixed, None), column) for arm in self.arms]

    def _edges(self, moderators: Mapping[str, Any]) -> Comparison:
        """The largest rate at which each seed trains, with and without, and the ratio by its worse end and its better."""
        definition = self.part.metric or "trains"
        level = half_way(self.table, self.config, self.config.arms, self.chance)
        found = {arm: np.array(edges(self.table, self.config, arm, level, definition), float).T for arm in self.arms}
        ends: dict[str, Ends] = {arm: (low, high) for arm, (low, high) in found.items()}
        if self.part.baseline and (
            np.isinf(ends[self.part.baseline][1]).any() or (ends[self.part.baseline][0] == 0).any()
        ):
            text = f"the largest rate of {self.part.baseline} lies outside the grid"
            return Comparison(self.part, moderators, problem=text)
        low, high = self._effects(ends)
        base = self.part.baseline
        return Comparison(
            self.part,
            moderators,
            tuple(self.config.seeds),
            low,
            high,
            _medians(ends[base], 1.0) if base else None,
            _medians(ends[self.part.treatment], 1.0),
        )


class _ProblemError(Exception):
    """Why a row has no effect."""


def _medians(ends: Ends, scale: float) -> tuple[float, float]:
    return median(ends[0]) * scale, median(ends[1]) * scale


def _reduced(part: PartConfig, places: np.ndarray, values: np.ndarray, level: float) -> float:
    """One number from a seed's values along an axis. (values,), (values,) → number."""
    match part.per_seed:
        case "worst":
            return float(values.min())
        case "share_training":
            return float((values >= level).mean())
        case "growth" | "slope":
            if not (np.isfinite(values) & (values > 0)).all():
                return np.nan
            if part.per_seed == "growth":
                return float(np.exp(np.polyfit(places, np.log(values), 1)[0]))
            doublings, logs = np.log2(places), np.log(values)
            slopes = [
                (logs[j] - logs[i]) / (doublings[j] - doublings[i])
                for i, j in itertools.combinations(range(len(places)), 2)
            ]
            return float(np.median(slopes))
        case _:
            raise AssertionError(part.per_seed)


def _cost(part: PartConfig, timed: Results) -> float:
    """How many times as long a step of the treatment takes: the median over seeds."""
    assert part.cost
    rows, seeds = ResultRows(timed.table, timed.config), timed.config.seeds
    times = {}
    for arm in (part.cost.baseline, part.cost.treatment):
        places = [rows.row(arm, (), seed) for seed in seeds]
        found = [rows.column("seconds_per_step")[place] for place in places if place is not None]
        times[arm] = np.array(found) if len(found) == len(seeds) else np.array([np.nan])
    return median(times[part.cost.treatment] / times[part.cost.baseline], is_ratio=True)


def _divided(row: Comparison, factor: float) -> Comparison:
    if np.isnan(factor):
        return replace(row, problem="timed runs are missing")
    note = f"a step takes {factor:.3g} times as long"
    return replace(row, low=row.low / factor, high=row.high / factor, note="; ".join(filter(None, (row.note, note))))
