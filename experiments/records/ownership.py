"""Whose is an experiment's folder, and who is writing into it?

runs/<experiment>/experiment.json   the file it was read from, what `--set` changed, and all settings resolved
runs/<experiment>/.lock, .holder    held by one sweep at a time, and by which
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock, Timeout

from experiments.configuration.experiment import Run
from experiments.records.storage import StorageError, difference, run_name, write_atomically
from experiments.records.tidying import HOLDER, LOCK, NOTE, TABLE

WRITTEN = (NOTE, TABLE, "summary", "figures", "index.html")  # beside the arms' folders
LONGEST_NAME = 100  # of a folder; most file systems allow 255 bytes


@dataclass(frozen=True)
class Origin:
    """Where an experiment comes from. `overrides`: the `field=value` texts given to `--set`."""

    file: Path
    overrides: tuple[str, ...] = ()

    def folder_name(self) -> str:
        """Return the file's name, and what `--set` changed: `my`, or `my,run.steps=2000`.

        More or fewer seeds are the same experiment. A name that cannot hold a value as given, or that is too long,
        ends in a digest, so that other settings always have another folder.
        """
        given = dict(override.partition("=")[::2] for override in self.overrides)  # of a field given twice, the last
        settings = sorted((field.strip(), value.strip()) for field, value in given.items() if field.strip() != "seeds")
        exact = ",".join([self.file.stem, *(f"{field}={value}" for field, value in settings)])
        if not settings:
            return exact
        readable = [f"{field}={re.sub(r'[^-+.=_0-9A-Za-z]+', '-', value).strip('-')}" for field, value in settings]
        name = ",".join([self.file.stem, *readable])
        if name == exact and len(name) <= LONGEST_NAME:
            return name
        return f"{name[:LONGEST_NAME]}~{hashlib.sha256(exact.encode()).hexdigest()[:8]}"


def check_origin(folder: Path, origin: Origin, settings: Mapping[str, Any]) -> None:
    """Raise StorageError where a folder's experiment comes from another file than `origin`.

    settings: of the whole experiment. A file that has been moved, or copied without a change, is no other.
    """
    path = folder / NOTE
    try:
        about = json.loads(path.read_bytes())
        file, known = Path(about["file"]), about["settings"]
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path}: cannot be read ({error}); delete it, the runs are kept") from error
    if known != settings and _may_be_another(file, origin.file):
        raise StorageError(
            f"{folder}: holds the experiment of {file}, not of {origin.file.absolute()}; rename one of the files, "
            "or give another folder with --out, or --replace to have this one's runs in place of the other's"
        )


def _may_be_another(file: Path, given: Path) -> bool:
    """Whether the file that a folder's experiment was read from is still there, and not the one given."""
    try:
        return file.exists() and not (given.exists() and file.samefile(given))
    except OSError:  # in somebody else's home, perhaps
        return True


def check_names(folder: Path, runs: Iterable[Run]) -> None:
    """Raise StorageError where two runs would share a directory, here or where capitals are as small letters are.

    So they are on macOS and Windows.
    """
    spelt: dict[str, str] = {}
    seen: set[str] = set()
    for run in runs:
        name = run_name(run)
        paths = [name, *map(str, PurePosixPath(name).parents)]
        other = next(
            (spelt[path.casefold()] for path in paths if spelt.setdefault(path.casefold(), path) != path), None
        )
        if name in seen or other:
            raise StorageError(
                f"{folder}: {name} and {other or 'another run'} would share a folder, on some systems at least; "
                "give their arms other names"
            )
        seen.add(name)


def check_runs(folder: Path, runs: Iterable[Run]) -> None:
    """Raise StorageError where finished runs in a folder have other settings than `runs`."""
    found = [(run_name(run), text) for run in runs if (text := difference(folder, run))]
    if found:
        name, text = found[0]
        raise StorageError(
            f"{folder}: {len(found)} finished runs have other settings than those asked for, such as {name}: {text}. "
            "Nothing was changed. To keep them, give another folder with --out, or the file another name; "
            "with --replace they are trained again, and each is kept until its successor is done"
        )


def write_origin(folder: Path, origin: Origin, settings: Mapping[str, Any]) -> None:
    """Note in a folder from which file its experiment comes. Raises OSError, such as a full disk."""
    about = {"file": str(origin.file.resolve()), "overrides": list(origin.overrides), "settings": settings}
    write_atomically(folder / NOTE, (json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode())


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold an experiment's folder for one sweep; raises StorageError while another holds it, or where it is foreign.

    The operating system lets go of the lock when the process ends, however it ends; on a network's file system that
    is the server's business. Who holds it stands in a file, so that workers on other machines see when it is over.
    """
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_foreign(folder)
        lock.acquire(timeout=0)
        (folder / HOLDER).write_text(f"process {os.getpid()} on {platform.node()}, {uuid.uuid4()}", encoding="utf-8")
    except Timeout:
        who = (holder(folder) or "just starting").partition(",")[0]
        raise StorageError(
            f"{folder}: another sweep ({who}) is writing here; wait for it, or give another folder with --out"
        ) from None
    except (OSError, NotImplementedError) as error:  # a file system may have no locks
        lock.release()
        raise StorageError(f"{folder}: cannot be written: {getattr(error, 'strerror', None) or error}") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the folder is gone: there is nothing left to hold
            (folder / HOLDER).write_text("", encoding="utf-8")
        lock.release()


def _refuse_foreign(folder: Path) -> None:
    """Raise StorageError where a folder that no sweep has held has files whose names are those of ours."""
    if not any((folder / name).exists() for name in (LOCK, NOTE)):
        for name in WRITTEN:
            if (folder / name).exists():
                raise StorageError(f"{folder}: holds {name}, which no experiment wrote; give another folder with --out")


def holder(folder: Path) -> str | None:
    """Return who holds an experiment's folder, "" for nobody; None where the folder or its lock cannot be seen."""
    try:
        return (folder / HOLDER).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
