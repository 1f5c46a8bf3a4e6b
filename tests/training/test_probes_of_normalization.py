"""The probes of what batch normalization does, against NumPy in float64."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from probing import Case, length
from programs import DIGITS, curves_of, inputs, program, run_config

from experiments.training.datasets import split_dataset
from experiments.training.probes import WEIGHT_SCALES


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


def test_normalization_behind_the_activation_is_measured_there():
    case = Case(["standardization", "affine_identity"], {"kind": "custom", "placement": "after", "epsilon": 0.5})
    found = case.metrics()
    assert found["standardization/mean"] < 1e-5
    assert found["affine_identity/error"] < 1e-5


@pytest.mark.parametrize("statistics", ["population", "moving"])
def test_held_out_examples_are_normalized_by_the_statistics_of_the_run(statistics: str):
    asked = run_config({"norm": {"kind": "custom"}}, statistics=statistics, probes=["held_out_standardization"])
    used = program(asked)
    curves = curves_of(asked, used)
    split = split_dataset(DIGITS, asked.dataset, asked.seed)
    seen, held_out = (inputs(part[:1000]).reshape(-1, 64).astype(float) for part in (split.train, split.validation))
    means, variances = [], []
    for i in (1, 2):
        norm = used.network.get_layer(f"norm_{i}")
        seen, held_out = (h @ used.network.get_layer(f"linear_{i}").kernel.numpy() for h in (seen, held_out))
        mean, variance = seen.mean(axis=0), seen.var(axis=0)
        if statistics == "moving":
            mean, variance = norm.moving_mean.numpy(), norm.moving_variance.numpy()
        normal = (held_out - mean) / np.sqrt(variance + 1e-3)
        means.append(np.abs(normal.mean(axis=0)).max())
        variances.append(np.abs(normal.var(axis=0) - variance / (variance + 1e-3)).max())
        gamma, beta = norm.gamma.numpy(), norm.beta.numpy()
        seen, held_out = (np.tanh(gamma * (h - mean) / np.sqrt(variance + 1e-3) + beta) for h in (seen, held_out))
    assert curves["held_out_standardization/mean"] == [(20, pytest.approx(max(means), rel=1e-3))]
    assert curves["held_out_standardization/variance"] == [(20, pytest.approx(max(variances), rel=1e-3))]
    assert max(means) > 0.01  # no identity


def test_looking_at_held_out_examples_changes_nothing():
    of_run = {"kind": "custom"}
    with_probe = curves_of(run_config({"norm": of_run}, probes=["held_out_standardization"]))
    without = curves_of(run_config({"norm": of_run}))
    assert {name: with_probe[name] for name in without} == without
    assert with_probe.keys() - without.keys() == {f"held_out_standardization/{what}" for what in ("mean", "variance")}


def test_without_batch_normalization_there_is_nothing_held_out_to_see():
    assert not any("held_out" in name for name in curves_of(run_config(probes=["held_out_standardization"])))
