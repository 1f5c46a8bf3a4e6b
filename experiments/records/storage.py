"""Where do results lie, and are they whole?

A run directory is written under a temporary name, synced and renamed: it either holds a whole run or does not exist.

    runs/<experiment>/<arm>/<grid values>/seed=<n>/{run.json, curves.parquet, events.out.tfevents.*}
    runs/<experiment>/results.parquet
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.configuration.experiment import Run
from experiments.configuration.run import RunConfig

Status = Literal["finished", "diverged", "failed"]
WRITTEN = {"status", "diverged_at", "error", "digest", "seconds", "provenance"}  # parts of run.json that are read
LOCK = ".lock"
MOST_OF_A_VALUE = 80  # characters; a folder's name has 255 bytes, some of them for the axis


class StorageError(Exception):
    """Results that cannot be written or read; the message says what to do."""


@dataclass(frozen=True)
class Curve:
    """The values of one metric over the steps of one run. `steps`: (n,) int64; `values`: (n,) float64."""

    steps: np.ndarray
    values: np.ndarray


NO_CURVE = Curve(np.zeros(0, np.int64), np.zeros(0))


@dataclass(frozen=True)
class Record:
    """All that one run left behind.

    diverged_at: the step at which the loss was not finite or 1,000 times its start, else None.
    seconds: of training, accumulated over the steps; without evaluation and probes where the run was timed.
    """

    config: RunConfig
    status: Status
    curves: Mapping[str, Curve]
    diverged_at: int | None = None
    error: str = ""
    seconds: Curve = NO_CURVE
    provenance: Mapping[str, Any] = field(default_factory=dict)


def run_name(run: Run) -> str:
    """Return the name of a run within its experiment, such as `custom_bn/learning_rate=0.3/seed=4`."""
    values = [f"{axis.rpartition('.')[2]}={_short(value)}" for axis, value in run.grid.items()]
    return "/".join([run.arm, *values, f"seed={run.config.seed}"])


def write_run(
    experiment: Path, run: Run, record: Record, write_events: Callable[[Path, Run, Record], None] | None = None
) -> None:
    """Write a run's directory as one act; an older one with the same name is replaced.

    write_events: adds TensorBoard's file to the directory. Raises OSError, such as a full disk; nothing is left then.
    """
    final = experiment / run_name(run)
    temporary = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}")
    try:
        temporary.mkdir(parents=True, exist_ok=True)
        _write_curves(temporary / "curves.parquet", record.curves)
        if write_events:
            write_events(temporary, run, record)
        about = {
            "arm": run.arm,
            "grid": dict(run.grid),
            "status": record.status,
            "diverged_at": record.diverged_at,
            "error": record.error,
            "digest": run.config.digest(),
            "config": run.config.model_dump(mode="json"),
            "seconds": {"steps": record.seconds.steps.tolist(), "values": record.seconds.values.tolist()},
            "provenance": dict(record.provenance),
        }
        (temporary / "run.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
        for written in (*temporary.iterdir(), temporary):
            _sync(written)
        _remove(final)
        temporary.rename(final)
        _sync(final.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def is_done(experiment: Path, run: Run) -> bool:
    """Tell whether a run with exactly this configuration was finished, or diverged, before."""
    about = _about(experiment / run_name(run))
    return about is not None and about["status"] != "failed" and about["digest"] == run.config.digest()


def failure(experiment: Path, run: Run) -> str | None:
    """Return the error of a run that failed, None where it did not or was not tried."""
    about = _about(experiment / run_name(run))
    return about["error"] if about is not None and about["status"] == "failed" else None


def is_settled(experiment: Path, run: Run) -> bool:
    """Tell whether a run with exactly this configuration has left a record, of a failure perhaps."""
    about = _about(experiment / run_name(run))
    return about is not None and about["digest"] == run.config.digest()


def is_outdated(experiment: Path, run: Run) -> bool:
    """Tell whether a run with another configuration was finished, or diverged, in this one's place."""
    about = _about(experiment / run_name(run))
    return about is not None and about["status"] != "failed" and about["digest"] != run.config.digest()


def exists(experiment: Path, run: Run) -> bool:
    """Tell whether a run's directory is there, whatever it holds."""
    return (experiment / run_name(run)).is_dir()


def forget_run(experiment: Path, run: Run) -> None:
    """Remove what an earlier configuration or a failure left in the place of a run, and half-written directories."""
    final = experiment / run_name(run)
    _remove(final)
    for left in final.parent.glob(f".{final.name}.*"):
        shutil.rmtree(left, ignore_errors=True)


def copy_run(
    source: Path,
    run: Run,
    target: Path,
    twin: Run,
    write_events: Callable[[Path, Run, Record], None] | None = None,
) -> None:
    """Give `twin`, a run of another experiment with an equal configuration, the results of `run`."""
    write_run(target, twin, read_run(source, run), write_events)


