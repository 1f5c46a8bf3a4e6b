"""Residual networks: what is added to what, the factor on the branch, and what of it is trained."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from programs import curves_of, program, run_config

from models.blocks import BranchScale
from models.networks import build_model

IMAGES = np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype(np.float32)
NORM = {"kind": "custom"}


def network(**model: Any) -> keras.Model:
    built = build_model(run_config({"residual": True} | model).model, (8, 8, 1), 10)
    rng = np.random.default_rng(1)
    for variable in built.trainable_variables:
        variable.assign(rng.normal(0.1, 0.2, variable.shape))
    return built


def branch(built: keras.Model, index: int, x: np.ndarray) -> np.ndarray:
    """tanh(BN(W x)) in training, from the layers of the network, in float64."""
    kernel, norm = built.get_layer(f"linear_{index}").kernel.numpy(), built.get_layer(f"norm_{index}")
    z = x @ kernel.astype(np.float64)
    standardized = (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-3)
    return np.asarray(np.tanh(norm.gamma.numpy() * standardized + norm.beta.numpy()))


@pytest.mark.parametrize("scale", [1.0, 0.25, "learnt"])
def test_each_layer_but_the_first_adds_its_branch_to_what_it_takes(scale: float | str):
    built = network(layers=[6], depth=3, norm=NORM, branch_scale=scale)
    x = branch(built, 1, IMAGES.reshape(5, 64).astype(np.float64))
    for index in (2, 3):
        factor = scale if scale != "learnt" else float(built.get_layer(f"branch_scale_{index}").factor)
        assert factor != 0
        x = x + factor * branch(built, index, x)
    output = built.get_layer("output")
    expected = x @ output.kernel.numpy() + output.bias.numpy()
    np.testing.assert_allclose(built(IMAGES, training=True), expected, rtol=1e-4, atol=1e-5)


def test_a_learnt_factor_starts_from_nothing_of_the_branch_and_is_trained():
    model = {"layers": [6], "depth": 3, "residual": True, "branch_scale": "learnt", "norm": NORM}
    built = build_model(run_config(model).model, (8, 8, 1), 10)
    first = keras.Model(built.input, built.get_layer("activation_1").output)
    last = keras.Model(built.input, built.get_layer("sum_3").output)
    np.testing.assert_array_equal(first(IMAGES), last(IMAGES))
    config = run_config(model, optimizer={"learning_rate": 0.5}, xla=True)
    curves_of(config)
    factors = [float(program(config).network.get_layer(f"branch_scale_{i}").factor) for i in (2, 3)]
    assert min(map(abs, factors)) > 1e-3


def test_in_a_cnn_the_branch_is_added_before_pooling():
    built = network(kind="cnn", layers=[4, 4])
    names = [layer.name for layer in built.layers]
    assert names == [
        *("features", "linear_1", "activation_1", "pool_1"),
        *("linear_2", "activation_2", "sum_2", "pool_2", "flatten", "output"),
    ]
    added = built.get_layer("sum_2")
    assert [tensor.shape for tensor in added.input] == [(None, 4, 4, 4)] * 2
    assert added.input[0] is built.get_layer("pool_1").output


@pytest.mark.parametrize(("kind", "xla", "probe"), [("mlp", True, "gradients"), ("cnn", False, "covariate_shift")])
def test_the_program_trains_it_and_probes_look_at_it(kind: str, xla: bool, probe: str):
    model = {"kind": kind, "layers": [6, 6], "residual": True, "branch_scale": 0.5, "norm": NORM, "dropout": 0.1}
    curves = curves_of(run_config(model, optimizer={"learning_rate": 0.2}, xla=xla, probes=[probe]))
    losses = [value for _, value in curves["loss/validation"]]
    assert losses[-1] < losses[0]
    assert np.isfinite([value for name in curves if name.startswith(probe[:8]) for _, value in curves[name]]).all()
    assert ("gradient_norm/3" in curves) == (probe == "gradients")


def test_the_learnt_factor_is_made_again_from_its_configuration():
    assert BranchScale.from_config(BranchScale("learnt").get_config()).scale == "learnt"
