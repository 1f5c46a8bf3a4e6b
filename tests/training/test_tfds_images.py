"""Image sets of TensorFlow Datasets, stored here as a user stores his own: no network, a few pixels."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from experiments.configuration.facts import Facts
from experiments.configuration.run import DatasetConfig
from experiments.training.dataset_facts import DatasetError, facts_of
from experiments.training.datasets import load_dataset, split_dataset

IMAGE = tfds.features.Image(shape=(2, 3, 1))
LABEL = tfds.features.ClassLabel(num_classes=2)
PIXELS = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
ALTERNATING = [0, 1] * 10


def store(folder: Path, features: dict[str, Any], **parts: Sequence[dict[str, Any]]) -> None:
    """Store the data set `own` of these examples in the order given."""
    tfds.dataset_builders.store_as_tfds_dataset(
        name="own",
        version="1.0.0",
        data_dir=folder,
        features=tfds.features.FeaturesDict(features),
        split_datasets={part: list(enumerate(examples)) for part, examples in parts.items()},
        disable_shuffling=True,
    )


def labelled(labels: Sequence[int], image: np.ndarray = PIXELS) -> list[dict[str, Any]]:
    return [{"image": image, "label": label} for label in labels]


def store_images(folder: Path, image: np.ndarray = PIXELS, labels: Sequence[int] = ALTERNATING) -> None:
    features = {"image": tfds.features.Image(shape=image.shape, dtype=image.dtype), "label": LABEL}
    store(folder, features, train=labelled(labels, image))


def fault_of(folder: Path, name: str = "own") -> str:
    with pytest.raises(DatasetError) as caught:
        load_dataset(name, folder)
    return str(caught.value)


def test_a_set_without_supervised_keys_gives_its_image_and_its_class_label(tmp_path: Path):
    features = {"picture": tfds.features.Image(shape=(2, 3, 3)), "kind": LABEL, "id": tfds.features.Text()}
    images = np.arange(20 * 18, dtype=np.uint16).reshape(20, 2, 3, 3).astype(np.uint8)
    examples = [{"picture": image, "kind": i % 2, "id": str(i)} for i, image in enumerate(images)]
    store(tmp_path, features, train=examples[:14], test=examples[14:])
    own = load_dataset("own", tmp_path)
    assert np.array_equal(own.features, images)
    assert own.labels.tolist() == ALTERNATING
    assert (own.features.dtype, own.labels.dtype, own.classes, own.unit) == (np.uint8, np.int32, 2, 255)
    assert own.facts == facts_of("own", tmp_path) == Facts((2, 3, 3), 2, 20, 6)
    assert own.facts.split_sizes(None) == (10, 4, 6)
    splits = [split_dataset(own, DatasetConfig(name="own"), seed) for seed in range(3)]
    for found in splits:
        assert [len(part) for part in (found.train, found.validation, found.test)] == [10, 4, 6]
        assert len({*found.train, *found.validation, *found.test}) == 20  # no test example is in training
    assert len({frozenset(found.test) for found in splits}) == 3  # nor is it the official test for every seed


def test_without_a_test_part_a_fifth_is_drawn(tmp_path: Path):
    store_images(tmp_path)
    own = load_dataset("own", tmp_path)
    assert own.official_test == 0
    found = split_dataset(own, DatasetConfig(name="own"), 0)
    assert [len(part) for part in (found.train, found.validation, found.test)] == [12, 4, 4]
    assert facts_of("own", tmp_path).split_sizes(None) == (12, 4, 4)


@pytest.mark.parametrize(
    ("image", "unit"),
    [
        (np.full((2, 2, 1), 255, np.uint8), 255),
        (np.full((2, 2, 1), 65535, np.uint16), 65535),
        (np.full((2, 2, 1), 1, np.float32), 1),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_the_brightest_pixel_of_every_type_is_1(image: np.ndarray, unit: float, tmp_path: Path):
    store_images(tmp_path, image)
    own = load_dataset("own", tmp_path)
    assert (own.features.dtype, own.unit) == (image.dtype, unit)
    assert np.all(own.features / own.unit == 1)


@pytest.mark.parametrize(
    ("pixel", "said"), [(255.0, "from 0 to 255"), (-0.5, "from -0.5 to 0"), (np.nan, "from nan to nan")]
)
def test_fractions_beyond_0_and_1_are_an_error(pixel: float, said: str, tmp_path: Path):
    store_images(tmp_path, np.array([[[0], [pixel]]], np.float32))
    assert fault_of(tmp_path) == f"dataset.name: the pixels of own are fractions {said}; store them from 0 to 1"


@pytest.mark.parametrize(
    ("features", "held"),
    [
        ({"text": tfds.features.Text(), "label": LABEL}, "label (ClassLabel), text (Text)"),
        ({"image": IMAGE}, "image (Image)"),
        ({"image": IMAGE, "label": tfds.features.Scalar(np.int64)}, "image (Image), label (Scalar)"),
        ({"image": IMAGE, "a": LABEL, "b": LABEL}, "a (ClassLabel), b (ClassLabel), image (Image)"),
        ({"left": IMAGE, "right": IMAGE, "label": LABEL}, "label (ClassLabel), left (Image), right (Image)"),
        ({"image": IMAGE, "label": tfds.features.Sequence(LABEL)}, "image (Image), label (Sequence)"),
        ({"image": tfds.features.Video((None, 2, 3, 1)), "label": LABEL}, "image (Video), label (ClassLabel)"),
    ],
    ids=["text", "no label", "a number", "two labels", "two images", "several labels", "video"],
)
def test_other_than_one_image_with_one_label_is_an_error_that_says_what_is_there(
    features: dict[str, Any], held: str, tmp_path: Path
):
    examples = {
        "text": "a",
        "image": PIXELS,
        "left": PIXELS,
        "right": PIXELS,
        "a": 0,
        "b": 1,
        "label": [0, 1] if "Sequence" in held else 0,
    }
    if "Video" in held:
        examples["image"] = [PIXELS]
    store(tmp_path, features, train=[{key: examples[key] for key in features}] * 10)
    said = f"dataset.name: own has to hold one Image and one ClassLabel an example, but holds {held}"
    assert fault_of(tmp_path) == said
    with pytest.raises(DatasetError) as caught:  # and so it is known before any is loaded
        facts_of("own", tmp_path)
    assert str(caught.value) == said


def test_images_of_several_sizes_are_an_error(tmp_path: Path):
    features = {"image": tfds.features.Image(shape=(None, None, 1)), "label": LABEL}
    store(tmp_path, features, train=labelled(ALTERNATING))
    assert fault_of(tmp_path) == (
        "dataset.name: the images of own differ in size, (None, None, 1); give a set of one size"
    )


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0, 1] * 8 + [-1] * 4, "4 of the 20 examples of own have no label (-1); store it without"),
        ([1] * 20, "the examples of own are of 1 class; there is nothing to learn"),
        (
            [0] * 18 + [1] * 2,
            "class 1 of own has 2 examples; give a set with 3 or more of each class, which every part needs",
        ),
        (
            [0, 1] * 2 + [0, 1],
            "own has 6 examples of 2 classes; give a set with enough for every part to have every class",
        ),
    ],
    ids=["no label", "one class", "a rare class", "few"],
)
def test_labels_that_cannot_be_learnt_from_are_an_error(labels: list[int], said: str, tmp_path: Path):
    store_images(tmp_path, labels=labels)
    assert fault_of(tmp_path) == f"dataset.name: {said}"


def store_rare(folder: Path, rare: int, test: int) -> None:
    labels = [0] * 20 + [1] * rare
    parts = {"train": labelled(labels[test:]), "test": labelled(labels[:test])}
    store(folder, {"image": IMAGE, "label": LABEL}, **{part: held for part, held in parts.items() if held})


# Of 4 examples a test of 40 % takes 2 at most, and leaves 2 to divide; of 3 it may take 2.
@pytest.mark.parametrize(("rare", "test"), [(3, 0), (4, 0), (4, 9), (8, 15)])
def test_as_few_of_a_class_as_are_allowed_can_be_split_by_every_seed(rare: int, test: int, tmp_path: Path):
    store_rare(tmp_path, rare, test)
    own = load_dataset("own", tmp_path)
    for seed in range(100):
        split_dataset(own, DatasetConfig(name="own"), seed)


def test_a_set_that_is_nearly_all_test_is_an_error(tmp_path: Path):
    store(tmp_path, {"image": IMAGE, "label": LABEL}, train=labelled([0, 1]), test=labelled(ALTERNATING))
    assert fault_of(tmp_path) == (
        "dataset.name: own has 22 examples of 2 classes; give a set with enough for every part to have every class"
    )


def test_a_large_official_test_asks_for_more_of_each_class(tmp_path: Path):
    store_rare(tmp_path, 3, 9)
    assert fault_of(tmp_path) == (
        "dataset.name: class 1 of own has 3 examples; give a set with 4 or more of each class, which every part needs"
    )


def test_a_set_with_a_test_part_alone_is_an_error(tmp_path: Path):
    store(tmp_path, {"image": IMAGE, "label": LABEL}, test=labelled(ALTERNATING))
    assert fault_of(tmp_path) == "dataset.name: own has no part train, only test"


def _cut(folder: Path) -> None:
    file = next(folder.glob("*.tfrecord*"))
    file.write_bytes(file.read_bytes()[:-100])


def _change_a_byte(folder: Path) -> None:
    file = next(folder.glob("*.tfrecord*"))
    content = bytearray(file.read_bytes())
    content[100] ^= 255
    file.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        _cut,
        _change_a_byte,
        lambda folder: next(folder.glob("*.tfrecord*")).write_bytes(b""),
        lambda folder: next(folder.glob("*.tfrecord*")).unlink(),
        lambda folder: (folder / "dataset_info.json").write_text('{"name'),
        lambda folder: (folder / "dataset_info.json").unlink(),
        lambda folder: (folder / "features.json").write_text('{"feat'),
        lambda folder: (folder / "features.json").unlink(),
    ],
    ids=["cut", "a byte", "emptied", "lost", "broken info", "lost info", "broken features", "lost features"],
)
def test_damaged_data_are_told_with_their_folder_and_a_remedy(damage: Callable[[Path], object], tmp_path: Path):
    store_images(tmp_path)
    damage(tmp_path / "own/1.0.0")
    said = fault_of(tmp_path)
    assert said.startswith(f"dataset.name: what {tmp_path}/own")
    assert " holds of own cannot be read (" in said
    assert said.endswith("); restore the folder, or delete it to have the data prepared anew")
    assert "\n" not in said


def test_a_folder_that_tfds_takes_for_prepared_but_is_not_is_an_error(tmp_path: Path):
    (tmp_path / "kmnist/3.0.1").mkdir(parents=True)
    assert fault_of(tmp_path, "kmnist") == (
        f"dataset.name: what {tmp_path}/kmnist/3.0.1 holds of kmnist cannot be read (FileNotFoundError: no "
        "dataset_info.json); restore the folder, or delete it to have the data prepared anew"
    )


def test_a_data_directory_that_is_not_there_is_an_error(tmp_path: Path):
    missing = tmp_path / "missing"
    assert fault_of(missing, "mnist") == (
        f"dataset.name: mnist: --data-dir {missing} is no folder; create it or give another"
    )
    assert load_dataset("digits", missing).classes == 10  # which needs none


def _failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)


def test_a_data_set_that_cannot_be_downloaded_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _failing(monkeypatch, ConnectionError("no route to host"))
    assert fault_of(tmp_path, "kmnist") == (
        f"dataset.name: kmnist is not prepared in {tmp_path}/kmnist/3.0.1 and could not be downloaded "
        "(ConnectionError: no route to host); connect to the network once, or give --data-dir"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_data_directory_that_cannot_be_written_is_an_error_with_another_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _failing(monkeypatch, PermissionError(errno.EACCES, "Permission denied"))
    assert fault_of(tmp_path, "kmnist") == (
        f"dataset.name: kmnist is not prepared in {tmp_path}/kmnist/3.0.1 and could not be written "
        "(PermissionError: [Errno 13] Permission denied); give with --data-dir a folder that can be written and has "
        "room"
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mnnist", "; did you mean 'mnist'?"),
        ("no such", ""),
        ("digit", "; did you mean 'digits'?"),
        ("mnist:9.9.9", "; did you mean 'mnist'?"),
    ],
)
def test_an_unknown_data_set_is_an_error_with_the_nearest_name(name: str, hint: str, tmp_path: Path):
    with pytest.raises(DatasetError) as caught:
        load_dataset(name, tmp_path)
    expected = f"dataset.name: no data set {name!r}; use digits, wine, breast_cancer or a name of TensorFlow Datasets"
    assert str(caught.value) == expected + hint
