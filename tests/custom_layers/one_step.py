"""One training step of a layer, in each of the ways it can run."""

import numpy as np
import tensorflow as tf


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
