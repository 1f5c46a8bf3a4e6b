"""When the fused kernel is used, and that it computes what the equations do."""

import numpy as np
import pytest
import tensorflow as tf

from custom_layers import BatchNormalization, equations, kernels

EPSILON = 1e-3


def batch(*shape, seed=0, mean=1.0):
    return (np.random.default_rng(seed).normal(size=shape) + mean).astype(np.float32)


def operations(graph):
    """Types of all operations, those of the functions it calls included."""
    definition = graph.as_graph_def()
    bodies = [definition.node, *(function.node_def for function in definition.library.function)]
    return {node.op for body in bodies for node in body}


def traced(shape, jit, axis=-1, **call):
    layer = BatchNormalization(axis=axis)
    layer.build(shape)
    step = tf.function(lambda x: layer(x, **call), jit_compile=jit)
    return operations(step.get_concrete_function(tf.TensorSpec(shape)).graph)


@pytest.mark.parametrize(
    ("shape", "options", "fused"),
    [
        ((64, 28, 28, 32), {}, True),
        ((None, 28, 28, 32), {}, True),
        ((256, 1024), {}, True),
        ((None, 3200), {}, True),  # 100,000 elements where there are 32 examples
        ((None, 3000), {}, False),
        ((None, None, None, 32), {}, True),  # who does not say how large images are has large ones
        ((60, 100), {}, False),  # too small
        ((64, 28, 28, 20), {}, True),
        ((64, 28, 28, 30), {}, False),  # the kernel takes four channels at once
        ((64, 28, 28, 33), {}, False),
        ((64, 32, 28, 28), {"axis": 1}, False),  # the kernel wants the channels last
        ((64, 28, 28, 16), {"training": False}, False),  # converters fold plain inference alone
        ((64, 28, 28, 32), {"jit": True}, False),  # XLA takes the kernel apart
    ],
    ids=str,
)
def test_kernel_is_used_where_it_was_measured_to_be_faster(shape, options, fused, monkeypatch):
    monkeypatch.setattr(kernels, "onednn_is_on", lambda: True)
    found = traced(shape, **{"jit": False, "training": True, **options})
    assert ("FusedBatchNormV3" in found) == fused


@pytest.mark.parametrize(
    ("shape", "threads", "fused"),
    [
        ((64, 28, 28, 32), 1, False),  # rows of several positions are faster
        ((64, 32, 32, 64), 1, True),
        ((64, 32, 32, 64), 2, True),
        ((256, 1024), 1, True),
        ((256, 1024), 2, False),
        ((60, 100), 1, False),
    ],
    ids=str,
)
def test_without_onednn_the_kernel_pays_for_many_channels_alone(shape, threads, fused, monkeypatch):
    monkeypatch.setattr(kernels, "onednn_is_on", lambda: False)
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: threads)
    assert kernels.prefers_fused(tf.zeros(shape), tuple(range(len(shape) - 1))) == fused


@pytest.mark.parametrize(
    ("shape", "axes", "size"),
    [
        ((60, 28, 28, 8), (0, 1, 2), 16),
        ((60, 28, 28, 12), (0, 1, 2), 10),
        ((61, 7, 7, 64), (0, 1, 2), 1),  # an odd number of positions
        ((None, 28, 28, 8), (0, 1, 2), 16),  # divides the positions of an example
        ((None, 7, 7, 8), (0, 1, 2), 7),
        ((2000, 8), (0,), 16),
        ((None, 400), (0,), 1),
        ((60, 8), (0,), 1),  # too small
        ((4, 8, 8, 64), (0, 1, 2), 1),
        ((64, 8, 28, 28), (0, 2, 3), 1),  # the channels are not last
        ((None, None, None, 8), (0, 1, 2), 1),
    ],
    ids=str,
)
def test_how_many_positions_the_plain_operations_take_as_one_row(shape, axes, size):
    with tf.Graph().as_default():
        assert kernels.positions_of_row(tf.compat.v1.placeholder(tf.float32, shape), axes) == size


@pytest.mark.parametrize("shape", [(60, 28, 28, 8), (2000, 8)], ids=str)
def test_rows_of_several_positions_give_the_plain_step(shape, monkeypatch):
    monkeypatch.setattr(kernels, "prefers_fused", lambda *_: False)
    x, dy = batch(*shape), batch(*shape, seed=1)
    found = []
    for size in (None, 1):
        if size:
            monkeypatch.setattr(kernels, "positions_of_row", lambda *_: 1)
        layer = BatchNormalization(momentum=0.5)
        layer.build(shape)
        with tf.GradientTape() as tape:
            x_ = tf.constant(x)
            tape.watch(x_)
            y = layer(x_, training=True)
        found.append([y, *tape.gradient(y, [x_, layer.gamma.value, layer.beta.value], dy), *layer.get_weights()])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=3e-6 * x.size / 8)  # sums of so many values


