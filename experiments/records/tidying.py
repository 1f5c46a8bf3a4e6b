"""What in an experiment's folder is ours to remove? Files that we wrote, known by their names; all else stays."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

RUN, CURVES = "run.json", "curves.parquet"
TABLE = "results.parquet"  # of an experiment: a row a run
# Of an experiment's folder. Two files, since where the system locks one, others may not be able to read it:
NOTE, LOCK, HOLDER = "experiment.json", ".lock", ".holder"
EVENTS = "events.out.tfevents.*.batchnorm-lab"
BEFORE = ".before"  # a run put aside while its successor takes its place
LEFT_RUN = re.compile(r"\.(seed=\d+)\.[0-9a-f]{8}(\.before)?")
LEFT_FILE = re.compile(r"\..+\.\d+\.partial")


def clear(directory: Path, heir: Path | None = None) -> None:
    """Remove a run's files from its directory, and the directory once it is empty.

    heir: the directory that is given what a user put there.
    """
    if directory.is_symlink():
        directory.unlink()  # what it points to is a user's
        return
    for pattern in (RUN, CURVES, EVENTS):  # without its first file there is no run
        for path in directory.glob(pattern):
            path.unlink()
    if heir is not None and heir.is_dir() and directory.is_dir():
        for path in directory.iterdir():
            if not (heir / path.name).exists():
                path.rename(heir / path.name)
    with contextlib.suppress(OSError):  # not empty, or not there
        directory.rmdir()


def clear_events(folder: Path) -> None:
    """Remove the events that we wrote into a folder and into those inside it, which go once they are empty."""
    left = set()
    for path in [*folder.rglob(EVENTS)]:
        path.unlink()
        left |= {inner for inner in path.parents if folder in inner.parents}
    for inner in sorted(left, reverse=True):  # the innermost first
        with contextlib.suppress(OSError):  # not empty
            inner.rmdir()


def tidy(folder: Path, runs: Collection[Path]) -> None:
    """Put in order what a killed command left; the folder must be held.

    runs: the directories that the experiment's runs have. What is half-written goes; a run that had been put aside for
    its successor comes back where that is missing or has failed.
    """
    for left in folder.glob(".*.partial"):
        if LEFT_FILE.fullmatch(left.name):
            left.unlink()
    for parent in {run.parent for run in runs}:
        for left in parent.glob(".seed=*"):
            if name := LEFT_RUN.fullmatch(left.name):
                run = parent / name[1]
                if left.name.endswith(BEFORE) and has_failed(run):
                    clear(run, heir=left)
                if left.name.endswith(BEFORE) and not run.exists():
                    left.rename(run)
                else:
                    clear(left, heir=run)


def has_failed(run: Path) -> bool:
    """Tell whether a run's directory holds the record of a failure."""
    with contextlib.suppress(OSError, ValueError):
        return bool(json.loads((run / RUN).read_bytes())["status"] == "failed")
    return False


def strays(folder: Path, runs: Collection[Path]) -> list[Path]:
    """Return the directories of runs that lie in a folder and are none of `runs`, such as those of an arm given up."""
    known = set(runs)
    return sorted(directory for directory in run_directories(folder) if directory not in known)


def run_directories(folder: Path) -> Iterator[Path]:
    """Yield the directories of all runs that lie in an experiment's folder.

    Runs of another experiment, whose folder lies inside this one, are not looked at.
    """
    for name, inner, files in os.walk(folder):
        if Path(name) != folder and {NOTE, LOCK, HOLDER} & set(files):
            inner.clear()
            continue
        is_run = {RUN, CURVES} <= set(files)
        if is_run:
            yield Path(name)
        inner[:] = [] if is_run else [other for other in inner if not other.startswith(".")]


def remove_strays(folder: Path, runs: Collection[Path]) -> None:
    """Remove runs that are none of `runs`, and the folders that are empty then."""
    for directory in strays(folder, runs):
        clear(directory)
        for parent in directory.parents:
            if parent == folder or any(parent.iterdir()):
                break
            parent.rmdir()
