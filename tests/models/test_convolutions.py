"""Convolutional networks: their arithmetic, pooling, and the sizes of what goes through them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from built_networks import build, model_config


def test_a_small_image_is_not_pooled_away():
    model = build((3, 3, 1), kind="cnn", layers=[2, 2, 2])
    assert [layer.name for layer in model.layers if "pool" in layer.name] == ["pool_1"]


@pytest.mark.parametrize("pooling", ["max", "average", "none"])
def test_convolutions_against_numpy(pooling: str):
    model = build((6, 6, 2), 3, kind="cnn", layers=[4], kernel_size=3, padding="valid", pooling=pooling, dense=[5])
    rng = np.random.default_rng(0)
    images = rng.standard_normal((2, 6, 6, 2)).astype(np.float32)
    for variable in model.trainable_variables:
        variable.assign(rng.standard_normal(variable.shape))
    kernel, bias = (v.numpy() for v in model.get_layer("linear_1").weights)
    z = np.zeros((2, 4, 4, 4))
    for i, j in itertools.product(range(4), range(4)):
        z[:, i, j] = np.tensordot(images[:, i : i + 3, j : j + 3], kernel, 3) + bias
    h = 1 / (1 + np.exp(-z))
    if pooling != "none":
        squares = h.reshape(2, 2, 2, 2, 2, 4)  # images, rows, in a square, columns, in a square, filters
        h = squares.max((2, 4)) if pooling == "max" else squares.mean((2, 4))
    h = h.reshape(2, -1)
    kernel, bias = (v.numpy() for v in model.get_layer("linear_2").weights)
    h = 1 / (1 + np.exp(-(h @ kernel + bias)))
    kernel, bias = (v.numpy() for v in model.get_layer("output").weights)
    np.testing.assert_allclose(model(images), h @ kernel + bias, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("pooling", ["max", "none"])
@pytest.mark.parametrize("shape", [(28, 28, 1), (12, 17, 1)])
def test_sizes_of_images_are_known_before_the_network_is_built(shape: tuple[int, ...], pooling: str, padding: str):
    fields = {"kind": "cnn", "layers": [2], "depth": 3, "padding": padding, "pooling": pooling, "kernel_size": 2}
    sizes = model_config(**fields).sizes_of_images((shape[0], shape[1]))
    built = build(shape, **fields)
    assert sizes == [built.get_layer(f"linear_{i}").output.shape[1:3] for i in (1, 2, 3)]
