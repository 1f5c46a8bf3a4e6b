"""From experiment files to results tables: tune every arm, train the evaluation runs, tabulate what came out."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.analysis.results_table import results_table
from experiments.analysis.tuning import best_values, tuned_rates
from experiments.configuration.experiment import Experiment, Run
from experiments.configuration.run import RunConfig
from experiments.configuration.yaml_source import ConfigError
from experiments.records import ownership, storage, tidying
from experiments.records.ownership import Origin
from experiments.records.storage import NO_CURVE, Curve, StorageError
from experiments.records.tensorboard import write_hparams_config
from experiments.sweeping.planning import Place, SweepPlan, plan_sweep
from experiments.sweeping.sweep import SweepError, SweepOptions, sweep, unwritable
from experiments.sweeping.worker import load_once
from experiments.sweeping.workforce import WorkerLostError, local_workers, spread
from experiments.training.dataset_facts import EMBEDDED, DatasetError, Facts, known_facts
from experiments.training.suitability import faults_of_data


@dataclass(frozen=True)
class Study:
    """An experiment and its folder under the output folder."""

    experiment: Experiment
    folder: Path
    origin: Origin | None = None  # None: for reading only
    _tuned: dict[Any, Any] = field(default_factory=dict, init=False, compare=False, repr=False)  # once all is tuned

    def tuning(self) -> list[Place]:
        """Return the runs on tuning seeds."""
        return [Place(self.folder, run) for run in self.experiment.tuning_runs()]

    def evaluation(self) -> list[Place]:
        """Return the runs on evaluation seeds; those at tuned values only once their tuning runs are done."""
        tuning = self.experiment.config.tuning
        best = self._best_values() if tuning and tuning.evaluate == "best" else {}
        return [Place(self.folder, run) for run in self.experiment.evaluation_runs(best)]

    def _best_values(self) -> dict[Any, Any]:
        if self._tuned:
            return self._tuned
        best = best_values(tuned_rates(self.table(self.experiment.tuning_runs()), self.experiment.config))
        if not self.waits_for_tuning():
            self._tuned.update(best)
        return best

    def places(self) -> list[Place]:
        """Return all runs that are known so far."""
        return [*self.tuning(), *self.evaluation()]

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
        """Return all runs that the experiment may come to, whatever its tuning chooses."""
        cells = list(self.experiment.cells())
        evaluation = [self.experiment.run(*cell, seed) for seed in self.experiment.config.seeds for cell in cells]
        return [*self.experiment.tuning_runs(), *evaluation]

    def directories(self, runs: Iterable[Run]) -> list[Path]:
        """Return where runs lie, or will."""
        return [self.folder / storage.run_name(run) for run in runs]

    def strays(self) -> list[Path]:
        """Return the runs in the folder that are no part of the experiment as it is now."""
        return tidying.strays(self.folder, self.directories(place.run for place in self.places()))

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
        """Return the results of the runs that are done, all of the experiment's where none are given."""
        if runs is None:
            runs = [place.run for place in (*self.tuning(), *self.evaluation())]
        entries = (
            (run.arm, run.grid, storage.read_run(self.folder, run))
            for run in runs
            if storage.exists(self.folder, run)
            and (storage.is_done(self.folder, run) or storage.failure(self.folder, run))
        )
        return results_table(entries, self.experiment.measured)

    def curves(self, runs: Iterable[Run], metric: str) -> dict[str, list[Curve]]:
        """Return arm → the curves of one metric of those runs that are done and have been trained.

        A run that diverged before the metric was first measured has a curve of no steps. An arm without any value
        is left out.
        """
        curves: dict[str, list[Curve]] = {}
        for run in runs:
            if storage.is_done(self.folder, run):
                record = storage.read_run(self.folder, run)
                curve = record.curves.get(metric, NO_CURVE)
                if len(curve.steps) > 1 or record.status == "diverged":
                    curves.setdefault(run.arm, []).append(curve)
        return {arm: found for arm, found in curves.items() if any(len(curve.steps) for curve in found)}

    def write_results(self) -> pd.DataFrame:
        """Write `results.parquet` and return the table."""
        table = self.table()
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        storage.write_atomically(self.folder / "results.parquet", buffer.getvalue())
        return table


def none_finished(table: pd.DataFrame) -> bool:
    """Tell whether every run of a results table failed, so that it has nothing to show."""
    return not table.empty and bool((table["status"] == "failed").all())


def check_data(studies: list[Study], data_dir: Path | None) -> None:
    """Raise ConfigError where runs that are still to be trained do not fit their data, as far as is known by now."""
    names = {name for study in studies for name in study.experiment.dataset_names}
    _check_fit(studies, known_facts(names, data_dir))


