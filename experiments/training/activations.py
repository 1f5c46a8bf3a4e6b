"""What do the values of a layer on one batch look like? Pure functions of them, compiled or of NumPy."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

PERCENTILES = (15, 50, 85)  # Ioffe & Szegedy 2015, fig. 1
MOST_VALUES = 256  # of a convolution's positions, per channel, are enough for a percentile


def by_unit(z: tf.Tensor) -> tf.Tensor:
    """Values of every unit or channel, (values, units), at no more than MOST_VALUES positions beyond the batch's size.

    The positions are drawn once and for all: evenly spaced ones would be the same pixel of every image.
    """
    values = tf.reshape(z, (-1, z.shape[-1]))
    count, most = values.shape[0], max(z.shape[0], MOST_VALUES)
    if count <= most:
        return values
    return tf.gather(values, np.sort(np.random.default_rng(0).choice(count, most, replace=False)))


def percentiles_of(values: np.ndarray) -> np.ndarray:
    """PERCENTILES of every column, (3, columns), as `np.percentile` has them, which takes four times as long."""
    ascending = np.sort(values, axis=0)
    position = np.array(PERCENTILES) / 100 * (len(values) - 1)
    below = position.astype(int)
    lower, upper = ascending[below], ascending[np.minimum(below + 1, len(values) - 1)]
    return np.asarray(lower + (position - below)[:, None] * (upper - lower))


def gram_matrix(h: tf.Tensor) -> tf.Tensor:
    """AAᵀ or AᵀA, whichever is smaller, of the values of every example, A: (examples, values)."""
    values = tf.reshape(h, (h.shape[0], -1))
    many = values.shape[0] > values.shape[1]
    return tf.matmul(values, values, transpose_a=many, transpose_b=not many)


def stable_rank(gram: np.ndarray) -> float:
    """‖A‖_F²/‖A‖₂², from the Gram matrix of A: 1 where all examples are multiples of one; nan where all are 0.

    A lower bound of the rank; Daneshmand et al. 2020, §3, take another.
    """
    squares = np.linalg.eigvalsh(gram.astype(np.float64))
    return float(squares.sum() / squares[-1]) if squares[-1] > 0 else np.nan


def mean_cosine(h: tf.Tensor) -> tf.Tensor:
    """Mean over the pairs of examples of the cosine between their values; 0 with one that is all 0."""
    values = tf.reshape(h, (h.shape[0], -1))
    units = tf.math.l2_normalize(values, axis=1, epsilon=1e-30)
    pairs = values.shape[0] * (values.shape[0] - 1)
    return (tf.reduce_sum(tf.square(tf.reduce_sum(units, axis=0))) - tf.reduce_sum(tf.square(units))) / pairs


def largest_share(logits: tf.Tensor) -> tf.Tensor:
    """Share of the examples whose class by logits, (examples, classes), is the one that most of them have."""
    return tf.reduce_max(tf.reduce_mean(tf.one_hot(tf.argmax(logits, axis=1), logits.shape[1]), axis=0))
