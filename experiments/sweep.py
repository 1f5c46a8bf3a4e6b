"""How are many runs trained fast, and how does nothing get lost?

Runs that share a program are trained one after another by one worker process; a run is safe on disk the moment it
ends. What is done is read from the disk alone, so an interrupted sweep goes on where it stopped.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments import storage
from experiments.config import Run, RunConfig
from experiments.provenance import machine_provenance
from experiments.storage import StorageError
from experiments.tensorboard import write_run_events

PIECES_PER_WORKER = 3  # small enough to balance, large enough to compile seldom
POLL_SECONDS = 0.25
SCHEDULER_TIMEOUT = "5s"


class SweepError(Exception):
    """A sweep that cannot start or go on; the message says what to do. Finished runs are kept."""


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
    for place in plan.pending:
        storage.forget_run(place.experiment, place.run)
    for source, target in plan.copies:
        storage.copy_run(source.experiment, source.run, target.experiment, target.run)
    timed = [task for task in plan.tasks if task.config.timed]
    others = [task for task in plan.tasks if not task.config.timed]
    watcher = _Watcher(plan.pending, on_progress)
    try:
        with watcher:
            _train_pieces(cut_into_pieces(others, options.workers), options)
            # Timed runs have the machine to themselves; seed by seed, so that the arms take turns.
            _train_pieces([sorted(timed, key=lambda task: task.config.seed)] if timed else [], options)
    except (OSError, StorageError) as error:
        raise SweepError(f"results could not be written: {error}; make room and give the same command again") from error


def cut_into_pieces(tasks: list[Task], workers: int) -> list[list[Task]]:
    """Group tasks by program and cut the groups so that the workers end together; longest piece first."""
    groups: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        groups[task.config.program_key()].append(task)
    total = sum(relative_cost(task.config) for task in tasks)
    most = total / (workers * PIECES_PER_WORKER) if workers > 1 else total
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


def train_piece(piece: list[Task], options: SweepOptions, provenance: dict[str, Any]) -> None:
    """Train the tasks of one piece in this process and write each as soon as it ends.

    A task that is done already, as after a lost worker, is skipped. Raises OSError when results cannot be written.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers itself
    from experiments.worker import train_task

    for task in piece:
        if all(storage.is_done(place.experiment, place.run) for place in task.places):
            continue
        record = train_task(task.config, options.threads, options.data_dir, provenance)
        for place in task.places:
            storage.write_run(place.experiment, place.run, replace(record, config=place.run.config), write_run_events)
        if record.status == "failed" and options.fail_fast:
            raise SweepError(f"{storage.run_name(task.places[0].run)} failed: {record.error.strip().splitlines()[-1]}")


def _train_pieces(pieces: list[list[Task]], options: SweepOptions) -> None:
    if not pieces:
        return
    import joblib

    jobs = min(options.workers, len(pieces))
    provenance = machine_provenance()
    calls = [joblib.delayed(train_piece)(piece, options, provenance) for piece in pieces]
    if options.scheduler:
        with _dask_client(options.scheduler) as client, joblib.parallel_config(backend="dask", client=client):
            joblib.Parallel(n_jobs=-1, batch_size=1)(calls)
        return
    try:
        for _ in joblib.Parallel(n_jobs=jobs, backend="loky", batch_size=1, return_as="generator_unordered")(calls):
            pass
    except BaseException:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=False, kill_workers=True)
        raise


def _dask_client(address: str) -> Any:
    """Connect to a scheduler; raises SweepError within seconds where there is none or no way to speak to one."""
    try:
        from distributed import Client
    except ImportError:
        raise SweepError("--scheduler needs Dask: pip install 'batchnorm-lab[cluster]'") from None
    try:
        client = Client(address, timeout=SCHEDULER_TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise SweepError(f"--scheduler {address}: cannot be reached ({type(error).__name__}); is it running?") from None
    if not client.scheduler_info()["workers"]:
        client.close()
        raise SweepError(f"--scheduler {address}: has no workers; start some with `dask worker {address} --nthreads 1`")
    return client


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
        while not self._stop.wait(POLL_SECONDS):
            self._look()

    def _look(self) -> None:
        appeared = [place for place in self._waiting if storage.exists(place.experiment, place.run)]
        if appeared:
            gone = set(map(id, appeared))
            self._waiting = [place for place in self._waiting if id(place) not in gone]
            failed = [place for place in appeared if storage.failure(place.experiment, place.run)]
            self._on_progress([place for place in appeared if place not in failed], failed)
