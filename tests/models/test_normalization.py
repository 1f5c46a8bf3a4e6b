"""The normalizations that are not whole batch normalization, against NumPy in float64."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from programs import curves_of, program, run_config

from custom_layers import recompute_statistics
from models.norm_config import NormConfig
from models.normalization import DynamicTanh, PartialBatchNormalization, normalization

EPSILON, SCALE = 1e-3, 1.5
RNG = np.random.default_rng(0)
SHAPE = (6, 5, 4, 3)  # images with three channels
X, UPSTREAM = RNG.normal(2, 3, SHAPE), RNG.normal(size=SHAPE)
GAMMA, BETA = RNG.normal(1, 0.3, 3), RNG.normal(0, 0.3, 3)
MOMENTUM = 0.75


def by_hand(kind: str, x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, alpha: float = 0.5) -> np.ndarray:
    """The layer's output in training."""
    over = {"layer": (3,), "rms": (3,), "instance": (1, 2), "group": (1, 2, 3)}.get(kind, (0, 1, 2))
    mean, variance = x.mean(over, keepdims=True), x.var(over, keepdims=True)
    match kind:
        case "mean_only":
            return gamma * (x - mean) + beta
        case "variance_only":
            return gamma * x / np.sqrt(variance + EPSILON) + beta
        case "rms":
            return gamma * x / np.sqrt((x**2).mean(over, keepdims=True) + EPSILON)
        case "dyt":
            return gamma * np.tanh(alpha * x) + beta
    return gamma * (x - mean) / np.sqrt(variance + EPSILON) + beta


def slopes(kind: str) -> dict[str, np.ndarray]:
    """Gradients of Σ upstream · y by central differences, which are right to about 1e-9 in float64."""
    given = {"x": X, "gamma": GAMMA, "beta": BETA, "alpha": np.array(0.5)}
    found = {}
    for name, value in given.items():
        slope = np.zeros(value.shape)
        for at in np.ndindex(value.shape):
            step = np.zeros(value.shape)
            step[at] = 1e-6
            high, low = (by_hand(kind, **given | {name: value + sign * step}) for sign in (1, -1))
            slope[at] = (UPSTREAM * (high - low)).sum() / 2e-6
        found[name] = slope
    if kind == "detached":  # γ r dy
        found["x"] = UPSTREAM * GAMMA / np.sqrt(X.var((0, 1, 2)) + EPSILON)
    return found


def built(kind: str) -> keras.Layer:
    layer = normalization(NormConfig(kind=kind, momentum=MOMENTUM, groups=1), "norm_1")
    assert layer is not None
    layer.build(SHAPE)
    for variable in layer.trainable_variables:
        variable.assign({"gamma": GAMMA, "scale": GAMMA, "beta": BETA, "alpha": 0.5}[variable.name])
    return layer


@pytest.mark.parametrize("kind", ["detached", "mean_only", "variance_only", "layer", "group", "instance", "rms", "dyt"])
def test_output_and_gradients_are_those_of_the_formula(kind: str):
    layer, x = built(kind), tf.constant(X, tf.float32)
    names = ["gamma" if v.name == "scale" else v.name for v in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True) if "only" in kind or kind == "detached" else layer(x)
        weighed = tf.reduce_sum(tf.constant(UPSTREAM, tf.float32) * y)
    found = tape.gradient(weighed, [x, *(v.value for v in layer.trainable_variables)])
    np.testing.assert_allclose(y, by_hand(kind, X, GAMMA, BETA), rtol=2e-4, atol=2e-5)
    assert set(names) == {"rms": {"gamma"}, "dyt": {"gamma", "beta", "alpha"}}.get(kind, {"gamma", "beta"})
    expected = slopes(kind)
    for name, gradient in zip(["x", *names], found, strict=True):
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-3, atol=2e-4, err_msg=name)


STATISTICS = {
    "detached": (X.mean((0, 1, 2)), X.var((0, 1, 2))),
    "mean_only": (X.mean((0, 1, 2)), np.ones(3)),
    "variance_only": (np.zeros(3), X.var((0, 1, 2))),
}


@pytest.mark.parametrize("kind", STATISTICS)
def test_the_part_that_is_kept_is_averaged_and_read_in_inference(kind: str):
    layer, (mean, variance) = built(kind), STATISTICS[kind]
    layer(tf.constant(X, tf.float32), training=True)
    mean, variance = mean * (1 - MOMENTUM), MOMENTUM + variance * (1 - MOMENTUM)
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-5)
    epsilon = 0 if kind == "mean_only" else EPSILON
    expected = GAMMA * (X - mean) / np.sqrt(variance + epsilon) + BETA
    np.testing.assert_allclose(layer(tf.constant(X, tf.float32)), expected, rtol=1e-4, atol=1e-5)


