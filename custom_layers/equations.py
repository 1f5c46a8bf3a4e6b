"""The mathematics of batch normalization: what is computed, forward and backward, whatever the device.

Ioffe & Szegedy 2015 (arXiv:1502.03167), over the m values x₁ … xₘ that one channel takes in a batch:

    μ  = Σxᵢ / m                                      algorithm 1, line 1
    σ² = Σ(xᵢ − μ)² / m                               algorithm 1, line 2
    x̂ᵢ = (xᵢ − μ) r,   r = 1 / √(σ² + ε)              algorithm 1, line 3
    yᵢ = γ x̂ᵢ + β                                     algorithm 1, line 4

The six equations of the paper's section 3 for the gradient, l the loss and dyᵢ = ∂l/∂yᵢ, collapse into three once the
derivatives by μ and σ² are put into ∂l/∂xᵢ:

    ∂l/∂β  = Σdyᵢ
    ∂l/∂γ  = Σdyᵢ x̂ᵢ
    ∂l/∂xᵢ = γ r (dyᵢ − (∂l/∂β + x̂ᵢ ∂l/∂γ) / m)

so the backward pass needs only x, μ and r from the forward pass. With a mask wᵢ ∈ {0, 1}, m = Σwᵢ, and μ and σ² are
sums over the positions with wᵢ = 1; every position is normalized, hence

    ∂l/∂xᵢ = γ r (dyᵢ − wᵢ (∂l/∂β + x̂ᵢ ∂l/∂γ) / m)    the sums still over all positions.

All statistics keep the reduced axes as ones, so that they broadcast against x. Float32 or float64 only.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

Sum = Callable[[tf.Tensor], tf.Tensor]


class Moments(NamedTuple):
    """Count m, mean μ and biased variance σ² of each channel; `count` may be a scalar."""

    count: tf.Tensor
    mean: tf.Tensor
    variance: tf.Tensor


def moments(
    x: tf.Tensor, axes: Sequence[int], mask: tf.Tensor | None = None, replica_sum: Sum | None = None
) -> Moments:
    """Moments of x over `axes`, in two passes; all zero where a channel has no value.

    `mask` is boolean, broadcastable to x, and already of x's size along `axes`. `replica_sum` adds a tensor up over
    the replicas: their moments are then merged about the common mean (Chan, Golub & LeVeque 1983).
    """
    if mask is None:
        count, kept = _positions(x, axes), x
    else:
        count = tf.reduce_sum(tf.cast(mask, x.dtype), axes, keepdims=True)
        kept = tf.where(mask, x, 0)  # not x·w: 0 · NaN would let a masked NaN through
    mean = tf.math.divide_no_nan(tf.reduce_sum(kept, axes, keepdims=True), count)
    squares = tf.math.squared_difference(kept, mean)
    if mask is not None:
        squares = tf.where(mask, squares, 0)
    variance = tf.math.divide_no_nan(tf.reduce_sum(squares, axes, keepdims=True), count)
    if replica_sum is None:
        return Moments(count, mean, variance)
    total = replica_sum(count)
    common_mean = tf.math.divide_no_nan(replica_sum(count * mean), total)
    spread = replica_sum(count * (variance + tf.square(mean - common_mean)))
    return Moments(total, common_mean, tf.math.divide_no_nan(spread, total))


def averaged(batch: Moments, shape: tf.TensorShape) -> Moments:
    """Moments without the reduced axes, of shape `shape`; those of several virtual batches averaged by their counts."""
    if not batch.count.shape.rank and batch.mean.shape.num_elements() == shape.num_elements():
        return Moments(batch.count, tf.reshape(batch.mean, shape), tf.reshape(batch.variance, shape))
    whole = tf.shape(batch.mean)
    count, *rest = (tf.reshape(tf.broadcast_to(m, whole), [-1, *shape]) for m in batch)
    total = tf.reduce_sum(count, 0)
    return Moments(total, *(tf.math.divide_no_nan(tf.reduce_sum(count * m, 0), total) for m in rest))


def affine(
    x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> tf.Tensor:
    """Algorithm 1, lines 3 and 4, as the paper's algorithm 2, line 11, has them: one product, one sum per value."""
    factor = tf.math.rsqrt(variance + epsilon) * gamma
    return x * factor + (beta - mean * factor)


def affine_in_rows(x: tf.Tensor, given: Sequence[tf.Tensor], epsilon: float, size: int) -> tf.Tensor:
    """As `affine`, given by channel, channels last, `size` positions at a time: rows of size · channels values."""
    mean, variance, gamma, beta = (tf.tile(tf.reshape(values, [-1]), [size]) for values in given)
    rows = tf.reshape(x, [-1, mean.shape[0]])
    return tf.reshape(affine(rows, mean, variance, gamma, beta, epsilon), tf.shape(x))


