"""Which command shows a result, or makes it again? As it can be pasted into a shell."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent


def shell_command(folder: Path, script: str, *arguments: object) -> str:
    """Return the command of one of the project's scripts, by this very Python, for a shell that stands in `folder`."""
    files = (from_folder(folder, path) for path in (Path(sys.executable), PROJECT / "scripts" / script))
    return shlex.join([*map(str, files), *map(str, arguments)])


def from_folder(folder: Path, path: Path) -> Path:
    """Return a path as it is seen from a folder: relative where it lies within, else whole."""
    path = path.absolute()
    return path.relative_to(folder) if path.is_relative_to(folder) else path
