"""On what was it run? Code, packages and machine, as written with every result."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("tensorflow", "keras", "numpy", "tensorflow-datasets", "scikit-learn")


def machine_provenance() -> dict[str, Any]:
    """Return git commit and whether the tree differs from it, package versions, Python and processor."""
    commit = _git("rev-parse", "HEAD")
    return {
        "git_commit": commit,
        "git_dirty": bool(_git("status", "--porcelain", "--untracked-files=no")) if commit else None,
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _git(*arguments: str) -> str | None:
    """Run git on the project's own tree; None where it is no checkout."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
