"""Is the claim supported, refuted or inconclusive?

Verdicts from a results table and the claim's own words, nothing else: no TensorFlow, no files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from experiments.config import ClaimConfig, PartConfig

Verdict = Literal["supported", "refuted", "inconclusive"]


@dataclass(frozen=True)
class PartResult:
    """One comparison with its numbers.

    effects: seed → effect of that seed's pair; estimate, low, high: their median and its 95 % interval.
    p: one-sided, against the margin; p_adjusted: after Holm over the table; both None for exact claims.
    direction: how a refuted effect stands: "smaller than claimed", "absent" or "reversed"; else empty.
    """

    config: PartConfig
    effects: Mapping[int, float]
    estimate: float
    low: float
    high: float
    p: float | None
    p_adjusted: float | None
    probability_of_improvement: float | None
    baseline_median: float | None
    treatment_median: float | None
    verdict: Verdict
    reason: str
    direction: str = ""


@dataclass(frozen=True)
class ClaimResult:
    """The verdict on one claim. `tuned`: arm (with the values it was tuned for) → its best rate."""

    id: str
    config: ClaimConfig
    verdict: Verdict
    reason: str
    parts: tuple[PartResult, ...]
    tuned: Mapping[str, Any] = field(default_factory=dict)
