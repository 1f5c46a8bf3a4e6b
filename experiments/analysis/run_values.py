"""What does one run come to by a part's measure? From its row of the results table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from experiments.analysis.hitting_times import falling_time, hitting_time, late
from experiments.analysis.measures import ACCURACY, TRAIN_LOSS, columns_of, worst_outcome
from experiments.configuration.claim import PartConfig

LEAST_GAP = 0.01  # of the training loss
Column = Callable[[str], Any]  # a column's name → what stands there in the run's row


@dataclass(frozen=True)
class Sought:
    """level: accuracy to reach, unless by_seed has one. loss: training loss at, or down to, which is measured."""

    level: float | None = None
    loss: float | None = None
    by_seed: Mapping[int, float] = field(default_factory=dict)

    def of(self, seed: int) -> Sought:
        """Return what is sought of the runs of one seed."""
        return replace(self, level=self.by_seed.get(seed, self.level))


def value_of(part: PartConfig, column: Column, sought: Sought) -> tuple[float, float]:
    """Return the ends between which a run's value lies: equal, unless a level was never reached in the steps given.

    (nan, nan) where there is none.
    """
    value = _value(part, column, sought)
    if part.measure == "steps_to_level" and np.isinf(value):
        return part.budget * float(column("steps")), np.inf
    return value, value


def _value(part: PartConfig, column: Column, sought: Sought) -> float:
    names = columns_of(part)
    diverged, every = column("status") == "diverged", int(column("evaluate_every"))
    metric = part.metric or ACCURACY
    match part.measure:
        case "steps_to_level":
            assert sought.level is not None
            curve = curve_within(part, column, names[0])
            return np.inf if diverged else hitting_time(curve, every, sought.level, part.in_a_row)
        case "gap_at_training_loss":
            assert sought.loss is not None
            return _relative_gap(_curve(column, names[0]), _curve(column, names[1]), sought.loss)
        case "value_at_step":
            return _at_step(
                _curve(column, names[0]), part.step or 0, every, worst_outcome(metric) if diverged else np.nan
            )
        case "late_value" | "mean_value" | "drift":
            if diverged:
                return np.inf if part.measure == "drift" else worst_outcome(metric)
            curve = _curve(column, names[0])
            last = len(curve) - 1
            if part.step is not None:
                last = part.step // every
            elif part.budget < 1:
                last = min(last, _within(part, column))
            if sought.loss is not None:
                last = _index(falling_time(_curve(column, TRAIN_LOSS), every, sought.loss), every, last)
            return _of_curve(part, curve[: last + 1], last)
        case _:
            value = column(names[0])
            return np.nan if value is None else float(value)


def curve_within(part: PartConfig, column: Column, name: str) -> np.ndarray:
    """Return a run's curve up to the last evaluation within the budget."""
    curve = _curve(column, name)
    return curve[: _within(part, column) + 1] if part.budget < 1 else curve


def _within(part: PartConfig, column: Column) -> int:
    """The last evaluation within the budget."""
    return int(part.budget * column("steps")) // int(column("evaluate_every"))


def _curve(column: Column, name: str) -> np.ndarray:
    found = column(name)
    if (found is None or not len(found)) and "/moving_" in name:  # of a network that has no such statistics
        found = column(name.partition("/moving_")[0])
    return np.asarray([] if found is None else found, float)


def _index(steps: float, every: int, last: int) -> int:
    return last if np.isinf(steps) else min(last, max(1, int(np.ceil(steps / every))))


def _of_curve(part: PartConfig, curve: np.ndarray, last: int) -> float:
    if len(curve) <= last or not len(curve):
        return np.nan
    match part.measure:
        case "late_value":
            return float(curve[-1]) if part.matched else late(curve)
        case "mean_value":
            return float(np.nanmean(curve)) if not np.isnan(curve).all() else np.nan
        case _:
            return float(curve[-1])


def _at_step(curve: np.ndarray, step: int, every: int, after: float) -> float:
    """The value at exactly this step; nan between evaluations, `after` where the curve had ended."""
    if step % every:
        return np.nan
    return float(curve[step // every]) if step // every < len(curve) else after


def _relative_gap(training: np.ndarray, test: np.ndarray, level: float) -> float:
    """What test loss is above training loss where that first falls to `level`, on the line between evaluations.

    As a share of it, and LEAST_GAP at least, as gaps are compared as ratios.
    """
    at = falling_time(training, 1, level)
    if np.isinf(at) or not len(test):
        return np.nan
    return max(LEAST_GAP, float(np.interp(at, np.arange(len(test)), test) / level) - 1)
