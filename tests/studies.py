"""Experiments whose runs are written and not trained, for the tests of what is conducted and what is replaced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import experiments.conduct
from experiments.conduct import conduct
from experiments.configuration.loading import load_experiment
from experiments.configuration.run import RunConfig
from experiments.records import storage
from experiments.records.ownership import Origin
from experiments.records.storage import Curve, Record
from experiments.study import Study
from experiments.sweeping.planning import SweepPlan
from experiments.sweeping.sweep import SweepOptions

TUNED = """title: tuned
arms: {bn: {model.norm.kind: custom}}
grid: {optimizer.learning_rate: [0.1, 0.3, 1]}
tuning: {seeds: [100]}
seeds: 2
"""
FIXED = """title: at one rate
run: {optimizer: {learning_rate: 0.3}}
arms: {the_same: {model.norm.kind: custom}}
seeds: 3
"""
TIMED = """title: in seconds
run: {timed: true}
arms: {bn: {model.norm.kind: custom}}
grid: {optimizer.learning_rate: [0.1, 0.3, 1]}
tuning: {seeds: [100]}
seeds: 2
"""
ALONE = """title: in seconds at one rate
run: {timed: true}
arms: {bn: {model.norm.kind: custom}}
seeds: 3
"""


def swept_plans(monkeypatch: pytest.MonkeyPatch) -> list[SweepPlan]:
    """The plans that were swept; validation is the best at the learning rate 0.3, test accuracy at 1."""
    swept: list[SweepPlan] = []

    def sweep(plan: SweepPlan, *_: object) -> None:
        swept.append(plan)
        for place in plan.pending:
            metrics = {
                f"accuracy/{split}": Curve(
                    np.array([0, place.run.config.steps]),
                    np.array([0.1, 1 - abs(place.run.config.optimizer.learning_rate - best)]),
                )
                for split, best in (("validation", 0.3), ("test", 1.0))
            }
            storage.write_run(place.experiment, place.run, Record(place.run.config, "finished", metrics))

    monkeypatch.setattr(experiments.conduct, "sweep", sweep)
    return swept


def studies(folder: Path, **texts: str) -> list[Study]:
    found = []
    for name, text in texts.items():
        path = folder / f"{name}.yaml"
        path.write_text(text)
        found.append(Study(load_experiment(path), folder / "runs" / name, Origin(path)))
    return found


def carried_out(
    of: list[Study], only_tuning: bool = False, workers: int = 1, replace: bool = False
) -> tuple[list[int], dict[str, int]]:
    """How many runs were still to be planned at the start of each stage, and the rows of each table."""
    to_come: list[int] = []

    def note(stage: str, plan: SweepPlan, later: list[RunConfig]) -> None:
        if stage == "tables and figures":
            assert plan.pending == later == []
        else:
            to_come.append(len(later))

    tables = conduct(
        of,
        SweepOptions(workers=workers),
        note,
        lambda *_: None,
        only_tuning,
        replace,
    )
    return to_come, {name: len(table) for name, table in tables.items()}
