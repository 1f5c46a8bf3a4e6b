"""Layers after one training step on small batches, and what their statistics should be then."""

import keras
import numpy as np
import tensorflow as tf

Stock = keras.layers.BatchNormalization
HALF = 0.5  # momentum in most tests: the new moving value is the mean of the old one and the batch's


def batch(*shape, seed=0):
    return (np.random.default_rng(seed).normal(size=shape) * 2 + 1).astype(np.float32)


def trained(cls, x, mask=None, **options):
    """A layer after one training step on x, and its output."""
    layer = cls(**{"momentum": HALF, **options})
    output = layer(tf.constant(x), training=True, mask=None if mask is None else tf.constant(mask))
    return layer, np.asarray(output)


def after_one_step(values, axes, weights=None):
    """Moving mean and variance that start at 0 and 1, momentum one half."""
    mean = np.average(values, axes, weights)
    variance = np.average((values - np.expand_dims(mean, axes)) ** 2, axes, weights)
    return mean / 2, (1 + variance) / 2
