"""At which learning rates does a network train, and where between two of them does that end?

Protocol 2, rule 4 and `higher_rates`. Rates are values of the tuned axis. Of further axes of the grid, `at` fixes any;
along one that it leaves free, a rate counts where it does at every value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from experiments.analysis.tuning import Cell, ResultRows, cells, late_accuracies, plain
from experiments.configuration.experiment import LEARNING_RATE, ExperimentConfig

Definition = Literal["trains", "finite"]
DEFINITIONS: tuple[Definition, ...] = get_args(Definition)
Fixed = Mapping[str, Any]  # axis → value
FREE: Fixed = MappingProxyType({})
DIGITS = 4  # of a rate between two others, which is part of a folder's name


def half_way(
    table: pd.DataFrame, config: ExperimentConfig, arms: Iterable[str], chance: float = 0.1, at: Fixed = FREE
) -> float:
    """Return the accuracy half way from chance to the best of any of the arms and cells.

    An arm's accuracy in a cell is the median over the tuning seeds of the late one. nan while a tuning run of these
    arms is missing or failed, as the best may yet be a better one, and without tuning.
    """
    if config.tuning is None:
        return np.nan
    rows, seeds = ResultRows(table, config), config.tuning.seeds
    found = [np.median(late_accuracies(rows, arm, cell, seeds)) for arm in arms for cell in _cells(config, at)]
    return float(chance + (np.max(found) - chance) / 2)


def trains_at(
    table: pd.DataFrame, config: ExperimentConfig, arm: str, level: float, at: Fixed = FREE
) -> dict[Any, bool]:
    """Return rate → whether the arm trains there: in 4 of 5 tuning seeds or more its late accuracy is at least `level`.

    A rate without all its tuning runs is left out, and so is every rate where the level is nan.
    """
    if config.tuning is None or np.isnan(level):
        return {}
    rows, over, seeds = ResultRows(table, config), _place_of_rate(config), config.tuning.seeds
    by_rate: dict[Any, list[list[float]]] = {}
    for cell in _cells(config, at):
        by_rate.setdefault(cell[over], []).append(late_accuracies(rows, arm, cell, seeds))
    return {
        rate: all(5 * sum(value >= level for value in of_cell) >= 4 * len(of_cell) for of_cell in found)
        for rate, found in by_rate.items()
        if not np.isnan(found).any()
    }


def edges(
    table: pd.DataFrame, config: ExperimentConfig, arm: str, level: float, definition: Definition, at: Fixed = FREE
) -> list[tuple[float, float]]:
    """Return for each evaluation seed, in their order, the rates between which the largest that counts lies.

    A run counts where its late accuracy is at least `level` (trains), or where it did not diverge (finite). From the
    first rate that counts upwards, the interval closes at the first that does not: rates too small to train do not
    close it, and what trains beyond does not open it again. Its upper end is inf where the largest rate tried counts;
    it is (0, smallest rate) where none does. Rates tried between those of the grid narrow it. (nan, nan) for a seed of
    which a run of the grid is missing or failed, and, for trains, where the level is nan.
    """
    rows, over = ResultRows(table, config), _place_of_rate(config)
    grid = {cell[over] for cell in _cells(config, at)}
    others = list(dict.fromkeys(_without(cell, over) for cell in _cells(config, at)))
    tried = sorted(grid | {plain(rate) for rate in rows.column(list(config.grid)[over])})
    intervals = []
    for seed in config.seeds:
        counts: dict[float, bool] = {}
        for rate in tried:
            found = [rows.row(arm, (*cell[:over], rate, *cell[over:]), seed) for cell in others]
            runs = [run for run in found if run is not None]
            if len(runs) == len(found):
                counts[rate] = all(_counts(rows, run, level, definition) for run in runs)
        unknown = grid - counts.keys() or (definition == "trains" and np.isnan(level))
        intervals.append((np.nan, np.nan) if unknown else _interval(list(counts), list(counts.values())))
    return intervals


def midpoints(
    table: pd.DataFrame, config: ExperimentConfig, arm: str, level: float, at: Fixed = FREE
) -> dict[int, tuple[float, ...]]:
    """Return evaluation seed → the rates to try next: the geometric means of its intervals by either definition.

    In four significant digits. A seed whose interval is not closed has none, or one by the other definition.
    """
    found: dict[int, set[float]] = {}
    for definition in DEFINITIONS:
        for seed, (low, high) in zip(config.seeds, edges(table, config, arm, level, definition, at), strict=True):
            if low > 0 and math.isfinite(high):
                middle = float(f"{math.sqrt(low * high):.{DIGITS}g}")
                if low < middle < high:
                    found.setdefault(seed, set()).add(middle)
    return {seed: tuple(sorted(rates)) for seed, rates in found.items()}


def next_runs(table: pd.DataFrame, config: ExperimentConfig) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Yield arm, grid values and seed of the runs that halve every interval of the section `edges` once more.

    In each combination of the further axes by itself; the level is half way to the best of all arms and cells.
    """
    if config.edges is None:
        return
    over = _place_of_rate(config)
    level = half_way(table, config, config.arms, config.edges.chance)
    for arm in config.edges.arms or config.arms:
        for others in dict.fromkeys(_without(cell, over) for cell in cells(config)):
            at = dict(zip(_without(tuple(config.grid), over), others, strict=True))
            for seed, rates in midpoints(table, config, arm, level, at).items():
                for rate in rates:
                    yield arm, dict(zip(config.grid, (*others[:over], rate, *others[over:]), strict=True)), seed


def _place_of_rate(config: ExperimentConfig) -> int:
    return list(config.grid).index(config.tuning.over if config.tuning else LEARNING_RATE)


def _cells(config: ExperimentConfig, at: Fixed) -> list[Cell]:
    """The cells of the grid that have the values fixed."""
    fixed = {axis: plain(value) for axis, value in at.items()}
    return [cell for cell in cells(config) if fixed.items() <= dict(zip(config.grid, cell, strict=True)).items()]


def _without(cell: Cell, place: int) -> Cell:
    return cell[:place] + cell[place + 1 :]


def _counts(rows: ResultRows, run: int, level: float, definition: Definition) -> bool:
    if definition == "finite":
        return bool(rows.column("status")[run] != "diverged")
    return bool(rows.column("late_validation_accuracy")[run] >= level)  # 0 where it diverged


def _interval(rates: Sequence[float], counts: Sequence[bool]) -> tuple[float, float]:
    if True not in counts:
        return 0.0, rates[0]
    first = counts.index(True)
    if False not in counts[first:]:
        return rates[-1], math.inf
    closing = counts.index(False, first)
    return rates[closing - 1], rates[closing]
