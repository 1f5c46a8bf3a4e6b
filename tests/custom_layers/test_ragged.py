"""Ragged inputs are normalized by what they hold."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from custom_layers import BatchNormalization

VALUES = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32) * 2 + 1
ROWS = tf.RaggedTensor.from_row_lengths(VALUES, [3, 1, 2])
NESTED = tf.RaggedTensor.from_nested_row_lengths(VALUES, [[2, 1], [3, 1, 2]])


def called(layer, mode, inputs, **call):
    return (tf.function(layer) if mode == "graph" else layer)(inputs, **call)


def normalized(x):
    return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize(
    ("cls", "inputs"),
    [(BatchNormalization, ROWS), (BatchNormalization, NESTED), (keras.layers.BatchNormalization, ROWS)],
    ids=["ours", "ours, nested", "stock"],
)
def test_training_takes_the_statistics_of_the_values_as_the_stock_layer(cls, inputs, mode):
    layer = cls(momentum=0.5)
    y = called(layer, mode, inputs, training=True)
    assert y.shape.as_list() == inputs.shape.as_list()
    np.testing.assert_array_equal(y.row_splits, inputs.row_splits)
    np.testing.assert_allclose(y.flat_values, normalized(VALUES), atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, VALUES.mean(0) / 2, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, (1 + VALUES.var(0)) / 2, rtol=1e-5)


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_inference_and_dtype(mode):
    layer = BatchNormalization(dtype="mixed_float16", epsilon=0.0)
    y = called(layer, mode, ROWS)
    assert y.dtype == tf.float16
    np.testing.assert_array_equal(y.flat_values, np.float16(VALUES))


def test_a_model_with_ragged_inputs_trains():
    layer = BatchNormalization(momentum=0.5)
    model = keras.Sequential([keras.Input((None, 4), ragged=True), layer])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(ROWS, training=True).flat_values * np.arange(24.0).reshape(6, 4))
    d_gamma = tape.gradient(loss, layer.gamma.value)
    np.testing.assert_allclose(d_gamma, (normalized(VALUES) * np.arange(24).reshape(6, 4)).sum(0), rtol=1e-4)
    np.testing.assert_allclose(layer.moving_mean, VALUES.mean(0) / 2, rtol=1e-5)


@pytest.mark.parametrize("ragged", [False, True], ids=["dense mask", "ragged mask"])
def test_a_mask_goes_with_the_rows(ragged):
    kept = np.array([1, 0, 1, 1, 0, 1], bool)
    mask = tf.RaggedTensor.from_row_lengths(kept, [3, 1, 2])
    layer = BatchNormalization(momentum=0.5)
    y = layer(ROWS, training=True, mask=mask if ragged else mask.to_tensor(True))
    np.testing.assert_allclose(y.flat_values.numpy()[kept], normalized(VALUES[kept]), atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, VALUES[kept].mean(0) / 2, rtol=1e-5)


def test_virtual_batches_are_of_ragged_rows():
    layer = BatchNormalization(momentum=0.5, virtual_batch_size=2)
    y = layer(ROWS, training=True)
    np.testing.assert_allclose(
        y.flat_values, np.concatenate([normalized(VALUES[:4]), normalized(VALUES[4:])]), atol=1e-5
    )


def test_a_ragged_channel_axis_is_refused():
    with pytest.raises(ValueError, match=r"axis: needs a known size in the input shape \(3, None, 4\), got 1"):
        BatchNormalization(axis=1)(ROWS, training=True)
