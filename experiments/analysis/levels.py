"""At which accuracy, and at which training loss, are two arms compared? Chosen on tuning seeds alone.

Protocol 2: one level near the best accuracy says little, as both arms meet there or one never comes there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from experiments.analysis.hitting_times import best_sustained
from experiments.analysis.statistics import median

SHORT_OF_THE_LOWER = 0.005  # half a point, where no claim says otherwise
FACTORS_OF_ERROR = (4.0, 2.8, 2.0, 1.4)
MORE_LOSS = 1.05  # 5 % above what the arm that ends higher comes to
MORE_LOWEST = 1.25  # above the lowest that every tuning run comes to, for evaluation runs that come less far
LOSSES = 5  # at which gaps are taken
Curves = Sequence[Sequence[float]]  # of an arm at one rate, one a tuning seed


def sustained(curves: Curves) -> float:
    """Return what an arm comes to at a rate: median over seeds of the best running median of three."""
    return median(np.array([best_sustained(curve) if len(curve) else 0.0 for curve in curves]))


def common_level(curves: Iterable[Sequence[float]], short: float) -> float:
    """Return the accuracy that all runs of a seed come to: the lowest best running median of three, less `short`.

    Where the treatment ends higher this is the measure of Ioffe & Szegedy 2015, "steps to match the baseline". Chosen
    by the pair itself: by a level of all seeds, those with the harder split would never arrive.
    """
    return min(best_sustained(curve) if len(curve) else 0.0 for curve in curves) - short


def ladder(curves: Iterable[Iterable[Curves]], short: float) -> list[float]:
    """Return five levels towards the lower of the arms' best accuracies. curves: of each arm, at each of its rates.

    With e₀ the error there: 1 − e₀ · {4, 2.8, 2, 1.4}, and `short` below it. Levels below half of the best are
    left out: a start is no level.
    """
    best = min(max(map(sustained, of_rates)) for of_rates in curves)
    error = 1 - best
    levels = [*(1 - factor * error for factor in FACTORS_OF_ERROR), best - short]
    return sorted(level for level in set(levels) if level > best / 2)


def common_loss(curves: Iterable[Curves]) -> float:
    """Return the training loss that all arms fall to at a rate: the highest of their medians over seeds, and 5 %."""
    lowest = [median(np.array([_lowest(curve) for curve in of_arm])) for of_arm in curves]
    return max(lowest) * MORE_LOSS


def loss_ladder(curves: Iterable[Curves]) -> list[float]:
    """Return five training losses that every run falls to, in equal ratios from half of the first loss downwards."""
    runs = [curve for of_arm in curves for curve in of_arm]
    lowest = max(_lowest(curve) for curve in runs) * MORE_LOWEST
    first = 0.5 * min((float(curve[0]) for curve in runs if len(curve)), default=np.nan)
    if not lowest < first:
        return []
    return [float(first ** (1 - at) * lowest**at) for at in np.linspace(0, 1, LOSSES)]


def _lowest(curve: Sequence[float]) -> float:
    known = np.asarray(curve, float)
    return float(np.nanmin(known)) if known.size and not np.isnan(known).all() else np.inf
