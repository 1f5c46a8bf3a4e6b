import itertools
from typing import Any

import keras
import numpy as np
import pytest

from models.blocks import needs_bias
from models.config import ModelConfig, NormConfig
from models.networks import build_model
from models.rnn import Recurrence

IMAGE = (8, 8, 1)
LENET = {"kind": "cnn", "layers": [6, 16], "kernel_size": 5, "padding": "valid", "pooling": "average"}
LENET |= {"dense": [120, 84], "activation": "tanh"}
KINDS = ("none", "custom", "stock", "noisy", "layer", "group")


def model_config(**fields: Any) -> ModelConfig:
    return ModelConfig.model_validate(fields)


def build(shape: tuple[int, ...] = IMAGE, classes: int = 10, **fields: Any) -> keras.Model:
    return build_model(model_config(**fields), shape, classes)


@pytest.mark.parametrize(
    ("shape", "fields", "trainable", "fixed"),
    [
        # 64·100+100 + 2·(100·100+100) + 100·10+10
        (IMAGE, {}, 27_710, 0),
        # without 3·100 biases, with 3·(100 γ + 100 β); 3·200 moving statistics
        (IMAGE, {"norm": {"kind": "custom"}}, 28_010, 600),
        (IMAGE, {"norm": {"kind": "stock"}}, 28_010, 600),
        (IMAGE, {"norm": {"kind": "stock", "placement": "after"}}, 28_310, 600),
        (IMAGE, {"norm": {"kind": "stock", "center": False}}, 27_710, 600),
        (IMAGE, {"norm": {"kind": "stock", "scale": False, "center": False}}, 27_410, 600),
        (IMAGE, {"norm": {"kind": "layer"}}, 28_310, 0),
        # the input is 8×8 with one channel: γ, β and two statistics more
        (IMAGE, {"norm": {"kind": "stock", "on_input": True}}, 28_012, 602),
        ((28, 28, 1), {}, 99_710, 0),
        # 64·5+5 + 5·6+6 + 6·5+5 + 5·6+6 + 6·10+10
        (IMAGE, {"layers": [5, 6], "depth": 2}, 325 + 36 + 35 + 36 + 70, 0),
        # 9·1·8+8 + 9·8·16+16, pooled twice to 2×2: 64·10+10
        (IMAGE, {"kind": "cnn", "layers": [8, 16]}, 80 + 1168 + 650, 0),
        (IMAGE, {"kind": "cnn", "layers": [8, 16], "norm": {"kind": "custom"}}, 72 + 1152 + 48 + 650, 48),
        # LeNet-5 as it is mostly written (LeCun et al. 1998): 156 + 2416 + 48,120 + 10,164 + 850
        ((32, 32, 1), LENET, 61_706, 0),
        # without 6 + 16 + 120 + 84 biases, with as many γ and β and two statistics
        ((32, 32, 1), LENET | {"norm": {"kind": "custom"}}, 61_706 + 226, 452),
        # 8·20+20 + 20·20, 20·30+30 + 30·30, 30·10+10
        (IMAGE, {"kind": "rnn", "layers": [20, 30]}, 580 + 1530 + 310, 0),
        (IMAGE, {"kind": "rnn", "layers": [20, 30], "norm": {"kind": "custom"}}, 560 + 1500 + 100 + 310, 100),
    ],
)
def test_parameter_counts(shape: tuple[int, ...], fields: dict[str, Any], trainable: int, fixed: int):
    model = build(shape, **fields)
    count = {True: 0, False: 0}
    for variable in model.weights:
        count[variable.trainable] += int(np.prod(variable.shape))
    assert count == {True: trainable, False: fixed}


@pytest.mark.parametrize(
    ("fields", "order"),
    [
        ({"norm": {"kind": "none"}}, ["linear_1", "activation_1"]),
        ({"norm": {"kind": "custom"}}, ["linear_1", "norm_1", "activation_1"]),
        ({"norm": {"kind": "stock", "placement": "after"}}, ["linear_1", "activation_1", "norm_1"]),
        ({"norm": {"kind": "stock"}, "dropout": 0.5}, ["linear_1", "norm_1", "activation_1", "dropout_1"]),
        (
            {"norm": {"kind": "stock", "placement": "after"}, "dropout": 0.5},
            ["linear_1", "activation_1", "norm_1", "dropout_1"],
        ),
        (
            {"norm": {"kind": "stock"}, "dropout": 0.5, "dropout_place": "before_norm"},
            ["linear_1", "dropout_1", "norm_1", "activation_1"],
        ),
        (
            {"norm": {"kind": "stock", "placement": "after"}, "dropout": 0.5, "dropout_place": "before_norm"},
            ["linear_1", "activation_1", "dropout_1", "norm_1"],
        ),
        (
            {"norm": {"kind": "stock"}, "dropout": 0.5, "dropout_place": "after_last_norm"},
            ["linear_1", "norm_1", "activation_1", "dropout_1"],
        ),
    ],
)
@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("mlp", ["features", "flatten"], ["output"]),
        ("cnn", ["features"], ["pool_1", "flatten", "output"]),
        ("rnn", ["features", "rows"], ["output"]),
    ],
)
def test_the_order_of_layers(kind: str, before: list[str], after: list[str], fields: dict[str, Any], order: list[str]):
    keras.backend.clear_session()
    model = build(kind=kind, layers=[10], **fields)
    assert [layer.name for layer in model.layers] == [*before, *order, *after]
    # a chain: what each layer takes is what the one before it gives
    chain = model.layers[: -1 if kind == "rnn" else None]  # where the last row is picked in between
    for earlier, later in itertools.pairwise(chain):
        assert later.input is earlier.output


