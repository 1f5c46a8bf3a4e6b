"""Which kernel computes batch normalization fastest, and how to call it.

TensorFlow's FusedBatchNormV3 reads x twice forward and x and dy twice backward, where separate operations go through
memory three to four times as often. It takes a 4-D float32 tensor with the channel last, returns the variance with
Bessel's correction m/(m−1), has its own gradient (FusedBatchNormGradV3, the equations of `equations`), and XLA takes it
apart again. The choice is measured: docs/decisions/0002-the-layer-and-its-kernels.md.
"""

import math
from collections.abc import Callable

import tensorflow as tf
from tensorflow.python.eager import forwardprop_util
from tensorflow.python.ops import control_flow_util

from custom_layers import equations
from custom_layers.equations import Moments

# Measured on two cores, float32: elsewhere the plain operations are as fast or faster. Up to so many channels, fewest
# elements for the kernel on one thread, and on several, which oneDNN takes 0.1 to 0.2 ms to start:
WITH_ONEDNN = ((16, 12_000, 80_000), (math.inf, 32_000, 100_000))
WITHOUT_ONEDNN = ((63, math.inf, math.inf), (127, 800_000, 1_200_000), (math.inf, 250_000, 1_200_000))
CHANNELS_AT_ONCE = 4  # with a remainder the kernel takes up to three times as long as the plain operations
ASSUMED_BATCH = 32  # where it is unknown, as under `fit`, whose default this is
LONGEST_ROW = 128  # values of a row of several positions
IN_ROWS = ((16, 10_000), (64, 100_000))  # up to so many channels, fewest elements
LONGEST_RUN = 8  # rows of channels, of which the kernel takes many more short ones than long ones a second
LARGEST_MEAN, LARGEST_SUM = 64.0, 2.0**26  # of a channel, in its deviations, up to which the kernel adds up well


def prefers_fused(x: tf.Tensor, axes: tuple[int, ...]) -> bool:
    """Whether the fused kernel takes x, in training normalized over `axes`, and is the faster way to do it."""
    channels = _channels_behind(axes, x)
    if x.dtype != tf.float32 or not channels or in_xla():
        return False
    bounds = WITH_ONEDNN if onednn_is_on() else WITHOUT_ONEDNN
    one_thread, several = next(fewest for most, *fewest in bounds if channels <= most)
    fewest = one_thread if tf.config.threading.get_intra_op_parallelism_threads() == 1 else several
    return _is_large(x, fewest) and channels % CHANNELS_AT_ONCE == 0


