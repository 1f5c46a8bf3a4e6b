"""Masks and virtual batches in broadcastable form, on values known by hand."""

import numpy as np
import pytest
import tensorflow as tf

from custom_layers import layout


@pytest.mark.parametrize(
    ("mask", "shape", "channels", "aligned"),
    [
        ((5,), (5, 3), (1,), (5, 1)),
        ((5, 4), (5, 3, 4), (1,), (5, 1, 4)),  # positions: without the channel axis
        ((5, 3), (5, 3, 4), (1,), (5, 3, 4)),  # Keras's way: without the last axis; it then counts for every position
        ((5,), (5, 3, 4), (1, 2), (5, 1, 1)),
        ((5, 1), (5, 3, 4), (2,), (5, 3, 1)),
        ((1, 3, 1), (5, 3, 4), (2,), (5, 3, 1)),
    ],
    ids=str,
)
def test_mask_gets_the_inputs_rank_and_their_size_off_the_channel_axes(mask, shape, channels, aligned):
    got = layout.align_mask(tf.ones(mask, tf.bool), tf.zeros(shape), channels)
    assert got.shape == aligned
    assert got.dtype == tf.bool


def test_position_mask_wins_where_both_readings_fit():
    mask = np.array([[True, False, True]])
    got = layout.align_mask(tf.constant(mask), tf.zeros((1, 3, 3)), (1,))
    np.testing.assert_array_equal(got, mask[:, None, :])


@pytest.mark.parametrize(
    ("mask", "shape", "aligned"),
    [
        ((None, 3), (None, 3, None), (5, 3, 4)),  # as in eager mode, though the 3 might be the unknown size
        ((None, None), (None, 3, None), (5, 1, 4)),
        ((None, None), (None, 3, 4), (5, 1, 4)),
    ],
    ids=str,
)
def test_a_reading_whose_sizes_are_known_to_agree_wins(mask, shape, aligned):
    @tf.function(input_signature=[tf.TensorSpec(mask, tf.bool), tf.TensorSpec(shape)])
    def align(mask, x):
        return layout.align_mask(mask, x, (1,))

    given = tf.ones((5, 3 if aligned[1] == 3 else 4), tf.bool)
    assert align(given, tf.zeros((5, 3, 4))).shape == aligned


def test_rows_are_split_in_order_and_the_last_virtual_batch_is_filled_up():
    x = tf.reshape(tf.range(10.0), (5, 2))
    grouped, mask = layout.split_rows(x, None, 2)
    np.testing.assert_array_equal(grouped, [[[0, 1], [2, 3]], [[4, 5], [6, 7]], [[8, 9], [0, 0]]])
    np.testing.assert_array_equal(mask, np.ones((3, 2, 2), bool) & [[[1]] * 2, [[1]] * 2, [[1], [0]]])
    np.testing.assert_array_equal(layout.join_rows(grouped, x), x)


def test_no_mask_is_needed_when_the_rows_divide():
    grouped, mask = layout.split_rows(tf.zeros((6, 2)), None, 3)
    assert grouped.shape == (2, 3, 2)
    assert mask is None
