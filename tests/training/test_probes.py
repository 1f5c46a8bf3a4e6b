"""Each probe against NumPy in float64 on a network small enough for numeric gradients."""

from __future__ import annotations

import typing
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from experiments.configuration.run import Probe, RunConfig
from experiments.training.datasets import load_dataset
from experiments.training.probes import DISTANCES, WEIGHT_SCALES, Probes, _block, _by_unit
from experiments.training.program import Program
from experiments.training.run import train
from models.networks import build_model

RATE = 0.3
Arrays = list[np.ndarray]


def run_config(probes: list[str], norm: dict[str, Any] | None = None, **model: Any) -> RunConfig:
    fields = {"layers": [5, 4], "activation": "sigmoid", "norm": norm or {}} | model
    return RunConfig.model_validate({"model": fields, "probes": probes})


class Case:
    """A network on 6 features with 3 classes, one batch of 24, and the same network in NumPy."""

    def __init__(self, probes: list[str], norm: dict[str, Any] | None = None, **model: Any):
        self.config = run_config(probes, norm, **model)
        self.network = build_model(self.config.model, (6,), 3)
        rng = np.random.default_rng(0)
        for variable in self.network.trainable_variables:
            centre = 1.0 if variable.name == "gamma" else 0.0
            variable.assign(centre + 0.7 * rng.standard_normal(variable.shape))
        self.x = rng.standard_normal((24, 6)).astype(np.float32)
        self.labels = rng.integers(0, 3, 24).astype(np.int32)
        self.values: Arrays = [v.numpy().astype(np.float64) for v in self.network.trainable_variables]
        self.names = [v.path for v in self.network.trainable_variables]
        self.kernels = [i for i, name in enumerate(self.names) if name.endswith("kernel")]

    def metrics(self, rate: float = RATE) -> dict[str, float]:
        probes = Probes(self.config, self.network)
        measured = probes.measure(tf.constant(self.x), tf.constant(self.labels), tf.constant(rate))
        return probes.metrics({name: value.numpy() for name, value in measured.items()})

    def forward(self, values: Arrays) -> tuple[np.ndarray, Arrays, Arrays, Arrays]:
        """Logits; and of the hidden layers what stands before the norm, before and after the activation."""
        named = dict(zip(self.names, values, strict=True))
        norm, hidden = self.config.model.norm, self.x.astype(np.float64)
        raw, pre, post = [], [], []
        for i in range(1, len(self.config.model.layers) + 1):
            z = hidden @ named[f"linear_{i}/kernel"] + named.get(f"linear_{i}/bias", 0)
            raw.append(z)
            if norm.kind != "none":
                groups = z.reshape(-1, norm.virtual_batch_size or len(z), z.shape[1])
                mean, variance = groups.mean(axis=1, keepdims=True), groups.var(axis=1, keepdims=True)
                normal = ((groups - mean) / np.sqrt(variance + norm.epsilon)).reshape(z.shape)
                z = normal * named[f"norm_{i}/gamma"] + named[f"norm_{i}/beta"]
            pre.append(z)
            hidden = np.tanh(z) if self.config.model.activation == "tanh" else 1 / (1 + np.exp(-z))
            post.append(hidden)
        return hidden @ named["output/kernel"] + named["output/bias"], raw, pre, post

    def loss(self, values: Arrays) -> float:
        logits = self.forward(values)[0]
        return float((np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(24), self.labels]).mean())

    def gradients(self, values: Arrays, step: float = 1e-5) -> Arrays:
        """By central differences."""
        found = []
        for i, value in enumerate(values):
            gradient = np.zeros_like(value)
            for at in np.ndindex(value.shape):
                for sign in (1, -1):
                    moved = [v.copy() for v in values]
                    moved[i][at] += sign * step
                    gradient[at] += sign * self.loss(moved) / (2 * step)
            found.append(gradient)
        return found


def length(arrays: Arrays) -> float:
    return float(np.sqrt(sum((a**2).sum() for a in arrays)))