@pytest.mark.parametrize("norm", [{"kind": "none"}, {"kind": "custom"}, {"kind": "custom", "recurrent": True}])
def test_dropout_after_the_last_norm_is_in_the_last_hidden_layer_alone(norm: dict[str, Any]):
    model = {"kind": "rnn" if "recurrent" in norm else "mlp", "layers": [4, 4, 4], "norm": norm, "dropout": 0.5}
    for place, expected in (
        ("after_last_norm", ["dropout_3"]),
        ("after_activation", [f"dropout_{i}" for i in (1, 2, 3)]),
    ):
        names = [layer.name for layer in build(**model, dropout_place=place).layers]
        assert [name for name in names if "dropout" in name] == expected


def test_normalization_on_the_input_comes_first():
    model = build(layers=[10], norm={"kind": "stock", "on_input": True})
    assert [layer.name for layer in model.layers][:3] == ["features", "norm_input", "flatten"]


@pytest.mark.parametrize("placement", ["before", "after"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("network", ["mlp", "cnn", "rnn"])
def test_only_a_batch_normalization_right_behind_it_replaces_a_bias(network: str, kind: str, placement: str):
    norm = {"kind": kind, "placement": placement, "groups": 2}
    model = build(kind=network, layers=[4, 4], norm=norm)
    redundant = kind in ("custom", "stock", "noisy") and placement == "before"
    for index in (1, 2):
        assert model.get_layer(f"linear_{index}").use_bias != redundant
    assert model.get_layer("output").use_bias
    assert needs_bias(NormConfig.model_validate(norm)) != redundant


def test_the_constants_of_the_normalization_reach_the_layer():
    model = build(layers=[4], norm={"kind": "custom", "momentum": 0.5, "epsilon": 0.1, "virtual_batch_size": 3})
    layer = model.get_layer("norm_1")
    assert (layer.momentum, layer.epsilon, layer.virtual_batch_size) == (0.5, 0.1, 3)
    stock = build(layers=[4], norm={"kind": "stock", "momentum": 0.5, "epsilon": 0.1}).get_layer("norm_1")
    assert (type(stock), stock.momentum, stock.epsilon) == (keras.layers.BatchNormalization, 0.5, 0.1)
    assert build(layers=[4], norm={"kind": "group", "groups": 2}).get_layer("norm_1").groups == 2


def test_recurrence_against_a_loop():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((3, 5, 4)).astype(np.float32)
    layer = Recurrence("tanh")
    found = np.asarray(layer(z))
    kernel = layer.recurrent_kernel.numpy()
    hidden = np.zeros((3, 4))
    for t in range(5):
        hidden = np.tanh(z[:, t] + hidden @ kernel)
        np.testing.assert_allclose(found[:, t], hidden, rtol=1e-5, atol=1e-6)


def test_recurrence_is_made_again_from_its_configuration():
    layer = Recurrence("tanh", name="activation_1")
    again = Recurrence.from_config(layer.get_config())
    assert (again.name, again.activation) == ("activation_1", layer.activation)


def test_an_rnn_reads_rows_and_classifies_after_the_last():
    model = build((4, 3, 2), 5, kind="rnn", layers=[6], activation="tanh")
    images = np.random.default_rng(0).standard_normal((2, 4, 3, 2)).astype(np.float32)
    inputs, recurrent = (model.get_layer(name) for name in ("linear_1", "activation_1"))
    hidden = np.zeros((2, 6))
    for row in range(4):
        z = images[:, row].reshape(2, 6) @ inputs.kernel.numpy() + inputs.bias.numpy()
        hidden = np.tanh(z + hidden @ recurrent.recurrent_kernel.numpy())
    output = model.get_layer("output")
    expected = hidden @ output.kernel.numpy() + output.bias.numpy()
    np.testing.assert_allclose(model(images), expected, rtol=1e-4, atol=1e-5)


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


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cnn", r"^model.kind: a cnn needs images, but the examples have shape \(13,\); use mlp$"),
        ("rnn", r"^model.kind: an rnn reads images by row, but the examples have shape \(13,\); use mlp$"),
    ],
)
def test_a_table_cannot_go_into_an_image_network(kind: str, message: str):
    with pytest.raises(ValueError, match=message):
        build((13,), kind=kind)


def test_a_table_goes_into_an_mlp():
    assert build((13,), 3, layers=[5]).output_shape == (None, 3)
