"""What does each run of an experiment come to? One row a run, from which every verdict can be recomputed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from experiments.analysis.measures import (
    ACCURACY,
    FRECHET,
    TRAIN_LOSS,
    best_value,
    column_value,
    columns_of,
    evaluations,
    final_value,
    late_value,
    seconds_per_step,
)
from experiments.configuration.claim import PartConfig
from experiments.records.storage import Record

ACCURACIES = ("final_test", "final_validation", "late_validation", "best_validation")


def standard_measures(record: Record) -> dict[str, float | list[float]]:
    """Return the measures that every results table holds, claim or not; nan or empty for a failed run.

    What a network that makes images has no value of, such as an accuracy, is nan or left out; it has others.

    Seconds only of a timed run: those of others hold evaluations too, and what other processes took.
    """
    if record.status == "failed":
        record = Record(record.config, "failed", {})
    timed = record.config.timed
    measured = FRECHET if record.config.gan else ACCURACY
    curves = [measured, *(f"{measured}/moving_{momentum}" for momentum in record.config.moving_averages)]
    curves += [] if record.config.gan else [TRAIN_LOSS]
    return {
        "final_test_accuracy": final_value(record, "accuracy/test"),
        "final_validation_accuracy": final_value(record, ACCURACY),
        "late_validation_accuracy": late_value(record, ACCURACY),
        "best_validation_accuracy": best_value(record, ACCURACY),
        "final_train_loss": final_value(record, TRAIN_LOSS),
        "train_seconds": float(record.seconds.values[-1]) if timed and record.seconds.values.size else np.nan,
        "seconds_per_step": seconds_per_step(record) if timed else np.nan,
        "steps": record.config.steps,
        "evaluate_every": record.config.evaluate_every,
        **{name: evaluations(record, name) for name in curves},
        **(_of_images(record) if record.config.gan else {}),
    }


def _of_images(record: Record) -> dict[str, float]:
    """What stands for a network that makes images, which has no accuracy."""
    return {
        **dict.fromkeys((f"{name}_accuracy" for name in ACCURACIES), np.nan),
        "final_test_frechet": final_value(record, "frechet/test"),
        "late_validation_frechet": late_value(record, FRECHET),
    }


def results_table(
    entries: Iterable[tuple[str, Mapping[str, Any], Record]], parts: Iterable[PartConfig] = ()
) -> pd.DataFrame:
    """Return one row a run: arm, grid values under their dotted names, seed, trial, status, diverged_at, every measure.

    trial: the identity of the run's settings, its seed apart. parts: of all claims that read these runs; what they
    measure is a column, too.
    """
    asked = dict.fromkeys(name for part in parts for name in columns_of(part))
    rows = [
        {
            "arm": arm,
            **{axis: list(value) if isinstance(value, tuple) else value for axis, value in grid.items()},
            "seed": record.config.seed,
            "trial": record.config.trial(),
            "status": record.status,
            "diverged_at": np.nan if record.diverged_at is None else float(record.diverged_at),
            **{name: column_value(record, name) for name in asked},
            **standard_measures(record),
        }
        for arm, grid, record in entries
    ]
    always = ["arm", "seed", "trial", "status", "final_validation_accuracy", "final_test_accuracy"]
    return pd.DataFrame(rows, columns=None if rows else always)
