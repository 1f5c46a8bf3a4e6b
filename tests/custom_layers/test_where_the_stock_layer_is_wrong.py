"""Fault by fault, where the stock layer is wrong and ours is not: each test shows that it fails there."""

import numpy as np
import pytest
import tensorflow as tf
from small_layers import HALF, Stock, after_one_step, batch, trained

from custom_layers import BatchNormalization


def test_mask_with_the_channels_first():
    """keras#19818: the stock layer always puts the mask's missing axis last."""
    x, mask = batch(5, 3, 4), np.random.default_rng(1).random((5, 4)) < 0.6
    weights = np.broadcast_to(mask[:, None], x.shape)
    mean, variance = after_one_step(x, (0, 2), weights)
    layer, _ = trained(BatchNormalization, x, mask, axis=1)
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Incompatible shapes|incompatible"):
        trained(Stock, x, mask, axis=1)


def test_masked_statistics_of_a_single_channel():
    """The stock layer squeezes (1,) to a scalar and then looks for its first axis."""
    x, mask = batch(6, 4, 1), np.random.default_rng(1).random((6, 4)) < 0.6
    layer, _ = trained(BatchNormalization, x, mask, axis=2)
    np.testing.assert_allclose(layer.moving_mean, x[mask].mean(0) / 2, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, (1 + x[mask].var(0)) / 2, rtol=1e-5)
    with pytest.raises(IndexError):
        trained(Stock, x, mask, axis=2)


@pytest.mark.parametrize("jit", [False, True])
def test_fully_masked_batch_leaves_the_moving_statistics(jit):
    x, mask = batch(6, 3), np.zeros(6, bool)
    for cls, changed in ((BatchNormalization, False), (Stock, True)):
        layer = cls(momentum=HALF)
        layer.build(x.shape)
        layer.moving_mean.assign([2.0, 3.0, 4.0])
        tf.function(lambda x, m, layer=layer: layer(x, training=True, mask=m), jit_compile=jit)(x, mask)
        assert (np.asarray(layer.moving_mean) != [2, 3, 4]).all() == changed
        assert (np.asarray(layer.moving_variance) != [1, 1, 1]).all() == changed


@pytest.mark.parametrize("shape", [(0, 3), (0, 32, 32, 128)], ids=str)
@pytest.mark.parametrize("options", [{}, {"renorm": True}, {"virtual_batch_size": 4}], ids=str)
def test_empty_batch_leaves_the_moving_statistics(shape, options):
    def step(cls, **options):
        layer = cls(**options)
        layer.build((None, *shape[1:]))
        signature = [tf.TensorSpec((None, *shape[1:]))]
        y = tf.function(lambda x: layer(x, training=True), input_signature=signature)(np.zeros(shape, np.float32))
        assert y.shape == shape
        return layer

    layer = step(BatchNormalization, **options)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(shape[-1]))
    np.testing.assert_array_equal(layer.moving_variance, np.ones(shape[-1]))
    if not options:
        assert np.isnan(step(Stock).moving_mean).all()


def test_masked_nan_reaches_neither_statistics_nor_gradients():
    x, mask = batch(6, 3), np.array([1, 1, 0, 1, 0, 1], bool)
    x[~mask] = np.nan

    def gradients(cls):
        layer = cls(momentum=HALF)
        layer.build(x.shape)
        with tf.GradientTape() as tape:
            values = tf.constant(x)
            tape.watch(values)
            y = layer(values, training=True, mask=tf.constant(mask))
            loss = tf.reduce_sum(tf.sin(tf.boolean_mask(y, mask)))
        return layer, [np.asarray(g) for g in tape.gradient(loss, [values, layer.gamma.value, layer.beta.value])]

    layer, got = gradients(BatchNormalization)
    np.testing.assert_allclose(layer.moving_mean, x[mask].mean(0) / 2, rtol=1e-5)
    assert all(np.isfinite(gradient).all() for gradient in got)
    np.testing.assert_array_equal(got[0][~mask], 0)
    assert np.abs(got[0][mask]).max() > 0
    assert not all(np.isfinite(gradient).all() for gradient in gradients(Stock)[1])


@pytest.mark.parametrize("policy", ["mixed_float16", "float16"])
def test_float16_policy_does_not_cut_the_inputs_before_they_are_normalized(policy):
    """1000 and 1000.25 are one number in float16, and 70000 is none."""
    x = np.float32([[1000.0, 70000.0], [1000.25, 70001.0], [1000.5, 70002.0]])
    expected = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)
    _, ours = trained(BatchNormalization, x, dtype=policy)
    assert ours.dtype == np.float16
    np.testing.assert_allclose(ours, expected, atol=1e-2)
    _, stock = trained(Stock, x, dtype=policy)
    assert not np.allclose(stock, expected, atol=0.1)


def test_moving_statistics_are_float32_under_a_float16_policy():
    """Steps of 1% on a mean of 1000 vanish in float16, where the next number is 0.5 away."""
    x = np.full((4, 2), 1000.0, np.float32)
    for cls, dtype, converges in ((BatchNormalization, "float32", True), (Stock, "float16", False)):
        layer = cls(dtype="float16")
        layer.build(x.shape)
        assert layer.moving_mean.dtype == dtype
        layer.moving_mean.assign([980.0, 980.0])
        for _ in range(500):
            layer(tf.constant(x), training=True)
        assert np.allclose(np.asarray(layer.moving_mean), 1000, atol=1) == converges
        assert layer(tf.constant(x)).dtype == tf.float16


def test_variance_stays_finite_and_exact_for_a_large_mean():
    """tf#34062, tf#48845: E[x²] − E[x]² turns negative and its root to NaN."""
    x = np.float32(1e4) + batch(64, 3)
    layer, output = trained(BatchNormalization, x, momentum=0.0)
    np.testing.assert_allclose(layer.moving_variance, x.astype(float).var(0), rtol=1e-4)
    assert np.isfinite(output).all()


def test_frozen_layer_uses_and_keeps_its_moving_statistics():
    """keras#4762, #6570, #9522."""
    layer, _ = trained(BatchNormalization, batch(9, 3))
    layer.trainable = False
    before = layer.get_weights()
    x = tf.constant(batch(9, 3, seed=4))
    np.testing.assert_array_equal(layer(x, training=True), layer(x, training=False))
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_one_value_per_channel_gives_beta():
    """pytorch#4534: PyTorch refuses; here the deviation from the mean is 0."""
    layer = BatchNormalization(beta_initializer="ones")
    np.testing.assert_array_equal(layer(tf.constant([[3.0, -7.0]]), training=True), [[1.0, 1.0]])
    np.testing.assert_allclose(layer.moving_variance, [0.99, 0.99])
