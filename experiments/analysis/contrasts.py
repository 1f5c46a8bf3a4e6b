"""How does every arm differ from the first of its network, whether the experiment makes a claim or not?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from experiments.analysis.statistics import Band, band_of
from experiments.analysis.summary import Estimate, Key, Network, Outcome, by_seed, estimate

Side = Literal["more", "less", "same", "open"]
RATIO, POINTS, POINTS_ON_DIGITS = 1.25, 0.5, 1.0  # the bands of protocol 2, rule 7


@dataclass(frozen=True)
class Effect:
    """A paired effect over the seeds, and on which side of the band its whole interval lies; open: on none.

    A range, of fewer than 6 seeds, settles nothing. A verdict asks for more: 17 of 20 seeds.
    """

    estimate: Estimate
    side: Side


@dataclass(frozen=True)
class Contrast:
    """One arm against the first, each at its best learning rate, paired seed by seed.

    speed_up: ratio of the steps to the level, the first arm's over this one's: more is faster. accuracy: difference of
    the test accuracies at the end, in points. None without pairs.
    """

    arm: str
    speed_up: Effect | None
    accuracy: Effect | None


def contrasts(network: Network, points: float = POINTS) -> list[Contrast]:
    """Return every other arm against the first. points: differences of accuracy up to these are not material."""
    first, *others = (arm.arm for arm in network.arms)
    return [_contrast(network, first, arm, points) for arm in others]


def _contrast(network: Network, first: str, arm: str, points: float) -> Contrast:
    pairs = {
        key: (run, network.outcomes[arm][key])
        for key, run in network.outcomes[first].items()
        if key in network.outcomes[arm]
    }
    gains = {key: 100 * (run.test - base.test) for key, (base, run) in pairs.items()}
    gains = {key: round(gain, 10) for key, gain in gains.items() if not np.isnan(gain)}  # 0.92 − 0.915 is half a point
    accuracy = _effect(gains, gains, band_of(points, is_ratio=False))
    if network.level is None:
        return Contrast(arm, None, accuracy)
    ratios = {key: _ratio(*pair, network.level.accuracy) for key, pair in pairs.items()}
    low, high = ({key: ends[end] for key, ends in ratios.items()} for end in (0, 1))
    return Contrast(arm, _effect(low, high, band_of(RATIO, is_ratio=True), is_ratio=True), accuracy)


def _ratio(base: Outcome, run: Outcome, level: float) -> tuple[float, float]:
    """The ends between which steps of `base` over steps of `run` lie."""
    (low, high), (least, most) = base.steps_to(level), run.steps_to(level)
    return low / most, high / least


def _effect(low: Mapping[Key, float], high: Mapping[Key, float], band: Band, is_ratio: bool = False) -> Effect | None:
    lows, highs = by_seed(low, is_ratio), by_seed(high, is_ratio)
    found = estimate(lows, highs, is_ratio)
    return Effect(found, _side(found, band)) if found else None


def _side(found: Estimate, band: Band) -> Side:
    low, high = found.interval
    if found.is_range:
        return "open"
    if low > band.high:
        return "more"
    if high < band.low:
        return "less"
    return "same" if low > band.low and high < band.high else "open"
