"""What does an experiment come to, and what of it is there? An experiment and its folder, read from the disk alone."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.analysis.measures import columns_of
from experiments.analysis.results_table import results_table
from experiments.analysis.training_rates import DEFINITIONS, next_runs
from experiments.analysis.tuning import ResultRows, best_values, plain, tuned_rates
from experiments.configuration.experiment import Experiment, Run
from experiments.configuration.run import RunConfig
from experiments.records import ownership, storage, tidying
from experiments.records.ownership import Origin
from experiments.records.storage import NO_CURVE, Curve, Record
from experiments.records.tidying import TABLE
from experiments.sweeping.planning import Place, plan_sweep


@dataclass(frozen=True)
class Study:
    """An experiment and its folder under the output folder.

    origin: None where it is only read. tuned: the results of all its tuning runs, where these are at hand elsewhere and
    are not trained here. partial: whether it has but the first of the evaluation seeds.
    """

    experiment: Experiment
    folder: Path
    origin: Origin | None = None
    tuned: pd.DataFrame | None = field(default=None, compare=False, repr=False)
    partial: bool = False
    _tables: dict[tuple[str, ...], pd.DataFrame] = field(default_factory=dict, init=False, compare=False, repr=False)

    def tuning(self) -> list[Place]:
        """Return the runs on tuning seeds that are trained here."""
        return [] if self.tuned is not None else [Place(self.folder, run) for run in self.experiment.tuning_runs()]

    def evaluation(self) -> list[Place]:
        """Return the runs on evaluation seeds; those at tuned values only once their tuning runs are done."""
        tuning = self.experiment.config.tuning
        best = self._best_values() if tuning and tuning.evaluate == "best" else {}
        return [Place(self.folder, run) for run in self.experiment.evaluation_runs(best)]

    def _best_values(self) -> dict[Any, Any]:
        table = self._complete(self.experiment.tuning_runs()) if self.tuned is None else self.tuned
        return best_values(tuned_rates(table, self.experiment.config))

    def edge_rounds(self) -> list[list[Place]]:
        """Return the runs between values of the grid, a list each halving, as far as the runs before tell which.

        A run that failed is tried again at the same value, so that nothing follows from it before it is done.
        """
        if self.experiment.config.edges is None:
            return []
        rounds: list[list[Run]] = []
        tables = [self._complete([place.run for place in self.grid()]), *self._tuned_elsewhere()]
        for _ in range(self.experiment.config.edges.halvings):
            known = {storage.run_name(run) for of_round in rounds for run in of_round}
            table = _joined(tables)
            following = [self.experiment.run(*run) for run in next_runs(table, self.experiment.config)]
            rounds.append([run for run in following if storage.run_name(run) not in known])
            tables.append(self._complete(rounds[-1]))
        return [[Place(self.folder, run) for run in of_round] for of_round in rounds]

    def edges_ahead(self) -> list[RunConfig]:
        """Return as many runs as there will be at most between values of the grid that are not known yet."""
        config, rounds, ahead = self.experiment.config, self.edge_rounds(), []
        if config.edges is None or config.tuning is None:
            return []
        unknown = [place for place in self.evaluation() if place.run.arm in (config.edges.arms or config.arms)]
        for halvings, pending in enumerate(
            [unknown if plan_sweep(self.grid()).pending else [], *map(_pending, rounds)]
        ):
            intervals = {}
            for place in pending:
                others = tuple(value for axis, value in place.run.grid.items() if axis != config.tuning.over)
                intervals[place.run.arm, others, place.run.config.seed] = place.run.config
            ahead += [*intervals.values()] * len(DEFINITIONS) * (len(rounds) - halvings)
        return ahead

    def grid(self) -> list[Place]:
        """Return all runs but those between values of the grid, as far as they are known."""
        return [*self.tuning(), *self.evaluation()]

    def places(self) -> list[Place]:
        """Return all runs that are known so far."""
        return [*self.grid(), *(place for of_round in self.edge_rounds() for place in of_round)]

    def waits_for_tuning(self) -> bool:
        """Tell whether the evaluation runs are not known yet, because tuning runs are missing."""
        tuning = self.experiment.config.tuning
        return bool(tuning and tuning.evaluate == "best") and bool(plan_sweep(self.tuning()).pending)

    def lacks_runs(self) -> bool:
        """Tell whether anything is left to train."""
        return self.waits_for_tuning() or bool(plan_sweep(self.places()).pending)

    def evaluation_ahead(self) -> list[RunConfig]:
        """Return what evaluation trains or, before tuning, will, at whatever values it chooses."""
        tuning, chosen = self.experiment.config.tuning, {}
        if tuning:
            for arm, grid in self.experiment.cells():
                chosen[arm, tuple(grid[axis] for axis in tuning.per)] = grid[tuning.over]
        return [run.config for run in self.experiment.evaluation_runs(chosen)]

    def possible(self) -> list[Run]:
        """Return all runs that the experiment may come to, whatever its tuning chooses; between values of the
        grid those that are known so far.
        """
        cells = list(self.experiment.cells())
        evaluation = [self.experiment.run(*cell, seed) for seed in self.experiment.config.seeds for cell in cells]
        between = [place.run for of_round in self.edge_rounds() for place in of_round]
        return [*self.experiment.tuning_runs(), *evaluation, *between]

    def directories(self, runs: Iterable[Run]) -> list[Path]:
        """Return where runs lie, or will."""
        return [self.folder / storage.run_name(run) for run in runs]

    def strays(self) -> list[Path]:
        """Return the runs in the folder that are no part of the experiment as it is now."""
        return tidying.strays(self.folder, self.own())

    def own(self) -> list[Path]:
        """Return where the runs that are known so far lie or will, those on tuning seeds among them."""
        return self.directories([*self.experiment.tuning_runs(), *(place.run for place in self.places())])

    def check(self, replace: bool, only_tuning: bool = False) -> None:
        """Raise StorageError where training would cost a result: of another file, or of other settings.

        replace: these may give way. only_tuning: the other runs do not matter.
        """
        runs = self.experiment.tuning_runs() if only_tuning else self.possible()
        ownership.check_names(self.folder, runs)
        if not replace:
            if self.origin:
                ownership.check_origin(self.folder, self.origin, self.settings())
            ownership.check_runs(self.folder, runs)

    def settings(self) -> dict[str, Any]:
        """Return all settings of the experiment, resolved, as they are written to its folder."""
        return self.experiment.config.model_dump(mode="json")

    def table(self, runs: Iterable[Run] | None = None) -> pd.DataFrame:
        """Return the results of the runs that are done; where none are given, of all, wherever they were tuned."""
        if runs is None:
            return _joined([*self._tuned_elsewhere(), self.table([place.run for place in self.places()])])
        entries = (
            (run.arm, run.grid, storage.read_run(self.folder, run))
            for run in runs
            if storage.exists(self.folder, run)
            and (storage.is_done(self.folder, run) or storage.failure(self.folder, run))
        )
        return results_table(entries, self.experiment.measured)

    def _tuned_elsewhere(self) -> list[pd.DataFrame]:
        return [] if self.tuned is None else [self.tuned]

    def _complete(self, runs: list[Run]) -> pd.DataFrame:
        """The results of runs, which are read only once when all are done."""
        names = tuple(map(storage.run_name, runs))
        if names not in self._tables:
            table = self.table(runs)
            if len(table) < len(runs) or (table["status"] == "failed").any():
                return table
            self._tables[names] = table
        return self._tables[names]

    def record(self, run: Run) -> Record | None:
        """Return what a run left behind; None where it is not done."""
        return storage.read_run(self.folder, run) if storage.is_done(self.folder, run) else None

    def reader(self, table: pd.DataFrame) -> Callable[[int], Record | None]:
        """Return what reads the run of a row of a results table of the experiment, each run but once."""
        rows = ResultRows(table, self.experiment.config)

        @functools.cache
        def read(row: int) -> Record | None:
            grid = {axis: plain(rows.column(axis)[row]) for axis in rows.axes}
            return self.record(self.experiment.run(rows.column("arm")[row], grid, rows.column("seed")[row]))

        return read

    def curves(self, runs: Iterable[Run], metric: str) -> dict[str, list[Curve]]:
        """Return arm → the curves of one metric of those runs that are done and have been trained.

        A run that diverged before the metric was first measured has a curve of no steps. An arm without any value
        is left out.
        """
        curves: dict[str, list[Curve]] = {}
        for run in runs:
            if (record := self.record(run)) is not None:
                curve = record.curves.get(metric, NO_CURVE)
                if len(curve.steps) > 1 or record.status == "diverged":
                    curves.setdefault(run.arm, []).append(curve)
        return {arm: found for arm, found in curves.items() if any(len(curve.steps) for curve in found)}

    def read_results(self, folder: Path) -> pd.DataFrame | None:
        """Return the rows of a folder's results table that have the settings of the experiment as it is now.

        None where there is no table. A run with other settings is missing; raises StorageError for a table that cannot
        be read or does not say with which settings.
        """
        path, config = folder / TABLE, self.experiment.config
        if not path.exists():
            return None
        table = storage.read_table(path)
        if "trial" not in table:
            raise storage.StorageError(
                f"{path}: does not say with which settings; write it again by scripts/reproduce.py"
            )
        known = self.experiment.trials(table[config.tuning.over].unique() if config.edges and config.tuning else ())
        kept = [found in known for found in zip(table["arm"], table["trial"], strict=True)]
        return table[kept].reset_index(drop=True)

    def tuned_as(self, folder: Path) -> Study:
        """Return the study with the tuning runs of a folder's results table, in place of training them.

        The same study where its own are done, or where not all are in the table, with the same settings and with all
        that is measured now.
        """
        runs = self.experiment.tuning_runs()
        table = self.read_results(folder) if plan_sweep(self.tuning()).pending else None
        if table is None:
            return self
        table = table[table["seed"].isin({run.config.seed for run in runs})].reset_index(drop=True)
        measured = {name for part in self.experiment.measured for name in columns_of(part)}
        whole = len(table) == len(runs) and not (table["status"] == "failed").any() and measured <= {*table}
        return replace(self, tuned=table) if runs and whole else self

    def on_first_seeds(self, count: int) -> Study:
        """Return the study with the first so many of its evaluation seeds; the same where nothing is left to train."""
        few = count < len(self.experiment.config.seeds) and self.lacks_runs()
        return replace(self, experiment=self.experiment.on_first_seeds(count), partial=True) if few else self

    def write_results(self) -> pd.DataFrame:
        """Write `results.parquet` and return the table."""
        table = self.table()
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        storage.write_atomically(self.folder / TABLE, buffer.getvalue())
        return table


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)] or tables
    return pd.concat(filled, ignore_index=True) if len(filled) > 1 else filled[0]


def _pending(places: list[Place]) -> list[Place]:
    return plan_sweep(places).pending
