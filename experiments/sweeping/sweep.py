"""How are many runs trained fast, and how does nothing get lost?

Runs that share a program are trained one after another by one worker process; a run is safe on disk the moment it
ends. What is done is read from the disk alone, so an interrupted sweep goes on where it stopped.
"""

from __future__ import annotations

import errno
import functools
import os
import platform
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from experiments.records import ownership, storage
from experiments.records.provenance import machine_provenance
from experiments.records.storage import Record
from experiments.records.tensorboard import write_run_events
from experiments.sweeping.planning import Place, SweepPlan, Task, cut_into_pieces, programs_of
from experiments.sweeping.workforce import SweepError, WorkerLostError, Workforce, cluster_workers, local_workers

POLL_SECONDS = 0.25
LOOKING_SHARE = 0.05  # of the parent's time, at most, goes into looking
MOST_LOSSES = 3


@dataclass(frozen=True)
class SweepOptions:
    """How to spread the work. `threads`: of each worker; `scheduler`: address of a Dask cluster instead of workers."""

    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    threads: int = 1
    scheduler: str | None = None
    data_dir: Path | None = None
    fail_fast: bool = False

    @property
    def workers_here(self) -> int:
        """How many processes of this machine the command may use: itself alone where the work is a cluster's."""
        return 1 if self.scheduler else self.workers


def sweep(plan: SweepPlan, options: SweepOptions, on_progress: Callable[[list[Place], list[Place]], None]) -> None:
    """Train and write all that a plan lacks.

    on_progress: called often with the places newly done and newly failed, if any. Raises SweepError where it cannot go
    on (disk full, scheduler out of reach, a failure with `fail_fast`) and KeyboardInterrupt; finished runs are kept.
    """
    try:
        for place in plan.pending:
            if storage.failure(place.experiment, place.run) is not None:
                storage.forget_run(place.experiment, place.run)
        for source, target in plan.copies:
            storage.copy_run(source.experiment, source.run, target.experiment, target.run, write_run_events)
    except OSError as error:
        raise unwritable(error) from error
    with _Watcher(plan.pending, on_progress):
        if plan.tasks:
            _train(plan.tasks, options)


def _train(tasks: list[Task], options: SweepOptions) -> None:
    tasks = [Task(task.config, tuple(map(_from_anywhere, task.places))) for task in tasks]
    holders = {place.experiment: ownership.holder(place.experiment) for task in tasks for place in task.places}
    options = replace(options, data_dir=options.data_dir and options.data_dir.absolute())
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


def _from_anywhere(place: Place) -> Place:
    """The same place for a worker in another working directory."""
    return replace(place, experiment=place.experiment.absolute())


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
            workforce.do(work, cut(tasks), programs_of)
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


def train_piece(
    piece: list[Task], options: SweepOptions, provenance: dict[str, Any], holders: Mapping[Path, str | None]
) -> None:
    """Train the tasks of one piece in this process; each is written while the next is trained, unless it is timed.

    A task that has its record already, as after a lost worker, is skipped. The piece is left where it stands once the
    folders are no longer held by the sweep that asked. Raises SweepError when results cannot be written.
    """
    from experiments.sweeping.worker import train_task

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
            if task.config.timed:
                writing.result()  # the next one's clock is not to run meanwhile
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
        raise unwritable(error) from error


def _is_settled(task: Task) -> bool:
    return all(storage.is_settled(place.experiment, place.run) for place in task.places)


def _is_held(place: Place, holders: Mapping[Path, str | None]) -> bool:
    """Tell whether a run's folder is still held by the sweep that asked; raises SweepError where it cannot be seen."""
    holder, expected = ownership.holder(place.experiment), holders[place.experiment]
    if holder is None and expected is not None:
        raise SweepError(
            f"{platform.node()} does not see {place.experiment}; "
            "give with --out a folder on a file system that all workers share"
        )
    return holder == expected


def unwritable(error: OSError) -> SweepError:
    """Return what to tell of a file that cannot be written, such as on a full disk."""
    where = f" ({error.filename})" if error.filename else ""
    once = "there is room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "it can be written"
    reason = os.strerror(error.errno) if error.errno else str(error)  # pyarrow has words of its own for it
    return SweepError(
        f"results could not be written: {reason}{where}; finished runs are kept; "
        f"once {once}, the same command goes on from there"
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
        appeared = [place for place in self._waiting if storage.is_settled(place.experiment, place.run)]
        if appeared:
            gone = set(map(id, appeared))
            self._waiting = [place for place in self._waiting if id(place) not in gone]
        failed = [place for place in appeared if storage.failure(place.experiment, place.run)]
        self._on_progress([place for place in appeared if place not in failed], failed)