def test_gradient_norms_are_those_of_the_kernels_from_below():
    case = Case(["gradients"], {"kind": "custom"})
    gradients = case.gradients(case.values)
    expected = {f"gradient_norm/{i}": length([gradients[k]]) for i, k in enumerate(case.kernels, start=1)}
    assert list(expected) == ["gradient_norm/1", "gradient_norm/2", "gradient_norm/3"]
    assert case.metrics() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("kind", ["none", "stock"])
def test_pre_activations_are_percentiles_over_the_batch_averaged_over_units(kind: str):
    case = Case(["pre_activations"], {"kind": kind})
    pre = case.forward(case.values)[2]
    expected = {
        f"pre_activation/{i}/p{p}": np.percentile(z, p, axis=0).mean()
        for i, z in enumerate(pre, start=1)
        for p in (15, 50, 85)
    }
    assert case.metrics() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_percentiles_of_single_units_are_those_of_the_last_hidden_layer():
    case = Case(["unit_percentiles"])
    last = case.forward(case.values)[2][-1]
    expected = {
        f"pre_activation/2/unit_{u:03}/p{p}": np.percentile(last[:, u], p) for u in range(4) for p in (15, 50, 85)
    }
    assert case.metrics() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_saturation_is_the_share_of_outputs_near_0_or_1():
    case = Case(["saturation"])
    for kernel in case.kernels:
        case.values[kernel] *= 6
        case.network.trainable_variables[kernel].assign(case.values[kernel])
    shares = [((h < 0.05) | (h > 0.95)).mean() for h in case.forward(case.values)[3]]
    assert 0.1 < min(shares) < max(shares) < 0.9
    expected = {"saturation/1": shares[0], "saturation/2": shares[1], "saturation/all": np.mean(shares)}
    assert case.metrics() == pytest.approx(expected, abs=1e-6)


def test_covariate_shift_is_the_change_of_a_gradient_when_the_layers_below_step():
    case = Case(["covariate_shift"], {"kind": "custom"}, layers=[5, 4, 3])
    before = case.gradients(case.values)
    blocks = [4 if name.startswith("output") else int(name.split("/")[0][-1]) for name in case.names]
    changes, cosines = [], []
    for block in (2, 3, 4):
        stepped = [
            value - 20 * gradient if below < block else value
            for value, gradient, below in zip(case.values, before, blocks, strict=True)
        ]
        kernel = case.kernels[block - 1]
        a, b = before[kernel], case.gradients(stepped)[kernel]
        changes.append(length([a - b]) / length([a]))
        cosines.append((a * b).sum() / length([a]) / length([b]))
    expected = {"covariate_shift/change": np.mean(changes), "covariate_shift/cosine": np.mean(cosines)}
    assert np.mean(changes) > 0.2
    assert case.metrics(rate=20.0) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("kind", ["none", "custom"])
def test_landscape_along_the_gradient(kind: str):
    case = Case(["landscape"], {"kind": kind})
    start, losses, changes, ratios = case.gradients(case.values), [case.loss(case.values)], [], []
    for distance in RATE * DISTANCES:
        moved = [value - distance * gradient for value, gradient in zip(case.values, start, strict=True)]
        losses.append(case.loss(moved))
        changes.append(length([a - b for a, b in zip(case.gradients(moved), start, strict=True)]))
        ratios.append(changes[-1] / (distance * length(start)))
    assert DISTANCES.tolist() == [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]
    expected = {
        "landscape/loss_range": max(losses) - min(losses),
        "landscape/gradient_change": max(changes),
        "landscape/smoothness": max(ratios),
        "landscape/smoothness_times_squared_norm": max(ratios) * length(case.values) ** 2,
    }
    assert case.metrics() == pytest.approx(expected, rel=5e-3)


def test_a_batch_normalization_standardizes_its_outputs():
    for kind in ("custom", "stock"):
        found = Case(["standardization"], {"kind": kind, "epsilon": 0.5}).metrics()
        assert found == pytest.approx({"standardization/mean": 0, "standardization/variance": 0}, abs=1e-5)


