"""What a failure left in the place of a run makes way before the workers begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.configuration.experiment import Run
from experiments.configuration.run import RunConfig
from experiments.records import storage
from experiments.records.storage import Record
from experiments.sweeping import sweep
from experiments.sweeping.planning import Place, Task, plan_sweep
from experiments.sweeping.sweep import SweepOptions


def test_a_failed_run_is_forgotten_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = RunConfig(steps=100)
    place = Place(tmp_path, Run.model_construct(arm="arm", grid={}, config=config))
    storage.write_run(place.experiment, place.run, Record(config, "failed", {}, error="ValueError: no"))
    found: list[bool] = []

    def train(tasks: list[Task], _: SweepOptions) -> None:
        assert [task.config for task in tasks] == [config]
        found.append(storage.exists(place.experiment, place.run))  # a worker takes a record it finds for its own

    monkeypatch.setattr(sweep, "_train", train)
    sweep.sweep(plan_sweep([place]), SweepOptions(), lambda *_: None)
    assert found == [False]
