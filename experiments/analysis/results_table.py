"""What does each run of an experiment come to? One row a run, from which every verdict can be recomputed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from experiments.analysis.measures import (
    best_value,
    final_value,
    late_value,
    measure_value,
    measured_metric,
    needs_target,
    part_target,
    seconds_per_step,
)
from experiments.configuration.claim import ClaimConfig, PartConfig
from experiments.records.storage import Record


def column_name(part: PartConfig, claim: ClaimConfig) -> str:
    """Return the column of the results table that holds a part's measure, such as "drift" or
    "steps_to_target(accuracy/validation, 0.93)": equal exactly where the same thing is measured.
    """
    settings = [measured_metric(part)] if measured_metric(part) else []
    if needs_target(part):
        settings.append("no target" if part_target(part, claim) is None else str(part_target(part, claim)))
    if part.step is not None:
        settings.append(f"step {part.step}")
    return f"{part.measure}({', '.join(settings)})" if settings else part.measure


def measure_columns(record: Record, claim: ClaimConfig) -> dict[str, float | list[float]]:
    """Return every measure that the claim's parts ask for, under its column's name."""
    parts = {column_name(part, claim): part for part in claim.parts}
    return {name: measure_value(record, part, claim) for name, part in parts.items()}


def standard_measures(record: Record) -> dict[str, float]:
    """Return the measures that every results table holds, claim or not; all nan for a failed run.

    Seconds only of a timed run: those of others hold evaluations too, and what other processes took.
    """
    if record.status == "failed":
        record = Record(record.config, "failed", {})
    timed = record.config.timed
    return {
        "final_test_accuracy": final_value(record, "accuracy/test"),
        "final_validation_accuracy": final_value(record, "accuracy/validation"),
        "late_validation_accuracy": late_value(record, "accuracy/validation"),
        "best_validation_accuracy": best_value(record, "accuracy/validation"),
        "final_train_loss": final_value(record, "loss/train"),
        "train_seconds": float(record.seconds.values[-1]) if timed and record.seconds.values.size else np.nan,
        "seconds_per_step": seconds_per_step(record) if timed else np.nan,
    }


def results_table(
    entries: Iterable[tuple[str, Mapping[str, Any], Record]], claim: ClaimConfig | None = None
) -> pd.DataFrame:
    """Return one row a run: arm, grid values under their dotted names, seed, trial, status, diverged_at, every measure.

    trial: the identity of the run's settings, its seed apart.
    """
    rows = [
        {
            "arm": arm,
            **{axis: list(value) if isinstance(value, tuple) else value for axis, value in grid.items()},
            "seed": record.config.seed,
            "trial": record.config.trial(),
            "status": record.status,
            "diverged_at": np.nan if record.diverged_at is None else float(record.diverged_at),
            **standard_measures(record),
            **(measure_columns(record, claim) if claim else {}),
        }
        for arm, grid, record in entries
    ]
    always = ["arm", "seed", "trial", "status", "final_validation_accuracy", "final_test_accuracy"]
    return pd.DataFrame(rows, columns=None if rows else always)
