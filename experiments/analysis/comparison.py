"""Which runs does a part of a claim set against each other, and what effect does each seed show?

Picks the runs, says which of them are missing, and pairs the arms seed by seed (protocol 1, rules 1, 2 and 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from experiments.analysis.measures import needs_target, part_target
from experiments.analysis.results_table import column_name
from experiments.analysis.seed_values import (
    largest_relative_difference,
    paired_effects,
    reduce_seeds,
    weighted_sum,
    weights,
)
from experiments.analysis.statistics import bounds, median, probability_of_improvement
from experiments.analysis.tuning import Cell, ResultRows, Tuned, cells
from experiments.configuration.claim import ClaimConfig, PartConfig
from experiments.configuration.experiment import LEARNING_RATE, ExperimentConfig


@dataclass
class ArmRuns:
    """The evaluation runs of one arm that a part is about.

    values: cell → one value a seed, in the order of the seeds; under the tuned rate the cell leaves the rate out, since
    arms differ in it. diverged: cells with at least one diverged run. problems: what keeps a verdict from being given.
    """

    values: dict[Cell, list[Any]] = field(default_factory=dict)
    diverged: set[Cell] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    at_edge: bool = False


def arm_runs(
    rows: ResultRows,
    part: PartConfig,
    claim: ClaimConfig,
    config: ExperimentConfig,
    tuned: Mapping[tuple[str, Cell], Tuned],
    progressing: Any,
    arm: str,
) -> ArmRuns:
    """Return the values of one arm in the runs that the part is about. `progressing`: the smallest rate that works."""
    column, found = column_name(part, claim), ArmRuns()
    chosen = _chosen_cells(part, config, tuned, progressing, arm, found)
    missing = failed = without_value = diverged_without = 0
    values = rows.column(column)
    for key, cell in chosen.items():
        for seed in config.seeds:
            row = rows.row(arm, cell, seed)
            value = values[row] if row is not None and values else np.nan
            found.values.setdefault(key, []).append(value)
            if row is None:
                failed += rows.failed(arm, cell, seed)
                missing += not rows.failed(arm, cell, seed)
                continue
            diverged = rows.column("status")[row] == "diverged"
            if diverged:
                found.diverged.add(key)
            if _is_nothing(value):
                without_value += 1
                diverged_without += diverged
    total = len(chosen) * len(config.seeds)
    if missing:
        found.problems.append(f"{missing} of {total} runs of {arm} are missing")
    if failed:
        found.problems.append(f"{failed} of {total} runs of {arm} failed")
    if without_value:
        why = f", {diverged_without} of them diverged" if diverged_without else ""
        found.problems.append(f"{without_value} of {total} runs of {arm} have no value of {column}{why}")
    return found


def _chosen_cells(
    part: PartConfig,
    config: ExperimentConfig,
    tuned: Mapping[tuple[str, Cell], Tuned],
    progressing: Any,
    arm: str,
    found: ArmRuns,
) -> dict[Cell, Cell]:
    """Key of `ArmRuns.values` → full cell."""
    axes = list(config.grid)
    if config.tuning is None or part.rate == "every":
        return {cell: cell for cell in cells(config)}
    over, per = axes.index(config.tuning.over), [axes.index(axis) for axis in config.tuning.per]
    chosen = {}
    for cell in cells(config):
        if part.rate == "tuned":
            choice = tuned[arm, tuple(cell[place] for place in per)]
            if choice.missing and not found.problems:
                found.problems.append(f"{arm} is not tuned: {choice.missing} tuning runs are missing or failed")
            found.at_edge |= choice.at_edge
            rate = choice.value
        else:
            rate = progressing
        if rate is not None and cell[over] == rate:
            chosen[cell[:over] + cell[over + 1 :]] = cell
    return chosen


def smallest_progressing(
    rows: ResultRows, part: PartConfig, claim: ClaimConfig, config: ExperimentConfig
) -> float | None:
    """Return the smallest rate at which every tuning run of both arms has a finite value: it reached the target.

    Serves no_gain_at_small_rates; None where there is no such rate, or no tuning.
    """
    if config.tuning is None:
        return None
    over = list(config.grid).index(config.tuning.over)
    values, arms = rows.column(column_name(part, claim)), [*weights(part.baseline), *weights(part.treatment)]
    progress: dict[Any, bool] = {}
    for cell in cells(config):
        found = [rows.row(arm, cell, seed) for arm in arms for seed in config.tuning.seeds]
        reached = all(row is not None and values and np.isfinite(values[row]) for row in found)
        progress[cell[over]] = progress.get(cell[over], True) and reached
    return min((rate for rate, reached in progress.items() if reached), default=None)


def _is_nothing(value: Any) -> bool:
    return len(value) == 0 if isinstance(value, (list, np.ndarray)) else bool(np.isnan(value))


@dataclass(frozen=True)
class Comparison:
    """The runs of one part, ready to be paired.

    positions: (cells,), places on the part's axis. problems: what keeps a verdict from being given. note: which rates
    are compared, where that needs saying.
    """

    part: PartConfig
    arms: Mapping[str, ArmRuns]
    positions: np.ndarray
    problems: tuple[str, ...]
    note: str = ""

    @property
    def baseline(self) -> Mapping[str, float]:
        """Arms of the baseline with their weights; empty for a level."""
        return weights(self.part.baseline) if self.part.effect != "level" else {}

    @property
    def treatment(self) -> Mapping[str, float]:
        """Arms of the treatment with their weights."""
        return weights(self.part.treatment)

    @property
    def at_edge(self) -> tuple[str, ...]:
        """Arms whose best rate is at the edge of the grid."""
        return tuple(arm for arm, runs in self.arms.items() if runs.at_edge)

    def side(self, arms: Mapping[str, float]) -> np.ndarray:
        """Return one number a seed for one side of the comparison. → (seeds,)."""
        return weighted_sum({arm: self._reduced(arm) for arm in arms}, arms)

    def effects(self) -> np.ndarray:
        """Return the effect of each seed. → (seeds,).

        Under per_seed value and median each cell has pairs of its own, and their median is the seed's effect; else the
        seed's numbers are paired. The largest difference is the largest over all cells.
        """
        if self.part.effect == "largest_difference":
            (first,), (second,) = self.baseline, self.treatment
            pairs = [
                zip(values, self.arms[second].values[key], strict=True)
                for key, values in self.arms[first].values.items()
            ]
            return np.max([[largest_relative_difference(a, b) for a, b in cell] for cell in pairs], axis=0)
        by_cell = [
            paired_effects(self.part, weighted_sum(cell, self.baseline), weighted_sum(cell, self.treatment))
            for cell in self._cells()
        ]  # (cells, seeds)
        return np.array([median(effects) for effects in np.transpose(by_cell)])

    def probability(self) -> float | None:
        """Return the probability of improvement in the direction the claim states, mean over cells; else None."""
        if self.part.effect not in ("ratio", "difference") or self.part.margin.within is not None:
            return None
        shares = [
            probability_of_improvement(weighted_sum(cell, self.treatment), weighted_sum(cell, self.baseline))
            for cell in self._cells()
        ]
        treatment_larger = (bounds(self.part.margin)[0] is not None) == (self.part.over == "baseline")
        return float(np.mean(shares if treatment_larger else 1 - np.array(shares)))

    def still_stable_at_top(self) -> bool:
        """Whether the numerator's largest stable rate is the grid's largest: the ratio is then only a lower bound."""
        if self.part.per_seed != "largest_stable_rate":
            return False
        numerator = self.treatment if self.part.over == "baseline" or not self.baseline else self.baseline
        return any(median(self._reduced(arm)) == self.positions.max() for arm in numerator)

    def _cells(self) -> list[dict[str, np.ndarray]]:
        """Values of each arm, (seeds,), in each cell; in one cell where the part reduces the grid to one number."""
        if self.part.per_seed not in ("value", "median"):
            return [{arm: self._reduced(arm) for arm in self.arms}]
        keys = next(iter(self.arms.values())).values
        return [{arm: np.array(runs.values[key], float) for arm, runs in self.arms.items()} for key in keys]

    def _reduced(self, arm: str) -> np.ndarray:
        return reduce_seeds(self.part, np.array(list(self.arms[arm].values.values()), float), self.positions)


def compare(
    part: PartConfig,
    claim: ClaimConfig,
    config: ExperimentConfig,
    rows: ResultRows,
    tuned: Mapping[tuple[str, Cell], Tuned],
) -> Comparison:
    """Pick the runs of one part."""
    names = [*(weights(part.baseline) if part.effect != "level" else ()), *weights(part.treatment)]
    slow = part.rate == "smallest_progressing"
    rate = smallest_progressing(rows, part, claim, config) if slow else None
    arms = {arm: arm_runs(rows, part, claim, config, tuned, rate, arm) for arm in names}
    if needs_target(part) and part_target(part, claim) is None:
        level = "training_loss" if part.measure == "gap_at_training_loss" else "target"
        return Comparison(part, arms, np.zeros(0), (f"the claim names no {level}",))
    problems = tuple(problem for runs in arms.values() for problem in runs.problems)
    if slow and rate is None:
        problems = ("at no rate does every tuning run of both arms reach the target",)
    if problems:
        return Comparison(part, arms, np.zeros(0), problems)
    keys = list(arms[names[0]].values)
    if part.effect != "largest_difference" and part.per_seed == "value" and len(keys) != 1:
        fault = f"{len(keys)} runs a seed, so per_seed has to say how they become one number"
        return Comparison(part, arms, np.zeros(0), (fault,))
    if part.per_seed == "median" and part.rate == "every":
        return _without_diverging_rates(part, arms, keys)
    if part.per_seed not in ("rank_correlation", "slope", "largest_stable_rate"):
        return Comparison(part, arms, np.arange(len(keys)), (), f"at the rate {rate:g}" if rate is not None else "")
    axes = [a for a in config.grid if part.rate == "every" or not config.tuning or a != config.tuning.over]
    axis = part.axis or (config.tuning.over if config.tuning else LEARNING_RATE)
    places = [key[axes.index(axis)] for key in keys] if axis in axes else [None]
    if not all(isinstance(place, (int, float)) for place in places):
        return Comparison(part, arms, np.zeros(0), (f"{axis} is no axis of numbers among the runs compared",))
    return Comparison(part, arms, np.array(places, float), ())


def _without_diverging_rates(part: PartConfig, arms: dict[str, ArmRuns], keys: list[Cell]) -> Comparison:
    """Leave out the rates at which a run of the baseline diverges (faster_at_equal_rate)."""
    left_out = (
        {key for arm in weights(part.baseline) for key in arms[arm].diverged} if part.effect != "level" else set()
    )
    if len(left_out) == len(keys):
        return Comparison(part, arms, np.zeros(0), ("at every rate a baseline run diverges",))
    kept = {
        arm: replace(runs, values={key: values for key, values in runs.values.items() if key not in left_out})
        for arm, runs in arms.items()
    }
    note = f"without the {len(left_out)} of {len(keys)} rates at which a baseline run diverges" if left_out else ""
    return Comparison(part, kept, np.arange(len(keys) - len(left_out)), (), note)
