"""From experiment files to results tables: tune every arm, evaluate it, look for edges, tabulate what came out."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from experiments.analysis.tuning import axis_words
from experiments.configuration.facts import EMBEDDED, Facts
from experiments.configuration.loading import fault_of_run
from experiments.configuration.run import DatasetConfig, RunConfig
from experiments.configuration.yaml_source import ConfigError
from experiments.records import ownership, tidying
from experiments.records.storage import StorageError
from experiments.records.tensorboard import write_hparams_config
from experiments.study import Study
from experiments.sweeping.planning import Place, SweepPlan, plan_sweep
from experiments.sweeping.sweep import SweepError, SweepOptions, sweep, unwritable
from experiments.sweeping.worker import load_once, try_network
from experiments.sweeping.workforce import WorkerLostError, local_workers, spread
from experiments.training.dataset_facts import DatasetError
from experiments.training.datasets import known_of_sources
from experiments.training.suitability import faults_of_data


def none_finished(table: pd.DataFrame) -> bool:
    """Tell whether every run of a results table failed, so that it has nothing to show."""
    return not table.empty and bool((table["status"] == "failed").all())


def check_data(studies: list[Study], options: SweepOptions) -> Mapping[str | DatasetConfig, Facts | DatasetError]:
    """Return what is known by now of the data, or why they cannot be had.

    Raises ConfigError where runs that are still to be trained do not fit their data. Networks of the user's own are
    tried in a worker.
    """
    sources = {source for study in studies for source in study.experiment.sources}
    known = known_of_sources(sources, options.data_dir)
    _check_fit(studies, known)
    _check_networks([study for study in studies if study.lacks_runs()], known, options)
    return known


def _check_networks(
    studies: list[Study], known: Mapping[str | DatasetConfig, Facts | DatasetError], options: SweepOptions
) -> None:
    by_program: dict[str, tuple[RunConfig, Facts]] = {}
    cells: list[tuple[Study, str, dict[str, Any], str]] = []
    for study in studies:
        for arm, grid in study.experiment.cells():
            config = study.experiment.run(arm, grid, 0).config
            facts = known[config.dataset.source]
            if config.model.kind == "keras" and isinstance(facts, Facts):
                by_program[config.program_key()] = config, facts
                cells.append((study, arm, grid, config.program_key()))
    if not cells:
        return
    try:
        with local_workers(options.workers_here, options.threads) as workforce:
            tried = workforce.do(
                functools.partial(try_network, threads=options.threads), [*by_program.values()], lambda _: frozenset()
            )
    except WorkerLostError as error:
        raise SweepError("a worker process was killed while it tried networks, perhaps for want of memory") from error
    faults = dict(zip(by_program, tried, strict=True))
    found = [
        fault_of_run(study.experiment, arm, grid, *fault) for study, arm, grid, key in cells if (fault := faults[key])
    ]
    if found:
        raise ConfigError(list(dict.fromkeys(found)))


def _check_fit(studies: list[Study], known: Mapping[str | DatasetConfig, Facts | DatasetError]) -> None:
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

    on_stage: called before each stage with its name, its plan and what, at most, is still to be planned.
    only_tuning: stop before any evaluation seed is trained. replace: runs with other settings give way, each to its
    successor, and in the end those that are no part of an experiment any more. Raises ConfigError, before anything is
    trained, where runs do not fit their data; SweepError and StorageError; finished runs are kept.
    """
    check_data(studies, options)
    with contextlib.ExitStack() as stack:
        for study in studies:
            stack.enter_context(ownership.locked(study.folder))
        _prepare(studies, replace, only_tuning)
        # Timed runs, which have the machine to themselves, come last, and all at once.
        waiting = [study for study in studies if study.waits_for_tuning() or study.experiment.timed]
        first = [place for study in studies for place in study.tuning()]
        if not only_tuning:
            first += [place for study in studies if study not in waiting for place in study.evaluation()]
        loaded: set[str | DatasetConfig] = set()

        def train(stage: str, places: Iterable[Place], later: list[RunConfig], elsewhere: Iterable[Place] = ()) -> None:
            plan = plan_sweep(places, elsewhere)
            _load_once(plan, studies, options, loaded)
            on_stage(stage, plan, later)
            sweep(plan, options, on_progress)

        ahead = [] if only_tuning else [config for study in waiting for config in study.evaluation_ahead()]
        between = [] if only_tuning else [config for study in studies for config in study.edges_ahead()]
        tunes = only_tuning or any(study.waits_for_tuning() for study in waiting)
        train("tuning" if tunes else "training", first, ahead + between)
        if waiting and not only_tuning:
            others = [place for study in studies if study not in waiting for place in study.evaluation()]
            train("training", [place for study in waiting for place in study.evaluation()], between, others)
        for halving in range(0 if only_tuning else max(map(_halvings, studies), default=0)):
            bisected = [study for study in studies if halving < _halvings(study)]
            places = [place for study in bisected for place in study.edge_rounds()[halving]]
            if places:
                for study in bisected:
                    study.check(replace)  # of these runs nothing was known before
                axes = dict.fromkeys(
                    axis_words(s.experiment.config.tuning.over) for s in bisected if s.experiment.config.tuning
                )
                stage = f"edges of the {' and '.join(axes)}, {halving + 1} of {max(map(_halvings, bisected))}"
                ahead = [config for study in bisected for config in study.edges_ahead()]
                train(stage, places, ahead, [place for study in studies for place in study.grid()])
        on_stage("tables and figures", SweepPlan([], [], [], []), [])
        try:
            if only_tuning:
                return {study.experiment.name: study.write_results() for study in studies}
            tables = spread(functools.partial(_finish, replace=replace), studies, options.workers_here, options.threads)
            return {study.experiment.name: table for study, table in zip(studies, tables, strict=True)}
        except OSError as error:
            raise SweepError(f"all runs are finished, but not all that shows them: {unwritable(error)}") from error


