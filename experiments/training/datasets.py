"""Which examples are trained on, and which are kept apart?

scikit-learn's digits, wine and breast cancer come with the package; any image classification data set of TensorFlow
Datasets is used by its name.
"""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.configuration.run import DatasetConfig

EMBEDDED = ("digits", "wine", "breast_cancer")
VALIDATION_SHARE, TEST_SHARE, MOST_VALIDATION = 0.2, 0.2, 5000


class DatasetError(Exception):
    """A data set that cannot be had or used; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """All examples of a data set in memory.

    features: (examples, height, width, channels) of images or (examples, features) of tables; uint8 or float32.
    labels: (examples,) int32. unit: what the features are divided by, so that images lie in [0, 1].
    official_test: the data set's own test examples, or None where the split draws them.
    """

    features: np.ndarray
    labels: np.ndarray
    classes: int
    unit: float
    official_test: np.ndarray | None = None


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
def load_dataset(name: str, data_dir: Path | None = None) -> Dataset:
    """Return a data set by name. `data_dir`: where TFDS keeps prepared data; its own default when None.

    Raises DatasetError when there is no such data set, it cannot be downloaded, or it holds no labelled images.
    """
    return _from_scikit_learn(name) if name in EMBEDDED else _from_tfds(name, data_dir)


@functools.lru_cache(maxsize=64)  # as many as the seeds of a sweep, whose runs take turns
def split_dataset(dataset: Dataset, config: DatasetConfig, seed: int) -> Split:
    """Split by seed, stratified by label: 20 % for validation (at most 5,000), 20 % for a test if none is official.

    Raises DatasetError when `train_examples` asks for more than there are, or a table is to be binarized.
    """
    from sklearn.model_selection import train_test_split

    if config.binarize and dataset.features.ndim < 4:
        raise DatasetError(f"dataset.binarize: {config.name} has no images; leave it out, or use standardize")
    rest, test = np.arange(len(dataset.labels)), dataset.official_test
    if test is None:
        rest, test = train_test_split(rest, test_size=TEST_SHARE, random_state=seed, stratify=dataset.labels)
    else:
        rest = np.setdiff1d(rest, test)
    size = min(MOST_VALIDATION, round(VALIDATION_SHARE * len(dataset.labels)))
    train, validation = train_test_split(rest, test_size=size, random_state=seed, stratify=dataset.labels[rest])
    if config.train_examples is not None:
        if config.train_examples > len(train):
            raise DatasetError(
                f"dataset.train_examples: {config.name} has {len(train)} training examples, "
                f"got {config.train_examples}; give fewer"
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
    """Return the examples of every step, (steps, batch_size) int32: one permutation of `train` after another.

    Raises DatasetError when there are fewer examples than a batch takes.
    """
    if batch_size > len(train):
        raise DatasetError(
            f"dataset.batch_size: got {batch_size}, but there are {len(train)} training examples; give a smaller one"
        )
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


def _from_tfds(name: str, data_dir: Path | None) -> Dataset:
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (ValueError, AssertionError, ImportError):  # unknown, or in no form that TFDS reads: config, version, …
        near = difflib.get_close_matches(name, [*EMBEDDED, *tfds.list_builders(with_community_datasets=False)], n=1)
        raise DatasetError(
            f"dataset.name: no data set {name!r}; use {', '.join(EMBEDDED)} or a name of TensorFlow Datasets"
            + (f"; did you mean {near[0]!r}?" if near else "")
        ) from None
    described = builder.info.features
    features = dict(described) if isinstance(described, tfds.features.FeaturesDict) else {}
    image, label = features.get("image"), features.get("label")
    if not isinstance(image, tfds.features.Image) or not isinstance(label, tfds.features.ClassLabel):
        raise DatasetError(f"dataset.name: {name} has no labelled images")
    if None in image.shape:
        raise DatasetError(f"dataset.name: the images of {name} differ in size, {image.shape}")
    try:
        builder.download_and_prepare()
    except Exception as error:  # every kind of network and disk failure, whatever TFDS lets through
        raise DatasetError(
            f"dataset.name: {name} is not prepared in {builder.data_dir} and could not be downloaded "
            f"({type(error).__name__}); connect to the network once, or give --data-dir"
        ) from error
    parts = {
        part: tfds.as_numpy(builder.as_dataset(split=part, batch_size=-1, shuffle_files=False, as_supervised=True))
        for part in ("train", "test")
        if part in builder.info.splits
    }
    all_images = np.concatenate([images for images, _ in parts.values()])
    labels = np.concatenate([labels for _, labels in parts.values()]).astype(np.int32)
    official = None
    if "test" in parts:
        official = np.arange(len(labels) - len(parts["test"][1]), len(labels))
    return Dataset(all_images, labels, label.num_classes, 255, official)
