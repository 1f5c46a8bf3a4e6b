"""Population statistics recomputed after training, against those of all the data at once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from custom_layers import BatchNormalization, NoisyBatchNormalization, batch_statistics, recompute_statistics


def data(rows=20):
    return (np.random.default_rng(0).normal(size=(rows, 4)) * [1, 2, 3, 4] + 1).astype(np.float32)


def network(cls=BatchNormalization, **options):
    inner = keras.Sequential([keras.Input((4,)), cls(**options)])
    return keras.Sequential([keras.Input((4,)), inner, keras.layers.Dropout(0.5, seed=1), keras.layers.Dense(2)])


@pytest.mark.parametrize("cls", [BatchNormalization, keras.layers.BatchNormalization, NoisyBatchNormalization])
@pytest.mark.parametrize("sizes", [[20], [7, 7, 6], [1] * 20], ids=str)
def test_statistics_are_those_of_all_the_data_however_it_is_cut(cls, sizes):
    x, model = data(), network(cls)
    layer = model.layers[0].layers[0]
    recompute_statistics(model, np.split(x, np.cumsum(sizes)[:-1]))
    np.testing.assert_allclose(layer.moving_mean, x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, x.var(0), rtol=1e-4)


@pytest.mark.parametrize("momentum", [0.9, None])
def test_nothing_else_changes(momentum):
    model = network(momentum=momentum)
    layer = model.layers[0].layers[0]
    names = {layer.moving_mean.path, layer.moving_variance.path}
    before = {v.path: np.asarray(v) for v in model.variables}
    recompute_statistics(model, [data()])
    changed = {v.path for v in model.variables if not np.array_equal(before[v.path], np.asarray(v))}
    assert changed == names
    assert layer.momentum == momentum


def test_datasets_with_targets_will_do_and_frozen_layers_stay():
    x, model = data(), network()
    dataset = tf.data.Dataset.from_tensor_slices((x, np.zeros(20))).batch(6)
    recompute_statistics(model, dataset)
    layer = model.layers[0].layers[0]
    np.testing.assert_allclose(layer.moving_mean, x.mean(0), rtol=1e-5)
    layer.trainable = False
    recompute_statistics(model, [x + 1])
    np.testing.assert_allclose(layer.moving_mean, x.mean(0), rtol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_pass_over_a_batch_may_be_compiled_and_used_again_under_other_weights(jit_compile):
    layers = [keras.Input((4,)), BatchNormalization(), keras.layers.Dense(2), BatchNormalization()]
    x, model, traces = data(), keras.Sequential(layers), []
    statistics_of = batch_statistics(model)

    @tf.function(jit_compile=jit_compile)
    def compiled(inputs):
        traces.append(inputs.shape)
        return statistics_of(inputs)

    for kernel in (2.0, -3.0):
        model.layers[1].kernel.assign(tf.fill((4, 2), kernel))
        model.layers[1].bias.assign([kernel, 1.0])
        recompute_statistics(model, [x, x], compiled)
        found = [np.asarray(v) for v in model.non_trainable_variables]
        recompute_statistics(model, [x, x])
        for ours, expected in zip(found, model.non_trainable_variables, strict=True):
            np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(model.layers[-1].moving_mean, [kernel, 1.0], rtol=1e-5)
    assert traces == [(20, 4)]


def test_a_pass_made_for_other_trainable_layers_is_refused():
    model = network()
    statistics_of = batch_statistics(model)
    model.layers[0].layers[0].trainable = False
    with pytest.raises(ValueError, match=r"statistics_of: made for 1 trainable layers, now the model has 0"):
        recompute_statistics(model, [data()], statistics_of)


def test_momentum_comes_back_after_an_error():
    model = network(momentum=0.7)
    with pytest.raises(ValueError, match=r"expected axis|incompatible"):
        recompute_statistics(model, [np.zeros((3, 5), np.float32)])
    assert model.layers[0].layers[0].momentum == 0.7


class Subclassed(keras.Model):
    """Its layers learn from the context of the call alone that it is training."""

    def __init__(self):
        super().__init__()
        self.inner = keras.Sequential([BatchNormalization()])

    def call(self, x):
        return self.inner(x)


class SubclassedWithTraining(Subclassed):
    def call(self, x, training=None):  # noqa: ARG002
        return self.inner(x)


@pytest.mark.parametrize("cls", [Subclassed, SubclassedWithTraining])
def test_layers_of_a_subclassed_model_are_in_training(cls):
    x, model = data(), cls()
    model(x)
    recompute_statistics(model, [x])
    layer = model.inner.layers[0]
    np.testing.assert_allclose(layer.moving_mean, x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, x.var(0), rtol=1e-4)


def test_a_model_that_is_not_built_is_named():
    with pytest.raises(ValueError, match=r"model: must be built, got Subclassed that is not"):
        recompute_statistics(Subclassed(), [data()])


@pytest.mark.parametrize("cls", [BatchNormalization, keras.layers.BatchNormalization])
def test_with_renorm_the_next_step_goes_on_from_the_recomputed_variance(cls):
    x, model = data(), network(cls, renorm=True, momentum=0.9)
    layer = model.layers[0].layers[0]
    recompute_statistics(model, [x])
    np.testing.assert_allclose(layer.moving_variance, x.var(0), rtol=1e-4)
    model(x, training=True)  # the same values again: their average with themselves
    np.testing.assert_allclose(layer.moving_variance, x.var(0), rtol=1e-4)


@pytest.mark.parametrize("cls", [BatchNormalization, keras.layers.BatchNormalization])
@pytest.mark.parametrize("renorm", [False, True])
@pytest.mark.parametrize("broken", [np.inf, np.nan])
def test_old_statistics_that_are_not_finite_are_forgotten(cls, renorm, broken):
    x, model = data(), network(cls, renorm=renorm)
    layer = model.layers[0].layers[0]
    for statistic in (layer.moving_mean, layer.moving_variance, *([layer.moving_stddev] if renorm else [])):
        statistic.assign(np.full(4, broken))
    recompute_statistics(model, [x])
    np.testing.assert_allclose(layer.moving_mean, x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, x.var(0), rtol=1e-4)


def test_an_empty_batch_among_others_counts_for_nothing():
    x, model = data(), network(keras.layers.BatchNormalization)
    recompute_statistics(model, [x, x[:0]])
    np.testing.assert_allclose(model.layers[0].layers[0].moving_mean, x.mean(0), rtol=1e-5)


class Numbered:
    """Batches by number, of an object that slices: past the last it gives empty ones, never an IndexError."""

    def __len__(self):
        return 4

    def __getitem__(self, number):
        return data()[5 * number : 5 * number + 5]


class NumberedOfKeras(Numbered, keras.utils.PyDataset):
    pass


@pytest.mark.parametrize("cls", [Numbered, NumberedOfKeras])
def test_batches_by_number_end_with_their_len(cls):
    x, model = data(), network()
    recompute_statistics(model, cls())
    np.testing.assert_allclose(model.layers[0].layers[0].moving_mean, x.mean(0), rtol=1e-5)


def test_a_pair_is_two_batches_and_a_pair_in_a_list_is_one_with_targets():
    x, y = data()[:8], data()[8:]
    for given, want in (((x, y), data()), ([(x, y)], x)):
        model = network()
        recompute_statistics(model, given)
        np.testing.assert_allclose(model.layers[0].layers[0].moving_mean, want.mean(0), rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (data(), r"data: .* got one array of shape \(20, 4\)"),
        ([], r"data: .* at least one batch"),
        ([np.zeros((0, 4), np.float32)], r"data: .* at least one batch"),
        (None, r"data: must be an iterable of batches, got None"),
        (7, r"data: must be an iterable of batches, got 7"),
        ("digits", r"data: must be an iterable of batches, got a str; \[data\] is one batch"),
        ({"x": data()}, r"data: must be an iterable of batches, got a dict; \[data\] is one batch"),
    ],
)
def test_bad_data_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        recompute_statistics(network(), given)