def _halvings(study: Study) -> int:
    edges = study.experiment.config.edges
    return edges.halvings if edges else 0


def _load_once(plan: SweepPlan, studies: list[Study], options: SweepOptions, loaded: set[str | DatasetConfig]) -> None:
    """Load each data set of a plan, but own files and those `loaded`, once in a worker, downloaded first if need be.

    What only the data themselves show is told once then, and no two workers download the same. Raises ConfigError. The
    workers of a cluster have their own disks: there it is left to them.
    """
    sources = {task.config.dataset.source for task in plan.tasks}
    named = {source for source in sources if isinstance(source, str) or source.file is None}
    names = sorted(named - EMBEDDED.keys() - loaded, key=str)
    if not names or options.scheduler:
        return
    load = functools.partial(load_once, threads=options.threads, data_dir=options.data_dir)
    try:
        with local_workers(options.workers, options.threads) as workforce:
            found = workforce.do(load, names, lambda _: frozenset())
    except WorkerLostError as error:
        raise SweepError(
            f"a worker process was killed while it loaded {' or '.join(map(str, names))}, perhaps for want of memory"
        ) from error
    _check_fit(studies, dict(zip(names, found, strict=True)))
    loaded.update(names)


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
    from experiments.analysis.summary import summarize
    from experiments.reporting.index_page import write_index
    from experiments.reporting.pictures import draw, pictures, write_pictures
    from experiments.reporting.tensorboard_summary import show_in_tensorboard

    runs = [place.run for place in study.places()]
    table = study.write_results()
    write_hparams_config(study.folder, runs)
    summary = summarize(study.experiment, table)
    shown = pictures(study.experiment, table, summary, study.curves)
    drawn = draw(study.experiment.name, shown)
    write_pictures(study.folder, drawn)
    show_in_tensorboard(study.experiment, study.folder, table, summary, shown)
    write_index(study.experiment, study.folder, table, summary, drawn)
    if not study.lacks_runs():
        tidying.tidy(study.folder, study.own())
        if replace and not study.partial:  # the other seeds are no strays
            tidying.remove_strays(study.folder, study.own())
    return table
