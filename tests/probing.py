"""A network small enough for numeric gradients, and the same in NumPy in float64, for the tests of probes."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from experiments.configuration.run import RunConfig
from experiments.training.probes import Probes
from models.networks import build_model

RATE = 0.3
Arrays = list[np.ndarray]


def run_config(probes: list[str], norm: dict[str, Any] | None = None, **model: Any) -> RunConfig:
    fields = {"layers": [5, 4], "activation": "sigmoid", "norm": norm or {}} | model
    return RunConfig.model_validate({"model": fields, "probes": probes})


class Case:
    """A network on 6 features with 3 classes, one batch of 24, and the same network in NumPy."""

    def __init__(self, probes: list[str], norm: dict[str, Any] | None = None, **model: Any):
        self.config = run_config(probes, norm, **model)
        self.network = build_model(self.config.model, (6,), 3)
        rng = np.random.default_rng(0)
        for variable in self.network.trainable_variables:
            centre = 1.0 if variable.name == "gamma" else 0.0
            variable.assign(centre + 0.7 * rng.standard_normal(variable.shape))
        self.x = rng.standard_normal((24, 6)).astype(np.float32)
        self.labels = rng.integers(0, 3, 24).astype(np.int32)
        self.values: Arrays = [v.numpy().astype(np.float64) for v in self.network.trainable_variables]
        self.names = [v.path for v in self.network.trainable_variables]
        self.kernels = [i for i, name in enumerate(self.names) if name.endswith("kernel")]

    def metrics(self, rate: float = RATE) -> dict[str, float]:
        probes = Probes(self.config, self.network)
        measured = probes.measure(tf.constant(self.x), tf.constant(self.labels), tf.constant(rate))
        return probes.metrics({name: value.numpy() for name, value in measured.items()})

    def forward(self, values: Arrays) -> tuple[np.ndarray, Arrays, Arrays, Arrays]:
        """Logits; and of the hidden layers what stands before the norm, before and after the activation."""
        named = dict(zip(self.names, values, strict=True))
        norm, hidden = self.config.model.norm, self.x.astype(np.float64)
        raw, pre, post = [], [], []
        for i in range(1, len(self.config.model.layers) + 1):
            z = hidden @ named[f"linear_{i}/kernel"] + named.get(f"linear_{i}/bias", 0)
            raw.append(z)
            if norm.kind != "none":
                groups = z.reshape(-1, norm.virtual_batch_size or len(z), z.shape[1])
                mean, variance = groups.mean(axis=1, keepdims=True), groups.var(axis=1, keepdims=True)
                normal = ((groups - mean) / np.sqrt(variance + norm.epsilon)).reshape(z.shape)
                z = normal * named[f"norm_{i}/gamma"] + named[f"norm_{i}/beta"]
            pre.append(z)
            hidden = np.tanh(z) if self.config.model.activation == "tanh" else 1 / (1 + np.exp(-z))
            post.append(hidden)
        return hidden @ named["output/kernel"] + named["output/bias"], raw, pre, post

    def loss(self, values: Arrays) -> float:
        logits = self.forward(values)[0]
        return float((np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(24), self.labels]).mean())

    def gradients(self, values: Arrays, step: float = 1e-5) -> Arrays:
        """By central differences."""
        found = []
        for i, value in enumerate(values):
            gradient = np.zeros_like(value)
            for at in np.ndindex(value.shape):
                for sign in (1, -1):
                    moved = [v.copy() for v in values]
                    moved[i][at] += sign * step
                    gradient[at] += sign * self.loss(moved) / (2 * step)
            found.append(gradient)
        return found


def length(arrays: Arrays) -> float:
    return float(np.sqrt(sum((a**2).sum() for a in arrays)))
