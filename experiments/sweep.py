"""How are many runs trained fast, and how does nothing get lost?

Runs that share a program are trained one after another by one worker process; a run is safe on disk the moment it
ends. What is done is read from the disk alone, so an interrupted sweep goes on where it stopped.
"""

from __future__ import annotations

import functools
import os
import platform
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments import storage
from experiments.config import Run, RunConfig
from experiments.provenance import machine_provenance
from experiments.storage import Record
from experiments.tensorboard import write_run_events
from experiments.workforce import SweepError, WorkerLostError, Workforce, cluster_workers, local_workers

PIECES_PER_WORKER = 3  # small enough to balance, large enough to compile seldom
POLL_SECONDS = 0.25
LOOKING_SHARE = 0.05  # of the parent's time, at most, goes into looking
MOST_LOSSES = 3
COMPILE_COST = 2e10  # in units of `relative_cost`, about 1.3 s
MOST_COMPILING = 0.1  # of a piece


@dataclass(frozen=True)
class SweepOptions:
    """How to spread the work. `threads`: of each worker; `scheduler`: address of a Dask cluster instead of workers."""

    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    threads: int = 1
    scheduler: str | None = None
    data_dir: Path | None = None
    fail_fast: bool = False


@dataclass(frozen=True)
class Place:
    """Where a run's results go: an experiment's folder and the run as that experiment names it."""

    experiment: Path
    run: Run


@dataclass(frozen=True)
class Task:
    """One training and all the places that want its results."""

    config: RunConfig
    places: tuple[Place, ...]


@dataclass(frozen=True)
class SweepPlan:
    """What is done, what can be copied from a run with the same configuration, and what is to be trained."""

    done: list[Place]
    copies: list[tuple[Place, Place]]
    tasks: list[Task]

    @property
    def pending(self) -> list[Place]:
        """The places that have no results yet."""
        return [target for _, target in self.copies] + [place for task in self.tasks for place in task.places]


def plan_sweep(places: Iterable[Place]) -> SweepPlan:
    """Sort runs into done, to be copied and to be trained; equal configurations are trained once."""
    by_digest: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        by_digest[place.run.config.digest()].append(place)
    done, copies, tasks = [], [], []
    for equal in by_digest.values():
        finished = [place for place in equal if storage.is_done(place.experiment, place.run)]
        missing = [place for place in equal if place not in finished]
        done += finished
        if finished:
            copies += [(finished[0], place) for place in missing]
        else:
            tasks.append(Task(equal[0].run.config, tuple(equal)))
    return SweepPlan(done, copies, tasks)


def estimate_seconds(plan: SweepPlan, workers: int) -> float | None:
    """Estimate the time a plan takes from finished runs of the same kind and size; None where none is known."""
    known: dict[str, list[float]] = defaultdict(list)
    for place in plan.done:
        seconds = (storage.read_provenance(place.experiment, place.run) or {}).get("wall_seconds")
        if seconds:
            known[place.run.config.program_key()].append(seconds)
    estimates = [np.median(known[task.config.program_key()]) for task in plan.tasks if known[task.config.program_key()]]
    if len(estimates) < len(plan.tasks):
        return None
    return float(sum(estimates)) / workers


def sweep(plan: SweepPlan, options: SweepOptions, on_progress: Callable[[list[Place], list[Place]], None]) -> None:
    """Train and write all that a plan lacks.

    on_progress: called often with the places newly done and newly failed. Raises SweepError where the sweep cannot go
    on (disk full, scheduler out of reach, a failure with `fail_fast`) and KeyboardInterrupt; finished runs are kept.
    """
    try:
        for place in plan.pending:
            storage.forget_run(place.experiment, place.run)
        for source, target in plan.copies:
            storage.copy_run(source.experiment, source.run, target.experiment, target.run)
    except OSError as error:
        raise _unwritable(error) from error
    with _Watcher(plan.pending, on_progress):
        if plan.tasks:
            _train(plan.tasks, options)


def _train(tasks: list[Task], options: SweepOptions) -> None:
    holders = {place.experiment: storage.holder(place.experiment) for task in tasks for place in task.places}
    work = functools.partial(train_piece, options=options, provenance=machine_provenance(), holders=holders)
    hired = (
        cluster_workers(options.scheduler, holders)
        if options.scheduler
        else local_workers(options.workers, options.threads)
    )
    with hired as workforce:
        _see_through(workforce, work, lambda left: cut_into_pieces(left, workforce.size), _of_kind(tasks, timed=False))
        # Timed runs have the machine to themselves; seed by seed, so that the arms take turns.
        _see_through(
            workforce,
            work,
            lambda left: [sorted(left, key=lambda task: task.config.seed)],
            _of_kind(tasks, timed=True),
        )


def _of_kind(tasks: list[Task], timed: bool) -> list[Task]:
    return [task for task in tasks if task.config.timed is timed]


