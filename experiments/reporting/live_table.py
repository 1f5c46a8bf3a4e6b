"""How do the arms do while a sweep goes on? A table that grows with every run, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table

from experiments.analysis.measures import ACCURACY, final_value
from experiments.configuration.experiment import Experiment, Run
from experiments.records import storage

LINES_BESIDE = 8  # of the terminal, which the table leaves free


@dataclass
class _Arm:
    done: int = 0
    diverged: int = 0
    accuracies: dict[str, list[float]] = field(default_factory=dict)  # place in the grid → of each run, a share of 1


class LiveArms:
    """The arms of an experiment, and what their finished runs come to so far. Of more than a screen holds, nothing."""

    def __init__(self, experiment: Experiment):
        self._arms: Mapping[str, _Arm] = {arm: _Arm() for arm in experiment.config.arms}
        self._seen: set[str] = set()

    def update(self, done: Iterable[tuple[Path, Run]]) -> None:
        """Count finished runs, each once, which are read from their experiment's folder."""
        for folder, run in done:
            name = storage.run_name(run)
            if name in self._seen:
                continue
            self._seen.add(name)
            record, arm = storage.read_run(folder, run), self._arms[run.arm]
            arm.done += 1
            arm.diverged += record.status == "diverged"
            of_grid = "/".join(name.split("/")[1:-1]).replace("_", " ").replace("=", " ")
            arm.accuracies.setdefault(of_grid, []).append(final_value(record, ACCURACY))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a row an arm: runs, those that diverged, the best median validation accuracy and where it is."""
        if len(self._arms) > console.height - LINES_BESIDE:
            return
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
        table.add_column("arm", overflow="fold")
        for name in ("runs", "diverged", "validation accuracy (%)"):
            table.add_column(name, justify="right")
        table.add_column("best so far at")
        for name, arm in self._arms.items():
            medians = {at: float(np.median(values)) for at, values in arm.accuracies.items()}
            known = {at: value for at, value in medians.items() if not np.isnan(value)}
            best = max(known, key=lambda at: known[at], default=None)
            accuracy = "–" if best is None else f"{100 * known[best]:.1f}"
            table.add_row(name, str(arm.done), str(arm.diverged), accuracy, best or "")
        yield table
