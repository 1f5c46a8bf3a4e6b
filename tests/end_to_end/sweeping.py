"""A small sweep as a command in a process of its own, and what there is to be seen of it from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CONFIG = """
title: Something to interrupt
run:
  dataset: {batch_size: 20, train_examples: 400}
  model: {kind: mlp, layers: [16]}
  steps: 1000
  evaluate_every: 20
  probes: [gradients]
  xla: false
arms:
  no_bn: {}
  custom_bn: {model.norm.kind: custom}
grid:
  optimizer.learning_rate: [0.1, 1]
seeds: 4
"""
RUNS = 16
HANGS = 600  # seconds after which a command is taken to wait for what never comes; says nothing of how fast it is
GO_ON = "the same command goes on from there"


def write_config(folder: Path, text: str = CONFIG) -> Path:
    """Write an experiment file called `small`."""
    path = folder / "small.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def launch(*words: object) -> subprocess.Popen[str]:
    """Start Python as the leader of a session of its own, which hears Ctrl-C even if the tests do not (nohup)."""
    pipe = subprocess.PIPE
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)  # a handler is not inherited, being deaf is
    try:
        return subprocess.Popen(
            [sys.executable, *map(str, words)], stdout=pipe, stderr=pipe, text=True, cwd=ROOT, start_new_session=True
        )
    finally:
        signal.signal(signal.SIGINT, heard)


def start(config: Path, out: Path, *arguments: object) -> subprocess.Popen[str]:
    """Start the command."""
    return launch(ROOT / "scripts/run.py", config, "--out", out, *arguments)


def finish(config: Path, out: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    process = start(config, out, *arguments)
    try:
        printed, errors = process.communicate(timeout=HANGS)
    finally:
        process.kill()
    assert "Traceback" not in printed + errors, printed + errors
    return subprocess.CompletedProcess(process.args, process.returncode, printed, errors)


def finished(out: Path) -> list[Path]:
    """Return the folders that hold a run, however many others come and go meanwhile."""
    folders = [Path(folder) for folder, _, files in os.walk(out) if "run.json" in files]
    return [folder for folder in folders if not folder.name.startswith(".")]


def curves(out: Path) -> dict[str, bytes]:
    """Return run → its curves as they lie on the disk."""
    return {str(run.relative_to(out)): (run / "curves.parquet").read_bytes() for run in finished(out)}


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < HANGS, "waited in vain"
        time.sleep(0.02)


def session(leader: int) -> dict[int, str]:
    """Return process → command line of those that a command has started and that still live."""
    processes = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            words = (path / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            processes[int(path.name)] = words
    return processes


def workers(leader: int) -> list[int]:
    """Return the worker processes of a command."""
    return sorted(number for number, words in session(leader).items() if "LokyProcess" in words)


def end(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> None:
    """Send a signal to the command alone."""
    os.kill(process.pid, number)
