"""The examples of a data set in memory: what are they, and may they be split?"""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.configuration.facts import Facts, split_sizes
from experiments.configuration.run import DatasetConfig
from experiments.training.dataset_facts import DatasetError


@dataclass(frozen=True, eq=False)
class Dataset:
    """All examples of a data set in memory.

    features: (examples, height, width, channels) of images or (examples, features) of tables; uint8, uint16 or
        float32.
    labels: (examples,) int32. unit: what the features are divided by, so that images lie in [0, 1].
    official_test: how many test examples the data set itself sets apart; as many are drawn from all.
    """

    features: np.ndarray
    labels: np.ndarray
    classes: int
    unit: float
    official_test: int = 0

    @functools.cached_property
    def digest(self) -> str:
        """What tells these examples, in this order, from any others; stands with every run."""
        found = hashlib.sha256()
        for values in (self.features, self.labels):
            found.update(f"{values.dtype} {values.shape}".encode())
            found.update(np.ascontiguousarray(values).data)
        return found.hexdigest()[:16]

    @property
    def facts(self) -> Facts:
        """What was known, or would have been, before the data were loaded."""
        return Facts(self.features.shape[1:], self.classes, len(self.labels), self.official_test)


def unit_of(name: str, images: np.ndarray) -> float:
    """What brings the pixels into [0, 1]: the largest whole number of their type, or 1 where they lie there already."""
    if images.dtype.kind in "iu":
        return int(np.iinfo(images.dtype).max)
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 1):  # nor where one of them is not a number
        raise DatasetError(
            "dataset.name", f"the pixels of {name} are fractions from {low:g} to {high:g}; store them from 0 to 1"
        )
    return 1


def check_labels(name: str, dataset: Dataset) -> None:
    """Raise DatasetError where the labels do not allow a split that has every class in every part."""
    labels = dataset.labels
    if missing := np.count_nonzero(labels < 0):
        raise DatasetError(
            "dataset.name", f"{missing} of the {len(labels)} examples of {name} have no label (-1); store it without"
        )
    counts = np.bincount(labels, minlength=dataset.classes)
    found = np.flatnonzero(counts)
    if len(found) < 2:
        raise DatasetError(
            "dataset.name", f"the examples of {name} are of {len(found)} class; there is nothing to learn"
        )
    sizes = split_sizes(len(labels), dataset.official_test)
    if min(sizes) < len(found):
        raise DatasetError(
            "dataset.name",
            f"{name} has {len(labels)} examples of {len(found)} classes; give a set with enough for every part to "
            "have every class",
        )
    # A stratified split in two takes at least two of a class; the test is drawn first, and may round its share up.
    least = next(n for n in itertools.count() if n - math.ceil(n * sizes[2] / len(labels)) >= 2)
    rarest = found[np.argmin(counts[found])]
    if counts[rarest] < least:
        raise DatasetError(
            "dataset.name",
            f"class {rarest} of {name} has {counts[rarest]} examples; give a set with {least} or more of each class, "
            "which every part needs",
        )


def of_classes(dataset: Dataset, source: DatasetConfig) -> Dataset:
    """Return the examples of `source.classes` alone, which are numbered as they are listed; all where it is null.

    Raises DatasetError where there is no such class, or a split would not have every class in every part.
    """
    if source.classes is None:
        return dataset
    _check_classes(dataset.classes, source)
    number = np.full(dataset.classes, -1, np.int32)
    number[list(source.classes)] = np.arange(len(source.classes))
    labels = number[dataset.labels]
    kept = labels >= 0
    official_test = int(np.count_nonzero(kept[len(kept) - dataset.official_test :]))
    part = Dataset(dataset.features[kept], labels[kept], len(source.classes), dataset.unit, official_test)
    try:
        check_labels(source.name, part)
    except DatasetError as error:
        raise DatasetError("dataset.classes", error.text) from error
    return part


def facts_of_classes(facts: Facts | DatasetError, source: DatasetConfig) -> Facts | DatasetError:
    """Return what is known of the examples of `source.classes`, of which only the data tell how many they are."""
    if isinstance(facts, DatasetError) or source.classes is None:
        return facts
    _check_classes(facts.classes, source)
    return Facts(facts.shape, len(source.classes), None)


def _check_classes(classes: int, source: DatasetConfig) -> None:
    if beyond := [number for number in source.classes or () if number >= classes]:
        raise DatasetError("dataset.classes", f"{source.name} has the classes 0 to {classes - 1}, got {beyond[0]}")


@functools.lru_cache(maxsize=4)  # as many as are loaded
def as_tensors(dataset: Dataset) -> tuple[Any, Any]:
    """Return features and labels as tensors, in memory once, however many programs use them."""
    import tensorflow as tf

    return tf.constant(dataset.features), tf.constant(dataset.labels)
