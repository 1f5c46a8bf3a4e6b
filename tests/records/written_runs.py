"""Runs with invented curves, written to a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.configuration.experiment import Run
from experiments.configuration.run import RunConfig
from experiments.records import storage
from experiments.records.storage import Curve, Record

CURVES = {
    "loss/train": Curve(np.array([50, 100]), np.array([0.1, np.nan])),
    "accuracy/validation": Curve(np.array([0, 50, 100]), np.array([0.1, 1 / 3, np.inf])),
}


def run_of(grid: Mapping[str, Any] | None = None, arm: str = "a", **fields: Any) -> Run:
    return Run.model_construct(arm=arm, grid=dict(grid or {}), config=RunConfig.model_validate(fields))


def record_of(run: Run, **fields: Any) -> Record:
    record = Record(run.config, "finished", CURVES, seconds=Curve(np.array([0, 50, 100]), np.array([0.0, 1.5, 2.5])))
    return replace(record, provenance={"threads": 1, "wall_seconds": 3.5}, **fields)


def written(folder: Path, **fields: Any) -> Run:
    run = run_of({"optimizer.learning_rate": 0.1}, seed=4)
    storage.write_run(folder, run, record_of(run, **fields))
    return run
