import numpy as np
import pytest
from real_data import prepared_data_dir

from experiments.configuration.run import DatasetConfig
from experiments.training.datasets import Dataset, Split, batch_order, load_dataset, split_dataset

DIGITS = DatasetConfig(name="digits")


def split(seed: int = 0, **settings: object) -> Split:
    config = DatasetConfig.model_validate({"name": "digits"} | settings)
    return split_dataset(load_dataset(config.name), config, seed)


def test_digits_are_images_of_whole_numbers_up_to_16():
    digits = load_dataset("digits")
    assert digits.features.shape == (1797, 8, 8, 1)
    assert digits.features.dtype == np.float32
    assert (digits.features.min(), digits.features.max(), digits.unit) == (0, 16, 16)
    assert np.bincount(digits.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (digits.labels.dtype, digits.classes, digits.official_test) == (np.int32, 10, 0)


@pytest.mark.parametrize(("name", "shape", "classes"), [("wine", (178, 13), 3), ("breast_cancer", (569, 30), 2)])
def test_tables_keep_their_units(name: str, shape: tuple[int, int], classes: int):
    table = load_dataset(name)
    assert (table.features.shape, table.classes, table.unit) == (shape, classes, 1)
    assert table.features.max() > 100


def test_the_parts_of_a_split_are_disjoint_and_hold_every_example():
    found = split()
    assert [len(part) for part in (found.train, found.validation, found.test)] == [1078, 359, 360]
    everything = np.concatenate([found.train, found.validation, found.test])
    assert sorted(everything) == list(range(1797))
    assert {part.dtype for part in (found.train, found.validation, found.test)} == {np.dtype(np.int32)}


def test_every_part_has_the_classes_in_the_same_shares():
    found, labels = split(), load_dataset("digits").labels
    for part in (found.train, found.validation, found.test):
        assert np.abs(np.bincount(labels[part]) / len(part) - np.bincount(labels) / 1797).max() < 0.003


def test_the_seed_decides_the_split():
    first, again, other = split(3), split(3), split(4)
    for part in ("train", "validation", "test"):
        assert np.array_equal(getattr(first, part), getattr(again, part))
        assert set(getattr(first, part)) != set(getattr(other, part))


def test_the_seed_draws_as_many_test_examples_as_are_official_from_all():
    labels = np.tile(np.arange(4, dtype=np.int32), 10_000)
    data = Dataset(np.zeros((40_000, 2), np.float32), labels, 4, 1, official_test=10_000)
    first, second = (split_dataset(data, DIGITS, seed) for seed in (0, 1))
    for found in (first, second):
        assert [len(part) for part in (found.train, found.validation, found.test)] == [25_000, 5_000, 10_000]
        assert np.array_equal(np.sort(np.concatenate([found.train, found.validation, found.test])), np.arange(40_000))
        assert np.bincount(labels[found.test]).tolist() == [2500] * 4
        for part in (found.train, found.validation, found.test):  # the last quarter, where official ones would lie
            assert np.mean(part >= 30_000) == pytest.approx(0.25, abs=0.03)
    assert len(np.intersect1d(first.test, second.test)) == pytest.approx(2500, abs=200)  # as of two draws by chance


def test_a_subset_is_the_start_of_the_whole_training_split():
    whole, part = split(2), split(2, train_examples=100)
    assert np.array_equal(part.train, whole.train[:100])
    assert np.array_equal(part.validation, whole.validation)


def test_without_standardization_features_are_only_divided():
    found = split()
    assert np.all(found.scale == 1)
    assert np.all(found.shift == 0)


def test_standardization_takes_its_statistics_from_the_training_split_alone():
    # wine: training examples have mean 0 and deviation 1 in every feature, the others only nearly.
    wine = load_dataset("wine")
    found = split(name="wine", standardize=True)
    inputs = wine.features / wine.unit * found.scale - found.shift
    np.testing.assert_allclose(inputs[found.train].mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(inputs[found.train].std(axis=0), 1, atol=1e-4)
    assert np.abs(inputs[found.test].mean(axis=0)).max() > 0.05


def test_standardization_by_hand():
    # two features of three training examples: (0, 3, 6) has deviation √6; a constant one keeps its scale
    features = np.array([[0, 7], [3, 7], [6, 7]], np.float32).repeat(10, axis=0)
    data = Dataset(features, np.tile(np.array([0, 1], np.int32), 15), 2, 3)
    found = split_dataset(data, DatasetConfig(standardize=True), 0)
    train = features[found.train] / 3
    np.testing.assert_allclose(found.scale, [1 / train[:, 0].std(), 1], rtol=1e-6)
    np.testing.assert_allclose(found.shift, [train[:, 0].mean() / train[:, 0].std(), 7 / 3], rtol=1e-6)


def test_batches_are_one_permutation_of_the_training_split_after_another():
    train = np.arange(100, 110, dtype=np.int32)
    order = batch_order(train, 4, 5, seed=0)  # 20 examples: exactly two passes
    assert order.shape == (5, 4)
    first, second = order.reshape(2, 10)
    assert sorted(first) == sorted(second) == train.tolist()
    assert first.tolist() != second.tolist()
    assert first.tolist() != train.tolist()


def test_a_pass_may_end_within_a_batch():
    order = batch_order(np.arange(5, dtype=np.int32), 3, 4, seed=1).ravel()  # 12 of 3 × 5
    assert sorted(order[:5]) == sorted(order[5:10]) == [0, 1, 2, 3, 4]


def test_the_seed_decides_the_order_and_more_steps_only_go_on():
    train = np.arange(50, dtype=np.int32)
    assert np.array_equal(batch_order(train, 7, 9, 5), batch_order(train, 7, 30, 5)[:9])
    assert not np.array_equal(batch_order(train, 7, 9, 5), batch_order(train, 7, 9, 6))


def test_no_steps_take_no_batches():
    assert batch_order(np.arange(5, dtype=np.int32), 3, 0, 0).shape == (0, 3)


def test_the_real_mnist():
    folder = prepared_data_dir()
    mnist = load_dataset("mnist", folder)
    assert mnist.features.shape == (70_000, 28, 28, 1)
    assert (mnist.features.dtype, mnist.labels.dtype, mnist.classes, mnist.unit) == (np.uint8, np.int32, 10, 255)
    assert np.bincount(mnist.labels[60_000:]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    found = split_dataset(mnist, DatasetConfig(name="mnist"), 0)
    assert [len(part) for part in (found.train, found.validation, found.test)] == [55_000, 5_000, 10_000]
    assert (found.test.min() < 60_000, found.train.max() >= 60_000) == (True, True)  # drawn from both official parts
    assert load_dataset("mnist", folder) is mnist


def test_the_digest_tells_examples_from_others_and_from_their_order():
    one = Dataset(np.arange(8, dtype=np.uint8).reshape(4, 2), np.array([0, 1, 0, 1], np.int32), 2, 1)
    other = Dataset(one.features[::-1], one.labels, 2, 1)
    assert one.digest == Dataset(one.features.copy(), one.labels.copy(), 2, 1).digest
    assert len({one.digest, other.digest, Dataset(one.features, one.labels[::-1], 2, 1).digest}) == 3