def _check_fit(studies: list[Study], known: Mapping[str, Facts | DatasetError]) -> None:
    found = [(study, faults_of_data(study.experiment, known)) for study in studies]
    if faults := [fault for study, of_study in found if of_study and study.lacks_runs() for fault in of_study]:
        raise ConfigError(list(dict.fromkeys(faults)))


def conduct(
    studies: list[Study],
    options: SweepOptions,
    on_stage: Callable[[str, SweepPlan, list[RunConfig]], None],
    on_progress: Callable[[list[Place], list[Place]], None],
    only_tuning: bool = False,
    replace: bool = False,
) -> Mapping[str, pd.DataFrame]:
    """Train everything the studies lack and return a results table for each, by name.

    on_stage: called before each stage with its name, its plan and what is still to be planned.
    only_tuning: stop before any evaluation seed is trained. replace: runs with other settings give way, each to its
    successor, and in the end those that are no part of an experiment any more. Raises ConfigError, before anything is
    trained, where runs do not fit their data; SweepError and StorageError; finished runs are kept.
    """
    check_data(studies, options.data_dir)
    with contextlib.ExitStack() as stack:
        for study in studies:
            stack.enter_context(ownership.locked(study.folder))
        _prepare(studies, replace, only_tuning)
        # Timed runs, which have the machine to themselves, come last, and all at once.
        waiting = [study for study in studies if study.waits_for_tuning() or study.experiment.timed]
        first = [place for study in studies for place in study.tuning()]
        if not only_tuning:
            first += [place for study in studies if study not in waiting for place in study.evaluation()]
        plan = plan_sweep(first)
        _load_once(plan, studies, options)
        later = [] if only_tuning else [config for study in waiting for config in study.evaluation_ahead()]
        on_stage("tuning" if waiting or only_tuning else "training", plan, later)
        sweep(plan, options, on_progress)
        if waiting and not only_tuning:
            others = [place for study in studies if study not in waiting for place in study.evaluation()]
            plan = plan_sweep((place for study in waiting for place in study.evaluation()), elsewhere=others)
            _load_once(plan, studies, options)
            on_stage("training", plan, [])
            sweep(plan, options, on_progress)
        on_stage("tables and figures", SweepPlan([], [], [], []), [])
        try:
            if only_tuning:
                return {study.experiment.name: study.write_results() for study in studies}
            tables = spread(functools.partial(_finish, replace=replace), studies, options.workers_here, options.threads)
            return {study.experiment.name: table for study, table in zip(studies, tables, strict=True)}
        except OSError as error:
            raise SweepError(f"all runs are finished, but not all that shows them: {unwritable(error)}") from error


def _load_once(plan: SweepPlan, studies: list[Study], options: SweepOptions) -> None:
    """Load each data set of a plan once in a worker, downloaded first where it has to be.

    What only the data themselves show is told once then, and no two workers download the same. Raises ConfigError. The
    workers of a cluster have their own disks: there it is left to them.
    """
    names = sorted({task.config.dataset.name for task in plan.tasks} - EMBEDDED.keys())
    if not names or options.scheduler:
        return
    load = functools.partial(load_once, threads=options.threads, data_dir=options.data_dir)
    try:
        with local_workers(options.workers, options.threads) as workforce:
            found = workforce.do(load, names, lambda _: frozenset())
    except WorkerLostError as error:
        raise SweepError(
            f"a worker process was killed while it loaded {' or '.join(names)}, perhaps for want of memory"
        ) from error
    _check_fit(studies, dict(zip(names, found, strict=True)))


def _prepare(studies: list[Study], replace: bool, only_tuning: bool) -> None:
    """Put the folders in order and see that nothing would be lost, in any of them, before anything is changed."""
    faults = []
    try:
        for study in studies:
            try:
                study.check(replace, only_tuning)
            except StorageError as fault:
                faults.append(str(fault))
        if faults:
            raise StorageError("\n".join(faults))
        for study in studies:
            tidying.tidy(study.folder, study.directories(study.possible()))
            if study.origin:
                ownership.write_origin(study.folder, study.origin, study.settings())
    except OSError as error:
        raise unwritable(error) from error


def _finish(study: Study, replace: bool) -> pd.DataFrame:
    """Write what is there to be seen of all runs of a study together, and return their table."""
    # Draws figures, which planning has no need of.
    from experiments.reporting.tensorboard_summary import show_in_tensorboard

    runs = [place.run for place in study.places()]
    table = study.write_results()
    write_hparams_config(study.folder, runs)
    show_in_tensorboard(study.experiment, study.folder, table, study.curves)
    if not study.lacks_runs():
        tidying.tidy(study.folder, study.directories(runs))
        if replace:
            tidying.remove_strays(study.folder, study.directories(runs))
    return table
