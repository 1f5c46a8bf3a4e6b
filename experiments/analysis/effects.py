"""What is the effect of each seed, from what its arms come to? Pure functions of a part and of values.

A value is known as an interval, a point mostly; an effect is the smallest and the largest that it leaves possible.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from experiments.configuration.claim import PartConfig

Ends = tuple[np.ndarray, np.ndarray]  # the lower and the upper end of a value, (seeds,) each


def paired_effects(part: PartConfig, sides: Mapping[str, Ends]) -> Ends:
    """Return the ends of each seed's effect in the direction claimed, times 100 for points; nan where there is none.

    sides: arm → what it comes to. A ratio has none of values below 0, or of 0 to 0.
    """
    treatment = sides[part.treatment]
    if part.effect == "level" or part.baseline is None:
        return _scaled(part, treatment)
    baseline = sides[part.baseline]
    over, under = (baseline, treatment) if part.over == "treatment" else (treatment, baseline)
    with np.errstate(divide="ignore", invalid="ignore"):
        match part.effect:
            case "ratio":
                known = (over[0] >= 0) & (under[0] >= 0)
                low, high = over[0] / under[1], over[1] / under[0]
                return np.where(known, low, np.nan), np.where(known, high, np.nan)
            case "recovered":
                assert part.whole
                share = (treatment[0] - baseline[0]) / (sides[part.whole][0] - baseline[0])
                return share, share
            case _:
                return _scaled(part, (over[0] - under[1], over[1] - under[0]))


def _scaled(part: PartConfig, ends: Ends) -> Ends:
    """The ends in the part's unit. Rounded: 0.92 − 0.915 is not short of half a point."""
    low, high = (np.round(end * scale_of(part), 10) for end in ends)
    return low, high


def scale_of(part: PartConfig) -> float:
    """Return what the values of a part are multiplied by."""
    return 100.0 if part.unit == "points" else 1.0


def largest_difference(of: Sequence[float], baseline: Sequence[float]) -> float:
    """Return the largest |a − b| / |b| of two curves' values at the same evaluations, nan where neither was measured.

    inf where one of them ends before the other, as a run that diverges does; nan without any value.
    """
    if len(of) != len(baseline):
        return np.inf
    a, b = np.asarray(of, float), np.asarray(baseline, float)
    measured = ~(np.isnan(a) & np.isnan(b))
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.abs(a - b)[measured] / np.abs(b)[measured]
    return float(shares.max()) if shares.size else np.nan


def one_of_many(part: PartConfig, places: np.ndarray, values: np.ndarray, level: float) -> float:
    """Return the one number that a seed's values along an axis become; nan where there is none.

    places, values: (values,); places are numbers where growth or slope is asked for. level: from where a value trains.
    """
    match part.per_seed:
        case "worst":
            return float(values.min())
        case "share_training":
            return float((values >= level).mean())
        case _ if not (np.isfinite(values) & (values > 0)).all():
            return np.nan
        case "growth":
            return float(np.exp(np.polyfit(places, np.log(values), 1)[0]))
        case "slope":
            doublings, logs = np.log2(places), np.log(values)
            pairs = itertools.combinations(range(len(places)), 2)
            return float(np.median([(logs[j] - logs[i]) / (doublings[j] - doublings[i]) for i, j in pairs]))
        case _:
            raise AssertionError(part.per_seed)
