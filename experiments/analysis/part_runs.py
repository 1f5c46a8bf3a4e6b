"""Which runs does a part of a claim read, at which rate and down to which level, and what do they come to?"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from experiments.analysis.effects import Ends, largest_difference, one_of_many
from experiments.analysis.levels import Curves, common_level, common_loss, ladder, loss_ladder
from experiments.analysis.measures import ACCURACY, TRAIN_LOSS, columns_of, lower_is_better
from experiments.analysis.run_values import Column, Sought, curve_within, value_of
from experiments.analysis.statistics import median
from experiments.analysis.training_rates import Definition, edges, half_way, trains_at
from experiments.analysis.tuning import Cell, ResultRows, Tuned, axis_words, plain, tuned_rates
from experiments.configuration.claim import ClaimConfig, PartConfig
from experiments.configuration.experiment import ExperimentConfig

Fixed = Mapping[str, Any]  # axis → the value at which a row is taken
MISSING = "tuning runs of {} are missing or failed"


class NoEffectError(Exception):
    """Why a row has no effect, in words for the report."""


@dataclass(frozen=True)
class Results:
    """An experiment, resolved, and its table of runs."""

    config: ExperimentConfig
    table: pd.DataFrame


@dataclass(frozen=True)
class Level:
    """What a row's measure is taken at.

    label: what tells it from other rows. rung: its place among them, counted from the best.
    """

    sought: Sought
    label: Mapping[str, float]
    rung: int = 0


@dataclass(frozen=True)
class Side:
    """What the runs of one arm come to, in the measure's own unit, and which they are.

    low, high: (seeds,), the ends of each seed's value. values: (cells, seeds), the lower ends before per_seed made one
    of them; places: (cells,), where along the part's axis. rate: of the tuned axis, where all runs have the same. runs:
    (cells, seeds), their rows of the results table; none where the value is taken over all rates.
    """

    low: np.ndarray
    high: np.ndarray
    rate: Any = None
    runs: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), int))
    places: tuple[Any, ...] = ()
    values: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def ends(self) -> Ends:
        """Both ends of each seed's value."""
        return self.low, self.high


