"""Which learning rate is each arm's own best, judged on seeds that are used for nothing else?

Rule 2 of protocol 2. Looks at tuning seeds and the validation split only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from experiments.configuration.experiment import ExperimentConfig

Cell = tuple[Any, ...]  # values of the grid's axes, in the grid's order


@dataclass(frozen=True)
class Tuned:
    """One arm's best value of `tuning.over`.

    value: None where no value has all its tuning runs. at_edge: the best is the grid's first or last, so a better one
    may lie outside. missing: how many tuning runs are not there or failed.
    """

    value: Any
    at_edge: bool
    missing: int


class ResultRows:
    """Finds a run's row of a results table by arm, grid cell and seed."""

    def __init__(self, table: pd.DataFrame, config: ExperimentConfig):
        self.table, self.axes = table, tuple(config.grid)
        self._columns: dict[str, list[Any]] = {}
        keys = zip(*(self.column(axis) for axis in self.axes), strict=True) if self.axes else itertools.repeat(())
        places = zip(self.column("arm"), keys, self.column("seed"), strict=False)
        self._rows = {(arm, tuple(map(plain, cell)), seed): i for i, (arm, cell, seed) in enumerate(places)}

    def column(self, name: str) -> list[Any]:
        """Return one column as a list, read only once; empty where the table has no such column."""
        if name not in self._columns:
            self._columns[name] = self.table[name].tolist() if name in self.table else []
        return self._columns[name]

    def row(self, arm: str, cell: Cell, seed: int) -> int | None:
        """Return the number of a run's row; None where the run is missing or failed."""
        row = self._rows.get((arm, cell, seed))
        return None if row is None or self.column("status")[row] == "failed" else row

    def failed(self, arm: str, cell: Cell, seed: int) -> bool:
        """Whether the run is there but failed."""
        return (arm, cell, seed) in self._rows and self.row(arm, cell, seed) is None


def tuned_rates(table: pd.DataFrame, config: ExperimentConfig) -> dict[tuple[str, Cell], Tuned]:
    """Return (arm, values of tuning.per) → best value of tuning.over; empty without tuning.

    Scored by the late validation accuracy, of generated images by the late Fréchet distance: median over the tuning
    seeds, then mean over the grid axes that the choice is not made anew for; a diverged run has the worst. Of equally
    good values the middle one is taken, the smaller of two: a plateau that runs into the edge is not best at the edge.
    """
    if config.tuning is None:
        return {}
    rows, axes = ResultRows(table, config), list(config.grid)
    per_places = [axes.index(axis) for axis in config.tuning.per]
    over = axes.index(config.tuning.over)
    tuned = {}
    for arm in config.arms:
        scores: dict[Cell, dict[Any, list[list[float]]]] = {}
        for cell in cells(config):
            by_value = scores.setdefault(tuple(cell[place] for place in per_places), {})
            by_value.setdefault(cell[over], []).append(_scores(rows, arm, cell, config.tuning.seeds))
        tuned.update({(arm, per): _best(by_value) for per, by_value in scores.items()})
    return tuned


def axis_words(axis: str) -> str:
    """Return an axis of the grid in words: 'learning rate'."""
    return axis.rpartition(".")[2].replace("_", " ")


def tuned_words(table: pd.DataFrame, config: ExperimentConfig) -> Iterator[str]:
    """Yield each arm's best value in words: 'bn at 0.5: best learning rate 0.3, at the edge of the grid'."""
    for (arm, per), tuned in tuned_rates(table, config).items():
        edge = ", at the edge of the grid" if tuned.at_edge else ""
        where = f" at {', '.join(map(str, per))}" if per else ""
        assert config.tuning
        yield f"{arm}{where}: best {axis_words(config.tuning.over)} {tuned.value}{edge}"


def best_values(tuned: Mapping[tuple[str, Cell], Tuned]) -> dict[tuple[str, Cell], Any]:
    """Return only the best values, as `Experiment.evaluation_runs` takes them."""
    return {key: found.value for key, found in tuned.items() if found.value is not None}


def cells(config: ExperimentConfig) -> Iterator[Cell]:
    """Yield every combination of grid values."""
    return itertools.product(*([plain(value) for value in values] for values in config.grid.values()))


def plain(value: Any) -> Any:
    """Return a grid value in the one form in which values from a YAML file and from a table are equal."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return tuple(map(plain, value))
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and np.isnan(value):
        return None  # how a table of numbers holds a null
    if isinstance(value, str):
        try:
            return float(value)  # YAML reads 1e-3 as text
        except ValueError:
            return value
    return value


def _scores(rows: ResultRows, arm: str, cell: Cell, seeds: tuple[int, ...]) -> list[float]:
    """What each seed's run in a cell is judged by, the higher the better; nan for one that is missing or failed."""
    if distances := rows.column("late_validation_frechet"):
        found = [rows.row(arm, cell, seed) for seed in seeds]
        return [-float(distances[row]) if row is not None else np.nan for row in found]
    return late_accuracies(rows, arm, cell, seeds)


def late_accuracies(rows: ResultRows, arm: str, cell: Cell, seeds: tuple[int, ...]) -> list[float]:
    """Return the late validation accuracy of each seed's run in a cell; nan for one that is missing or failed."""
    found, late = [rows.row(arm, cell, seed) for seed in seeds], rows.column("late_validation_accuracy")
    return [float(late[row]) if row is not None and late else np.nan for row in found]


def _best(by_value: Mapping[Any, list[list[float]]]) -> Tuned:
    """The best value. by_value: value → of each cell at this value, the scores of its tuning runs."""
    missing = sum(int(np.isnan(cells).sum()) for cells in by_value.values())
    scores = {value: np.median(cells, axis=1).mean() for value, cells in by_value.items() if not np.isnan(cells).any()}
    if not scores:
        return Tuned(None, False, missing)
    equally_good = sorted(value for value, score in scores.items() if score >= max(scores.values()) - 1e-9)
    best = equally_good[(len(equally_good) - 1) // 2]
    return Tuned(best, best in (min(by_value), max(by_value)), missing)
