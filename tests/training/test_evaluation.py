from __future__ import annotations

import numpy as np
import pytest

from experiments.configuration.run import RunConfig
from experiments.training.datasets import Split
from experiments.training.evaluation import EVALUATION_BATCH, evaluated_parts, in_calls, in_rows, means_of_parts

SPLIT = Split(np.arange(2000), np.arange(2000, 2300), np.arange(2300, 2700), np.ones(1), np.zeros(1))


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, ["validation"]),
        ({"test_every_evaluation": True}, ["validation", "test"]),
        ({"probes": ["training_loss"]}, ["validation", "training_split"]),
        ({"probes": ["training_loss"], "test_every_evaluation": True}, ["validation", "test", "training_split"]),
    ],
)
def test_what_an_evaluation_looks_at(fields: dict[str, object], names: list[str]):
    parts = evaluated_parts(RunConfig.model_validate(fields), SPLIT)
    assert list(parts) == names
    whole = {"validation": SPLIT.validation, "test": SPLIT.test, "training_split": SPLIT.train[:EVALUATION_BATCH]}
    for name, part in parts.items():
        np.testing.assert_array_equal(part, whole[name])


@pytest.mark.parametrize("count", [1, 7, 8, 999, 1000, 1001, 2001, 9993, 10_000])
def test_rows_hold_all_examples_once_and_none_is_padding_alone(count: int):
    rows = in_rows(np.arange(count // 2), np.arange(count // 2, count))
    np.testing.assert_array_equal(rows[rows >= 0], np.arange(count))
    assert (rows[:, 0] >= 0).all()
    assert rows.shape[1] % 8 == 0
    assert rows.shape[1] <= EVALUATION_BATCH + 8
    assert rows.size - count < 8 * len(rows) + rows.shape[1] / 2


@pytest.mark.parametrize(("count", "calls"), [(1, 1), (12, 1), (13, 2), (24, 2), (25, 3)])
def test_another_part_is_seen_in_calls_of_the_shape_that_is_compiled(count: int, calls: int):
    found = in_calls(np.arange(count), (3, 4))
    assert found.shape == (calls, 3, 4)
    np.testing.assert_array_equal(found[found >= 0], np.arange(count))
    np.testing.assert_array_equal(found.ravel()[count:], -1)


def test_means_are_of_each_part_without_the_padding():
    losses = np.array([[1, 3, 5, 6], [7, 100, 100, 100]], np.float32)
    hits = np.array([[True, False, True, True], [False, True, True, True]])
    found = means_of_parts({"validation": np.arange(2), "test": np.arange(3)}, losses, hits)
    assert found == {
        "loss/validation": 2.0,
        "accuracy/validation": 0.5,
        "loss/test": 6.0,
        "accuracy/test": pytest.approx(2 / 3, abs=1e-15),
    }
