"""What values of a layer are like, where it is known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from experiments.training.activations import gram_matrix, largest_share, mean_cosine, stable_rank


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[2, 0, 0], [0, 1, 0], [0, 0, 1]], 6 / 4),
        ([[3, 0], [0, 1], [0, 0]], 10 / 9),
        ([[3, 0, 0], [0, 1, 0]], 10 / 9),
        ([[1, 2], [2, 4], [-3, -6]], 1),
        ([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[1, 1], [1, 1]]], 8 / 6),  # of the Gram matrix 2 0 2, 0 2 2, 2 2 4
    ],
)
def test_stable_rank(values: list, expected: float):
    gram = gram_matrix(tf.constant(values, tf.float32)).numpy()
    assert len(gram) == min(len(values), np.asarray(values[0]).size)
    assert stable_rank(gram) == pytest.approx(expected)


def test_values_that_are_all_0_have_no_stable_rank():
    assert np.isnan(stable_rank(np.zeros((3, 3), np.float32)))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1, 0], [0, 5]], 0),
        ([[1, 2], [2, 4], [3, 6]], 1),
        ([[1, 2], [-2, -4]], -1),
        ([[1, 0], [0, 1], [1, 1]], (0 + 2 * np.sqrt(0.5)) / 3),
        ([[1, 0], [0, 0], [1, 0]], 1 / 3),  # with nothing, no cosine
    ],
)
def test_mean_cosine_between_two_examples(values: list, expected: float):
    assert float(mean_cosine(tf.constant(values, tf.float32))) == pytest.approx(expected, abs=1e-6)


def test_share_of_the_class_that_most_go_to():
    logits = tf.constant([[1, 0, 0], [3, 2, 1], [0, 1, 0], [0, 0, 1], [9, 0, 1]], tf.float32)
    assert float(largest_share(logits)) == pytest.approx(3 / 5)
