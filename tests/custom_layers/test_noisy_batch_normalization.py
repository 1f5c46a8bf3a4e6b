"""The noise of Santurkar et al. 2018: how it is distributed, when it is there, and what decides it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from custom_layers import BatchNormalization, NoisyBatchNormalization

ROWS, UNITS = 4000, 40


def noise(layer, x, steps=1):
    """What the layer adds to plain batch normalization at each of `steps` training steps: (steps, rows, units)."""
    plain = BatchNormalization()(x, training=True)
    return np.stack([np.asarray(layer(x, training=True) - plain) for _ in range(steps)])


def inputs():
    return tf.constant(np.random.default_rng(0).normal(size=(ROWS, UNITS)).astype(np.float32))


def test_every_unit_draws_a_new_mean_and_deviation_at_every_step():
    drawn = noise(NoisyBatchNormalization(seed=1), inputs(), steps=10)
    means, deviations = drawn.mean(1), drawn.std(1)  # (steps, units), known to about 1 / √4000
    assert -0.56 < means.min() < -0.45
    assert 0.45 < means.max() < 0.56
    assert 0.95 < deviations.min() < 1.03
    assert 1.22 < deviations.max() < 1.3
    assert abs(means.mean()) < 0.06
    assert abs(deviations.mean() - 1.125) < 0.015
    assert abs(np.corrcoef(means[0], means[1])[0, 1]) < 0.5
    assert abs(np.corrcoef(means.ravel(), deviations.ravel())[0, 1]) < 0.2


def test_noise_is_independent_from_row_to_row():
    drawn = noise(NoisyBatchNormalization(seed=1), inputs())[0]
    centred = drawn - drawn.mean(0)
    assert abs(np.corrcoef(centred[:-1].ravel(), centred[1:].ravel())[0, 1]) < 0.02


def test_no_noise_in_inference_or_when_frozen():
    layer, plain, x = NoisyBatchNormalization(), BatchNormalization(), inputs()
    np.testing.assert_array_equal(layer(x), plain(x))
    layer.trainable = False
    np.testing.assert_array_equal(layer(x, training=True), plain(x))


def test_moving_statistics_are_those_without_noise():
    layer, plain, x = NoisyBatchNormalization(), BatchNormalization(), inputs()
    layer(x, training=True)
    plain(x, training=True)
    np.testing.assert_array_equal(layer.moving_mean, plain.moving_mean)


def test_seed_decides_the_noise():
    x = inputs()
    first, again, other = (noise(NoisyBatchNormalization(seed=seed), x) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


@pytest.mark.parametrize("jit", [False, True])
def test_stateless_steps_in_a_compiled_loop_draw_anew(jit):
    layer = NoisyBatchNormalization(axis=1, seed=2)
    layer.build((50, 3, 4))
    x = tf.constant(np.random.default_rng(0).normal(size=(50, 3, 4)).astype(np.float32))

    @tf.function(jit_compile=jit)
    def steps():
        state = [tf.convert_to_tensor(v) for v in layer.non_trainable_variables]
        trainable = [tf.convert_to_tensor(v) for v in layer.trainable_variables]
        outputs = tf.TensorArray(tf.float32, 3)
        for step in tf.range(3):
            y, state = layer.stateless_call(trainable, state, x, training=True)
            outputs = outputs.write(step, y)
        return outputs.stack()

    drawn = steps()
    assert np.abs(drawn[0] - drawn[1]).max() > 0.1
    assert np.abs(drawn[1] - drawn[2]).max() > 0.1


def test_configuration_comes_back():
    layer = NoisyBatchNormalization(momentum=0.5, seed=7)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is NoisyBatchNormalization
    assert (again.momentum, again.seed) == (0.5, 7)


def test_noise_is_drawn_whatever_the_default_type():
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        y = NoisyBatchNormalization(dtype="float64")(tf.ones((3, 2), tf.float64), training=True)
    finally:
        keras.config.set_floatx(before)
    assert y.dtype == tf.float64
    assert np.abs(y).min() > 0  # plain batch normalization gives 0
