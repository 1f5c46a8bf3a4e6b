"""Every activation that a network may have, against its formula, and trained by the compiled program."""

from __future__ import annotations

import math
import typing

import keras
import numpy as np
import pytest
from programs import curves_of, run_config

from models.config import ModelConfig
from models.networks import build_model

X = np.linspace(-4, 4, 41)
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017, §2
FORMULAS = {
    "relu": np.maximum(X, 0),
    "sigmoid": 1 / (1 + np.exp(-X)),
    "tanh": np.tanh(X),
    "gelu": np.array([x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in X]),  # Hendrycks & Gimpel 2016
    "leaky_relu": np.where(X > 0, X, 0.2 * X),
    "elu": np.where(X > 0, X, np.expm1(X)),  # Clevert et al. 2016, α = 1
    "selu": SELU_SCALE * np.where(X > 0, X, SELU_ALPHA * np.expm1(X)),
    "linear": X,
}


def test_every_activation_has_its_formula_here():
    assert set(typing.get_args(ModelConfig.model_fields["activation"].annotation)) == FORMULAS.keys()


@pytest.mark.parametrize("name", FORMULAS)
def test_it_is_the_function_of_its_paper(name: str):
    network = build_model(run_config({"layers": [41], "activation": name}).model, (41,), 2)
    network.get_layer("linear_1").set_weights([np.eye(41), np.zeros(41)])
    hidden = keras.Model(network.input, network.get_layer("activation_1").output)
    np.testing.assert_allclose(hidden(X[np.newaxis])[0], FORMULAS[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "activation"), [("mlp", "gelu"), ("mlp", "selu"), ("rnn", "elu"), ("cnn", "leaky_relu"), ("mlp", "linear")]
)
def test_the_program_trains_it(kind: str, activation: str):
    initialization = "lecun_normal" if activation == "selu" else "orthogonal"
    model = {"kind": kind, "layers": [6], "activation": activation, "initialization": initialization}
    losses = [
        v for _, v in curves_of(run_config(model, optimizer={"learning_rate": 0.05}, xla="auto"))["loss/validation"]
    ]
    assert losses[-1] < losses[0]
