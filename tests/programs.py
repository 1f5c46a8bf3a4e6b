"""Small programs on the digits, shared by the tests as the runs of a sweep share theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.configuration.run import RunConfig
from experiments.training.datasets import load_dataset
from experiments.training.program import Program
from experiments.training.run import train

DIGITS = load_dataset("digits")


def run_config(model: Mapping[str, Any] | None = None, **fields: Any) -> RunConfig:
    model = {"layers": [12, 8], "activation": "tanh"} | dict(model or {})
    return RunConfig.model_validate(
        {"model": model, "steps": 20, "evaluate_every": 10, "dataset": {"batch_size": 30}, "xla": False} | fields
    )


_programs: dict[str, Program] = {}


def program(config: RunConfig) -> Program:
    """A program shared by the tests, as the runs of a sweep share it."""
    key = config.program_key()
    if key not in _programs:
        _programs[key] = Program(config, DIGITS)
    return _programs[key]


def curves_of(config: RunConfig, fresh: bool = False) -> dict[str, list[tuple[int, float]]]:
    """The curves of a run."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for evaluated in train(Program(config, DIGITS) if fresh else program(config), config):
        for metric, value in evaluated.metrics.items():
            curves.setdefault(metric, []).append((evaluated.step, value))
    return curves


def inputs(indices: np.ndarray) -> np.ndarray:
    return DIGITS.features[indices] / 16