@pytest.mark.parametrize(("threads", "fused"), [(1, True), (2, False), (0, False)])  # 0: as many as there are
def test_on_one_thread_the_kernel_pays_for_smaller_batches(threads, fused, monkeypatch):
    monkeypatch.setattr(kernels, "onednn_is_on", lambda: True)
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: threads)
    assert kernels.prefers_fused(tf.zeros((60, 8, 8, 8)), (0, 1, 2)) == fused
    assert kernels.prefers_fused(tf.zeros((300, 128)), (0,)) == fused


@pytest.mark.parametrize(
    ("shape", "options", "rank"),
    [
        ((64, 28, 28, 32), {"jit": True}, 2),
        ((64, 28, 32), {"jit": True}, 2),
        ((64, 32, 28, 28), {"jit": True, "axis": 1}, 4),
        ((4, 4, 4, 33), {"jit": False}, 4),
    ],
    ids=str,
)
def test_under_xla_positions_are_rows_of_one_batch_where_the_channels_are_last(shape, options, rank):
    layer = BatchNormalization(axis=options.get("axis", -1))
    step = tf.function(lambda x: layer(x, training=True), jit_compile=options["jit"])
    function = step.get_concrete_function(tf.TensorSpec(shape))
    assert {len(op.inputs[0].shape) for op in function.graph.get_operations() if op.type == "Sum"} == {rank}
    assert function.structured_outputs.shape == shape


def test_xla_is_seen_from_loops_and_nested_functions():
    seen = {}

    @tf.function
    def nested(name):
        seen[name] = kernels.in_xla()

    def outer(name):
        nested(name)
        tf.while_loop(lambda i: i < 1, lambda i: (seen.setdefault(f"{name} loop", kernels.in_xla()), (i + 1,))[1], (0,))

    for jit, name in ((True, "xla"), (False, "graph")):
        tf.function(lambda name=name: outer(name), jit_compile=jit)()
    assert seen == {"xla": True, "xla loop": True, "graph": False, "graph loop": False}
    assert not kernels.in_xla()


@pytest.mark.parametrize("largest", [kernels.LARGEST_MEAN, 0.0])  # with 0 every batch goes the plain way after all
@pytest.mark.parametrize("shape", [(7, 5), (6, 4, 3), (4, 5, 6, 3), (2, 3, 4, 3, 2), (1, 4)], ids=str)
def test_kernel_and_equations_agree(shape, largest, monkeypatch):
    monkeypatch.setattr(kernels, "LARGEST_MEAN", largest)
    x, dy = batch(*shape), batch(*shape, seed=1)
    gamma, beta = batch(shape[-1], seed=2), batch(shape[-1], seed=3)
    axes = tuple(range(len(shape) - 1))

    def plain(x, gamma, beta):
        moments = equations.moments(x, axes)
        return equations.normalize(x, gamma, beta, moments, EPSILON, axes), moments

    def fused(x, gamma, beta):
        return kernels.fused_training(x, gamma, beta, EPSILON)

    @tf.function
    def step(normalize, *arguments):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            y, moments = normalize(*arguments)
        return y, *tape.gradient(y, arguments, output_gradients=dy), moments.count, moments.mean, moments.variance

    arguments = [tf.constant(a) for a in (x, gamma, beta)]
    for one, other in zip(step(plain, *arguments), step(fused, *arguments), strict=True):
        np.testing.assert_allclose(np.ravel(one), np.ravel(other), rtol=1e-4, atol=1e-4)


def test_variance_of_the_kernel_is_the_biased_one():
    x = np.float32([[1.0, 2.0], [3.0, 6.0]])
    _, moments = kernels.fused_training(tf.constant(x), tf.ones(2), tf.zeros(2), EPSILON)
    np.testing.assert_allclose(moments.variance, [1.0, 4.0], rtol=1e-6)  # Bessel's would be 2 and 8


@pytest.mark.parametrize(
    ("shape", "image"),
    [
        ((64, 28, 28, 32), [-1, 8, 1, 32]),
        ((None, 7, 7, 64), [-1, 7, 1, 64]),
        ((None, None, None, 3), [1, -1, 1, 3]),
        ((None, 512), [1, -1, 1, 512]),
        ((20, 600), [-1, 5, 1, 600]),
        ((11, 800), [1, -1, 1, 800]),
    ],
    ids=str,
)
def test_the_kernel_is_given_short_rows_where_the_shape_can_be_cut(shape, image):
    seen = []

    @tf.function(input_signature=[tf.TensorSpec(shape)])
    def look(x):
        seen.append(kernels._image(x, shape[-1]))

    look.get_concrete_function()
    assert seen == [image]


def test_a_mean_that_drowns_the_deviations_is_not_left_to_the_kernel():
    x = batch(60, 32, 32, 4, mean=1e5)
    _, moments = kernels.fused_training(tf.constant(x), tf.ones(4), tf.zeros(4), EPSILON)
    np.testing.assert_allclose(
        moments.variance, equations.moments(tf.constant(x), (0, 1, 2)).variance[0, 0, 0], rtol=1e-5
    )
