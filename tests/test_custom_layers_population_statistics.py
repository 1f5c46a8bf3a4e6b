"""Population statistics recomputed after training, against those of all the data at once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from custom_layers import BatchNormalization, recompute_statistics


def data(rows=20):
    return (np.random.default_rng(0).normal(size=(rows, 4)) * [1, 2, 3, 4] + 1).astype(np.float32)


def network(cls=BatchNormalization, **options):
    inner = keras.Sequential([keras.Input((4,)), cls(**options)])
    return keras.Sequential([keras.Input((4,)), inner, keras.layers.Dropout(0.5, seed=1), keras.layers.Dense(2)])


@pytest.mark.parametrize("cls", [BatchNormalization, keras.layers.BatchNormalization])
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


def test_momentum_comes_back_after_an_error():
    model = network(momentum=0.7)
    with pytest.raises(ValueError, match=r"expected axis|incompatible"):
        recompute_statistics(model, [np.zeros((3, 5), np.float32)])
    assert model.layers[0].layers[0].momentum == 0.7


@pytest.mark.parametrize(
    ("given", "message"), [(data(), r"data: .* got one array of shape \(20, 4\)"), ([], r"data: .* at least one batch")]
)
def test_bad_data_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        recompute_statistics(network(), given)
