"""Experiment files as the tests write and read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.configuration.experiment import Experiment
from experiments.configuration.loading import load_experiment
from experiments.configuration.run import RunConfig
from experiments.configuration.yaml_source import ConfigError

ROOT = Path(__file__).parent.parent.parent
BASE = "title: t\narms:\n  a: {}\n"


def load(folder: Path, text: str, *overrides: str) -> Experiment:
    path = folder / "x.yaml"
    path.write_text(text)
    return load_experiment(path, list(overrides))


def faults_of(folder: Path, text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, *overrides)
    return [fault.replace(f"{folder}/", "") for fault in caught.value.faults]


def only_run(folder: Path, text: str, *overrides: str) -> RunConfig:
    experiment = load(folder, text, *overrides)
    ((arm, grid),) = experiment.cells()
    return experiment.run(arm, grid, 0).config
