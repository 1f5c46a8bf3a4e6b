"""How much of a verdict is its settings? The effects of all specifications of a claim, and what moves them.

It describes: five seeds decide nothing by the sign rule, and specifications do not vote (Del Giudice & Gangestad 2021).
After Simonsohn, Simmons & Nelson 2020, "Specification curve analysis".
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from experiments.analysis import statistics
from experiments.analysis.claims import DECIDED
from experiments.analysis.comparison import compare
from experiments.analysis.part_runs import Results
from experiments.analysis.statistics import Band, Verdict, band_of
from experiments.configuration.claim import LEVEL, RUNGS, ClaimConfig
from experiments.configuration.specifications import Specification, preferred_options

ROBUST, MOSTLY = 0.9, 2 / 3  # of the specifications with an effect agree with the verdict
Word = Literal["robust", "mostly", "depends", "not tested"]


def effect_rows(specification: Specification, source: Results, claim: ClaimConfig) -> Iterator[dict[str, Any]]:
    """Yield the rows of a specification: one, or one a level on a ladder.

    Its options by choice; effect_low, effect_high: the ends of the median over seeds; seeds_low, seeds_high: of each
    seed; verdict by the median; reason: why there is no effect; preferred: whether it is the claim's own.
    """
    config, part = claim.specifications, specification.part
    assert config
    own, is_ratio = preferred_options(config), part.effect == "ratio"
    band = band_of(claim.band_of(part), is_ratio)
    for found in compare(part, source, None, claim):
        low, high = (statistics.median(ends, is_ratio) for ends in (found.low, found.high))
        row = {
            "effect_low": low,
            "effect_high": high,
            "seeds_low": found.low.tolist(),
            "seeds_high": found.high.tolist(),
            "verdict": "not tested" if found.problem else by_median(low, high, band, part.expect),
            "reason": found.problem,
        }
        rungs = [RUNGS[found.rungs[LEVEL]]] if LEVEL in found.rungs else RUNGS
        for rung in rungs if config.on_ladder else [None]:
            options = dict(specification.options) | ({LEVEL: rung} if rung else {})
            yield {**options, **row, "preferred": options == own}


def by_median(low: float, high: float, band: Band, expect: Literal["more", "not_less"] = "more") -> Verdict:
    """Verdict from the ends between which a median lies; unresolved where the band's bound lies between them."""
    if expect == "not_less":
        return "supported" if low >= band.low else "reversed" if high < band.low else "unresolved"
    if low > band.high:
        return "supported"
    if high < band.low:
        return "reversed"
    return "no material difference" if low >= band.low and high <= band.high else "unresolved"


@dataclass(frozen=True)
class SignFlips:
    """The joint test of all specifications: the signs of a seed's effects are flipped in all of them at once.

    median: of the specifications' effects, each the mean over seeds, ratios as logarithms. unanimous: share of the
    specifications all of whose seeds lie on one side of no effect, the side of most. p_median, p_unanimous: share of
    all 2^seeds flips that come to as much, in either direction; 2 / 2^seeds at least. specifications: how many have a
    value of every seed.
    """

    median: float
    p_median: float
    unanimous: float
    p_unanimous: float
    seeds: int
    specifications: int


@dataclass(frozen=True)
class Multiverse:
    """What the specifications of a claim come to.

    counts: verdict by the median → specifications. verdict: the claim's, with which `agreeing` of the `tested` agree.
    shares: choice → share of the variance of the effect, the largest first; rest: what no choice explains by itself.
    by_option: choice → option → which share of its specifications agrees.
    """

    counts: Mapping[Verdict, int]
    verdict: Verdict
    agreeing: int
    tested: int
    word: Word
    shares: Mapping[str, float]
    rest: float
    flips: SignFlips | None
    by_option: Mapping[str, Mapping[str, float]]

    @property
    def decisive(self) -> str:
        """The choice that moves the effect most; "" where none does."""
        choice = next(iter(self.shares), "")
        return choice if choice and self.shares[choice] > 0 else ""

    @property
    def widest(self) -> tuple[str, Mapping[str, float]]:
        """The choice whose options agree least alike, and the share of each, the smallest first; ("", {}) without."""
        choice = max(self.by_option, key=lambda name: np.ptp([*self.by_option[name].values()]), default="")
        found = self.by_option.get(choice, {})
        return choice, dict(sorted(found.items(), key=lambda item: item[1]))


