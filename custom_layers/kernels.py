"""Which kernel computes batch normalization fastest, and how to call it.

TensorFlow's FusedBatchNormV3 reads x twice forward and x and dy twice backward, where separate operations go through
memory three to four times as often. It takes a 4-D float32 tensor with the channel last, returns the variance with
Bessel's correction m/(m−1), has its own gradient (FusedBatchNormGradV3, the equations of `equations`), and XLA takes it
apart again. The choice is measured: docs/decisions/0002-the-layer-and-its-kernels.md.
"""

import tensorflow as tf
from tensorflow.python.ops import control_flow_util

from custom_layers.equations import Moments

FEWEST_ELEMENTS = 2**15  # below this the plain operations are as fast or faster


def prefers_fused(x: tf.Tensor, axes: tuple[int, ...]) -> bool:
    """Whether the fused kernel takes x, normalized over `axes`, and is the faster way to do it."""
    if x.dtype != tf.float32 or axes != tuple(range(len(axes))) or not axes or in_xla():
        return False
    channels = x.shape[len(axes) :].num_elements()
    positions = x.shape[: len(axes)].num_elements()  # None when the batch size is not known
    return channels is not None and (positions is None or positions * channels >= FEWEST_ELEMENTS)


def in_xla() -> bool:
    """Whether this is being traced into a function that XLA compiles, loops and nested functions included."""
    return not tf.executing_eagerly() and control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def fused_training(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> tuple[tf.Tensor, Moments]:
    """Normalized x and its moments, all axes but γ's reduced. γ, β and the moments: (channels,)."""
    flat = tf.reshape(x, [-1, 1, 1, gamma.shape[0]])
    y, mean, corrected, *_ = tf.raw_ops.FusedBatchNormV3(
        x=flat, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon, is_training=True
    )
    count = tf.cast(tf.shape(flat)[0], x.dtype)
    variance = corrected * (tf.maximum(count - 1, 1) / count)  # the kernel divides by max(m − 1, 1)
    return tf.reshape(y, tf.shape(x)), Moments(count, mean, variance)


def fused_inference(
    x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> tf.Tensor:
    """Normalized x for given statistics. γ, β, mean and variance: (channels,)."""
    flat = tf.reshape(x, [-1, 1, 1, gamma.shape[0]])
    y, *_ = tf.raw_ops.FusedBatchNormV3(
        x=flat, scale=gamma, offset=beta, mean=mean, variance=variance, epsilon=epsilon, is_training=False
    )
    return tf.reshape(y, tf.shape(x))
