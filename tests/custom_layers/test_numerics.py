"""`tf.debugging.enable_check_numerics` finds neither infinities nor NaN, not even among a graph's constants."""

import numpy as np
import pytest
import tensorflow as tf

from custom_layers import BatchNormalization


@pytest.fixture
def checked():
    tf.debugging.enable_check_numerics()
    yield
    tf.debugging.disable_check_numerics()


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize(
    ("shape", "options", "masked"),
    [
        ((12, 5), {}, None),
        ((12, 5), {"renorm": True}, None),
        ((12, 5), {"renorm": True, "renorm_clipping": {"rmin": 0.5}}, None),
        ((12, 5), {"renorm": True, "renorm_clipping": {"rmax": 2.0}}, None),
        ((12, 5), {"renorm": True, "renorm_clipping": {"dmax": None, "rmax": float("inf")}}, None),
        ((12, 5), {"renorm": True}, "wholly"),
        ((12, 5), {"momentum": None}, "partly"),
        ((12, 5), {"virtual_batch_size": 5}, None),
        ((40, 20, 20, 8), {}, None),  # the fused kernel's in a graph
        ((0, 5), {"renorm": True}, None),
    ],
    ids=str,
)
@pytest.mark.usefixtures("checked")
def test_first_and_second_gradient_pass_the_check(shape, options, masked, mode):
    layer = BatchNormalization(**options)
    layer.build((None, *shape[1:]))
    mask = None if masked is None else tf.range(shape[0]) < (0 if masked == "wholly" else 7)

    @tf.function(input_signature=[tf.TensorSpec((None, *shape[1:]))])
    def penalty(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(tf.sin(layer(x, training=True, mask=mask)))
            slope = tf.reduce_sum(tf.square(inner.gradient(loss, x)))
        return outer.gradient(slope, x)

    x = tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)
    got = (penalty if mode == "graph" else penalty.python_function)(x)
    assert np.isfinite(got).all()
