"""The layer as a Keras layer: its arguments and weights, and, fault by fault, where the stock layer is wrong."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from custom_layers import BatchNormalization

# Keras's variables do not know the `copy` argument that NumPy 2 hands to __array__ when Keras saves them.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

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


# A drop-in -----------------------------------------------------------------------------------------------------------


def test_constructor_has_the_stock_layers_arguments_in_their_order_with_their_defaults():
    ours, stock = (
        [(p.name, p.default, p.kind) for p in inspect.signature(cls.__init__).parameters.values()]
        for cls in (BatchNormalization, Stock)
    )
    assert [entry for entry in ours if entry[0] != "virtual_batch_size"] == stock


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


# Where the stock layer is wrong: each test shows it fails there -------------------------------------------------------


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
