"""Which examples each step trains on, and which classes and shares of the examples there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_examples import IMAGES, X, Y, npz

from experiments.configuration.facts import EMBEDDED, Facts
from experiments.configuration.run import DatasetConfig, RunConfig
from experiments.training.dataset_facts import DatasetError
from experiments.training.datasets import Dataset, batch_order, known_of_sources, load_dataset, split_dataset
from experiments.training.orders import order_of
from experiments.training.program import Program
from experiments.training.run import train
from experiments.training.suitability import misfits

LABELS = np.arange(100, dtype=np.int32) % 4
TRAIN = np.arange(10, 40, dtype=np.int32)  # 30 examples, of the four classes 7, 7, 8, 8


def config(order: str, batch_size: int, steps: int, seed: int = 0) -> RunConfig:
    dataset = {"order": order, "batch_size": batch_size}
    return RunConfig.model_validate({"dataset": dataset, "steps": steps, "evaluate_every": 1, "seed": seed})


def ordered(*settings: Any) -> np.ndarray:
    return order_of(config(*settings), LABELS, TRAIN)


def test_shuffled_is_the_order_that_there_was():
    assert np.array_equal(ordered("shuffled", 7, 9, 5), batch_order(TRAIN, 7, 9, 5))


def test_fixed_takes_the_same_whole_batches_in_every_epoch():
    found = ordered("fixed", 8, 7)
    assert np.array_equal(found, found[[0, 1, 2, 0, 1, 2, 0]])
    assert len(np.unique(found)) == 24  # six of the thirty are left over
    assert np.array_equal(found[:3], ordered("shuffled", 8, 3))  # its first pass
    assert not np.array_equal(found, ordered("fixed", 8, 7, 1))


def test_class_sorted_passes_go_by_class_and_are_shuffled_within():
    found = ordered("class_sorted", 10, 6)
    first, second = found[:3].ravel(), found[3:].ravel()
    for one in (first, second):
        assert LABELS[one].tolist() == [0] * 7 + [1] * 7 + [2] * 8 + [3] * 8
        assert sorted(one) == TRAIN.tolist()
    assert not np.array_equal(first, second)
    assert not np.array_equal(found, ordered("class_sorted", 10, 6, 1))
    assert LABELS[ordered("class_sorted", 4, 1)].tolist() == [[0] * 4]


def test_two_class_batches_have_two_classes_by_halves_and_every_example_in_turn():
    found = ordered("two_class", 5, 600)
    labels = LABELS[found]
    assert (labels[:, :3] == labels[:, :1]).all()
    assert (labels[:, 3:] == labels[:, 3:4]).all()
    assert (labels[:, 0] != labels[:, 3]).all()
    pairs, counts = np.unique(labels[:, [0, 3]], axis=0, return_counts=True)
    assert len(pairs) == 12
    assert counts.min() > 25  # of 50 expected, 3.7 standard deviations
    times = np.bincount(found.ravel(), minlength=100)
    for label in range(4):
        of_class = times[TRAIN[LABELS[TRAIN] == label]]
        assert of_class.max() - of_class.min() <= 1
    assert times.sum() == 3000 == times[10:40].sum()


def test_orders_are_of_32_bit_indices_and_may_be_of_no_steps():
    for order in ("shuffled", "fixed", "class_sorted", "two_class"):
        assert (ordered(order, 4, 3).dtype, ordered(order, 4, 3).shape) == (np.int32, (3, 4))
        assert ordered(order, 4, 0).shape == (0, 4)


def test_two_classes_have_to_be_there():
    with pytest.raises(DatasetError, match=r"dataset.order: two_class needs two classes among the training examples"):
        order_of(config("two_class", 2, 1), LABELS, TRAIN[::4])
    with pytest.raises(ValueError, match="two_class needs a batch_size of at least 2, got 1"):
        config("two_class", 1, 1)


def test_an_order_is_a_value_to_a_program_and_part_of_a_runs_identity():
    fixed, shuffled = config("fixed", 4, 2), config("shuffled", 4, 2)
    assert fixed.program_key() == shuffled.program_key()
    assert fixed.digest() != shuffled.digest()


def test_a_validation_share_is_of_all_examples_and_without_a_limit():
    data = Dataset(np.zeros((40_000, 2), np.float32), np.tile(np.arange(4, dtype=np.int32), 10_000), 4, 1, 10_000)
    for share, validation in ((None, 5000), (0.25, 10_000), (0.1, 4000)):
        found = split_dataset(data, DatasetConfig(validation_share=share), 0)
        assert [len(found.train), len(found.validation), len(found.test)] == [30_000 - validation, validation, 10_000]


@pytest.mark.parametrize(("share", "sizes"), [(0.8, (0, 1438)), (0.001, (1435, 2))])
def test_a_validation_share_that_leaves_too_little_is_told(share: float, sizes: tuple[int, int]):
    run = RunConfig.model_validate({"dataset": {"validation_share": share}})
    assert [str(fault) for fault in misfits(run, EMBEDDED["digits"])] == [
        f"dataset.validation_share: got {share:g}, which leaves {sizes[0]} of 1797 examples for training, {sizes[1]} "
        "for validation; each takes at least 10, one a class"
    ]


def test_classes_are_numbered_as_they_are_listed():
    whole, part = load_dataset("digits"), load_dataset(DatasetConfig(classes=(8, 3)).source)
    assert (part.classes, len(part.labels)) == (2, 174 + 183)
    assert np.array_equal(part.features[part.labels == 0], whole.features[whole.labels == 8])
    assert np.array_equal(part.features[part.labels == 1], whole.features[whole.labels == 3])


def test_of_an_official_test_as_many_are_drawn_as_are_of_the_classes(tmp_path: Path):
    source = npz(tmp_path, x=X[:20], y=Y[:20], x_test=X[20:], y_test=Y[20:])  # of the last ten, 3, 3 and 4
    part = load_dataset(source.model_copy(update={"classes": (0, 2)}))
    assert part.facts == Facts((2,), 2, 20, 7)


def test_classes_that_are_not_there_or_too_few_are_told(tmp_path: Path):
    source = DatasetConfig(name="wine", classes=(0, 3)).source
    assert str(known_of_sources([source], tmp_path)[source]) == "dataset.classes: wine has the classes 0 to 2, got 3"
    digits = DatasetConfig(classes=(1, 2)).source
    assert known_of_sources([digits], tmp_path) == {digits: Facts((8, 8, 1), 2, None)}
    for classes in ([1], [1, 1]):
        with pytest.raises(ValueError, match="classes: expected two or more different ones, got"):
            DatasetConfig.model_validate({"classes": classes})


def test_a_cnn_trains_on_colour_images_of_some_classes(tmp_path: Path):
    npz(tmp_path, x=IMAGES, y=Y)
    run = RunConfig.model_validate(
        {
            "dataset": {"file": str(tmp_path / "my.npz"), "classes": [2, 0], "order": "two_class", "batch_size": 4},
            "model": {"kind": "cnn", "layers": [2]},
            "steps": 2,
            "evaluate_every": 1,
            "xla": False,
        }
    )
    program = Program(run, load_dataset(run.dataset.source))
    assert program.network.input_shape == (None, 32, 32, 3)
    assert program.network.output_shape == (None, 2)
    shown = list(train(program, run))
    assert [evaluated.step for evaluated in shown] == [0, 1, 2]
    assert 0 <= shown[-1].metrics["accuracy/test"] <= 1