def describe(table: pd.DataFrame, choices: Sequence[str], is_ratio: bool, verdict: Verdict | None) -> Multiverse:
    """Return what a table of specifications comes to.

    verdict: the claim's; where it has none that a specification may have, that of its own specification.
    """
    counts: dict[Verdict, int] = Counter(table["verdict"].tolist())
    if verdict not in DECIDED:
        own = table.loc[table["preferred"], "verdict"]
        verdict = own.iloc[0] if len(own) else "not tested"
    tested = len(table) - counts.get("not tested", 0)
    agreeing = counts.get(verdict, 0) if verdict in DECIDED else 0
    sizes = known_size(table["effect_low"].to_numpy(float), table["effect_high"].to_numpy(float), is_ratio)
    known = np.isfinite(sizes)
    shares, rest = variance_shares(table.loc[known, list(choices)], sizes[known])
    word: Word = "not tested"
    if tested and verdict in DECIDED:
        share = agreeing / tested
        word = "robust" if share >= ROBUST else "mostly" if share >= MOSTLY - 1e-9 else "depends"
    agrees = (table["verdict"] == verdict)[table["verdict"] != "not tested"]
    by_option = {
        str(choice): {str(option): float(of.mean()) for option, of in agrees.groupby(table[choice])}
        for choice in choices
    }
    return Multiverse(
        counts,
        verdict,
        agreeing,
        tested,
        word,
        shares,
        rest,
        _flips(table, is_ratio),
        {choice: found for choice, found in by_option.items() if found},
    )


def known_size(low: np.ndarray, high: np.ndarray, is_ratio: bool) -> np.ndarray:
    """Return effects as single numbers, ratios as logarithms; nan where nothing is known.

    The middle of what is possible; where one end is open, the other: an effect of at least 5 counts as 5.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = (np.log(low), np.log(high)) if is_ratio else (low, high)
        middle = (low + high) / 2
    open_low, open_high = ~np.isfinite(low), ~np.isfinite(high)
    return np.select([open_low & open_high, open_low, open_high], [np.nan, high, low], middle)


def variance_shares(options: pd.DataFrame, sizes: np.ndarray) -> tuple[dict[str, float], float]:
    """Return choice → share η² of the variance of effects that goes when it is left out of a sum of main effects.

    options: (specifications, choices). sizes: (specifications,). The largest share first, and what the sum of all
    leaves unexplained: what choices do together. Where all combinations are there, a share is SS between over SS total.
    """
    if len(sizes) < 2 or np.ptp(sizes) == 0:
        return dict.fromkeys(options.columns, 0.0), 0.0
    total = float(((sizes - sizes.mean()) ** 2).sum())
    dummies = {str(choice): pd.get_dummies(options[choice]).to_numpy(float) for choice in options}

    def unexplained(choices: Iterable[str]) -> float:
        columns = np.column_stack([np.ones(len(sizes)), *(dummies[choice] for choice in choices)])
        fitted = columns @ np.linalg.lstsq(columns, sizes, rcond=None)[0]
        return float(((sizes - fitted) ** 2).sum()) / total

    rest = unexplained(dummies)
    shares = {choice: unexplained(other for other in dummies if other != choice) - rest for choice in dummies}
    return dict(sorted(shares.items(), key=lambda item: -item[1])), rest


def sign_flips(effects: np.ndarray) -> SignFlips:
    """Test jointly whether there is an effect. effects: (specifications, seeds), 0 for none, ratios as logarithms.

    Without an effect, a seed's pair of arms might as well have been exchanged, in all specifications at once. Exact.
    Means over seeds, as a median takes the same size from any majority.
    """

    def both(flip: np.ndarray) -> tuple[float, float]:
        flipped = effects * flip
        unanimous = max(np.mean((flipped > 0).all(axis=1)), np.mean((flipped < 0).all(axis=1)))
        return float(np.median(flipped.mean(axis=1))), float(unanimous)

    seeds = effects.shape[1]
    median, unanimous = both(np.ones(seeds))
    flips = [both(np.array(flip)) for flip in itertools.product((1.0, -1.0), repeat=seeds)]
    p_median = float(np.mean([abs(other) >= abs(median) - 1e-12 for other, _ in flips]))
    p_unanimous = float(np.mean([other >= unanimous - 1e-12 for _, other in flips]))
    return SignFlips(median, p_median, unanimous, p_unanimous, seeds, len(effects))


def _flips(table: pd.DataFrame, is_ratio: bool) -> SignFlips | None:
    rows = [
        known_size(np.array(low, float), np.array(high, float), is_ratio)
        for low, high in zip(table["seeds_low"], table["seeds_high"], strict=True)
    ]
    complete = [row for row in rows if len(row) and np.isfinite(row).all()]
    return sign_flips(np.array(complete)) if complete else None
