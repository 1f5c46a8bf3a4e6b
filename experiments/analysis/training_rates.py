"""At which learning rates does an arm train, and where exactly does it cease to? Protocol 2, rules 2 and 4."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from experiments.analysis.statistics import median
from experiments.analysis.tuning import ResultRows, cells, plain
from experiments.configuration.experiment import ExperimentConfig

LATE = "late_validation_accuracy"
MOST_FAILING = 0.2  # of the tuning seeds: 1 of 5
DIGITS = 4  # of a rate that is tried between two of the grid
Definition = Literal["trains", "finite"]
DEFINITIONS: tuple[Definition, ...] = ("trains", "finite")


def half_way(table: pd.DataFrame, config: ExperimentConfig, arms: Iterable[str], chance: float) -> float:
    """Return half way from chance to the best accuracy of any arm at any values of the grid; nan where none is known.

    An accuracy is the median over tuning seeds of the last three evaluations' median.
    """
    rows = ResultRows(table, config)
    found = [_late(rows, config, arm, cell) for arm in arms for cell in cells(config)]
    known = [median(np.array(of_seeds)) for of_seeds in found if of_seeds]
    return (chance + np.nanmax(known)) / 2 if known and not np.isnan(known).all() else np.nan


def trains_at(
    table: pd.DataFrame, config: ExperimentConfig, arm: str, level: float, fixed: Mapping[str, Any]
) -> dict[Any, bool]:
    """Return rate → whether in at least four fifths of the tuning seeds the arm ends at `level` or above.

    fixed: values of the grid's other axes; along those not given, the arm has to train everywhere.
    """
    assert config.tuning
    rows, over = ResultRows(table, config), list(config.grid).index(config.tuning.over)
    axes = list(config.grid)
    trains: dict[Any, bool] = {}
    for cell in cells(config):
        if any(cell[axes.index(axis)] != plain(value) for axis, value in fixed.items()):
            continue
        of_seeds = _late(rows, config, arm, cell)
        reached = sum(value >= level for value in of_seeds)
        enough = bool(of_seeds) and reached >= (1 - MOST_FAILING) * len(config.tuning.seeds) - 1e-9
        trains[cell[over]] = trains.get(cell[over], True) and enough
    return trains


def edges(
    table: pd.DataFrame, config: ExperimentConfig, arm: str, level: float, definition: Definition
) -> list[tuple[float, float]]:
    """Return for each evaluation seed the largest rate at which its run counts, and the smallest above at which not.

    Upwards from the first rate that counts, whatever lies below: one too small to train in the steps given sets no
    edge. (rate, inf) where the largest rate still counts, (0, smallest rate) where none does; (nan, nan) where a run
    of the grid is missing. definition: trains, the run ends at `level` or above; finite, it does not diverge.
    """
    return [_edge(_counting(table, config, arm, seed, level, definition), config) for seed in config.seeds]


def midpoints(
    table: pd.DataFrame, config: ExperimentConfig, arms: Sequence[str], chance: float
) -> Iterator[tuple[str, int, float]]:
    """Yield arm, seed and the rate that halves the way to an edge, by either definition, on a logarithmic scale."""
    level = half_way(table, config, arms, chance)
    for arm in arms:
        of_definitions = [edges(table, config, arm, level, definition) for definition in DEFINITIONS]
        for seed, intervals in zip(config.seeds, zip(*of_definitions, strict=True), strict=True):
            rates = {
                float(f"{math.sqrt(low * high):.{DIGITS}g}") for low, high in intervals if low > 0 and np.isfinite(high)
            }
            yield from ((arm, seed, rate) for rate in sorted(rates))


def _late(rows: ResultRows, config: ExperimentConfig, arm: str, cell: tuple[Any, ...]) -> list[float]:
    """The tuning seeds' accuracies; empty where one is missing or failed."""
    seeds = config.tuning.seeds if config.tuning else ()
    places = [rows.row(arm, cell, seed) for seed in seeds]
    if any(place is None for place in places):
        return []
    return [float(rows.column(LATE)[place]) for place in places if place is not None]


def _counting(
    table: pd.DataFrame, config: ExperimentConfig, arm: str, seed: int, level: float, definition: Definition
) -> list[tuple[float, bool]]:
    """Every rate at which a seed of an arm was trained, in order, and whether its run counts."""
    assert config.tuning
    of_seed = table[(table["arm"] == arm) & (table["seed"] == seed) & (table["status"] != "failed")]
    counts = of_seed[LATE] >= level if definition == "trains" else of_seed["status"] != "diverged"
    return sorted(zip(of_seed[config.tuning.over].astype(float), counts, strict=True))


def _edge(counting: Sequence[tuple[float, bool]], config: ExperimentConfig) -> tuple[float, float]:
    assert config.tuning
    tried = {rate for rate, _ in counting}
    if not all(any(math.isclose(float(rate), other) for other in tried) for rate in config.grid[config.tuning.over]):
        return np.nan, np.nan
    from_first = list(itertools.dropwhile(lambda found: not found[1], counting))
    if not from_first:
        return 0.0, counting[0][0]
    last = 0.0
    for rate, counts in from_first:
        if not counts:
            return last, rate
        last = rate
    return last, np.inf
