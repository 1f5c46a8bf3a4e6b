"""Each probe against NumPy in float64 on a network small enough for numeric gradients."""

from __future__ import annotations

import typing

import keras
import numpy as np
import pytest
import tensorflow as tf
from probing import RATE, Case, length, run_config

from experiments.configuration.probes import Probe
from experiments.configuration.run import RunConfig
from experiments.training.activations import by_unit
from experiments.training.datasets import load_dataset
from experiments.training.probes import DISTANCES, Probes
from experiments.training.program import Program
from experiments.training.run import train
from experiments.training.seen_layers import _block
from models.networks import build_model


def test_gradient_norms_are_those_of_the_kernels_from_below():
    case = Case(["gradients"], {"kind": "custom"})
    gradients = case.gradients(case.values)
    expected = {f"gradient_norm/{i}": length([gradients[k]]) for i, k in enumerate(case.kernels, start=1)}
    assert list(expected) == ["gradient_norm/1", "gradient_norm/2", "gradient_norm/3"]
    assert case.metrics() == pytest.approx(expected, rel=1e-3)


def test_weight_norms_are_those_of_the_kernels_from_below():
    case = Case(["weight_norms"], {"kind": "custom"})
    expected = {f"weight_norm/{i}": length([case.values[k]]) for i, k in enumerate(case.kernels, start=1)}
    assert len(expected) == 3
    assert case.metrics() == pytest.approx(expected, rel=1e-5)


def test_cosines_between_weights_and_gradients_are_those_of_all_kernels_but_the_output_layers():
    case = Case(["weight_gradient_cosine"], {"kind": "none"})
    gradients = case.gradients(case.values)
    expected = {}
    for i, k in enumerate(case.kernels[:-1], start=1):
        w, g = case.values[k].ravel(), gradients[k].ravel()
        expected[f"weight_gradient_cosine/{i}"] = w @ g / np.linalg.norm(w) / np.linalg.norm(g)
    assert len(expected) == 2
    assert min(map(abs, expected.values())) > 0.01
    assert case.metrics() == pytest.approx(expected, rel=1e-3)


def test_weights_before_batch_normalization_are_orthogonal_to_their_gradient():
    found = Case(["weight_gradient_cosine"], {"kind": "custom", "epsilon": 1e-12}).metrics()
    assert max(map(abs, found.values())) < 1e-5
    assert max(map(abs, Case(["weight_gradient_cosine"], {"kind": "custom", "epsilon": 1.0}).metrics().values())) > 1e-3


def cosine(values: np.ndarray) -> float:
    units = values / np.linalg.norm(values, axis=1, keepdims=True)
    return float((units @ units.T)[~np.eye(len(values), dtype=bool)].mean())


@pytest.mark.parametrize("kind", ["none", "custom"])
def test_representations_are_what_hidden_layers_hand_on(kind: str):
    case = Case(["representation"], {"kind": kind}, activation="tanh")
    expected = {}
    for i, h in enumerate(case.forward(case.values)[3], start=1):
        expected[f"representation/stable_rank/{i}"] = (h**2).sum() / np.linalg.norm(h, 2) ** 2
        expected[f"representation/cosine/{i}"] = cosine(h)
    for name in ("representation/stable_rank", "representation/cosine"):
        expected[f"{name}/last"] = expected[f"{name}/2"]
    assert case.metrics() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_normalization_after_the_activation_is_part_of_what_is_handed_on():
    case = Case(["representation"], {"kind": "layer", "placement": "after"})
    last = keras.Model(case.network.input, case.network.get_layer("norm_2").output)(case.x).numpy()
    assert case.metrics()["representation/cosine/last"] == pytest.approx(cosine(last), rel=1e-4)


def test_the_first_guess_is_the_class_that_most_examples_go_to():
    case = Case(["first_guess"], {"kind": "custom"}, activation="tanh")
    counts = np.bincount(case.forward(case.values)[0].argmax(axis=1))
    assert 8 < counts.max() < 20
    assert case.metrics() == {"first_guess/share": pytest.approx(counts.max() / 24)}


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
    expected = {}
    for name, end in (("saturation", 0.05), ("far_saturation", 0.02)):
        shares = [((h < end) | (h > 1 - end)).mean() for h in case.forward(case.values)[3]]
        assert 0.1 < min(shares) < max(shares) < 0.9
        expected |= {f"{name}/1": shares[0], f"{name}/2": shares[1], f"{name}/all": np.mean(shares)}
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


def test_nothing_is_measured_that_was_not_asked_for():
    assert Case([], {"kind": "custom"}).metrics() == {}


def test_values_of_channels_are_thinned_but_never_below_the_batch():
    z = tf.reshape(tf.range(2 * 20 * 20 * 3, dtype=tf.float32), (2, 20, 20, 3))  # 800 values a channel
    found = by_unit(z).numpy()
    assert found.shape == (256, 3)
    np.testing.assert_array_equal(found, by_unit(z))  # the same positions at every step
    assert np.unique(found).size == found.size
    np.testing.assert_array_equal(found[:, 1], found[:, 0] + 1)
    assert by_unit(tf.zeros((300, 3))).shape == (300, 3)
    assert by_unit(tf.zeros((300, 2, 2, 3))).shape == (300, 3)


@pytest.mark.parametrize("batch", [64, 256, 300])
def test_thinned_values_come_from_all_over_the_images(batch: int):
    column = np.broadcast_to(np.arange(8, dtype=np.float32), (batch, 8, 8))
    where = np.stack([column.transpose(0, 2, 1), column], axis=-1)  # row and column of every pixel
    of_rows, of_columns = by_unit(tf.constant(where)).numpy().T
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