def read_run(experiment: Path, run: Run) -> Record:
    """Read a run that is done; raises StorageError where it cannot be read."""
    directory = experiment / run_name(run)
    about = _about(directory)
    try:
        if about is None:
            raise FileNotFoundError("no run.json")
        # Neither threads nor reading ahead: for a small file they take as long as the rest.
        curves = _curves(pq.ParquetFile(directory / "curves.parquet", pre_buffer=False).read(use_threads=False))
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(f"{directory}: cannot be read ({error}); delete it and run again") from error
    seconds = Curve(np.asarray(about["seconds"]["steps"], np.int64), np.asarray(about["seconds"]["values"], float))
    outcome = about["status"], curves, about["diverged_at"], about["error"]
    return Record(run.config, *outcome, seconds, about["provenance"])


def read_provenance(experiment: Path, run: Run) -> dict[str, Any] | None:
    """Return on what a run was made and how long it took; None where there is none."""
    about = _about(experiment / run_name(run))
    return about["provenance"] if about else None


@contextlib.contextmanager
def locked(experiment: Path) -> Iterator[None]:
    """Hold an experiment's folder for one sweep; raises StorageError while another holds it.

    The operating system lets go of the lock when the process ends, however it ends. Who holds it stands in the file, so
    that workers on other machines see when their sweep is over.
    """
    try:
        experiment.mkdir(parents=True, exist_ok=True)
        handle = (experiment / LOCK).open("a+b", buffering=0)
    except OSError as error:
        raise StorageError(f"{experiment}: cannot be written: {error.strerror}") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            who = (holder(experiment) or "just starting").partition(",")[0]
            raise StorageError(
                f"{experiment}: another sweep ({who}) is writing here; wait for it, or give another folder with --out"
            ) from None
        try:
            handle.truncate(0)
            handle.write(f"process {os.getpid()} on {platform.node()}, {uuid.uuid4()}".encode())
        except OSError as error:
            raise StorageError(f"{experiment}: cannot be written: {error.strerror}") from error
        try:
            yield
        finally:
            handle.truncate(0)


def holder(experiment: Path) -> str | None:
    """Return who holds an experiment's folder, "" for nobody; None where the folder or its lock cannot be seen."""
    try:
        return (experiment / LOCK).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, sync and rename it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        _sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what `write_atomically` left when it was killed; the folder must be held."""
    for left in folder.glob(".*.*.*"):
        left.unlink(missing_ok=True)


def _remove(directory: Path) -> None:
    """Remove a directory in one act: it is gone by name before its files go one by one."""
    doomed = directory.with_name(f".{directory.name}.{uuid.uuid4().hex[:8]}")
    with contextlib.suppress(FileNotFoundError):
        directory.rename(doomed)
        shutil.rmtree(doomed)


def _about(directory: Path) -> dict[str, Any] | None:
    try:
        about: dict[str, Any] = json.loads((directory / "run.json").read_bytes())
        if not isinstance(about, dict) or not about.keys() >= WRITTEN:
            raise ValueError("parts are missing")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{directory}/run.json: cannot be read ({error}); delete the folder and run again"
        ) from error
    return about


def _write_curves(path: Path, curves: Mapping[str, Curve]) -> None:
    steps = [curve.steps for curve in (*curves.values(), NO_CURVE)]
    values = [curve.values for curve in (*curves.values(), NO_CURVE)]
    lengths = [len(curve.steps) for curve in curves.values()]
    metric = pa.DictionaryArray.from_arrays(
        pa.array(np.repeat(np.arange(len(curves), dtype=np.int32), lengths)), pa.array(list(curves), pa.string())
    )
    table = pa.table({"step": np.concatenate(steps), "metric": metric, "value": np.concatenate(values)})
    pq.write_table(table, path, compression="zstd")


def _curves(table: pa.Table) -> dict[str, Curve]:
    steps, values = table["step"].to_numpy(), table["value"].to_numpy()
    metric = table["metric"].combine_chunks()
    if isinstance(metric, pa.ChunkedArray):
        metric = metric.chunk(0) if metric.num_chunks else pa.array([], pa.dictionary(pa.int32(), pa.string()))
    codes = metric.indices.to_numpy()
    curves = {}
    for code, name in enumerate(metric.dictionary.to_pylist()):
        at = codes == code
        curves[name] = Curve(steps[at], values[at])
    return curves


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _short(value: Any) -> str:
    """A grid value as part of a path: equal only for equal values; a long one ends in a digest."""
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    text = "x".join(map(_short, value)) if isinstance(value, (tuple, list)) else str(value).replace("/", "-")
    if len(text) <= MOST_OF_A_VALUE:
        return text
    return f"{text[: MOST_OF_A_VALUE - 13]}~{hashlib.sha256(text.encode()).hexdigest()[:12]}"