def test_the_variance_that_mean_only_leaves_out_stays_one_however_often_it_is_averaged():
    layer = normalization(NormConfig(kind="mean_only", momentum=0.999), "norm_1")
    for _ in range(200):
        layer(tf.ones((4, 3)), training=True)
    assert layer.moving_variance.numpy().tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", STATISTICS)
def test_the_population_is_read_as_the_batch_that_it_is(kind: str):
    inputs = keras.Input(SHAPE[1:])
    layer = built(kind)
    model = keras.Model(inputs, layer(inputs))
    in_training = layer(tf.constant(X, tf.float32), training=True)
    recompute_statistics(model, [X.astype(np.float32)])
    np.testing.assert_allclose(model(X), in_training, rtol=1e-4, atol=1e-5)


def test_the_gradient_of_the_bias_before_a_detached_normalization_is_not_zero():
    """So the bias grows while nothing comes of it, Ioffe & Szegedy 2015, §2."""
    grown = {}
    for kind in ("detached", "custom"):
        config = run_config(
            {"layers": [8], "norm": {"kind": kind, "placement": "before"}}, optimizer={"learning_rate": 1.0}
        )
        curves_of(config)
        linear = program(config).network.get_layer("linear_1")
        grown[kind] = float(np.abs(linear.bias.numpy()).max()) if linear.use_bias else 0.0
    assert grown["detached"] > 0.01
    assert grown["custom"] == 0


@pytest.mark.parametrize(
    ("network", "kind", "xla"),
    [
        *(("mlp", kind, True) for kind in ("detached", "mean_only", "variance_only", "rms", "dyt")),
        *(("cnn", kind, False) for kind in ("detached", "mean_only", "variance_only", "rms", "dyt", "instance")),
        ("rnn", "instance", True),
        ("rnn", "rms", True),
    ],
)
def test_the_program_trains_it(network: str, kind: str, xla: bool):
    norm: dict[str, Any] = {"kind": kind, "on_input": kind != "detached"}
    config = run_config({"kind": network, "layers": [8], "norm": norm}, optimizer={"learning_rate": 0.05}, xla=xla)
    losses = [value for _, value in curves_of(config)["loss/validation"]]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


def test_renormalization_of_keras_and_ours_agree_over_several_steps():
    """Output, gradients, statistics and inference, from r and d of the averages that the steps before have moved."""
    given = {"renorm": True, "momentum": MOMENTUM}
    layers = [normalization(NormConfig(kind=kind, **given), "norm_1") for kind in ("custom", "stock")]
    batches = RNG.normal(2, 3, (4, 16, 3)).astype(np.float32)
    upstream = tf.constant(RNG.normal(size=(16, 3)), tf.float32)
    for batch in map(tf.constant, batches):
        seen = []
        for layer in layers:
            assert layer is not None
            layer.renorm_momentum = 0.5  # so that r and d are far from 1 and 0
            with tf.GradientTape() as tape:
                tape.watch(batch)
                y = layer(batch, training=True)
                weighed = tf.reduce_sum(upstream * y)
            slopes = tape.gradient(weighed, [batch, layer.gamma.value, layer.beta.value])
            seen.append([y, *slopes, *layer.non_trainable_variables, layer(batch)])
        for ours, theirs in zip(*seen, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_program_trains_renormalization_of_keras_as_ours():
    ours, theirs = (
        curves_of(run_config({"norm": {"kind": kind, "renorm": True}}, optimizer={"learning_rate": 0.1}))
        for kind in ("custom", "stock")
    )
    assert ours.keys() == theirs.keys()
    for metric, curve in ours.items():
        np.testing.assert_allclose(curve, theirs[metric], rtol=1e-3, err_msg=metric)


@pytest.mark.parametrize("averages", [{"momentum": None}, {"momentum": 0.9, "debiased": True}])
@pytest.mark.parametrize("network", [{"xla": True}, {"model": {"kind": "rnn", "norm": {"recurrent": True}}}])
def test_a_run_reads_averages_without_bias_and_starts_them_anew(network: dict[str, Any], averages: dict[str, Any]):
    fields = {"statistics": "moving", "optimizer": {"learning_rate": 0.05}, "seed": 3} | network
    model = {"layers": [6], **fields.pop("model", {})}
    model["norm"] = model.get("norm", {}) | {"kind": "custom", **averages}
    config = run_config(model, **fields)
    first, again = curves_of(config), curves_of(config)
    assert first == again
    counts = [v for v in program(config).network.variables if v.name == "batches_seen"]
    assert len(counts) == (8 if "model" in network else 1)  # an rnn's are of z and of 7 time steps of h
    assert {float(count) for variable in counts for count in variable.numpy().ravel()} == {20}


@pytest.mark.parametrize("layer", [PartialBatchNormalization("variance_only", scale=False), DynamicTanh(center=False)])
def test_it_is_made_again_from_its_configuration(layer: keras.Layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.center, again.scale) == (layer.center, layer.scale)
