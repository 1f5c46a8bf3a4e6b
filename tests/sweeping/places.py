"""Places of small runs, their records and tasks, for the tests of sweeping."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.configuration.experiment import Run
from experiments.configuration.run import RunConfig
from experiments.records import storage
from experiments.records.storage import Curve, Record
from experiments.sweeping.planning import Place, Task


def place(folder: Path, arm: str = "arm", seed: int = 0, **settings: object) -> Place:
    config = RunConfig.model_validate({"steps": 100, "seed": seed, **settings})
    return Place(folder, Run.model_construct(arm=arm, grid={}, config=config))


def record(of: Place, status: storage.Status = "finished", wall_seconds: float = 2.0) -> Record:
    curves = {"loss/train": Curve(np.array([50, 100]), np.array([2.0, 1.0]))}
    error = "Traceback\nValueError: no" if status == "failed" else ""
    return Record(of.run.config, status, curves, error=error, provenance={"wall_seconds": wall_seconds})


def write(of: Place, status: storage.Status = "finished") -> None:
    storage.write_run(of.experiment, of.run, record(of, status))


def task(seed: int = 0, **settings: object) -> Task:
    at = place(Path("unused"), seed=seed, **settings)
    return Task(at.run.config, (at,))


def tasks_at(*places: Place) -> list[Task]:
    return [Task(at.run.config, (at,)) for at in places]