def _see_through(
    workforce: Workforce,
    work: Callable[[list[Task]], None],
    cut: Callable[[list[Task]], list[list[Task]]],
    tasks: list[Task],
) -> None:
    """Do all tasks; after the loss of a worker those that are left, until losses come without any progress."""
    losses = 0
    while tasks:
        try:
            workforce.do(work, cut(tasks))
            return
        except WorkerLostError as error:
            left = [task for task in tasks if not _is_settled(task)]
            losses = 1 if len(left) < len(tasks) else losses + 1
            tasks = left
            if losses == MOST_LOSSES:
                raise SweepError(
                    f"a worker process was killed, {losses} times before it had finished a single run, perhaps for "
                    "want of memory; finished runs are kept; give the same command again with fewer --workers"
                ) from error


def cut_into_pieces(tasks: list[Task], workers: int) -> list[list[Task]]:
    """Group tasks by program and cut the groups so that the workers end together; longest piece first.

    Small pieces balance well, but every piece may cost a compilation: it is cut only where that is a small part.
    """
    groups: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        groups[task.config.program_key()].append(task)
    total = sum(relative_cost(task.config) for task in tasks)
    most = min(total / workers, max(total / (workers * PIECES_PER_WORKER), COMPILE_COST / MOST_COMPILING))
    pieces = []
    for group in groups.values():
        cost = sum(relative_cost(task.config) for task in group)
        parts = min(len(group), max(1, round(cost / most))) if most else 1
        pieces += [group[i::parts] for i in range(parts)]
    return sorted(pieces, key=lambda piece: -sum(relative_cost(task.config) for task in piece))


def relative_cost(config: RunConfig) -> float:
    """Estimate the work of a run, in multiply-adds of its hidden layers and a fixed cost a step; only ratios count."""
    widths = config.model.layers * config.model.depth
    pairs = list(zip((64, *widths), widths, strict=False))
    match config.model.kind:
        case "mlp":
            size = sum(a * b for a, b in pairs)
        case "rnn":
            size = 20 * sum(2 * b * b for _, b in pairs)
        case "cnn":
            size = sum(9 * min(a, 64) * b * 400 // 4**i for i, (a, b) in enumerate([(1, widths[0]), *pairs[1:]]))
    return (config.steps + 100) * (1e6 + config.dataset.batch_size * size)


def train_piece(
    piece: list[Task], options: SweepOptions, provenance: dict[str, Any], holders: Mapping[Path, str | None]
) -> None:
    """Train the tasks of one piece in this process; each is written while the next is trained.

    A task that has its record already, as after a lost worker, is skipped. The piece is left where it stands once the
    folders are no longer held by the sweep that asked. Raises SweepError when results cannot be written.
    """
    from experiments.worker import train_task

    with ThreadPoolExecutor(1) as writer:
        writing: Future[None] | None = None
        for task in piece:
            if not all(_is_held(place, holders) for place in task.places):
                return
            if _is_settled(task):
                continue
            record = train_task(task.config, options.threads, options.data_dir, provenance)
            if writing:
                writing.result()
            writing = writer.submit(_write, task, record, holders)
            if record.status == "failed" and options.fail_fast:
                name = storage.run_name(task.places[0].run)
                raise SweepError(f"{name} failed: {record.error.strip().splitlines()[-1]}")
        if writing:
            writing.result()


def _write(task: Task, record: Record, holders: Mapping[Path, str | None]) -> None:
    try:
        for place in task.places:
            if _is_held(place, holders):
                own = replace(record, config=place.run.config)
                storage.write_run(place.experiment, place.run, own, write_run_events)
    except OSError as error:
        raise _unwritable(error) from error


def _is_settled(task: Task) -> bool:
    return all(storage.is_settled(place.experiment, place.run) for place in task.places)


def _is_held(place: Place, holders: Mapping[Path, str | None]) -> bool:
    """Tell whether a run's folder is still held by the sweep that asked; raises SweepError where it cannot be seen."""
    holder, expected = storage.holder(place.experiment), holders[place.experiment]
    if holder is None and expected is not None:
        raise SweepError(
            f"{platform.node()} does not see {place.experiment}; "
            "give with --out a folder on a file system that all workers share"
        )
    return holder == expected


def _unwritable(error: OSError) -> SweepError:
    where = f" ({error.filename})" if error.filename else ""
    return SweepError(
        f"results could not be written: {error.strerror or error}{where}; finished runs are kept; "
        "once there is room, the same command goes on from there"
    )


class _Watcher:
    """Looks at the disk every so often and reports the runs that have appeared."""

    def __init__(self, places: list[Place], on_progress: Callable[[list[Place], list[Place]], None]):
        self._waiting = places
        self._on_progress = on_progress
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        pause = POLL_SECONDS
        while not self._stop.wait(pause):
            started = time.perf_counter()
            self._look()
            pause = max(POLL_SECONDS, (time.perf_counter() - started) / LOOKING_SHARE)

    def _look(self) -> None:
        appeared = [place for place in self._waiting if storage.exists(place.experiment, place.run)]
        if appeared:
            gone = set(map(id, appeared))
            self._waiting = [place for place in self._waiting if id(place) not in gone]
            failed = [place for place in appeared if storage.failure(place.experiment, place.run)]
            self._on_progress([place for place in appeared if place not in failed], failed)
