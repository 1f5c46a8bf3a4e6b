"""What holds for the layer whatever the input: properties, tried on inputs drawn at random."""

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from one_step import run

from custom_layers import BatchNormalization

properties = settings(max_examples=20, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def normalized(x, **options):
    """Output in training, γ = 1 and β = 0."""
    return np.asarray(BatchNormalization(**{"epsilon": 0.0, **options})(tf.constant(x), training=True))


def rows(seed, count=9, channels=4):
    return np.random.default_rng(seed).normal(size=(count, channels)).astype(np.float32)


@properties
@given(seeds, st.floats(-100, 100), st.floats(0.01, 100))
def test_output_does_not_depend_on_the_shift_and_scale_of_the_input(seed, shift, scale):
    x = rows(seed)
    np.testing.assert_allclose(normalized(x * np.float32(scale)), normalized(x), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(normalized(x + np.float32(shift)), normalized(x), rtol=1e-2, atol=1e-3)


@properties
@given(seeds)
def test_permuting_the_batch_permutes_the_output(seed):
    x, order = rows(seed), np.random.default_rng(seed).permutation(9)
    np.testing.assert_allclose(normalized(x[order]), normalized(x)[order], rtol=1e-4, atol=1e-5)


@properties
@given(seeds, st.integers(1, 9))
def test_gradients_by_x_add_up_to_zero_and_are_orthogonal_to_the_output(seed, virtual):
    x, dy = rows(seed), rows(seed + 1)
    for size in (None, virtual):
        layer = BatchNormalization(epsilon=1e-12, virtual_batch_size=size)
        layer.build(x.shape)
        y, dx, *_ = run(layer, x, dy, "eager")
        scale = np.abs(dx).max() + np.abs(dy).max()
        np.testing.assert_allclose(dx.sum(0) / scale, 0, atol=1e-4)
        if size is None:
            np.testing.assert_allclose((dx * y).sum(0) / scale, 0, atol=1e-4)


@properties
@given(seeds, st.lists(st.booleans(), min_size=9, max_size=9).filter(lambda kept: sum(kept) > 1))
def test_masking_rows_is_removing_them(seed, kept):
    x, mask = rows(seed), np.array(kept)
    whole, part = BatchNormalization(), BatchNormalization()
    masked = np.asarray(whole(tf.constant(x), training=True, mask=tf.constant(mask)))
    removed = np.asarray(part(tf.constant(x[mask]), training=True))
    np.testing.assert_allclose(masked[mask], removed, rtol=1e-4, atol=1e-5)
    for one, other in zip(whole.get_weights(), part.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@properties
@given(seeds, st.integers(9, 20))
def test_a_virtual_batch_of_the_whole_batch_is_a_plain_one(seed, size):
    x = rows(seed)
    np.testing.assert_allclose(normalized(x, virtual_batch_size=size), normalized(x), rtol=1e-4, atol=1e-5)
