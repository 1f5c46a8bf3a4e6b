"""What a sweep says of runs that failed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from experiments.configuration.experiment import Run
from experiments.configuration.run import RunConfig
from experiments.records import storage
from experiments.sweeping.planning import Place
from experiments.sweeping.progress import SweepProgress, fold_failures


def place(arm: str, seed: int) -> Place:
    return Place(Path("runs/x"), Run(arm=arm, grid={}, config=RunConfig(seed=seed)))


def test_failures_are_folded_by_reason():
    failed = {"KeyError: 1": [place("a", 0), place("a", 1), place("b", 0)], "no memory": [place("c", 7)]}
    assert fold_failures(failed) == [
        "3 runs failed: KeyError: 1; the first's traceback stands in runs/x/a/seed=0/run.json",
        "1 run failed: no memory; its traceback stands in runs/x/c/seed=7/run.json",
    ]
    assert fold_failures({}) == []


def test_a_reason_is_printed_when_it_appears_and_then_only_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(storage, "failure", lambda _, run: f"Traceback …\n{'odd' if run.config.seed % 2 else 'even'}\n")
    console = Console(file=io.StringIO(), width=200)
    progress = SweepProgress(console)
    progress.update([], [place("a", 0), place("a", 2), place("a", 1)])
    progress.update([], [place("b", 4), place("b", 3)])
    printed = [line for line in console.file.getvalue().splitlines() if "failed" in line]
    assert printed == ["failed: x/a/seed=0: even", "failed: x/a/seed=1: odd"]
    assert {reason: len(places) for reason, places in progress.failed.items()} == {"even": 3, "odd": 2}
