"""`scripts/run.py` as a command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sweeping import HANGS, ROOT

TINY = Path(__file__).parent / "tiny.yaml"


def command(*arguments: object, python: tuple[str, ...] = (), **variables: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, *python, str(ROOT / "scripts/run.py"), *map(str, arguments)]
    surroundings = os.environ | variables
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=HANGS, env=surroundings, check=False)
    assert "Traceback" not in done.stderr + done.stdout, done.stderr + done.stdout
    return done