def normalize(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, batch: Moments, epsilon: float, *over: Any) -> tf.Tensor:
    """Algorithm 1, lines 3 and 4, where `batch` are the moments of x itself, with the gradient of the module docstring.

    `over`: the axes, mask and replica_sum of the moments, in the order of `gradients`. The gradients of γ and β are
    those of this replica alone (the optimizer adds them up), while the sums inside ∂l/∂x go over all replicas, as the
    statistics did. Since the moments are ordinary functions of x, the gradient can itself be differentiated.
    """

    @tf.custom_gradient
    def with_gradient(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        y = affine(x, batch.mean, batch.variance, gamma, beta, epsilon)
        return y, lambda dy: gradients(dy, x, gamma, beta, batch, epsilon, *over)

    return with_gradient(x, gamma, beta)


def normalize_in_rows(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float, size: int
) -> tuple[tf.Tensor, Moments]:
    """Normalized x and its moments, channels last, `size` positions at a time: rows of size · channels values.

    A channel stands at several places of a row, whose sums are added up, in the gradient as those of replicas.
    """
    channels = gamma.shape.num_elements()

    def over_places(sums: tf.Tensor) -> tf.Tensor:
        return tf.tile(tf.reduce_sum(tf.reshape(sums, [size, channels]), 0), [size])

    rows = tf.reshape(x, [-1, size * channels])
    count = _positions(rows, (0,)) * size
    mean = over_places(tf.reduce_sum(rows, 0)) / count
    variance = over_places(tf.reduce_sum(tf.math.squared_difference(rows, mean), 0)) / count
    gamma, beta = (tf.tile(tf.reshape(parameter, [channels]), [size]) for parameter in (gamma, beta))
    y = normalize(rows, gamma, beta, Moments(count, mean, variance), epsilon, (0,), None, over_places)
    return tf.reshape(y, tf.shape(x)), Moments(count, mean[:channels], variance[:channels])


def gradients(
    dy: tf.Tensor,
    x: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    batch: Moments,
    epsilon: float,
    axes: Sequence[int],
    mask: tf.Tensor | None = None,
    replica_sum: Sum | None = None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """∂l/∂x, ∂l/∂γ and ∂l/∂β by the equations of the module docstring.

    γ and β have the moments' shape but for leading axes. `axes`, `mask` and `replica_sum`: as for `moments`.
    """
    r = tf.math.rsqrt(batch.variance + epsilon)
    x_hat = (x - batch.mean) * r
    # A masked NaN reaches no sum as long as nothing downstream looked at it, that is, dy is 0 there.
    product = dy * x_hat if mask is None else tf.math.multiply_no_nan(x_hat, dy)
    d_beta = tf.reduce_sum(dy, axes, keepdims=True)
    d_gamma = tf.reduce_sum(product, axes, keepdims=True)
    sum_beta, sum_gamma = (d_beta, d_gamma) if replica_sum is None else map(replica_sum, (d_beta, d_gamma))
    share = tf.math.reciprocal_no_nan(batch.count)  # 1 / m
    through_moments = sum_beta * share + x_hat * (sum_gamma * share)
    if mask is not None:
        through_moments = tf.where(mask, through_moments, 0)
    return (dy - through_moments) * (gamma * r), _sum_like(d_gamma, gamma), _sum_like(d_beta, beta)


def second_gradients(
    upstream: Sequence[tf.Tensor], dy: tf.Tensor, x: tf.Tensor, gamma: tf.Tensor, epsilon: float, axes: Sequence[int]
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Gradients by dy, x and γ of S = Σaᵢ ∂l/∂xᵢ + b ∂l/∂γ + c ∂l/∂β, where `upstream` is (a, b, c).

    With P v = v − (Σv + x̂ Σvx̂) / m, which is symmetric, ∂l/∂x = γ r P dy, and so

        ∂S/∂dy = γ r P a + b x̂ + c
        ∂S/∂γ  = r Σ a P dy
        ∂S/∂x  = r P (b dy − γ r (a Σdyx̂ + dy Σax̂) / m) − x̂ γ r² Σ(a P dy) / m

    by x̂ and by the r before it. In plain operations, x̂ and r as functions of x: it can be differentiated further.
    """
    a, b, c = upstream
    batch = moments(x, axes)
    r = tf.math.rsqrt(batch.variance + epsilon)
    x_hat, share = (x - batch.mean) * r, tf.math.reciprocal_no_nan(batch.count)

    def total(values: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(values, axes, keepdims=True)

    def projected(v: tf.Tensor) -> tf.Tensor:
        return v - (total(v) + x_hat * total(v * x_hat)) * share

    by_gamma = r * total(a * projected(dy))
    by_x_hat = b * dy - gamma * r * share * (a * total(dy * x_hat) + dy * total(a * x_hat))
    by_x = r * projected(by_x_hat) - x_hat * (gamma * r * share * by_gamma)
    return gamma * r * projected(a) + b * x_hat + c, by_x, _sum_like(by_gamma, gamma)


def _positions(x: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    sizes = [x.shape[axis] for axis in axes]
    if None not in sizes:
        return tf.constant(float(tf.TensorShape(sizes).num_elements()), x.dtype)
    return tf.cast(tf.reduce_prod(tf.gather(tf.shape(x), list(axes))), x.dtype)


def _sum_like(gradient: tf.Tensor, parameter: tf.Tensor) -> tf.Tensor:
    """Adds `gradient` up along the leading axes, which `parameter` lacks (virtual batches and ones)."""
    return tf.reduce_sum(gradient, range(len(gradient.shape) - len(parameter.shape)))
