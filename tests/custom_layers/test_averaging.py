"""Moving averages with bias correction, against the correction as it is printed, in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from custom_layers import BatchNormalization, NoisyBatchNormalization, recompute_statistics

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

BATCHES = np.random.default_rng(0).normal(3, 2, (5, 16, 4)).astype(np.float32)


def corrected(values: np.ndarray, momentum: float) -> np.ndarray:
    """Adam's average of (steps, channels), divided by 1 − mᵗ. Kingma & Ba 2015, algorithm 1."""
    average = np.zeros(values.shape[1:])
    for value in values.astype(np.float64):
        average = momentum * average + (1 - momentum) * value
    return np.asarray(average / (1 - momentum ** len(values)))


def trained(steps: int, mode: str = "eager", **options: Any) -> BatchNormalization:
    layer = BatchNormalization(moving_mean_initializer="ones", debiased=True, **options)
    layer.build(BATCHES.shape[1:])
    step = (lambda x: layer(x, training=True)) if mode == "eager" else None
    step = step or tf.function(lambda x: layer(x, training=True), jit_compile=mode == "xla")
    for batch in BATCHES[:steps]:
        step(tf.constant(batch))
    return layer


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
@pytest.mark.parametrize("momentum", [0.0, 0.9, 0.9999])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_what_is_stored_is_adams_corrected_average_whatever_it_starts_from(steps: int, momentum: float, mode: str):
    layer = trained(steps, mode, momentum=momentum)
    seen = BATCHES[:steps].astype(np.float64)
    np.testing.assert_allclose(layer.moving_mean, corrected(seen.mean(1), momentum), rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, corrected(seen.var(1), momentum), rtol=1e-6)


def test_inference_reads_it():
    layer, x = trained(3, momentum=0.9), BATCHES[4]
    seen = BATCHES[:3].astype(np.float64)
    mean, variance = corrected(seen.mean(1), 0.9), corrected(seen.var(1), 0.9)
    np.testing.assert_allclose(layer(x), (x - mean) / np.sqrt(variance + 1e-3), rtol=1e-4, atol=1e-6)


def test_renormalization_averages_the_deviation_without_bias():
    layer, deviations = trained(3, momentum=0.9, renorm=True), np.sqrt(BATCHES[:3].var(1) + 1e-3)
    np.testing.assert_allclose(layer.moving_stddev, corrected(deviations, 0.9), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, corrected(deviations, 0.9) ** 2 - 1e-3, rtol=1e-5)


def test_a_channel_counts_the_batches_that_it_had_values_in():
    layer = BatchNormalization(momentum=0.9, debiased=True, axis=1)
    x = BATCHES[:2, :5, :3].astype(np.float32)
    for batch, there in zip(x, ([True] * 3, [True, False, True]), strict=True):
        layer(tf.constant(batch), training=True, mask=tf.constant([there]))
    both, first = corrected(x.mean(1), 0.9), x[0].mean(0)
    np.testing.assert_allclose(layer.moving_mean, [both[0], first[1], both[2]], rtol=1e-6)


def test_training_goes_on_from_a_saved_layer(tmp_path: Path):
    model = keras.Sequential([keras.Input((4,)), BatchNormalization(momentum=0.9, debiased=True)])
    for batch in BATCHES[:2]:
        model(batch, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(BATCHES[4]), model(BATCHES[4]))
    loaded(BATCHES[2], training=True)
    expected = corrected(BATCHES[:3].mean(1), 0.9)
    np.testing.assert_allclose(loaded.layers[0].moving_mean, expected, rtol=1e-6)


def test_the_statistics_of_a_population_are_its_own_and_no_step():
    model = keras.Sequential([keras.Input((4,)), BatchNormalization(momentum=0.9, debiased=True)])
    for batch in BATCHES[:2]:
        model(batch, training=True)
    recompute_statistics(model, [BATCHES[4]])
    np.testing.assert_allclose(model.layers[0].moving_mean, BATCHES[4].mean(0), rtol=1e-6)
    assert model.layers[0].batches_seen.numpy().tolist() == [2] * 4


def test_only_a_layer_that_is_debiased_counts_batches_and_says_so():
    plain, debiased = NoisyBatchNormalization(), NoisyBatchNormalization(debiased=True)
    assert "debiased" not in plain.get_config()
    assert debiased.get_config()["debiased"] is True
    for layer in (plain, debiased):
        layer.build((None, 3))
    assert [w.name for w in debiased.weights] == [*(w.name for w in plain.weights), "batches_seen"]


@pytest.mark.parametrize("momentum", [None, 1])
def test_an_average_without_bias_needs_no_correction(momentum: float | None):
    with pytest.raises(ValueError, match=f"^debiased: needs a momentum below 1, got {momentum}"):
        BatchNormalization(momentum=momentum, debiased=True)