def test_standardization_is_the_worst_unit_over_the_whole_batch():
    # ghost batches standardize each 6 rows by themselves, so over all 24 rows the variance is off by a known amount
    case = Case(["standardization"], {"kind": "custom", "virtual_batch_size": 6, "epsilon": 0.5})
    worst = 0.0
    for z in case.forward(case.values)[1]:
        parts = z.reshape(4, 6, -1).var(axis=1)
        worst = max(worst, np.abs((parts / (parts + 0.5)).mean(axis=0) - z.var(axis=0) / (z.var(axis=0) + 0.5)).max())
    assert worst > 0.01
    assert case.metrics()["standardization/variance"] == pytest.approx(worst, rel=1e-3)


def test_the_mean_of_a_layer_that_does_not_standardize_is_seen(monkeypatch: pytest.MonkeyPatch):
    case = Case(["standardization"], {"kind": "stock"})

    def broken(*arguments: Any, **_: Any) -> Any:
        return 2 * arguments[3] + 1, None

    monkeypatch.setattr(keras.layers.BatchNormalization, "stateless_call", broken)
    raw = case.forward(case.values)[1]  # the second layer's input comes from the real first layer
    found = case.metrics()
    means = [np.abs(2 * z.mean(axis=0) + 1).max() for z in raw]
    assert found["standardization/mean"] == pytest.approx(max(means), rel=1e-3)
    off = [np.abs(4 * z.var(axis=0) - z.var(axis=0) / (z.var(axis=0) + 1e-3)).max() for z in raw]
    assert found["standardization/variance"] == pytest.approx(max(off), rel=1e-3)


@pytest.mark.parametrize("kind", ["custom", "stock"])
def test_scale_and_shift_can_restore_the_input(kind: str):
    assert Case(["affine_identity"], {"kind": kind}).metrics()["affine_identity/error"] < 1e-5


def test_affine_identity_is_the_largest_relative_error():
    case = Case(["affine_identity"], {"kind": "custom", "virtual_batch_size": 6, "epsilon": 0.5})
    worst = 0.0
    for z in case.forward(case.values)[1]:
        parts = z.reshape(4, 6, -1)
        mean, variance = parts.mean(axis=1, keepdims=True), parts.var(axis=1, keepdims=True)
        normal = ((parts - mean) / np.sqrt(variance + 0.5)).reshape(z.shape)
        restored = normal * np.sqrt(z.var(axis=0) + 0.5) + z.mean(axis=0)
        worst = max(worst, np.abs(restored - z).max() / np.abs(z).max())
    assert worst > 0.01
    assert case.metrics()["affine_identity/error"] == pytest.approx(worst, rel=1e-3)


def test_the_scale_of_the_weights_is_irrelevant_but_for_epsilon():
    assert Case(["weight_scale"], {"kind": "custom", "epsilon": 1e-7}).metrics()["weight_scale/error"] < 1e-3


def test_weight_scale_is_the_largest_relative_error_of_outputs_and_gradients():
    case = Case(["weight_scale"], {"kind": "custom", "epsilon": 0.1})
    before, errors = case.gradients(case.values), []
    outputs = case.forward(case.values)[2]
    for layer in (0, 1):
        kernel = case.kernels[layer]
        for a in WEIGHT_SCALES:
            scaled = [a * v if i == kernel else v for i, v in enumerate(case.values)]
            errors.append(length([case.forward(scaled)[2][layer] - outputs[layer]]) / length([outputs[layer]]))
            errors.append(length([a * case.gradients(scaled)[kernel] - before[kernel]]) / length([before[kernel]]))
    assert case.metrics() == {"weight_scale/error": pytest.approx(max(errors), rel=2e-3)}


@pytest.mark.parametrize(
    ("probe", "norm"),
    [
        ("standardization", {}),
        ("affine_identity", {}),
        ("weight_scale", {}),
        ("standardization", {"kind": "layer"}),
        ("weight_scale", {"kind": "stock", "placement": "after"}),
    ],
)
def test_probes_of_batch_normalization_say_nothing_where_they_do_not_apply(probe: str, norm: dict[str, Any]):
    assert Case([probe], norm).metrics() == {}


def test_nothing_is_measured_that_was_not_asked_for():
    assert Case([], {"kind": "custom"}).metrics() == {}


