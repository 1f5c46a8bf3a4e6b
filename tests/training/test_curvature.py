"""The Hessian's outermost eigenvalues, against matrices that are known whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from own_networks import MLP, own_network
from probing import RATE, Case, run_config
from pydantic import ValidationError

from custom_layers import equations
from experiments.configuration.run import RunConfig
from experiments.training.curvature import extreme_eigenvalues, hessian_product, tridiagonal
from experiments.training.datasets import load_dataset
from experiments.training.program import Program
from experiments.training.run import train
from models.norm_config import NOT_TWICE
from models.own_network import NetworkError


def found_of(matrix: np.ndarray, compiled: bool = False, products: int = 20) -> np.ndarray:
    held = tf.constant(matrix, tf.float32)

    def found() -> tf.Tensor:
        return tridiagonal(lambda v: tf.linalg.matvec(held, v), len(matrix), products)

    return tf.function(found, jit_compile=True)().numpy() if compiled else found().numpy()


def symmetric(eigenvalues: np.ndarray) -> np.ndarray:
    basis, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((len(eigenvalues),) * 2))
    return (basis * eigenvalues) @ basis.T


@pytest.mark.parametrize("compiled", [False, True])
def test_the_outermost_eigenvalues_of_a_spectrum_with_outliers_are_found(compiled: bool) -> None:
    eigenvalues = np.concatenate([[-3.0], np.linspace(-1, 1, 200), [7.0, 20.0]])
    assert extreme_eigenvalues(found_of(symmetric(eigenvalues), compiled)) == pytest.approx((-3, 20), rel=1e-3)


def test_a_matrix_smaller_than_the_products_is_found_whole() -> None:
    found = found_of(np.diag([1.0, 2.0, 5.0]))
    assert found.shape == (2, 3)
    assert extreme_eigenvalues(found) == pytest.approx((1, 5), rel=1e-5)


def test_directions_that_are_used_up_bring_no_eigenvalue_that_is_not_there() -> None:
    assert extreme_eigenvalues(found_of(4 * np.eye(30))) == pytest.approx((4, 4), rel=1e-5)
    assert extreme_eigenvalues(found_of(np.zeros((30, 30)))) == (0, 0)


def test_what_is_not_finite_has_no_eigenvalues() -> None:
    assert np.isnan(extreme_eigenvalues(np.array([[1.0, np.nan], [0.5, 0.0]]))).all()


def test_products_are_those_with_the_hessian_of_a_function_whose_second_derivatives_are_known() -> None:
    weights = [tf.constant([[1.0, 2.0]]), tf.constant([3.0])]

    def gradients(at: list[tf.Tensor]) -> list[tf.Tensor]:  # of a³ + a b c
        (a, b), c = tf.unstack(at[0][0]), at[1][0]
        return [tf.stack([[3 * a**2 + b * c, a * c]]), tf.stack([a * b])]

    hessian = np.array([[6.0, 3, 2], [3, 0, 1], [2, 1, 0]])
    product = hessian_product(gradients, weights)
    columns = [product(tf.constant(unit, tf.float32)).numpy() for unit in np.eye(3)]
    np.testing.assert_allclose(np.array(columns), hessian, rtol=1e-6)


@pytest.mark.parametrize("kind", ["none", "custom"])
def test_the_probe_s_are_those_of_the_hessian_by_differences(kind: str) -> None:
    case = Case(["curvature"], {"kind": kind})
    found = case.metrics()
    assert found.keys() == {"curvature/smallest", "curvature/largest", "curvature/largest_times_rate"}
    eigenvalues = np.linalg.eigvalsh(_hessian(case))
    assert found["curvature/largest"] == pytest.approx(eigenvalues[-1], rel=1e-3)
    assert found["curvature/smallest"] == pytest.approx(eigenvalues[0], rel=5e-2)
    assert found["curvature/largest_times_rate"] == pytest.approx(RATE * found["curvature/largest"], rel=1e-5)


def test_moments_by_which_keras_normalizes_have_other_second_derivatives_than_the_variance() -> None:
    def second(variance: Callable[[tf.Tensor], tf.Tensor]) -> np.ndarray:
        x = tf.constant([1.0, 2.0, 4.0])
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                found = variance(x)
            first = inner.gradient(found, x)
        return np.asarray(outer.jacobian(first, x))

    right = 2 / 3 * (np.eye(3) - 1 / 3)
    np.testing.assert_allclose(second(lambda x: equations.moments(x[:, None], (0,)).variance[0]), right, rtol=1e-5)
    assert not np.allclose(second(lambda x: tf.nn.moments(x, 0)[1]), right)  # so that `NOT_TWICE` has reason to be


@pytest.mark.parametrize("kind", sorted(NOT_TWICE))
def test_where_second_derivatives_are_not_the_loss_s_the_probe_is_refused(kind: str) -> None:
    with pytest.raises(ValidationError, match=f"probes: curvature needs second derivatives.*kind: {kind} are not"):
        run_config(
            ["curvature"],
            {"kind": kind},
            layers=[10] if kind == "group" else [3],
            kind="cnn" if kind == "instance" else "mlp",
        )
    with pytest.raises(ValidationError, match=r"model.norm.renorm: true, which takes r and d for constants"):
        run_config(["curvature"], {"kind": "custom", "renorm": True})
    with pytest.raises(ValidationError, match=r"curvature is that by all weights, and model.trainable is output"):
        run_config(["curvature"], trainable="output")


@pytest.mark.parametrize("kind", ["mlp", "cnn", "rnn"])
def test_curvature_is_the_same_however_it_is_compiled_and_changes_no_training(kind: str) -> None:
    fields = {
        "dataset": {"name": "digits", "batch_size": 16},
        "model": {"kind": kind, "layers": [4] if kind == "rnn" else [3, 4], "norm": {"kind": "custom"}},
        "steps": 4,
        "evaluate_every": 2,
        "probe_examples": 64,
    }

    def measured(xla: bool, *probes: str) -> list[dict[str, float]]:
        config = RunConfig.model_validate(fields | {"xla": xla, "probes": probes})
        return [dict(evaluated.metrics) for evaluated in train(Program(config, load_dataset("digits")), config)]

    compiled, plain, without = measured(True, "curvature"), measured(False, "curvature"), measured(True)
    for of_compiled, of_plain in zip(compiled, plain, strict=True):
        assert of_compiled["curvature/largest"] > 0 > of_compiled["curvature/smallest"]
        assert of_compiled["curvature/largest"] == pytest.approx(of_plain["curvature/largest"], rel=1e-3)
    assert [of["loss/validation"] for of in compiled] == [of["loss/validation"] for of in without]


@pytest.mark.parametrize(
    ("layer", "right"), [("normalization()(x)", True), ("keras.layers.LayerNormalization()(normalization()(x))", False)]
)
def test_in_a_network_of_the_user_s_own_keras_s_normalizations_are_found(
    layer: str, right: bool, tmp_path: Path
) -> None:
    body = MLP.replace("normalization()(x)", layer)
    config = own_network(tmp_path, body, norm="custom", probes=("curvature",), dataset={"name": "digits"}, steps=0)
    if right:
        assert Program(config, load_dataset("digits")).probes.asked == ("curvature",)
        return
    with pytest.raises(
        NetworkError, match=r"second derivatives of layer_norm\w*, a LayerNormalization of Keras, are wrong"
    ):
        Program(config, load_dataset("digits"))


def _hessian(case: Case, step: float = 1e-3) -> np.ndarray:
    sizes = np.cumsum([value.size for value in case.values])
    shapes = [value.shape for value in case.values]

    def gradient(at: np.ndarray) -> np.ndarray:
        values = [part.reshape(shape) for part, shape in zip(np.split(at, sizes[:-1]), shapes, strict=True)]
        return np.concatenate([part.ravel() for part in case.gradients(values)])

    centre = np.concatenate([value.ravel() for value in case.values])
    rows = [(gradient(centre + step * u) - gradient(centre - step * u)) / (2 * step) for u in np.eye(len(centre))]
    return (np.array(rows) + np.array(rows).T) / 2
