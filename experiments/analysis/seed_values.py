"""How do the values of one seed become one number, and how are two arms set against each other?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

import numpy as np
import pandas as pd

from experiments.analysis.statistics import median, paired_differences, paired_ratios
from experiments.configuration.claim import PartConfig


def weights(arms: str | Mapping[str, float] | None) -> Mapping[str, float]:
    """Return arms with their weights in the sum that stands on one side of a comparison."""
    return {arms: 1.0} if isinstance(arms, str) else arms or {}


def weighted_sum(values: Mapping[str, np.ndarray], arms: Mapping[str, float]) -> np.ndarray:
    """Sum of the arms' values times their weights, seed by seed. (seeds,) each → (seeds,)."""
    with np.errstate(invalid="ignore"):
        return np.sum([weight * values[arm] for arm, weight in arms.items()], axis=0)


def paired_effects(part: PartConfig, baseline: np.ndarray | None, treatment: np.ndarray) -> np.ndarray:
    """Effect of each seed's pair. (seeds,), (seeds,) → (seeds,); a level is the treatment itself."""
    if baseline is None or part.effect == "level":
        return treatment
    first, second = (treatment, baseline) if part.over == "baseline" else (baseline, treatment)
    return paired_ratios(first, second) if part.effect == "ratio" else paired_differences(first, second)


def largest_relative_difference(baseline: Sequence[float], treatment: Sequence[float]) -> float:
    """Largest |treatment − baseline| / |baseline| over the steps; inf where only one of the two is finite or goes on.

    nan with nothing measured. Serves custom_equals_stock.
    """
    if len(baseline) != len(treatment):
        return np.inf
    if not len(baseline):
        return np.nan
    a, b = np.asarray(baseline, float), np.asarray(treatment, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.abs(b - a) / np.abs(a)
    equal = (a == b) | (np.isnan(a) & np.isnan(b))
    return float(np.where(equal, 0.0, np.where(np.isnan(relative), np.inf, relative)).max())


def reduce_seeds(part: PartConfig, values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Reduce the values of each seed to one number. (cells, seeds) and places on `part.axis` (cells,) → (seeds,).

    value, median: the median over cells; of one value, itself.
    largest_stable_rate (higher_rates): along the rates, from the first that comes within `tolerance` of the arm's best
      accuracy, the last before one that does not; 0 where none does. Rates too small to train within the steps given do
      not count as unstable. With further axes a rate counts by its worst run.
    share_reaching (initialization_matters_less): share of the seed's runs that end within `tolerance`, as a share, of
      the arm's best accuracy.
    rank_correlation (regularizes_more_in_small_batches): Spearman's, of the value with the axis; 0 if constant.
    slope (gradients_explode_with_depth): factor by which the squared value grows per unit of the axis, from a straight
      line through its logarithm.
    The arm's best accuracy is the highest over the grid of the median over seeds.
    """
    best = max(median(of_seeds) for of_seeds in values)
    match part.per_seed:
        case "value" | "median":
            return np.array([median(of_seed) for of_seed in values.T])
        case "largest_stable_rate":
            rates = np.unique(positions)
            worst = np.array([values[positions == rate].min(axis=0) for rate in rates])  # (rates, seeds)
            return np.array([_largest_stable(rates, of_seed >= best - part.tolerance) for of_seed in worst.T])
        case "share_reaching":
            return (values >= (1 - part.tolerance) * best).mean(axis=0)
        case "rank_correlation":
            return np.array([_spearman(positions, of_seed) for of_seed in values.T])
        case "slope":
            return np.array([_growth(positions, of_seed) for of_seed in values.T])
        case _:
            assert_never(part.per_seed)


def _largest_stable(rates: np.ndarray, stable: np.ndarray) -> float:
    if not stable.any():
        return 0.0
    first = int(np.argmax(stable))
    length = int(np.argmin(stable[first:])) or len(stable) - first
    return float(rates[first + length - 1])


def _spearman(positions: np.ndarray, values: np.ndarray) -> float:
    if np.isnan(values).any():
        return np.nan
    ranks = pd.Series(values).rank().to_numpy()
    if np.ptp(ranks) == 0 or np.ptp(positions) == 0:
        return 0.0
    return float(np.corrcoef(pd.Series(positions).rank(), ranks)[0, 1])


def _growth(positions: np.ndarray, values: np.ndarray) -> float:
    if not (np.isfinite(values) & (values > 0)).all() or np.ptp(positions) == 0:
        return np.nan
    return float(np.exp(np.polyfit(positions, np.log(values**2), 1)[0]))