def test_normalization_behind_the_activation_is_measured_there():
    case = Case(["standardization", "affine_identity"], {"kind": "custom", "placement": "after", "epsilon": 0.5})
    found = case.metrics()
    assert found["standardization/mean"] < 1e-5
    assert found["affine_identity/error"] < 1e-5


def test_values_of_channels_are_thinned_but_never_below_the_batch():
    z = tf.reshape(tf.range(2 * 20 * 20 * 3, dtype=tf.float32), (2, 20, 20, 3))  # 800 values a channel
    found = _by_unit(z).numpy()
    assert found.shape == (256, 3)
    np.testing.assert_array_equal(found, _by_unit(z))  # the same positions at every step
    assert np.unique(found).size == found.size
    np.testing.assert_array_equal(found[:, 1], found[:, 0] + 1)
    assert _by_unit(tf.zeros((300, 3))).shape == (300, 3)
    assert _by_unit(tf.zeros((300, 2, 2, 3))).shape == (300, 3)


@pytest.mark.parametrize("batch", [64, 256, 300])
def test_thinned_values_come_from_all_over_the_images(batch: int):
    column = np.broadcast_to(np.arange(8, dtype=np.float32), (batch, 8, 8))
    where = np.stack([column.transpose(0, 2, 1), column], axis=-1)  # row and column of every pixel
    of_rows, of_columns = _by_unit(tf.constant(where)).numpy().T
    for places in (of_rows, of_columns):
        shares = np.bincount(places.astype(int), minlength=8) / len(places)
        assert shares.min() > 0.05  # of 0.125


@pytest.mark.parametrize(
    ("name", "block"), [("norm_input", 0), ("linear_1", 1), ("norm_12", 12), ("activation_3", 3), ("output", 5)]
)
def test_the_block_of_a_layer(name: str, block: int):
    assert _block(name, hidden=4) == block


ALL = [str(name) for name in typing.get_args(Probe)]


@pytest.mark.parametrize("probe", ALL)
def test_no_probe_changes_a_variable(probe: str):
    config = run_config([probe], {"kind": "noisy", "on_input": True}, dropout=0.4)
    network = build_model(config.model, (6,), 3)
    probes = Probes(config, network)
    before = [v.numpy() for v in network.variables]
    names = {v.name for v in network.variables}
    assert {"kernel", "gamma", "beta", "moving_mean", "moving_variance", "seed_generator_state"} <= names
    x = np.random.default_rng(0).standard_normal((24, 6)).astype(np.float32)
    probes.measure(tf.constant(x), tf.zeros(24, tf.int32), tf.constant(RATE))
    for variable, value in zip(network.variables, before, strict=True):
        assert variable.numpy().tobytes() == value.tobytes(), variable.path


def test_training_with_every_probe_is_bit_identical_to_training_without():
    shared = {
        "model": {"layers": [6], "norm": {"kind": "noisy", "momentum": 0.9}, "dropout": 0.2},
        "optimizer": {"kind": "adam", "learning_rate": 0.01},
        "steps": 6,
        "evaluate_every": 3,
        "dataset": {"batch_size": 20, "train_examples": 60},
        "probe_examples": 30,
        "xla": False,
    }
    trained, metrics = [], []
    for probes in ([], ALL):
        config = RunConfig.model_validate({**shared, "probes": probes})
        program = Program(config, load_dataset("digits"))
        metrics.append([evaluated.metrics for evaluated in train(program, config) if "loss/test" in evaluated.metrics])
        trained.append([v.numpy() for v in (*program.network.variables, *program.optimizer.variables)])
    for without, with_probes in zip(*trained, strict=True):
        assert without.tobytes() == with_probes.tobytes()
    (without,), (with_probes,) = metrics
    assert without == {name: with_probes[name] for name in without}
    prefixes = {name.split("/")[0] for name in with_probes}
    assert {"gradient_norm", "pre_activation", "covariate_shift", "landscape", "weight_scale", "saturation"} <= prefixes
    assert all(np.isfinite(value) for value in with_probes.values())
