"""Which files of the user's does a run name, where do they lie, and what tells them from any others?"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

from experiments.configuration.faults import Fault
from experiments.configuration.run import RunConfig
from experiments.configuration.yaml_source import Key

COMMAND_LINE = "--set "  # as places of values begin that were given there


def with_own_files(run: RunConfig, place_of: Callable[[Key], str]) -> tuple[RunConfig, list[Fault]]:
    """Return a run with the whole paths and the digests of the files that it names, and what is wrong with them.

    place_of: of each field of the run, `file:line` or `--set …`.
    """
    data, key = run.dataset, ("dataset", "file")
    if data.file is None:
        return run, []
    path = (_folder(place_of(key)) / Path(data.file).expanduser()).absolute()
    try:
        digest = digest_of(path)
    except OSError as error:
        return run, [(key, unreadable(path, error))]
    if data.sha256 not in (None, digest):
        return run, [(("dataset", "sha256"), f"{path} is another file, of {digest}; give that, or leave it out")]
    located = data.model_copy(update={"file": str(path), "sha256": digest})
    return run.model_copy(update={"dataset": located}), []


def unreadable(path: Path, error: OSError) -> str:
    """Say why a file cannot be read."""
    if isinstance(error, FileNotFoundError):
        return f"no such file: {path}; a path is relative to the file that names it, in --set to the current directory"
    return f"{path} cannot be read: {error.strerror or error}"


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal. Raises OSError where it cannot be read."""
    about = path.stat()
    return _digest(path, about.st_mtime_ns, about.st_size, about.st_ino)


@functools.lru_cache(maxsize=64)
def _digest(path: Path, *_: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder(place: str) -> Path:
    """The folder that paths are relative to, which a value at `place` names."""
    return Path() if place.startswith(COMMAND_LINE) else Path(place.rpartition(":")[0]).parent
