"""How do the arms do while a sweep goes on? A table that grows with every run, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table

from experiments.analysis.measures import ACCURACY, FRECHET, final_value, lower_is_better
from experiments.configuration.experiment import Experiment, Run
from experiments.records import storage

LINES_BESIDE = 8  # of the terminal, which the table leaves free


@dataclass
class _Arm:
    done: int = 0
    diverged: int = 0
    values: dict[str, list[float]] = field(default_factory=dict)  # place in the grid → of each run


class LiveArms:
    """The arms of an experiment, and what their finished runs come to so far. Of more than a screen holds, nothing."""

    def __init__(self, experiment: Experiment):
        self._arms: Mapping[str, _Arm] = {arm: _Arm() for arm in experiment.config.arms}
        self._seen: set[str] = set()
        of_images = any(experiment.run(arm, grid, 0).config.gan for arm, grid in experiment.cells())
        self._metric = FRECHET if of_images else ACCURACY

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
            arm.values.setdefault(of_grid, []).append(final_value(record, self._metric))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a row an arm: runs, those that diverged, the best median and where it is, by what validation shows."""
        if len(self._arms) > console.height - LINES_BESIDE:
            return
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
        table.add_column("arm", overflow="fold")
        is_share, best_of = self._metric == ACCURACY, min if lower_is_better(self._metric) else max
        for name in ("runs", "diverged", "validation accuracy (%)" if is_share else "Fréchet distance"):
            table.add_column(name, justify="right")
        table.add_column("best so far at")
        for name, arm in self._arms.items():
            medians = {at: float(np.median(values)) for at, values in arm.values.items()}
            known = {at: value for at, value in medians.items() if not np.isnan(value)}
            best = best_of(known, key=lambda at: known[at], default=None)
            value = "–" if best is None else f"{known[best] * (100 if is_share else 1):.1f}"
            table.add_row(name, str(arm.done), str(arm.diverged), value, best or "")
        yield table
