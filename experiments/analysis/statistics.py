"""On which side of the band of no material difference does an effect lie, seed by seed? Rules 6, 7 and 9 of protocol 2.

An effect is known as an interval for every seed, a point mostly: where a run never reached a level, only a bound is
known, and a decision has to hold wherever in the interval the truth lies. nan means that there is no value, and no
function here accepts it silently.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import numpy as np

Verdict = Literal["supported", "no material difference", "reversed", "depends", "unresolved", "not tested"]
DECISIVE = 0.0013  # one-sided p of the sign rule: 17 of 20 seeds, all of 10
USUAL = 0.025  # at each end of the interval printed beside
FEWEST_SEEDS = 10  # with fewer, no count is decisive
MOST_SEEDS = 200  # beyond which no number of seeds is named: it would be that of an effect at the band's end


@dataclass(frozen=True)
class Band:
    """No material difference: from `low` to `high`, around `neutral`."""

    low: float
    neutral: float
    high: float


def band_of(delta: float, is_ratio: bool) -> Band:
    """Return 1/δ … δ around 1 for ratios, −δ … δ around 0 for differences."""
    return Band(1 / delta, 1.0, delta) if is_ratio else Band(-delta, 0.0, delta)


@lru_cache(maxsize=1024)
def decisive_count(seeds: int, p: float = DECISIVE) -> int | None:
    """Return the fewest of so many seeds that a fair coin reaches with a probability of at most `p`; None if not all.

    17 of 20 (0.00129), all of 10 (0.00098); with p = 0.025, 15 of 20.
    """
    most = int(Fraction(p) * 2**seeds)  # ways, exactly: 2¹⁰²⁴ is no float
    ways, tail, count = 1, 1, seeds  # of exactly, and of at least, so many seeds
    while tail <= most:
        ways = ways * count // (seeds - count + 1)
        tail, count = tail + ways, count - 1
    return count + 1 if count < seeds else None


def coverage(seeds: int, p: float = DECISIVE) -> float:
    """Return the probability that `order_interval` of so many seeds holds the median; nan with too few seeds.

    0.9974 of 20 seeds, 0.9980 of 10; with p = 0.025, 0.959 and 0.979.
    """
    count = decisive_count(seeds, p)
    if count is None:
        return np.nan
    return float(1 - 2 * Fraction(sum(math.comb(seeds, n) for n in range(count, seeds + 1)), 2**seeds))


def median(values: np.ndarray, is_ratio: bool = False) -> float:
    """Median that takes infinities, of ratios as of logarithms.

    nan with a nan among them, or where the two in the middle have no mean: −inf and inf, of ratios 0 and inf.
    """
    ordered = np.sort(np.asarray(values, float))  # nan last
    if not ordered.size or np.isnan(ordered[-1]):
        return np.nan
    first, second = ordered[(ordered.size - 1) // 2], ordered[ordered.size // 2]
    if first == second:
        return float(first)
    with np.errstate(invalid="ignore"):
        return float(np.sqrt(first) * np.sqrt(second)) if is_ratio else float(0.5 * first + 0.5 * second)


def order_interval(low: np.ndarray, high: np.ndarray, p: float = DECISIVE) -> tuple[float, float]:
    """Return the order statistics between which the median lies, but for probability `p` at each end.

    Of 20 seeds x₍₄₎ … x₍₁₇₎; with p = 0.025, x₍₆₎ … x₍₁₅₎. low, high: (seeds,), the ends of each seed's effect.
    (nan, nan) with a nan among them or too few seeds.
    """
    count = decisive_count(len(low), p)
    if count is None or np.isnan(low).any() or np.isnan(high).any():
        return np.nan, np.nan
    return float(np.sort(low)[len(low) - count]), float(np.sort(high)[count - 1])


def decide(low: np.ndarray, high: np.ndarray, band: Band, expect: Literal["more", "not_less"] = "more") -> Verdict:
    """Verdict from the effects of all seeds, in the direction claimed (rules 6 and 7).

    Beyond a bound is what lies beyond it in a decisive count of the seeds. A claim that there is no less is supported
    above the lower end of the band, and reversed below it.
    """
    decided = order_interval(low, high)
    if np.isnan(decided).any():
        return "not tested"
    if expect == "not_less":
        return "supported" if decided[0] >= band.low else "reversed" if decided[1] < band.low else "unresolved"
    if decided[0] > band.high:
        return "supported"
    if decided[1] < band.low:
        return "reversed"
    within = decided[0] >= band.low and decided[1] <= band.high  # the bounds belong to the band
    return "no material difference" if within else "unresolved"


def seeds_to_resolve(low: np.ndarray, high: np.ndarray, band: Band) -> int | None:
    """Return how many seeds would decide, did the share of seeds on each side of the bounds stay as it is seen.

    None where no bound has more than half of the seeds on the side of the median, or it would take over 200.
    """
    beyond = max(np.mean(low > band.high), np.mean(high < band.low))
    within = min(np.mean(low >= band.low), np.mean(high <= band.high))
    share = max(beyond, within)
    if share <= 0.5:
        return None
    # Where the share exceeds a half by d, about (z / 2d)² seeds; from there on, counted.
    n = FEWEST_SEEDS
    while n <= MOST_SEEDS:
        count = decisive_count(n)
        if count is not None and round(share * n, 9) >= count:
            return n
        n += max(1, n // 20)
    return None


@dataclass(frozen=True)
class AACheck:
    """What comes of one arm set against itself (rule 9): shares of random halvings, and of draws with a known effect.

    found: a difference where there is none. same: no material difference, as it is. covered: the usual interval holds
    the known effect.
    """

    found: float
    same: float
    splits: int
    covered: float
    draws: int


def aa_check(values: np.ndarray, delta: float, seed: int = 0, times: int = 1000) -> AACheck:
    """Pair halves of one arm's values in random order, as two arms; and draw synthetic seeds with an effect of 2.

    values: (seeds,), positive: compared as ratios. The synthetic pairs are log-normal: a difficulty that both share,
    and noise of each arm's own.
    """
    rng, band = np.random.default_rng(seed), band_of(delta, is_ratio=True)
    half, verdicts = len(values) // 2, []
    for _ in range(times):
        shuffled = rng.permutation(np.asarray(values, float))
        ratios = shuffled[:half] / shuffled[half : 2 * half]
        verdicts.append(decide(ratios, ratios, band, "more"))
    covered = 0
    for _ in range(times):
        difficulty, noise, other = rng.normal(0.0, 0.3, (3, 20))
        ratios = 2.0 * np.exp(difficulty + noise) / np.exp(difficulty + other)
        low, high = order_interval(ratios, ratios, USUAL)
        covered += low <= 2.0 <= high
    found = sum(verdict in ("supported", "reversed") for verdict in verdicts)
    return AACheck(found / times, verdicts.count("no material difference") / times, times, covered / times, times)
