"""On what was it run? Code, packages and machine, as written with every result."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("tensorflow", "keras", "numpy", "tensorflow-datasets", "scikit-learn")
INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")  # by which kernels are chosen


def machine_provenance() -> dict[str, Any]:
    """Return git commit and whether the tree differs from it, package versions, Python and processor."""
    commit = _git("rev-parse", "HEAD")
    return {
        "git_commit": commit,
        "git_dirty": bool(_git("status", "--porcelain", "--untracked-files=no")) if commit else None,
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "processor": processor(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _git(*arguments: str) -> str | None:
    """Run git on the project's own tree; None where it is no checkout."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def processor() -> str:
    """Return the name of this machine's processor and, since a cloud often hides it, which `INSTRUCTIONS` it has."""
    try:
        return _processor(Path("/proc/cpuinfo").read_text())
    except OSError:
        return platform.processor() or platform.machine()


def _processor(cpuinfo: str) -> str:
    about: dict[str, str] = {}
    for name, _, value in (line.partition(":") for line in cpuinfo.splitlines()):
        about.setdefault(name.strip(), value.strip())  # of the first core
    name = about.get("model name") or platform.machine()
    has = [instruction for instruction in INSTRUCTIONS if instruction in about.get("flags", "").split()]
    return f"{name} ({', '.join(has)})" if has else name
