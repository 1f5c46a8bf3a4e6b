"""Which examples are trained on, and which are kept apart?

scikit-learn's digits, wine and breast cancer come with the package; any image classification data set of TensorFlow
Datasets is used by its name.
"""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.configuration.dataset import OWN_FILES
from experiments.configuration.facts import EMBEDDED, Facts, split_sizes
from experiments.configuration.faults import Fault
from experiments.configuration.run import DatasetConfig
from experiments.training.dataset_facts import (
    DatasetError,
    briefly,
    damaged,
    find_builder,
    image_and_label,
    known_facts,
    parts_of,
    quietly,
)
from experiments.training.examples import Dataset, check_labels, facts_of_classes, of_classes, unit_of
from experiments.training.own_data import read_own_file

DISK = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR}  # errors of the disk


@dataclass(frozen=True)
class Split:
    """Indices of the examples of each part, and the affine map of the features.

    A network's input is `features / unit * scale - shift`, of the shape of one example.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    scale: np.ndarray
    shift: np.ndarray


@functools.lru_cache(maxsize=4)
def load_dataset(source: str | DatasetConfig, data_dir: Path | None = None) -> Dataset:
    """Return a data set by its `DatasetConfig.source`. `data_dir`: where TFDS keeps prepared data; None: its own.

    Raises DatasetError when there is no such data set, it cannot be downloaded or read, or its examples are not each
    one image, or row of a table, with one class label.
    """
    if isinstance(source, DatasetConfig):
        return of_classes(read_own_file(source) if source.file else load_dataset(source.name, data_dir), source)
    return _from_scikit_learn(source) if source in EMBEDDED else _from_tfds(source, data_dir)


def known_of_sources(
    sources: Iterable[str | DatasetConfig], data_dir: Path | None
) -> dict[str | DatasetConfig, Facts | DatasetError]:
    """Return of each data set what is known without scikit-learn and TensorFlow Datasets, or why it cannot be had."""
    sources = list(sources)
    names = [source if isinstance(source, str) else source.name for source in sources]
    named = known_facts([name for name in names if not name.lower().endswith(OWN_FILES)], data_dir)
    known: dict[str | DatasetConfig, Facts | DatasetError] = {}
    for source in sources:
        try:
            if isinstance(source, str):
                known[source] = named[source]
            elif source.file:
                known[source] = of_classes(read_own_file(source), source).facts
            else:
                known[source] = facts_of_classes(named[source.name], source)
        except DatasetError as error:
            known[source] = error
    return known


def known_in(data_dir: Path | None) -> Callable[[DatasetConfig], Facts | Fault]:
    """Return what tells of a data set all that is known before training, each time by what it told first."""
    told: dict[str | DatasetConfig, Facts | Fault] = {}

    def known(dataset: DatasetConfig) -> Facts | Fault:
        if (source := dataset.source) not in told:
            (found,) = known_of_sources([source], data_dir).values()
            told[source] = (tuple(found.field.split(".")), found.text) if isinstance(found, DatasetError) else found
        return told[source]

    return known


@functools.lru_cache(maxsize=64)  # as many as the seeds of a sweep, whose runs take turns
def split_dataset(dataset: Dataset, config: DatasetConfig, seed: int) -> Split:
    """Split all examples by seed, stratified by label, into parts of `split_sizes`.

    A data set's own test is not kept apart: with one test for all seeds, what differs between seeds would tell of
    training alone (protocol 2, rule 1).
    """
    from sklearn.model_selection import train_test_split

    _, validation_size, test_size = split_sizes(len(dataset.labels), dataset.official_test, config.validation_share)
    rest, test = train_test_split(
        np.arange(len(dataset.labels)), test_size=test_size, random_state=seed, stratify=dataset.labels
    )
    train, validation = train_test_split(
        rest, test_size=validation_size, random_state=seed, stratify=dataset.labels[rest]
    )
    train = train[: config.train_examples]
    scale = np.ones(dataset.features.shape[1:], np.float32)
    shift = np.zeros_like(scale)
    if config.standardize:
        mean = dataset.features[train].mean(axis=0, dtype=np.float64) / dataset.unit
        deviation = dataset.features[train].std(axis=0, dtype=np.float64) / dataset.unit
        scale = (1 / np.where(deviation == 0, 1, deviation)).astype(np.float32)
        shift = (mean * scale).astype(np.float32)
    return Split(train.astype(np.int32), validation.astype(np.int32), test.astype(np.int32), scale, shift)


def batch_order(train: np.ndarray, batch_size: int, steps: int, seed: int) -> np.ndarray:
    """Return the examples of every step, (steps, batch_size) int32: one permutation of `train` after another."""
    rng = np.random.default_rng([seed, 0])
    passes = -(-steps * batch_size // len(train)) or 1
    order = np.concatenate([rng.permutation(train) for _ in range(passes)])
    return order[: steps * batch_size].reshape(steps, batch_size)


def _from_scikit_learn(name: str) -> Dataset:
    from sklearn import datasets

    match name:
        case "digits":
            bunch = datasets.load_digits()
            return Dataset(bunch.images[..., None].astype(np.float32), bunch.target.astype(np.int32), 10, 16)
        case "wine":
            bunch = datasets.load_wine()
        case _:
            bunch = datasets.load_breast_cancer()
    return Dataset(bunch.data.astype(np.float32), bunch.target.astype(np.int32), len(bunch.target_names), 1)


@quietly()
def _from_tfds(name: str, data_dir: Path | None) -> Dataset:
    import tensorflow_datasets as tfds

    builder = find_builder(name, data_dir)
    image, label = image_and_label(name, builder.info)
    if not builder.is_prepared():
        _prepare(name, builder)
    sizes = parts_of(name, builder.info)
    if not sizes:  # TFDS takes any folder there for a prepared one
        raise damaged(name, Path(builder.data_dir), FileNotFoundError("no dataset_info.json"))
    both = tfds.decode.PartialDecoding({image: True, label: True})
    try:
        parts = [
            tfds.as_numpy(builder.as_dataset(split=part, batch_size=-1, shuffle_files=False, decoders=both))
            for part in sizes
        ]
    except Exception as error:  # whatever TensorFlow finds wrong with a file
        raise damaged(name, Path(builder.data_dir), error) from error
    images = np.concatenate([part[image] for part in parts])
    labels = np.concatenate([part[label] for part in parts]).astype(np.int32)
    classes = builder.info.features[label].num_classes
    dataset = Dataset(images, labels, classes, unit_of(name, images), sizes.get("test", 0))
    check_labels(name, dataset)
    return dataset


def _prepare(name: str, builder: Any) -> None:
    try:
        builder.download_and_prepare()
    except Exception as error:  # every kind of network and disk failure, whatever TFDS lets through
        if isinstance(error, OSError) and error.errno in DISK:
            trouble, remedy = "written", "give with --data-dir a folder that can be written and has room"
        else:
            trouble, remedy = "downloaded", "connect to the network once, or give --data-dir"
        raise DatasetError(
            "dataset.name",
            f"{name} is not prepared in {builder.data_dir} and could not be {trouble} ({briefly(error)}); {remedy}",
        ) from error
