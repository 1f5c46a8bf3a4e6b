"""Which examples does an evaluation look at, in which rows, and what are the loss and accuracy of each part?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from experiments.configuration.run import RunConfig
from experiments.training.datasets import Split

EVALUATION_BATCH = 1000  # examples at a time, to bound a CNN's memory
POPULATION = 1000  # training examples that population statistics are taken from (protocol 2, rule 5)
EVALUATION_ROUNDING = 8  # examples: validation and test of one size are one shape, compiled once


class LookedAt(NamedTuple):
    """Training examples that tell about the network: of the probes' batch, and of population statistics."""

    probed: np.ndarray
    population: np.ndarray


def looked_at(config: RunConfig, split: Split) -> LookedAt:
    """Return the first training examples, as many as each takes."""
    return LookedAt(split.train[: config.probe_examples], split.train[:POPULATION])


def evaluated_parts(config: RunConfig, split: Split) -> dict[str, np.ndarray]:
    """Return the examples that every evaluation of a run looks at."""
    parts = {"validation": split.validation[: config.evaluation_examples]}
    if config.test_every_evaluation or not config.steps:  # the first evaluation may be the last
        parts["test"] = split.test[: config.evaluation_examples if config.steps else None]
    if "training_loss" in config.probes:
        parts["training_split"] = split.train[:EVALUATION_BATCH]
    return parts


def in_rows(*parts: np.ndarray) -> np.ndarray:
    """Join and cut into rows of equal length, about EVALUATION_BATCH at most, padded with −1; no row is all padding."""
    indices = np.concatenate(parts)
    rows = -(-len(indices) // EVALUATION_BATCH)
    length = -(-len(indices) // (rows * EVALUATION_ROUNDING)) * EVALUATION_ROUNDING
    rows = -(-len(indices) // length)
    return in_calls(indices, (rows, length))[0]


def in_calls(indices: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Cut into calls of rows of this shape, (calls, rows, length), padded with −1; no call is all padding."""
    calls = -(-len(indices) // math.prod(shape))
    padded = np.full(calls * math.prod(shape), -1, np.int32)
    padded[: len(indices)] = indices
    return padded.reshape(calls, *shape)


def means_of_parts(parts: Mapping[str, np.ndarray], losses: ArrayLike, hits: ArrayLike) -> dict[str, float]:
    """Return loss and accuracy of each part, from those of its examples as `in_rows` puts them."""
    ends = np.cumsum([len(part) for part in parts.values()])
    metrics: dict[str, float] = {}
    for name, of_losses, of_hits in zip(
        parts, np.split(np.ravel(losses), ends)[:-1], np.split(np.ravel(hits), ends)[:-1], strict=True
    ):
        metrics[f"loss/{name}"] = float(of_losses.mean(dtype=np.float64))
        metrics[f"accuracy/{name}"] = float(of_hits.mean())
    return metrics
