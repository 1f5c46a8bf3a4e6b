"""Small programs on the digits, shared by the tests as the runs of a sweep share theirs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from experiments.configuration.run import RunConfig
from experiments.training.datasets import batch_order, load_dataset, split_dataset
from experiments.training.program import Program
from experiments.training.run import train
from models.initialization import initial_kernels
from models.networks import build_model

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


def curves_of(config: RunConfig, used: Program | None = None) -> dict[str, list[tuple[int, float]]]:
    """The curves of a run of a program, the shared one where none is given."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for evaluated in train(used or program(config), config):
        for metric, value in evaluated.metrics.items():
            curves.setdefault(metric, []).append((evaluated.step, value))
    return curves


def inputs(indices: np.ndarray) -> np.ndarray:
    return DIGITS.features[indices] / 16


def by_keras(config: RunConfig, optimizer: keras.Optimizer) -> keras.Model:
    """The network of a run trained by Keras's own `fit` on the same batches in the same order."""
    model = build_model(config.model, (8, 8, 1), 10)
    for kernel, value in initial_kernels(model, config.model, config.seed):
        kernel.assign(value)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    split = split_dataset(DIGITS, config.dataset, config.seed)
    order = batch_order(split.train, config.dataset.batch_size, config.steps, config.seed).ravel()
    model.fit(inputs(order), DIGITS.labels[order], config.dataset.batch_size, shuffle=False, epochs=1, verbose=0)
    return model


def losses_of(config: RunConfig, steps: int) -> list[float]:
    """The loss of every step, by a loop in Python."""
    model = build_model(config.model, (8, 8, 1), 10)
    for kernel, value in initial_kernels(model, config.model, config.seed):
        kernel.assign(value)
    order = batch_order(split_dataset(DIGITS, config.dataset, 0).train, 30, steps, config.seed)
    losses = []
    for batch in order:
        with tf.GradientTape() as tape:
            logits = model(inputs(batch))
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(DIGITS.labels[batch], logits))
        losses.append(float(loss))
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
            variable.assign(variable - config.optimizer.learning_rate * gradient)
    return losses


def by_the_clock(monkeypatch: pytest.MonkeyPatch, used: Program, **seconds: float) -> None:
    """Have calls of a program take these seconds, by a clock of the run that stands still otherwise."""
    now = 0.0

    def taking(took: float, method: Callable[..., Any], *inputs: Any) -> Any:
        nonlocal now
        now += took
        return method(*inputs)

    monkeypatch.setattr("experiments.training.run.time", SimpleNamespace(perf_counter=lambda: now))
    for name, took in seconds.items():
        monkeypatch.setattr(used, name, functools.partial(taking, took, getattr(used, name)))
