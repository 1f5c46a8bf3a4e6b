"""What do all specifications of a claim come to, in words?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import pandas as pd

from experiments.analysis.specifications import Multiverse, SignFlips
from experiments.analysis.statistics import Verdict
from experiments.configuration.claim import ClaimConfig
from experiments.reporting.wording import SYMBOLS, format_value, verdict_words

OF_SPECIFICATIONS: tuple[Verdict, ...] = ("supported", "no material difference", "reversed", "unresolved")
NAMED = 0.05  # of the variance, from which on a choice is named


def headline(found: Multiverse) -> str:
    """Return in one sentence how far a verdict holds: '✓ in 64 of 72 settings, by net 67 % (cnn) to 100 % (relu)'."""
    if found.word == "not tested":
        return "no setting has an effect to compare"
    share = f"{100 * found.agreeing / found.tested:.0f} %"
    words = f"{SYMBOLS[found.verdict]} in {found.agreeing:,} of {found.tested:,} settings ({share})"
    choice, shares = found.widest
    if not shares or len(set(shares.values())) < 2:
        return words
    (least, low), *_, (most, high) = shares.items()
    return f"{words}, by {choice} from {100 * low:.0f} % ({least}) to {100 * high:.0f} % ({most})"


def robustness(found: Multiverse) -> str:
    """Return the word of the protocol: 'robust', 'mostly', '◐ depends on net'."""
    return f"{SYMBOLS['depends']} depends on {found.decisive}" if found.word == "depends" else found.word


def described_words(claim: ClaimConfig, table: pd.DataFrame, found: Multiverse) -> Iterator[str]:
    """Yield what is to be said of a claim's specifications, a paragraph each."""
    yield f"{robustness(found)}: {headline(found)}"
    shares = [
        f"{verdict_words(verdict)} {100 * found.counts.get(verdict, 0) / found.tested:.0f} %"
        for verdict in OF_SPECIFICATIONS
        if found.tested and found.counts.get(verdict, 0)
    ]
    seeds = claim.specifications.seeds if claim.specifications else 0
    if shares:
        yield f"by the median of {seeds} seeds, which describes and does not decide: {', '.join(shares)}"
    named = [f"{choice} {100 * share:.0f} %" for choice, share in found.shares.items() if share >= NAMED]
    if named:
        yield f"variance of the effect: {', '.join(named)}, their interplay {100 * found.rest:.0f} %"
    if found.flips:
        yield _flips(found.flips, claim)
    reasons = Counter(table.loc[table["verdict"] == "not tested", "reason"])
    for reason, count in reasons.most_common():
        yield f"{SYMBOLS['not tested']} {count:,}: {reason}"


def _flips(flips: SignFlips, claim: ClaimConfig) -> str:
    assert claim.specifications
    part = claim.specifications.part
    effect = math.exp(flips.median) if part.effect == "ratio" else flips.median
    return (
        f"all {flips.specifications:,} with a value of every seed: median {format_value(effect, part)}, "
        f"p = {flips.p_median:.2g}; all seeds on one side in {100 * flips.unanimous:.0f} %, "
        f"p = {flips.p_unanimous:.2g} "
        f"(a seed's signs flipped together; {2 / 2**flips.seeds:.2g} is the least that {flips.seeds} seeds can have)"
    )
