"""From which values the kernels start, and what decides them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.config import ModelConfig
from models.initialization import initial_kernels
from models.networks import build_model

IMAGE = (8, 8, 1)
NORMS = ("custom", "stock", "noisy", "layer", "group")


def kernels(seed: int, shape: tuple[int, ...] = IMAGE, **fields: Any) -> list[np.ndarray]:
    config = ModelConfig.model_validate(fields)
    return [value for _, value in initial_kernels(build_model(config, shape, 10), config, seed)]


@pytest.mark.parametrize("network", ["mlp", "cnn", "rnn"])
def test_arms_share_their_initial_kernels(network: str):
    plain = kernels(3, kind=network, layers=[6, 6])
    assert len(plain) == (5 if network == "rnn" else 3)
    for kind in NORMS:
        norm = {"kind": kind, "placement": "after", "on_input": kind in ("custom", "stock"), "groups": 2}
        other = kernels(3, kind=network, layers=[6, 6], norm=norm, dropout=0.5)
        assert all(np.array_equal(a, b) for a, b in zip(plain, other, strict=True))


def test_every_kernel_is_named_once():
    config = ModelConfig(kind="rnn", layers=[6, 6], norm={"kind": "custom"})
    model = build_model(config, IMAGE, 10)
    variables = [variable.path for variable, _ in initial_kernels(model, config, 0)]
    assert variables == [v.path for v in model.trainable_variables if "kernel" in v.name]
    assert len(set(variables)) == 5


def test_the_seed_decides_the_initial_kernels():
    first, again, other = kernels(3), kernels(3), kernels(4)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert not np.array_equal(first[1], first[2])  # nor do layers share their values


@pytest.mark.parametrize(
    ("fields", "deviations"),
    [
        # of the first kernel, 64 in and 100 out, and of the output's, 100 in and 10 out; a uniform one of ±l has l/√3
        ({"initialization": "glorot_uniform"}, (np.sqrt(2 / 164), np.sqrt(2 / 110))),
        ({"initialization": "he_normal"}, (np.sqrt(2 / 64), np.sqrt(2 / 100))),
        ({"initialization": "lecun_normal"}, (np.sqrt(1 / 64), np.sqrt(1 / 100))),
        ({"initialization": "gaussian"}, (1, 1)),
        ({"initialization": "he_normal", "init_scale": 3}, (3 * np.sqrt(2 / 64), 3 * np.sqrt(2 / 100))),
        ({"initialization": "gaussian", "init_scale": 0.01}, (0.01, 0.01)),
    ],
)
def test_the_spread_of_the_initial_kernels(fields: dict[str, Any], deviations: tuple[float, float]):
    values = kernels(0, **fields)
    assert all(value.dtype == np.float32 for value in values)
    assert values[0].std() == pytest.approx(deviations[0], rel=0.03)
    assert values[-1].std() == pytest.approx(deviations[1], rel=0.08)
    if fields["initialization"] == "glorot_uniform":
        assert np.abs(values[0]).max() == pytest.approx(np.sqrt(6 / 164), rel=1e-3)


def test_the_fan_of_a_convolution_counts_its_positions():
    _, second, _ = kernels(0, kind="cnn", layers=[8, 64], initialization="he_normal")
    assert second.shape == (3, 3, 8, 64)
    assert second.std() == pytest.approx(np.sqrt(2 / (9 * 8)), rel=0.03)


def test_orthogonal_kernels_keep_lengths():
    wide, tall = kernels(0, layers=[80], initialization="orthogonal", init_scale=2.0)
    np.testing.assert_allclose(wide @ wide.T, 4 * np.eye(64), atol=1e-5)  # 64 pixels to 80 units
    np.testing.assert_allclose(tall.T @ tall, 4 * np.eye(10), atol=1e-5)  # to 10 classes
    _, convolution, _ = kernels(0, kind="cnn", layers=[2, 8], initialization="orthogonal")
    assert convolution.shape == (3, 3, 2, 8)
    flat = convolution.reshape(18, 8)
    np.testing.assert_allclose(flat.T @ flat, np.eye(8), atol=1e-6)


def test_orthogonal_kernels_point_in_all_directions_alike():
    """Of 64 entries of the first column over 200 seeds the mean is 0 with a deviation of 1 / √(64 · 200)."""
    config = ModelConfig(layers=[64], initialization="orthogonal")
    network = build_model(config, IMAGE, 10)
    first = [initial_kernels(network, config, seed)[0][1][0, 0] for seed in range(200)]
    assert abs(np.mean(first)) < 4 / np.sqrt(64 * 200)


def test_recurrent_kernels_are_orthogonal():
    _, recurrent, _ = kernels(0, kind="rnn", layers=[20], init_scale=2.0)
    np.testing.assert_allclose(recurrent @ recurrent.T, 4 * np.eye(20), atol=1e-5)
    _, recurrent, _ = kernels(0, kind="rnn", layers=[20], init_scale=0.01, initialization="gaussian")
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(20), atol=1e-5)