def positions_of_row(x: tf.Tensor, axes: tuple[int, ...]) -> int:
    """How many positions of x the plain operations should take as one row; 1 where that is no gain.

    Rows of a few channels are slow to add up and to broadcast to. The number divides the positions, where the batch is
    unknown those of an example.
    """
    channels = _channels_behind(axes, x)
    if not channels or in_xla():
        return 1
    fewest = next((fewest for most, fewest in IN_ROWS if channels <= most), math.inf)
    if not _is_large(x, fewest):
        return 1
    known = x.shape[: len(axes)] if x.shape[0] is not None else x.shape[1 : len(axes)]
    positions = known.num_elements() or 1
    return max((n for n in range(1, LONGEST_ROW // channels + 1) if positions % n == 0), default=1)


def _channels_behind(axes: tuple[int, ...], x: tf.Tensor) -> int | None:
    """How many channels x has, if the axes that are reduced are the first; else None, as where a size is unknown."""
    return x.shape[len(axes) :].num_elements() if axes and axes == tuple(range(len(axes))) else None


def _is_large(x: tf.Tensor, fewest: float) -> bool:
    rows, example = x.shape[0], x.shape[1:].num_elements()  # an example of unknown size counts as large
    return example is None or (ASSUMED_BATCH if rows is None else rows) * example >= fewest


def prefers_rows(axes: tuple[int, ...]) -> bool:
    """Whether positions should be rows of one long batch first: XLA adds up over several axes much more slowly."""
    return len(axes) > 1 and axes == tuple(range(len(axes))) and in_xla()


def onednn_is_on() -> bool:
    """Whether TensorFlow computes with oneDNN in this process, which its build, processor and user decide."""
    try:
        from tensorflow.python.util import _pywrap_util_port  # not public
    except ImportError:
        return False
    return bool(_pywrap_util_port.IsMklEnabled())


def in_xla() -> bool:
    """Whether this is being traced into a function that XLA compiles, loops and nested functions included."""
    graph = tf.compat.v1.get_default_graph()
    return not tf.executing_eagerly() and control_flow_util.GraphOrParentsInXlaContext(graph)


def in_forward_mode(*tensors: tf.Tensor) -> bool:
    """Whether a tf.autodiff.ForwardAccumulator follows any of these, eagerly or within the function being traced.

    In a graph it follows the operations inside a custom gradient, not the gradient given, so only plain ones are right.
    """
    return bool(forwardprop_util.pack_tangents(tensors).tangents)


def fused_training(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> tuple[tf.Tensor, Moments]:
    """Normalized x and its moments, all axes but γ's reduced. The moments: (channels,), of all γ's axes.

    The kernel adds up in sequence, so that a mean of many deviations drowns the deviations. Such a batch, rare as it
    is, is computed a second time by the plain operations, which add up in blocks. The gradient of the kernel's gradient
    is ours: TensorFlow's is silently 0 in forward mode through a tf.function, and wrong from the third derivative on.
    """
    channels = gamma.shape.num_elements()
    axes = tuple(range(len(x.shape) - len(gamma.shape)))
    rows = _image(x, channels)
    count = tf.cast(tf.size(x) // channels, x.dtype)

    @tf.custom_gradient
    def with_gradient(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tuple[tuple, Callable]:
        options = {"epsilon": epsilon, "is_training": True}
        flat, scale = tf.reshape(x, rows), tf.reshape(gamma, [channels])
        y, mean, corrected, *saved = tf.raw_ops.FusedBatchNormV3(
            x=flat, scale=scale, offset=tf.reshape(beta, [channels]), mean=[], variance=[], **options
        )
        variance = corrected * (tf.maximum(count - 1, 1) / count)  # the kernel divides by max(m − 1, 1)
        largest = tf.minimum(LARGEST_MEAN, LARGEST_SUM / count)
        accurate = tf.reduce_all(tf.abs(mean) <= largest * tf.sqrt(variance + epsilon))

        def plain() -> tuple[tf.Tensor, ...]:
            batch = equations.moments(x, axes)
            y = equations.affine(x, batch.mean, batch.variance, gamma, beta, epsilon)
            return y, tf.reshape(batch.mean, [channels]), tf.reshape(batch.variance, [channels])

        @tf.custom_gradient
        def gradients(dy: tf.Tensor, x: tf.Tensor, gamma: tf.Tensor) -> tuple[tuple, Callable]:
            dy, x, gamma = map(tf.identity, (dy, x, gamma))  # in the graph of this pass

            def fused_gradients() -> tuple[tf.Tensor, ...]:
                spaces = {f"reserve_space_{number}": space for number, space in enumerate(saved, 1)}
                dx, *sums, _, _ = tf.raw_ops.FusedBatchNormGradV3(
                    y_backprop=tf.reshape(dy, rows), x=flat, scale=scale, **spaces, **options
                )
                return tf.reshape(dx, tf.shape(x)), *(tf.reshape(total, gamma.shape) for total in sums)

            def backward(*upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
                return equations.second_gradients(upstream, dy, x, gamma, epsilon, axes)

            return tf.cond(accurate, fused_gradients, lambda: plain_gradients(dy)), backward

        def plain_gradients(dy: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return equations.gradients(dy, x, gamma, beta, equations.moments(x, axes), epsilon, axes)

        def backward(dy: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return plain_gradients(dy) if in_forward_mode(dy, x, gamma) else gradients(dy, x, gamma)

        outputs = tf.cond(accurate, lambda: (tf.reshape(y, tf.shape(x)), mean, variance), plain)
        return outputs, backward

    y, mean, variance = with_gradient(x, gamma, beta)
    y.set_shape(x.shape)
    return y, Moments(count, mean, variance)


def _image(x: tf.Tensor, channels: int) -> list[int]:
    """The kernel's view of x, (runs, length, 1, channels): its short rows are the faster, whatever the shape of x."""
    values = x.shape.num_elements() or x.shape[1:].num_elements() or channels  # where unknown, of an example
    length = max(n for n in range(1, LONGEST_RUN + 1) if values // channels % n == 0)
    return [-1, length, 1, channels] if length > 1 else [1, -1, 1, channels]
