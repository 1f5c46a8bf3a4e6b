"""Which files of the user's does a run name, where do they lie, and what tells them from any others?"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.configuration.faults import Fault
from experiments.configuration.run import RunConfig
from experiments.configuration.yaml_source import Key

COMMAND_LINE = "--set "  # as places of values begin that were given there


def with_own_files(run: RunConfig, place_of: Callable[[Key], str]) -> tuple[RunConfig, list[Fault]]:
    """Return a run with the whole paths and the digests of the files that it names, and what is wrong with them.

    place_of: of each field of the run, `file:line` or `--set …`.
    """
    changes: dict[str, Any] = {}
    faults: list[Fault] = []
    if run.dataset.file is not None:
        key = ("dataset", "file")
        path = (_folder(place_of(key)) / Path(run.dataset.file).expanduser()).absolute()
        if isinstance(found := _digest_or_fault(path, run.dataset.sha256, key), str):
            changes["dataset"] = run.dataset.model_copy(update={"file": str(path), "sha256": found})
        else:
            faults.append(found)
    if run.model.kind == "keras":
        key = ("model", "build")
        folder, module, function = run.model.own_module()
        homes = [(at / folder.expanduser()).absolute() for at in (_folder(place_of(key)), Path())]
        sources = {home / file: home for home in homes for file in _files_of(module)}
        source = next(filter(Path.is_file, sources), None)
        if source is None:
            where = " nor ".join(map(str, dict.fromkeys(homes)))
            faults.append((key, f"no module {module} in {where}; write {next(iter(sources))}, or name another"))
        elif isinstance(found := _digest_or_fault(source, run.model.sha256, key), str):
            build = str(sources[source] / f"{module}:{function}")
            changes["model"] = run.model.model_copy(update={"build": build, "sha256": found})
        else:
            faults.append(found)
    return run.model_copy(update=changes), faults


def _files_of(module: str) -> tuple[Path, Path]:
    """Where a module may be written."""
    path = Path(*module.split("."))
    return path.with_suffix(".py"), path / "__init__.py"


def _digest_or_fault(path: Path, expected: str | None, key: Key) -> str | Fault:
    try:
        digest = digest_of(path)
    except OSError as error:
        return key, unreadable(path, error)
    if expected not in (None, digest):
        return (*key[:-1], "sha256"), f"{path} is another file, of {digest}; give that, or leave it out"
    return digest


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
