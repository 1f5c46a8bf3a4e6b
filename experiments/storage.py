"""Where do results lie, and are they whole?

A run directory is written under a temporary name, synced and renamed: it either holds a whole run or does not exist.

    runs/<experiment>/<arm>/<grid values>/seed=<n>/{run.json, curves.parquet, events.out.tfevents.*}
    runs/<experiment>/results.parquet
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from experiments.config import Run, RunConfig

Status = Literal["finished", "diverged", "failed"]


@dataclass(frozen=True)
class Curve:
    """The values of one metric over the steps of one run. `steps`: (n,) int64; `values`: (n,) float64."""

    steps: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Record:
    """All that one run left behind.

    diverged_at: the step at which the loss was not finite or 1,000 times its start, else None.
    seconds: training time, without evaluation and probes, accumulated over the steps.
    """

    config: RunConfig
    status: Status
    curves: Mapping[str, Curve]
    diverged_at: int | None = None
    error: str = ""
    seconds: Curve = field(default_factory=lambda: Curve(np.zeros(0, np.int64), np.zeros(0)))
    provenance: Mapping[str, Any] = field(default_factory=dict)


def run_directory(root: Path, run: Run) -> Path:
    """Return the folder of a run under its experiment's folder `root`."""
    values = [f"{axis.rpartition('.')[2]}={_short(value)}" for axis, value in run.grid.items()]
    return root.joinpath(run.arm, *values, f"seed={run.config.seed}")


def _short(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return "x".join(map(_short, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
