"""Batch normalization of both paths of a recurrent network, against numpy (Cooijmans et al. 2016, eq. 4 and 5)."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from custom_layers import recompute_statistics
from models.config import ModelConfig
from models.norm_config import NormConfig
from models.rnn import NormalizedRecurrence, build_rnn

UNITS, TIMES, EPSILON = 3, 4, 1e-3
NORM = NormConfig(kind="custom", recurrent=True, initial_scale=0.1, epsilon=EPSILON)
Z = np.random.default_rng(0).normal(size=(16, TIMES, UNITS)).astype(np.float32) * 3


def layer() -> NormalizedRecurrence:
    made = NormalizedRecurrence("tanh", NORM)
    made.build(Z.shape)
    made.recurrent_kernel.assign(np.linalg.qr(np.random.default_rng(1).normal(size=(UNITS, UNITS)))[0])
    made.bias.assign([0.1, -0.2, 0.3])
    return made


def standardized(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(0)) / np.sqrt(x.var(0) + EPSILON)


def by_hand(kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    states = [np.tanh(0.1 * standardized(Z[:, 0]) + bias)]
    for t in range(1, TIMES):
        states.append(np.tanh(0.1 * standardized(Z[:, t]) + 0.1 * standardized(states[-1] @ kernel) + bias))
    return np.stack(states, axis=1)


def test_each_term_of_each_time_step_is_normalized_by_statistics_of_its_own():
    made = layer()
    expected = by_hand(made.recurrent_kernel.numpy(), made.bias.numpy())
    np.testing.assert_allclose(made(Z, training=True), expected, atol=1e-5)


def test_inference_takes_moving_statistics_of_each_time_step():
    made = layer()
    inputs = keras.Input((TIMES, UNITS))
    model = keras.Model(inputs, made(inputs))
    recompute_statistics(model, [Z])
    means = made.norm_x.moving_mean.numpy()
    assert means.shape == (TIMES, UNITS)
    np.testing.assert_allclose(means, Z.mean(0), atol=1e-5)
    np.testing.assert_allclose(model(Z, training=False), made(Z, training=True), atol=1e-4)
    assert len({tuple(norm.moving_variance.numpy()) for norm in made.norms_h}) == TIMES - 1


def test_scales_start_from_the_value_given_and_shifts_are_one_bias():
    config = ModelConfig(kind="rnn", layers=(5,), activation="tanh", norm=NORM)
    model = build_rnn(config, (8, 8, 1), 10)
    weights = {v.path.rpartition("/")[2]: v.numpy() for v in model.get_layer("activation_1").trainable_variables}
    assert weights.keys() == {"recurrent_kernel", "bias", "gamma_x", "gamma_h"}
    assert weights["gamma_x"].tolist() == weights["gamma_h"].tolist() == pytest.approx([0.1] * 5)
    assert not model.get_layer("linear_1").use_bias


def test_it_is_for_recurrent_networks_and_stands_before_the_activation():
    with pytest.raises(ValueError, match=r"norm\.recurrent needs kind: rnn, got mlp"):
        ModelConfig(norm=NORM)
    with pytest.raises(ValueError, match="recurrent stands before the activation"):
        NormConfig(kind="custom", recurrent=True, placement="after")
