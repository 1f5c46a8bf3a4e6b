"""How far is the sweep? A progress bar with runs done, time left and failures as they happen."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from experiments.records import storage
from experiments.sweeping.planning import Place, SweepPlan


def fold_failures(failed: Mapping[str, Sequence[Place]]) -> list[str]:
    """Return a line for each reason: how many runs failed for it, and where a traceback stands. failed: by reason."""
    lines = []
    for reason, places in failed.items():
        first = places[0].experiment / storage.run_name(places[0].run)
        runs, stands = ("1 run", "its") if len(places) == 1 else (f"{len(places)} runs", "the first's")
        lines.append(f"{runs} failed: {reason}; {stands} traceback stands in {first / 'run.json'}")
    return lines


class SweepProgress:
    """Shows a sweep on the console; without a terminal, a plain line every ten seconds."""

    def __init__(self, console: Console):
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("runs ·"),
            TimeElapsedColumn(),
            TextColumn("elapsed ·"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=None)
        self._done, self._total, self._said = 0, 0, 0.0
        self.failed: dict[str, list[Place]] = {}  # by reason

    def __enter__(self) -> SweepProgress:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def start(self, plan: SweepPlan, later: int) -> None:
        """Begin a stage: runs that are done already count as done."""
        self._done += len(plan.done)
        self._total = self._done + len(plan.pending) + later
        self._bar.update(self._task, total=self._total, completed=self._done)
        if plan.done:
            self._console.print(f"{len(plan.done)} runs are done already and kept.", highlight=False)
        if plan.outdated:
            self._console.print(f"{len(plan.outdated)} runs with other settings are replaced.", highlight=False)

    def update(self, done: list[Place], failed: list[Place]) -> None:
        """Count finished runs; of those that failed, print the first of each reason at once."""
        self._done += len(done) + len(failed)
        self._bar.update(self._task, completed=self._done)
        for place in failed:
            reason = "".join((storage.failure(place.experiment, place.run) or "").strip().splitlines()[-1:])
            if reason not in self.failed:
                name = f"{place.experiment.name}/{storage.run_name(place.run)}"
                self._console.print(f"failed: {name}: {reason}", style="red", highlight=False, markup=False)
            self.failed.setdefault(reason, []).append(place)
        if not self._console.is_terminal and time.monotonic() - self._said > 10:
            self._said = time.monotonic()
            self._console.print(f"{self._done} of {self._total} runs done", highlight=False)
