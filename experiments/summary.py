"""What came out, for a reader who has not seen the documentation: one row an arm, at its best learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.config import ExperimentConfig
from experiments.tuning import plain, tuned_rates

RATE = "optimizer.learning_rate"


@dataclass(frozen=True)
class ArmSummary:
    """One arm (and grid values, where there are several) at its best learning rate, over its evaluation seeds.

    steps_to_target, test_accuracy: (median, lower quartile, upper quartile); None where not measured.
    """

    arm: str
    best_rate: float | None
    at_edge: bool
    seeds: int
    steps_to_target: tuple[float, float, float] | None
    test_accuracy: tuple[float, float, float]
    diverged: int
    runs: int


def summarize(config: ExperimentConfig, table: pd.DataFrame) -> list[ArmSummary]:
    """Return a row per arm. The best rate is the tuned one or, without tuning, that of the best validation accuracy."""
    steps = next((c for c in table.columns if c.startswith("steps_to_target")), None)
    tuned = tuned_rates(table, config)
    rows = []
    for arm in config.arms:
        runs = table[table["arm"] == arm]
        evaluated = runs[runs["seed"].isin(config.seeds)]
        rate, at_edge = None, False
        if RATE in config.grid and not runs.empty:
            if tuned and config.tuning and config.tuning.over == RATE and (arm, ()) in tuned:
                rate, at_edge = tuned[arm, ()].value, tuned[arm, ()].at_edge
            elif not evaluated.empty:
                rate = float(evaluated.groupby(RATE)["final_validation_accuracy"].mean().idxmax())
            if rate is not None:
                evaluated = evaluated[evaluated[RATE] == rate]
        rows.append(
            ArmSummary(
                arm,
                None if rate is None else float(plain(rate)),
                at_edge,
                evaluated["seed"].nunique(),
                _quartiles(evaluated[steps]) if steps else None,
                _quartiles(evaluated["final_test_accuracy"]),
                int((runs["status"] == "diverged").sum()),
                len(runs),
            )
        )
    return rows


def target_of(config: ExperimentConfig) -> float | None:
    """Return the accuracy that steps are counted to, None where the experiment names none."""
    return config.claim.target if config.claim else None


def _quartiles(values: Sequence[float] | pd.Series) -> tuple[float, float, float]:
    """Median and quartiles; a target that was never reached counts as infinitely many steps."""
    array = np.sort(np.asarray(values, float))
    if not len(array):
        return np.nan, np.nan, np.nan
    with np.errstate(invalid="ignore"):
        low, middle, high = (float(np.quantile(array, q, method="nearest")) for q in (0.25, 0.5, 0.75))
    return middle, low, high
