"""Which examples does each step of a run train on?"""

from __future__ import annotations

import numpy as np

from experiments.configuration.run import RunConfig
from experiments.training.dataset_facts import DatasetError
from experiments.training.datasets import batch_order


def order_of(config: RunConfig, labels: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return the examples of every step, (steps, batch_size) int32, in the order of `config.dataset.order`.

    labels: (examples,) of all; train: the indices of those that are trained on. Raises DatasetError.
    """
    data, steps, seed = config.dataset, config.steps, config.seed
    match data.order:
        case "shuffled":
            return batch_order(train, data.batch_size, steps, seed)
        case "fixed":
            whole = len(train) // data.batch_size
            return batch_order(train, data.batch_size, whole, seed)[np.arange(steps) % whole]
        case "class_sorted":
            passes = batch_order(train, len(train), -(-steps * data.batch_size // len(train)) or 1, seed)
            by_class = np.argsort(labels[passes], axis=1, kind="stable")
            in_order = np.take_along_axis(passes, by_class, axis=1).ravel()
            return in_order[: steps * data.batch_size].reshape(steps, data.batch_size)
        case "two_class":
            return _two_class(labels, train, data.batch_size, steps, seed)


def _two_class(labels: np.ndarray, train: np.ndarray, batch_size: int, steps: int, seed: int) -> np.ndarray:
    """Of every batch the first half, rounded up, of one class and the rest of another, each drawn from all."""
    classes = np.unique(labels[train])
    if len(classes) < 2:
        raise DatasetError("dataset.order", "two_class needs two classes among the training examples, got one")
    rng = np.random.default_rng([seed, 1])
    first = rng.integers(len(classes), size=steps)
    second = (first + rng.integers(1, len(classes), size=steps)) % len(classes)
    of_class = np.where(np.arange(batch_size) < (batch_size + 1) // 2, first[:, np.newaxis], second[:, np.newaxis])
    order = np.empty((steps, batch_size), np.int32)
    for number, label in enumerate(classes):
        wanted = of_class == number
        order[wanted] = batch_order(train[labels[train] == label], 1, int(wanted.sum()), seed)[:, 0]
    return order
