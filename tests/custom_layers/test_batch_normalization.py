"""The layer as a Keras layer: its arguments, its weights and which statistics a call uses."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_layers import HALF, Stock, after_one_step, batch, trained

from custom_layers import BatchNormalization

# Keras's variables do not know the `copy` argument that NumPy 2 hands to __array__ when Keras saves them.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

# A drop-in -----------------------------------------------------------------------------------------------------------


def test_constructor_has_the_stock_layers_arguments_in_their_order_with_their_defaults():
    ours, stock = (
        [(p.name, p.default, p.kind) for p in inspect.signature(cls.__init__).parameters.values()]
        for cls in (BatchNormalization, Stock)
    )
    assert [entry for entry in ours if entry[0] not in ("virtual_batch_size", "renorm_relaxation", "debiased")] == stock


@pytest.mark.parametrize("options", [{}, {"renorm": True}, {"scale": False}, {"axis": 1, "epsilon": 0.1}], ids=str)
def test_weights_and_configuration_pass_both_ways(options):
    x = batch(6, 4, 3)
    for source, target in ((BatchNormalization, Stock), (Stock, BatchNormalization)):
        one, _ = trained(source, x, **options)
        other = target.from_config(one.get_config())
        other.build(x.shape)
        other.set_weights(one.get_weights())
        assert [w.name for w in other.weights] == [w.name for w in one.weights]
        for training in (False, True):
            ours, theirs = (np.asarray(layer(x, training=training)) for layer in (one, other))
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
        for ours, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("source", [Stock, BatchNormalization])
def test_one_replaces_the_other_in_a_saved_models_architecture(source, tmp_path):
    target = BatchNormalization if source is Stock else Stock
    model = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.Conv2D(3, 2), source(), keras.layers.Dense(2)])
    x = batch(8, 4, 4, 2)
    model(x, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[1]) is source

    def swap(layer):
        return (target if isinstance(layer, source) else type(layer)).from_config(layer.get_config())

    swapped = keras.models.clone_model(loaded, clone_function=swap)
    swapped.set_weights(loaded.get_weights())
    assert type(swapped.layers[1]) is target
    np.testing.assert_allclose(swapped(x), model(x), rtol=1e-5, atol=1e-5)


def test_own_options_survive_saving(tmp_path):
    layer = BatchNormalization(axis=(1, 2), momentum=None, virtual_batch_size=2)
    model = keras.Sequential([keras.Input((3, 4)), layer])
    model(batch(6, 3, 4), training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").layers[0]
    assert loaded.get_config() == layer.get_config()
    assert (loaded.axis, loaded.momentum, loaded.virtual_batch_size) == ((1, 2), None, 2)
    for one, other in zip(loaded.get_weights(), layer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_fit_gives_the_stock_layers_weights():
    x, y = batch(64, 5), batch(64, 1, seed=1)
    results = []
    for cls in (BatchNormalization, Stock):
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(8), cls(), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(x, y, batch_size=16, epochs=2, verbose=0, shuffle=False)
        results.append(model.get_weights())
    for ours, stock in zip(*results, strict=True):
        np.testing.assert_allclose(ours, stock, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("jit", [False, True])
def test_stateless_calls_in_a_compiled_loop_equal_one_step_after_the_other(jit):
    x = tf.constant(batch(5, 8, 4))
    layer, reference = BatchNormalization(), BatchNormalization()
    for one in (layer, reference):
        one.build((None, 4))

    @tf.function(jit_compile=jit)
    def loop(trainable, other):
        for step in tf.range(5):
            with tf.GradientTape() as tape:
                tape.watch(trainable)
                y, other = layer.stateless_call(trainable, other, x[step], training=True)
                loss = tf.reduce_sum(tf.sin(y))
            slopes = tape.gradient(loss, trainable)
            trainable = [value - 0.1 * slope for value, slope in zip(trainable, slopes, strict=True)]
        return [*trainable, *other]

    got = loop(
        *([tf.constant(v) for v in group] for group in (layer.trainable_variables, layer.non_trainable_variables))
    )
    for step in range(5):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(reference(x[step], training=True)))
        slopes = tape.gradient(loss, [v.value for v in reference.trainable_variables])
        for variable, slope in zip(reference.trainable_variables, slopes, strict=True):
            variable.assign_sub(0.1 * slope)
    for value, variable in zip(got, reference.weights, strict=True):
        np.testing.assert_allclose(value, variable, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(4))  # the layer itself was not touched


# Beyond the stock layer ----------------------------------------------------------------------------------------------


def test_keras_masks_without_the_last_axis_are_still_understood():
    x = batch(5, 3, 4)
    mask = np.ones((5, 3), bool)
    mask[0] = False
    layer, _ = trained(BatchNormalization, x, mask, axis=1)
    np.testing.assert_allclose(layer.moving_mean, x[1:].mean((0, 2)) / 2, rtol=1e-5)


def test_channels_without_a_value_keep_their_statistics_while_others_move():
    x = batch(5, 3, 4)
    mask = np.ones((5, 3), bool)
    mask[:, 1] = False
    for momentum in (HALF, None):
        layer, _ = trained(BatchNormalization, x, mask, axis=1, momentum=momentum)
        moved = np.asarray(layer.moving_mean) != 0
        assert moved.tolist() == [True, False, True]


def test_cumulative_average_weighs_every_step_alike():
    parts = [batch(6, 3, seed=seed) for seed in range(4)]
    layer = BatchNormalization(momentum=None, moving_mean_initializer="ones")
    for part in parts:
        layer(tf.constant(part), training=True)
    layer(tf.zeros((0, 3)), training=True)
    np.testing.assert_allclose(layer.moving_mean, np.mean([part.mean(0) for part in parts], 0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, np.mean([part.var(0) for part in parts], 0), rtol=1e-5)


def test_virtual_batches_are_for_training_only():
    """tf#17625, keras#15790."""
    layer, _ = trained(BatchNormalization, batch(8, 3), virtual_batch_size=4)
    plain = BatchNormalization()
    plain.build((None, 3))
    plain.set_weights(layer.get_weights())
    x = tf.constant(batch(7, 3, seed=2))
    np.testing.assert_array_equal(layer(x), plain(x))


def test_moving_statistics_carry_no_gradient():
    layer, x = BatchNormalization(), tf.constant(batch(10, 4))
    layer.build(x.shape)
    moving = [tf.constant(v) for v in layer.non_trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(moving)
        y, _ = layer.stateless_call([tf.constant(v) for v in layer.trainable_variables], moving, x)
    assert tape.gradient(y, moving) == [None, None]


def test_several_axes_have_statistics_for_each_combination():
    """keras#12126."""
    x = batch(6, 4, 5, 3)
    layer, _ = trained(BatchNormalization, x, axis=[-1, 1])
    assert layer.gamma.shape == (4, 3)
    mean, variance = after_one_step(x, (0, 2))
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-5)


def test_functional_model_takes_masks_from_a_masking_layer():
    inputs = keras.Input((None, 2))
    outputs = BatchNormalization(momentum=0.0)(keras.layers.Masking(0.0)(inputs))
    model = keras.Model(inputs, outputs)
    x = np.float32([[[1, 5], [2, 5], [0, 0]]] * 3)
    model(x, training=True)
    np.testing.assert_allclose(model.layers[-1].moving_mean, [1.5, 5])


def test_mask_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"mask: must broadcast .* \(6, 4, 3\).* axis 2 .* got shape \(5,\)"):
        trained(BatchNormalization, batch(6, 4, 3), np.ones(5, bool))
