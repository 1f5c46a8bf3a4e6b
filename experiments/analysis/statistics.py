"""How large is an effect over seeds, how sure is it, and on which side of the margin does it lie?

Rules 5 to 8 of protocol 1. Values may be infinite (a target never reached); nan means that there is no value,
and no function here accepts it silently: an effect with a nan in it has a nan median and no interval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd

from experiments.configuration.claim import Margin

Verdict = Literal["supported", "refuted", "inconclusive"]
RESAMPLES = 10_000
LEVEL = 0.05  # of a p-value, and what a 95 % interval leaves out


@dataclass(frozen=True)
class Estimate:
    """A median over seeds, its 95 % interval, and the one-sided p against a margin."""

    median: float
    low: float
    high: float
    p: float


def paired_ratios(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Ratio of each pair. (seeds,), (seeds,) → (seeds,).

    inf/inf = 1 and 0/0 = 1: neither reached the target, or both at once, is a tie. finite/inf = 0, inf/finite = inf,
    x/0 = inf. A negative value has no ratio: nan.
    """
    numerator, denominator = np.asarray(numerator, float), np.asarray(denominator, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(numerator == denominator, 1.0, numerator / denominator)
    return np.where((numerator < 0) | (denominator < 0), np.nan, ratios)


def paired_differences(minuend: np.ndarray, subtrahend: np.ndarray) -> np.ndarray:
    """Difference of each pair; inf − inf = 0, a tie. (seeds,), (seeds,) → (seeds,)."""
    minuend, subtrahend = np.asarray(minuend, float), np.asarray(subtrahend, float)
    with np.errstate(invalid="ignore"):
        return np.where(minuend == subtrahend, 0.0, minuend - subtrahend)


def median(values: np.ndarray) -> float:
    """Median that takes infinities; nan with a nan among the values, or with −inf and inf in the middle."""
    ordered = np.sort(np.asarray(values, float))  # nan last
    if not ordered.size or np.isnan(ordered[-1]):
        return np.nan
    return float(_middle(ordered[(ordered.size - 1) // 2], ordered[ordered.size // 2]))


def bootstrap_interval(values: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> tuple[float, float]:
    """95 % percentile interval of the median over resampled seeds. (seeds,) → (low, high); infinities allowed.

    The same seed and number of values draw the same seeds, whatever the values. A resample with −inf and inf in its
    middle counts as −inf for the lower end and as inf for the upper. (nan, nan) with a nan among the values.
    """
    ordered = np.sort(np.asarray(values, float))
    if not ordered.size or np.isnan(ordered[-1]):
        return np.nan, np.nan
    lower_rank, upper_rank = _resampled_middle_ranks(ordered.size, seed, resamples)
    medians = _middle(ordered[lower_rank], ordered[upper_rank])  # (resamples,)
    tail = int(resamples * LEVEL / 2)
    low = np.sort(np.where(np.isnan(medians), -np.inf, medians))[tail]
    high = np.sort(np.where(np.isnan(medians), np.inf, medians))[resamples - 1 - tail]
    return float(low), float(high)


@lru_cache(maxsize=32)
def _resampled_middle_ranks(size: int, seed: int, resamples: int) -> tuple[np.ndarray, np.ndarray]:
    """Which ranks stand in the middle of each resample: all that a median needs to know of it. (resamples,) each."""
    drawn = np.sort(np.random.default_rng(seed).integers(0, size, (resamples, size)), axis=1)
    return drawn[:, (size - 1) // 2], drawn[:, size // 2]


def _middle(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Mean of the two middle values; that of two equal infinities is the infinity."""
    with np.errstate(invalid="ignore"):
        return np.where(lower == upper, lower, (lower + upper) / 2)


def signed_rank_p(values: np.ndarray) -> float:
    """Exact one-sided p of Wilcoxon's signed-rank test that the values lie above 0. (seeds,) → p.

    Under the null every |value| keeps its rank and takes either sign with equal chance. Equal magnitudes share their
    middle rank, infinities too. Zeros are ranked with the rest and then add nothing, whatever their sign (Pratt 1959).
    The distribution of the sum is counted over doubled ranks, which are whole numbers. nan with a nan among the values.
    """
    values = np.asarray(values, float)
    if not values.size or np.isnan(values).any():
        return np.nan
    doubled = np.rint(2 * pd.Series(np.abs(values)).rank().to_numpy()).astype(int)  # (seeds,)
    chances = np.zeros(doubled.sum() + 1)  # by doubled rank sum of the positive values
    chances[0] = 1.0
    for rank in doubled[values != 0]:
        chances[rank:] = (chances[rank:] + chances[:-rank]) / 2
        chances[:rank] /= 2
    return min(1.0, float(chances[doubled[values > 0].sum() :].sum()))


def margin_p(effects: np.ndarray, margin: Margin, is_ratio: bool) -> float:
    """Exact one-sided p that the effects lie beyond the margin; ratios are compared as logarithms.

    For a band the larger of the two p against its ends: both have to be passed. Distances from the margin that differ
    by less than 1e-10 are ties, so that rounding errors break none: 3 and 0.75 are equally far from 1.5.
    """

    def distance(bound: float) -> np.ndarray:
        values = np.asarray(effects, float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.round(np.log(values) - np.log(bound) if is_ratio else values - bound, 10)

    lower, upper = bounds(margin)
    against = [distance(lower)] if lower is not None else []
    against += [-distance(upper)] if upper is not None else []
    return max(signed_rank_p(distances) for distances in against)


def bounds(margin: Margin) -> tuple[float | None, float | None]:
    """Return the lower and the upper bound that the margin sets, None where it sets none."""
    if margin.within is not None:
        return margin.within
    lower = margin.at_least if margin.at_least is not None else margin.above
    return lower, margin.at_most if margin.at_most is not None else margin.below


def estimate(effects: np.ndarray, margin: Margin, is_ratio: bool, seed: int = 0) -> Estimate:
    """Median, interval and p of the effects of all seeds (protocol 1, rule 5)."""
    low, high = bootstrap_interval(effects, seed)
    return Estimate(median(effects), low, high, margin_p(effects, margin, is_ratio))


def satisfies(value: float, margin: Margin) -> bool:
    """Whether one value lies beyond the margin; in a band, whether it lies inside. nan does not."""
    if margin.above is not None:
        return value > margin.above
    if margin.below is not None:
        return value < margin.below
    lower, upper = bounds(margin)
    return (lower is None or value >= lower) and (upper is None or value <= upper)


def decide(low: float, high: float, p: float | None, margin: Margin) -> Verdict:
    """Verdict from an interval and an adjusted p (protocol 1, rule 6). p None: a plain bound, which decides.

    Supported: the whole interval beyond the margin and p < 0.05. Refuted: the whole interval short of it; for a band,
    wholly on one side outside.
    """
    if np.isnan(low) or np.isnan(high):
        return "inconclusive"
    if satisfies(low, margin) and satisfies(high, margin):
        return "supported" if p is None or p < LEVEL else "inconclusive"
    lower, upper = bounds(margin)
    short = lower is not None and high <= lower and not satisfies(high, margin)
    beyond = upper is not None and low >= upper and not satisfies(low, margin)
    return "refuted" if short or beyond else "inconclusive"


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p, in the order given: no more than 5 % of tables with no effect have any below 0.05."""
    values = np.asarray(p, float)
    order = np.argsort(values, kind="stable")
    adjusted = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    result = np.empty_like(values)
    result[order] = np.minimum(adjusted, 1.0)
    return result.tolist()


def probability_of_improvement(larger: np.ndarray, smaller: np.ndarray) -> float:
    """Share of all pairs, over all seeds of both, in which a value of `larger` exceeds one of `smaller`; ties half.

    (seeds of the one,), (seeds of the other,) → share.
    """
    first, second = np.asarray(larger, float)[:, None], np.asarray(smaller, float)[None, :]
    return float(np.mean((first > second) + 0.5 * (first == second)))


def false_support_share(
    values: np.ndarray, effect: Literal["ratio", "difference"], seed: int, splits: int = 1000
) -> float:
    """A/A check (protocol 1, rule 8): share of random halvings of one arm that come out "supported" with no effect.

    values: (seeds,), one arm's. The halves are paired in random order and judged like two arms against ratio > 1 or
    difference > 0.
    """
    rng, margin = np.random.default_rng(seed), Margin(above=1.0 if effect == "ratio" else 0.0)
    paired: Callable[[np.ndarray, np.ndarray], np.ndarray] = paired_ratios if effect == "ratio" else paired_differences
    half, supported = len(values) // 2, 0
    for _ in range(splits):
        shuffled = rng.permutation(np.asarray(values, float))
        effects = paired(shuffled[:half], shuffled[half : 2 * half])
        found = estimate(effects, margin, effect == "ratio")
        supported += decide(found.low, found.high, found.p, margin) == "supported"
    return supported / splits


def interval_coverage(seed: int, draws: int = 1000, seeds: int = 20, true_ratio: float = 2.0) -> float:
    """Rule 8's other half: share of synthetic experiments whose interval covers the known effect.

    Each draws `seeds` pairs of log-normal values: a difficulty that the pair shares, noise of each arm's own, and a
    baseline `true_ratio` times its treatment.
    """
    rng, covered = np.random.default_rng(seed), 0
    for _ in range(draws):
        difficulty, noise, other = rng.normal(0.0, 0.3, (3, seeds))
        ratios = paired_ratios(true_ratio * np.exp(difficulty + noise), np.exp(difficulty + other))
        low, high = bootstrap_interval(ratios)
        covered += low <= true_ratio <= high
    return covered / draws
