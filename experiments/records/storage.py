"""Where do results lie, and are they whole?

A run directory is written under a temporary name, synced and renamed: it either holds a whole run or does not exist.

    runs/<experiment>/<arm>/<grid values>/seed=<n>/{run.json, curves.parquet, events.out.tfevents.*}
    runs/<experiment>/results.parquet
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.configuration.experiment import Run
from experiments.configuration.run import RunConfig
from experiments.records.tidying import BEFORE, clear, has_failed

Status = Literal["finished", "diverged", "failed"]
REQUIRED_KEYS = {"status", "diverged_at", "error", "digest", "seconds", "provenance"}  # parts of run.json that are read
MOST_OF_A_VALUE = 80  # characters; a folder's name has 255 bytes, some of them for the axis
NO_FIELD = "not a setting"


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
    """Write a run's directory as one act; an older one of the same name is replaced, but for what a user put there.

    A failure costs no finished run: that is put aside, and `tidying.tidy` brings it back. write_events: adds
    TensorBoard's file to the directory. Raises OSError, such as a full disk; nothing is left then, and the older one
    stays.
    """
    final = experiment / run_name(run)
    temporary = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}")
    before = temporary.with_name(temporary.name + BEFORE)
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
        with contextlib.suppress(FileNotFoundError):
            final.rename(before)
        temporary.rename(final)
        _sync(final.parent)
    except BaseException:
        if not final.exists() and before.exists():
            before.rename(final)
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if before.exists() and (record.status != "failed" or has_failed(before)):
        clear(before, heir=final)


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


def difference(experiment: Path, run: Run) -> str | None:
    """Return the first setting in which an outdated run differs, as `run.steps: 500 → 2000`; None for any other.

    Settings that there were not when it was made are told last: most have it as it was.
    """
    if not is_outdated(experiment, run):
        return None
    about = _about(experiment / run_name(run)) or {}
    old, new = _flat(about.get("config"), "run"), _flat(run.config.model_dump(mode="json"), "run")
    changed = [name for name in {**new, **old} if old.get(name, NO_FIELD) != new.get(name, NO_FIELD)]
    changed.sort(key=lambda name: name not in old)
    return "; ".join(f"{name}: {old.get(name, NO_FIELD)} → {new.get(name, NO_FIELD)}" for name in changed[:1])


def exists(experiment: Path, run: Run) -> bool:
    """Tell whether a run is there, whatever its settings."""
    return (experiment / run_name(run) / "run.json").is_file()


def forget_run(experiment: Path, run: Run) -> None:
    """Remove a run, but for what a user put into its directory."""
    clear(experiment / run_name(run))


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
    about, curves = read_about(directory), _curves(read_curves(directory))
    seconds = Curve(np.asarray(about["seconds"]["steps"], np.int64), np.asarray(about["seconds"]["values"], float))
    outcome = about["status"], curves, about["diverged_at"], about["error"]
    return Record(run.config, *outcome, seconds, about["provenance"])


def read_about(directory: Path) -> dict[str, Any]:
    """Return what `run.json` says of a run; raises StorageError where it cannot be read."""
    about = _about(directory)
    if about is None:
        raise StorageError(f"{directory}: cannot be read (no run.json); delete it and run again")
    return about


def read_curves(directory: Path) -> pa.Table:
    """Return a run's curves, a row a value: step, metric, value. Raises StorageError where they cannot be read."""
    try:
        # Neither threads nor reading ahead: for a small file they take as long as the rest.
        table = pq.ParquetFile(directory / "curves.parquet", pre_buffer=False).read(use_threads=False)
        return table.select(["step", "metric", "value"])
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(f"{directory}: cannot be read ({error}); delete it and run again") from error


def read_provenance(experiment: Path, run: Run) -> dict[str, Any] | None:
    """Return on what a run was made and how long it took; None where there is none."""
    about = _about(experiment / run_name(run))
    return about["provenance"] if about else None


def read_table(path: Path) -> pd.DataFrame:
    """Read a table; raises StorageError where that fails."""
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}: cannot be read ({error})") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, sync and rename it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        temporary.write_bytes(content)
        _sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _about(directory: Path) -> dict[str, Any] | None:
    try:
        about: dict[str, Any] = json.loads((directory / "run.json").read_bytes())
        if not isinstance(about, dict) or not about.keys() >= REQUIRED_KEYS:
            raise ValueError("parts are missing")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise StorageError(f"{directory}: cannot be read ({error.strerror}); give yourself the right to") from error
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


def _flat(value: Any, name: str) -> dict[str, Any]:
    """Dotted field → value."""
    if not isinstance(value, Mapping):
        return {name: value}
    return {key: leaf for field, inner in value.items() for key, leaf in _flat(inner, f"{name}.{field}").items()}


def _sync(path: Path) -> None:
    """Have the disk keep a file or, where the system can, a directory's names."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
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
