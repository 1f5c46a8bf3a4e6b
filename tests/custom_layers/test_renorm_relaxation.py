"""Limits of batch renormalization that are relaxed over the steps of training (Ioffe 2017, section 4.1)."""

from __future__ import annotations

import numpy as np
import pytest

from custom_layers import BatchNormalization, batch_statistics
from custom_layers.noisy_batch_normalization import NoisyBatchNormalization

X = np.random.default_rng(0).normal(3, 2, (64, 5)).astype(np.float32)


def limits(layer: BatchNormalization) -> list[float]:
    return [float(np.asarray(limit).ravel()[0]) for limit in layer._renorm_limits(np.float32)]


def test_at_the_first_step_it_is_plain_batch_normalization():
    plain, relaxed = BatchNormalization(), BatchNormalization(renorm=True, renorm_relaxation=4)
    np.testing.assert_allclose(relaxed(X, training=True), plain(X, training=True), atol=1e-5)
    renorm = BatchNormalization(renorm=True)
    assert np.abs(np.asarray(renorm(X, training=True)) - np.asarray(plain(X, training=True))).max() > 1


def test_the_limits_go_evenly_from_none_to_those_of_the_paper_and_no_further():
    layer = BatchNormalization(renorm=True, renorm_relaxation=4)
    layer.build(X.shape)
    seen = []
    for _ in range(6):
        seen.append(limits(layer))
        layer(X, training=True)
    assert [rmax for _, rmax, _ in seen] == pytest.approx([1, 1.5, 2, 2.5, 3, 3])
    assert [rmin for rmin, _, _ in seen] == pytest.approx([1, 1 / 1.5, 1 / 2, 1 / 2.5, 1 / 3, 1 / 3])
    assert [dmax for _, _, dmax in seen] == pytest.approx([0, 1.25, 2.5, 3.75, 5, 5])


def test_neither_inference_nor_a_look_at_statistics_is_a_step():
    import keras

    inputs = keras.Input((5,))
    layer = BatchNormalization(renorm=True, renorm_relaxation=4)
    model = keras.Model(inputs, layer(inputs))
    model(X, training=False)
    batch_statistics(model)(X)
    assert layer.renorm_steps.numpy().tolist() == [0] * 5
    model(X, training=True)
    assert layer.renorm_steps.numpy().tolist() == [1] * 5


def test_it_goes_through_the_configuration_and_needs_renorm():
    layer = BatchNormalization(renorm=True, renorm_relaxation=7)
    assert BatchNormalization.from_config(layer.get_config()).renorm_relaxation == 7
    assert "renorm_relaxation" not in BatchNormalization(renorm=True).get_config()
    with pytest.raises(ValueError, match="renorm_relaxation: needs renorm"):
        BatchNormalization(renorm_relaxation=7)
    with pytest.raises(ValueError, match="renorm_relaxation: must be a whole number above 0"):
        BatchNormalization(renorm=True, renorm_relaxation=0)


@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_noise_is_as_strong_as_asked(factor: float):
    x = np.zeros((20_000, 8), np.float32)
    noise = np.asarray(NoisyBatchNormalization(seed=1, noise=factor)(x, training=True))
    assert np.all(np.abs(noise.mean(0)) < 0.55 * factor)
    assert np.all((noise.std(0) > 0.98 * factor) & (noise.std(0) < 1.27 * factor))
    assert "noise" not in NoisyBatchNormalization().get_config()
    assert NoisyBatchNormalization.from_config(NoisyBatchNormalization(noise=factor).get_config()).noise == factor
