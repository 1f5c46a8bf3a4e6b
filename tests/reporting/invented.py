"""Claims with invented seeds, judged: what reports, pages and figures are made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from experiments.analysis.claims import ClaimResult
from tests.judging import ACCURACY, TEST, by_accuracy, judged, results, runs

COST = {"measure": "seconds_per_step", "effect": "ratio", "over": "baseline", "baseline": "no_bn", "treatment": "bn"}
STEPS = {"measure": "steps_to_level", "level": 0.5, "effect": "ratio", "over": "treatment", "unit": "steps",
         "baseline": "no_bn", "treatment": "bn"}  # fmt: skip
SPREAD = np.linspace(0.9, 1.1, 20)


def ratio(times: float, name: str = "faster", **changes: Any) -> ClaimResult:
    """A claim whose ratio is `times`, and up to a tenth more or less by seed."""
    rows = [*runs("no_bn", seconds_per_step=1.0), *runs("bn", seconds_per_step=times * SPREAD)]
    return replace(judged(results(rows), COST | changes, source_says="3 times"), id=name)


def points(difference: float, name: str = "better", **changes: Any) -> ClaimResult:
    """A claim whose accuracy is `difference` points higher in every seed."""
    found = by_accuracy(0.9, 0.9 + difference / 100)
    return replace(judged(found, ACCURACY | changes), id=name)


def untested(name: str = "open") -> ClaimResult:
    return replace(judged(results(runs("no_bn", **{TEST: 0.9})), ACCURACY), id=name)


def several(name: str = "by_net") -> ClaimResult:
    """✓ on relu, ≈ on cnn."""
    fast = [*runs("no_bn", seconds_per_step=1.0), *runs("bn", seconds_per_step=2 * SPREAD)]
    same = [*runs("no_bn", seconds_per_step=1.0), *runs("bn", seconds_per_step=SPREAD)]
    sources = {"relu": results(fast), "cnn": results(same)}
    parts = [COST | {"runs": net, "where": {"net": net}} for net in sources]
    return replace(judged(sources, *parts), id=name)
