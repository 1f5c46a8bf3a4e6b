"""When does a curve reach a level, and what does it come to? τ(L) of protocol 2."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Values = Sequence[float] | np.ndarray  # (evaluations,)
IN_A_ROW = 2  # evaluations that have to be at the level: one may be luck
WIDTH = 3  # of the running median


def hitting_time(values: Values, every: int, level: float, in_a_row: int = IN_A_ROW) -> float:
    """Return the step at which a curve first is at `level` or above in so many evaluations in a row.

    values: (evaluations,), the first at step 0, the others `every` steps apart. Between the last evaluation below the
    level and the first at it, the step is taken from a straight line. inf if never, nan where the curve was not
    measured at every evaluation.
    """
    curve = np.asarray(values, float)
    if not curve.size or np.isnan(curve).any():
        return np.nan
    reached = np.append(curve >= level, [False] * in_a_row)
    runs = np.all([reached[shift : shift + len(curve)] for shift in range(in_a_row)], axis=0)
    if not runs.any():
        return np.inf
    first = int(np.argmax(runs))
    if first == 0:
        return 0.0
    below, at = curve[first - 1], curve[first]
    return float(every * (first - 1 + (level - below) / (at - below)))


def falling_time(values: Values, every: int, level: float) -> float:
    """Return the step at which a curve, such as a loss, first is at `level` or below; inf if never, nan passed over."""
    curve = np.asarray(values, float)
    known = np.flatnonzero(~np.isnan(curve))
    reached = known[curve[known] <= level]
    if not reached.size:
        return np.inf
    first = reached[0]
    before = known[known < first]
    if not before.size:
        return float(every * first)
    above, at = curve[before[-1]], curve[first]
    return float(every * (before[-1] + (first - before[-1]) * (above - level) / (above - at)))


def late(values: Values) -> float:
    """Return the median of the last three values, of all where there are fewer; nan without any."""
    return float(np.median(values[-WIDTH:])) if len(values) else np.nan


def best_sustained(values: Values) -> float:
    """Return the highest running median of three, of all where there are fewer; nan without any."""
    curve = np.asarray(values, float)
    if len(curve) < WIDTH:
        return late(curve)
    return float(np.median(np.lib.stride_tricks.sliding_window_view(curve, WIDTH), axis=1).max())
