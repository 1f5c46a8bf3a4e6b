"""How far is the sweep? What is being done, runs done, time left, and failures as they happen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn

from experiments.configuration.run import RunConfig
from experiments.records import storage
from experiments.sweeping.planning import COMPILE_COST, Place, SweepPlan, relative_cost

SECONDS_BETWEEN_LINES = 10  # at least; a tenth of the time so far in a long sweep
SECONDS_TO_JUDGE, SHARE_TO_JUDGE = 10, 0.05  # of the work, after the first run, before a time left is worth a word


def fold_failures(failed: Mapping[str, Sequence[Place]]) -> list[str]:
    """Return a line for each reason: how many runs failed for it, and where a traceback stands. failed: by reason."""
    lines = []
    for reason, places in failed.items():
        first = places[0].experiment / storage.run_name(places[0].run)
        runs, stands = ("1 run", "its") if len(places) == 1 else (f"{len(places)} runs", "the first's")
        lines.append(f"{runs} failed: {reason}; {stands} traceback stands in {first / 'run.json'}")
    return lines


class _Bar(Progress):
    def __init__(self, above: RenderableType | None, *columns: ProgressColumn, **options: Any):
        self._above = above
        super().__init__(*columns, **options)

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield what stands above, then the bar."""
        if self._above is not None:
            yield self._above
        yield from super().get_renderables()


class SweepProgress:
    """Shows a sweep on the console; without a terminal, a plain line now and then.

    The bar goes by the cost of runs and of compiling. A program counts as compiled when its first run is finished:
    of that the disk tells, whoever does the work. clock: seconds, from any start. above: what a terminal shows over
    the bar.
    """

    def __init__(
        self,
        console: Console,
        clock: Callable[[], float] = time.monotonic,
        above: RenderableType | None = None,
    ):
        self._console, self._clock = console, clock
        self._bar = _Bar(
            above,
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TimeElapsedColumn(),
            console=console,
            expand=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=None)
        self._began = self._said = clock()
        self._stage, self._done, self._total = "", 0, 0
        self._programs: set[str] = set()  # of this stage
        self._compiled: set[str] = set()
        self._costs: dict[str, float] = {}  # of trainings that are not done
        self._cost_done = self._cost_later = 0.0
        self._pace_from: tuple[float, float] | None = None  # when the first run ended, and the cost that was done then
        self.failed: dict[str, list[Place]] = {}  # by reason

    def __enter__(self) -> SweepProgress:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def start(self, stage: str, plan: SweepPlan, later: Sequence[RunConfig]) -> None:
        """Begin a stage: runs that are done already count as done. later: what comes in the stage after it."""
        self._stage = stage
        self._done += len(plan.done)
        self._total = self._done + len(plan.pending) + len(later)
        self._costs = {task.config.digest(): relative_cost(task.config) for task in plan.tasks}
        self._programs = {task.config.program_key() for task in plan.tasks}
        programs_later = {config.program_key() for config in later} - self._programs - self._compiled
        self._cost_later = sum(map(relative_cost, later)) + COMPILE_COST * len(programs_later)
        if plan.done:
            self._console.print(f"{len(plan.done)} runs are done already and kept.", highlight=False)
        if plan.outdated:
            self._console.print(f"{len(plan.outdated)} runs with other settings are replaced.", highlight=False)
        self._show(now=True)

    def update(self, done: list[Place], failed: list[Place]) -> None:
        """Count finished runs; of those that failed, print the first of each reason at once."""
        self._done += len(done) + len(failed)
        for place in (*done, *failed):
            self._cost_done += self._costs.pop(place.run.config.digest(), 0.0)
            if (program := place.run.config.program_key()) in self._programs - self._compiled:
                self._compiled.add(program)
                self._cost_done += COMPILE_COST
        if self._pace_from is None and self._cost_done:
            self._pace_from = self._clock(), self._cost_done
        for place in failed:
            reason = "".join((storage.failure(place.experiment, place.run) or "").strip().splitlines()[-1:])
            if reason not in self.failed:
                name = f"{place.experiment.name}/{storage.run_name(place.run)}"
                self._console.print(f"failed: {name}: {reason}", style="red", highlight=False, markup=False)
            self.failed.setdefault(reason, []).append(place)
        self._show()

    def words(self) -> str:
        """Return what is being done, how far it is, and how long it takes yet where that can be judged."""
        parts = [self._stage]
        if not self._programs <= self._compiled:
            compiled = len(self._programs & self._compiled)
            parts.append(f"{compiled}/{len(self._programs)} programs compiled")
        parts.append(f"{self._done}/{self._total} runs")
        seconds = self.seconds_left()
        return " · ".join(parts if seconds is None else [*parts, f"about {_duration(seconds)} left"])

    def seconds_left(self) -> float | None:
        """Return how long it will take at the pace since the first run ended; None before that can be judged.

        Until then the workers start, which says nothing of their pace. None, too, where nothing is left.
        """
        left = self._cost_left()
        if self._pace_from is None or not left:
            return None
        elapsed, done = self._clock() - self._pace_from[0], self._cost_done - self._pace_from[1]
        if elapsed < SECONDS_TO_JUDGE or done < SHARE_TO_JUDGE * (self._cost_done + left):
            return None
        return elapsed * left / done

    def _cost_left(self) -> float:
        compiling = COMPILE_COST * len(self._programs - self._compiled)
        return sum(self._costs.values()) + compiling + self._cost_later

    def _show(self, now: bool = False) -> None:
        total = self._cost_done + self._cost_left()
        self._bar.update(self._task, description=self.words(), total=total or 1, completed=self._cost_done or not total)
        pause = max(SECONDS_BETWEEN_LINES, (self._clock() - self._began) / 10)
        if not self._console.is_terminal and (now or self._clock() - self._said >= pause):
            self._said = self._clock()
            self._console.print(self.words(), highlight=False)


def _duration(seconds: float) -> str:
    """Words of a length of time, as exact as an estimate is."""
    if seconds < 90:
        return f"{max(10, 10 * round(seconds / 10))} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