class PartRuns:
    """The runs of the arms that a part of a claim compares."""

    def __init__(self, part: PartConfig, source: Results, claim: ClaimConfig):
        self.part, self.table, self.config, self.chance = part, source.table, source.config, claim.chance
        self._short = claim.points / 100  # how far below what an arm comes to a level lies
        self.arms = list(dict.fromkeys(arm for arm in (part.baseline, part.treatment, part.whole) if arm is not None))
        self.axes, self.tuning = list(source.config.grid), source.config.tuning
        self.over = self.tuning.over if self.tuning else None
        self._rows = ResultRows(source.table, source.config)

    def values(self, axis: str) -> list[Any]:
        """Return the values of an axis of the grid."""
        return [plain(value) for value in self.config.grid[axis]]

    def training(self, fixed: Fixed, rate: Any) -> list[str]:
        """Return the arms that train at a rate, on tuning seeds."""
        found = {arm: trains_at(self.table, self.config, arm, self._half_way, fixed).get(rate) for arm in self.arms}
        for arm, trains in found.items():
            if trains is None:
                raise NoEffectError(MISSING.format(arm))
        return [arm for arm, trains in found.items() if trains]

    def levels(self, fixed: Fixed) -> Iterator[Level]:
        """Yield the levels, or the training losses, that the measure is taken at; a single one, mostly."""
        match self.part.level:
            case "ladder":
                rungs = ladder((self._curves_by_rate(arm, fixed) for arm in self.arms), self._short)
                for rung, level in enumerate(reversed(rungs)):
                    yield Level(Sought(level=level), {"level": round(level, 4)}, rung)
            case "common":
                yield Level(Sought(by_seed=dict(self._common_levels(fixed))), {})
            case "half_way":
                yield Level(Sought(level=self._half_way), {})
            case None if self.part.measure == "gap_at_training_loss":
                losses = loss_ladder(self._curves_at(fixed, "loss/training_split"))
                if not losses:
                    raise NoEffectError("not every tuning run comes to half of its first training loss")
                for rung, loss in enumerate(reversed(losses)):
                    yield Level(Sought(loss=loss), {"training loss": float(f"{loss:.3g}")}, rung)
            case None if self.part.matched:
                loss = common_loss(self._curves_at(fixed, TRAIN_LOSS))
                if not np.isfinite(loss):
                    raise NoEffectError("there is no training loss that both arms come to")
                yield Level(Sought(loss=loss), {})
            case None:
                yield Level(Sought(), {})
            case number:
                yield Level(Sought(level=float(number)), {})

    def side(self, arm: str, fixed: Fixed, sought: Sought) -> Side:
        """Return what each evaluation seed of an arm comes to."""
        if self.part.measure == "largest_rate":
            return Side(*self._edges(arm, fixed))
        cells = self._cells(arm, fixed, sought)
        values = np.array([[self._value(arm, cell, seed, sought) for seed in self.config.seeds] for cell in cells])
        low, high = values[..., 0], values[..., 1]  # (cells, seeds)
        rates = {cell[self.axes.index(self.over)] for cell in cells} if self.over else set()
        rate = rates.pop() if len(rates) == 1 else None
        runs = np.array([[self._rows.row(arm, cell, seed) for seed in self.config.seeds] for cell in cells])
        if self.part.per_seed == "value":
            if len(cells) > 1:
                raise NoEffectError(f"{len(cells)} runs a seed, so per_seed has to say how they become one number")
            return Side(low[0], high[0], rate, runs)
        if (low != high).any():
            raise NoEffectError(f"runs of {arm} never reach the level")
        along = self.axes.index(self.part.axis) if self.part.axis else None
        places = np.array([0 if along is None else cell[along] for cell in cells])
        level = self._half_way if self.part.per_seed == "share_training" else np.nan
        reduced = np.array([one_of_many(self.part, places, of_seed, level) for of_seed in low.T])
        return Side(reduced, reduced, rate, runs, tuple(places.tolist()), low)

    def largest_differences(self, sides: Mapping[str, Side]) -> np.ndarray:
        """Return each seed's largest difference between the curves of treatment and baseline, (seeds,)."""
        name, arms = columns_of(self.part)[0], (self.part.treatment, self.part.baseline or "")
        pairs = zip(*(sides[arm].runs[0] for arm in arms), strict=True)
        return np.array([largest_difference(self._curve(a, name), self._curve(b, name)) for a, b in pairs])

    @cached_property
    def _half_way(self) -> float:
        level = half_way(self.table, self.config, self.arms, self.chance)
        if np.isnan(level):
            raise NoEffectError(MISSING.format(" or ".join(self.arms)))
        return level

    @cached_property
    def _tuned(self) -> Mapping[tuple[str, Cell], Tuned]:
        return tuned_rates(self.table, self.config)

    def _edges(self, arm: str, fixed: Fixed) -> Ends:
        """The rates between which the largest of each seed lies that counts."""
        definition: Definition = "finite" if self.part.metric == "finite" else "trains"
        # The level of all arms, at which the rates between those of the grid were looked for, too.
        level = half_way(self.table, self.config, self.config.arms, self.chance) if definition == "trains" else np.nan
        low, high = np.array(edges(self.table, self.config, arm, level, definition, fixed)).T
        if np.isnan(low).any():
            raise NoEffectError(f"runs of {arm} are missing or failed")
        if np.median(low) == 0:
            raise NoEffectError(f"{arm} {'trains' if definition == 'trains' else 'stays finite'} at no rate")
        return low, high

    def _value(self, arm: str, cell: Cell, seed: int, sought: Sought) -> tuple[float, float]:
        row = self._rows.row(arm, cell, seed)
        if row is None:
            failed = self._rows.failed(arm, cell, seed)
            raise NoEffectError(f"runs of {arm} {'failed' if failed else 'are missing'}")

        found = value_of(self.part, self._column(row), sought.of(seed))
        if np.isnan(found[0]):
            raise NoEffectError(f"runs of {arm} have no value of {self.part.measure}")
        return found

    def _column(self, row: int) -> Column:
        """What stands in a run's row, by the names of columns."""

        def column(name: str) -> Any:
            found = self._rows.column(name)
            return found[row] if found else None

        return column

    def _cells(self, arm: str, fixed: Fixed, sought: Sought | None) -> list[Cell]:
        """The cells whose runs make one seed's value: at the fixed values, at the arm's best rate, along the rest.

        sought: what a rate is best for where the part says so; None: accuracy.
        """
        along = [axis for axis in self.axes if axis not in fixed and (axis != self.over or axis == self.part.axis)]
        found = []
        for rest in itertools.product(*map(self.values, along)):
            at = {**fixed, **dict(zip(along, rest, strict=True))}
            if self.over and self.over not in at:
                at[self.over] = self._best(self.part.rate_of or arm, at, sought)
            found.append(tuple(at[axis] for axis in self.axes))
        return found

    def _best(self, arm: str, at: Fixed, sought: Sought | None) -> Any:
        """The arm's best value of the tuned axis at values of all others, on tuning seeds."""
        assert self.tuning
        assert self.over
        if self.part.tuned_for == "accuracy" or sought is None:
            found = self._tuned[arm, tuple(at[axis] for axis in self.tuning.per)]
            if found.value is None:
                raise NoEffectError(f"{arm} is not tuned: {found.missing} tuning runs are missing or failed")
            rate, at_edge = found.value, found.at_edge
        else:
            rate, at_edge = self._best_for_measure(arm, at, sought)
        if at_edge and self.part.per_seed not in ("share_training", "worst"):  # which ask what trains at any rate
            raise NoEffectError(f"the best {axis_words(self.over)} of {arm} is at the edge of the grid")
        return rate

    def _best_for_measure(self, arm: str, at: Fixed, sought: Sought) -> tuple[Any, bool]:
        """The rate with the best median of the measure, and whether it is the grid's first or last."""
        assert self.tuning
        assert self.over
        scores = {}
        for rate in self.values(self.over):
            cell = tuple({**at, self.over: rate}[axis] for axis in self.axes)
            scores[rate] = median(np.array([self._value(arm, cell, seed, sought)[1] for seed in self.tuning.seeds]))
        is_time, is_low = self.part.measure == "steps_to_level", lower_is_better(self.part.metric or "")
        best = min(scores.values()) if is_time or is_low else max(scores.values())
        if is_time and np.isinf(best):
            raise NoEffectError(f"{arm} reaches the level at no {axis_words(self.over)}")
        rate = min(rate for rate, score in scores.items() if score == best)
        return rate, rate in (min(scores), max(scores))

    def _common_levels(self, fixed: Fixed) -> Iterator[tuple[int, float]]:
        """Each seed's level: what its runs of all arms come to, but half way at least."""
        name, known = self.part.metric or ACCURACY, self._rows.column
        cells = {arm: self._cells(arm, fixed, None) for arm in self.arms}
        for seed in self.config.seeds:
            rows = [self._rows.row(arm, cell, seed) for arm, of_arm in cells.items() for cell in of_arm]
            found = [self._curve(row, name) for row in rows if row is not None and known(name)]
            yield seed, max(common_level(found, self._short), self._half_way) if found else np.nan

    def _curves_by_rate(self, arm: str, fixed: Fixed) -> list[Curves]:
        """An arm's curves on tuning seeds, at each rate apart."""
        if self.over is None or self.over in fixed:
            rates: list[Fixed] = [fixed]
        else:
            rates = [{**fixed, self.over: rate} for rate in self.values(self.over)]
        return [self._curves(arm, self._cells(arm, at, None), self.part.metric or ACCURACY) for at in rates]

    def _curves_at(self, fixed: Fixed, column: str) -> list[Curves]:
        """Every arm's curves on tuning seeds, each at its most accurate rate where that is not fixed."""
        return [self._curves(arm, self._cells(arm, fixed, None), column) for arm in self.arms]

    def _curves(self, arm: str, cells: Iterable[Cell], column: str) -> Curves:
        """An arm's curves on tuning seeds, of all cells together."""
        assert self.tuning
        rows = [self._rows.row(arm, cell, seed) for cell in cells for seed in self.tuning.seeds]
        if not self._rows.column(column) or None in rows:
            raise NoEffectError(MISSING.format(arm))
        return [self._curve(row, column) for row in rows if row is not None]

    def _curve(self, row: int, name: str) -> Sequence[float]:
        """A run's curve within the budget: by what is not reached in it, nothing is measured."""
        return list(curve_within(self.part, self._column(row), name))
