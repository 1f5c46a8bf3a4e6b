"""The layer against the equations in NumPy, float64: output, gradients, moving statistics, in every way it can run."""

from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf

from custom_layers import BatchNormalization

EPSILON = 1e-3
MOMENTUM = 0.9


@dataclass
class Reference:
    """Algorithm 1 of Ioffe & Szegedy 2015 and its gradient, for one virtual batch after the other."""

    output: np.ndarray
    dx: np.ndarray
    dgamma: np.ndarray
    dbeta: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


def reference(x, dy, gamma, beta, axes, weights=None, rows=None) -> Reference:
    """`axes` are reduced; γ and β broadcast against x; `weights` 0 where masked; `rows` to a virtual batch."""
    x, dy = x.astype(np.float64), dy.astype(np.float64)
    weights = np.ones(x.shape) if weights is None else np.broadcast_to(weights, x.shape).astype(np.float64)
    rows = rows or len(x)
    parts, moments = [], []
    for start in range(0, len(x), rows):
        part = slice(start, start + rows)
        w, values, d = weights[part], x[part], dy[part]

        def total(a):
            return a.sum(axes, keepdims=True)

        m = total(w)
        mean = total(w * values) / m
        variance = total(w * (values - mean) ** 2) / m
        r = 1 / np.sqrt(variance + EPSILON)
        # The six derivatives as printed in section 3 of the paper, not the three they collapse into.
        d_hat = d * gamma
        d_variance = total(d_hat * (values - mean)) * -0.5 * r**3
        d_mean = total(d_hat) * -r + d_variance * total(-2 * w * (values - mean)) / m
        dx = d_hat * r + w * (d_variance * 2 * (values - mean) / m + d_mean / m)
        x_hat = (values - mean) * r
        parts.append((gamma * x_hat + beta, dx, total(d * x_hat), total(d)))
        moments.append((m, mean, variance))
    outputs, dx, dgamma, dbeta = zip(*parts, strict=True)
    m = sum(part[0] for part in moments)
    mean, variance = (sum(part[0] * part[k] for part in moments) / m for k in (1, 2))
    return Reference(np.concatenate(outputs), np.concatenate(dx), sum(dgamma), sum(dbeta), mean, variance)


def run(layer, x, dy, mode, **call):
    """Output, (dx, dγ, dβ) and new moving statistics of one training step."""

    def step(x, dy):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True, **call)
            loss = tf.reduce_sum(y * tf.cast(dy, y.dtype))
        return y, *tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])

    if mode != "eager":
        step = tf.function(step, jit_compile=mode == "xla")
    return [np.asarray(value) for value in step(tf.constant(x), tf.constant(dy))]


def data(shape, channels, seed=0):
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=shape) * 2 + 3).astype(np.float32)
    dy = rng.normal(size=shape).astype(np.float32)  # uneven: with ones dx is 0 whatever the bug
    return x, dy, rng.normal(size=channels).astype(np.float32), rng.normal(size=channels).astype(np.float32)


def spread(values, rank, axis):
    shape = [1] * rank
    for a, size in zip(axis, values.shape, strict=True):
        shape[a] = size
    return values.reshape(shape)


def check(layer, shape, axis, mode, weights=None, mask=None):
    """One step of `layer` from known γ, β and moving statistics, against the reference."""
    channels = tuple(shape[a] for a in axis)
    x, dy, gamma, beta = data(shape, channels)
    layer.build(shape)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    layer.moving_mean.assign(np.full(channels, 0.5))
    call = {} if mask is None else {"mask": tf.constant(mask)}
    got = run(layer, x, dy, mode, **call)
    axes = tuple(a for a in range(len(shape)) if a not in axis)
    want = reference(
        x, dy, spread(gamma, len(shape), axis), spread(beta, len(shape), axis), axes, weights, layer.virtual_batch_size
    )
    scale = np.abs(want.dgamma).max()  # sums over the batch round in proportion to their terms
    for value, expected in zip(got, (want.output, want.dx, want.dgamma, want.dbeta), strict=True):
        expected = expected if value.shape == x.shape else expected.reshape(channels)
        tolerance = 2e-5 * (1 if value.shape == x.shape else max(scale, 1))
        np.testing.assert_allclose(value, expected, rtol=2e-5, atol=tolerance)
    np.testing.assert_allclose(
        layer.moving_mean, MOMENTUM * 0.5 + (1 - MOMENTUM) * want.mean.reshape(channels), rtol=1e-5
    )
    np.testing.assert_allclose(
        layer.moving_variance, MOMENTUM + (1 - MOMENTUM) * want.variance.reshape(channels), rtol=1e-5
    )


MODES = ["eager", "graph", "xla"]
SHAPES = [(12, 5), (300, 128), (6, 4, 3), (4, 5, 6, 3), (16, 14, 14, 32), (2, 3, 4, 3, 2)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_training_step_follows_the_paper(shape, place, mode):
    axis = 1 if place == "first" else len(shape) - 1
    check(BatchNormalization(axis=axis, momentum=MOMENTUM), shape, (axis,), mode)
