"""One training, in a process of its own kind: fresh, with a fixed number of threads, its programs kept for the next."""

from __future__ import annotations

import gc
import threading
import time
import traceback
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.configuration.facts import Facts
from experiments.configuration.run import DatasetConfig, RunConfig
from experiments.records.storage import Curve, Record, Status
from experiments.sweeping.workforce import SweepError
from experiments.training.dataset_facts import DatasetError
from experiments.training.surroundings import StartError, ThreadsFixedError, start_tensorflow, surroundings

if TYPE_CHECKING:
    from experiments.training.gan_program import GanProgram
    from experiments.training.program import Program

# Of 20 to 50 MB each: most of what tuning compiled is still there for the evaluation, and the arms of a timed
# comparison can take turns.
KEPT_PROGRAMS = 32
_one_at_a_time = threading.Lock()  # a program holds the variables of the run it trains
_programs: dict[str, Program | GanProgram] = {}


def train_task(config: RunConfig, threads: int, data_dir: Path | None, provenance: dict[str, Any]) -> Record:
    """Train a run and return its record; an exception becomes a record with status `failed` and its traceback."""
    with _one_at_a_time:
        _start(threads)
        from experiments.training.gan_program import GanProgram
        from experiments.training.gan_run import train_gan
        from experiments.training.run import Diverged, train
        from models.own_network import NetworkError

        started = time.time()
        points: dict[str, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
        seconds: dict[int, float] = {}
        status: Status = "finished"
        diverged_at, error, compile_seconds, data = None, "", 0.0, None
        try:
            program, compile_seconds = _program(config, data_dir)
            data = program.dataset.digest
            trained = train_gan(program, config) if isinstance(program, GanProgram) else train(program, config)
            for evaluated in trained:
                seconds[evaluated.step] = evaluated.seconds
                for metric, value in evaluated.metrics.items():
                    points[metric][0].append(evaluated.step)
                    points[metric][1].append(value)
        except Diverged as outcome:
            status, diverged_at = "diverged", outcome.step
        except (DatasetError, NetworkError) as misfit:  # nothing that a traceback would help with
            status, error = "failed", str(misfit)
        except Exception:
            status, error = "failed", traceback.format_exc()
        return Record(
            config,
            status,
            {name: Curve(np.array(steps, np.int64), np.array(values)) for name, (steps, values) in points.items()},
            diverged_at,
            error,
            Curve(np.array(list(seconds), np.int64), np.array(list(seconds.values()))),
            provenance
            | _own_files(config)
            | surroundings()  # of this very process, which may run on another machine
            | {
                "threads": threads,
                "data": data,
                "started": started,
                "wall_seconds": time.time() - started - compile_seconds,
                "compile_seconds": compile_seconds,
            },
        )


def _own_files(config: RunConfig) -> dict[str, Any]:
    """Where data and network of the user's own lay, if there are any, and the digests of their files."""
    data, model = config.dataset, config.model
    found = {"data_file": {"path": data.file, "sha256": data.sha256}} if data.file else {}
    return found | ({"network": {"build": model.build, "sha256": model.sha256}} if model.kind == "keras" else {})


def load_once(source: str | DatasetConfig, threads: int, data_dir: Path | None) -> Facts | DatasetError:
    """Load a data set, downloaded first where it has to be, and return what it is or why it cannot be had."""
    from experiments.training.datasets import load_dataset

    with _one_at_a_time:
        _start(threads)
        try:
            return load_dataset(source, data_dir).facts
        except DatasetError as error:
            return error


def try_network(work: tuple[RunConfig, Facts], threads: int) -> tuple[str, str] | None:
    """Return field and text of what is wrong with a network of the user's own on such data; None where nothing is."""
    with _one_at_a_time:
        _start(threads)
        from experiments.training.network_trial import fault_of_network

        error = fault_of_network(*work)
        return (error.field, error.text) if error else None


def _start(threads: int) -> None:
    """Start TensorFlow; raises SweepError in a process, such as a cluster's worker, that has started it otherwise."""
    try:
        start_tensorflow(threads)
    except ThreadsFixedError:
        raise SweepError(
            f"a worker has trained with another number of threads than {threads} and cannot change it; "
            "give the same --threads as before, or restart the workers"
        ) from None
    except StartError as error:
        raise SweepError(f"a worker cannot train: {error}; restart the workers") from None


def _program(config: RunConfig, data_dir: Path | None) -> tuple[Program | GanProgram, float]:
    """Return the program of a run and the seconds its compilation took just now."""
    from experiments.training.datasets import load_dataset
    from experiments.training.gan_program import GanProgram
    from experiments.training.program import Program

    key = config.program_key()
    if key in _programs:
        return _programs[key], 0.0
    while len(_programs) >= KEPT_PROGRAMS:
        del _programs[next(iter(_programs))]
        gc.collect()  # a program's graph refers to itself
    started = time.perf_counter()
    dataset = load_dataset(config.dataset.source, data_dir)
    _programs[key] = GanProgram(config, dataset) if config.gan else Program(config, dataset)
    return _programs[key], time.perf_counter() - started
