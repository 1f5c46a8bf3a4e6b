"""How a batch lies in memory: its channel axes, its mask and its virtual batches, brought into broadcastable form."""

import itertools
from collections.abc import Sequence

import tensorflow as tf


def align_mask(mask: tf.Tensor, x: tf.Tensor, channel_axes: Sequence[int]) -> tf.Tensor:
    """Boolean mask of x's rank and, along every axis but the channels', of x's size.

    A mask of x's rank is broadcast as it is. A mask without the channel axes marks positions. Where that does not fit,
    a mask without the last axis is taken in Keras's sense, the way `keras.layers.Masking` makes it. In a graph, a
    reading whose sizes are known to agree goes before one that fits because a size is unknown.
    """
    rank = len(x.shape)
    for known, missing in itertools.product((True, False), ((), tuple(channel_axes), (rank - 1,))):
        shape = mask.shape.as_list()
        for axis in missing:
            shape.insert(axis, 1)
        unsure = () if known else (None,)
        if len(shape) == rank and all(m in (1, n, *unsure) or n in unsure for m, n in zip(shape, x.shape, strict=True)):
            break
    else:
        without = " or ".join(f"{axis}" for axis in channel_axes)
        raise ValueError(
            f"mask: must broadcast to the inputs' shape {tuple(x.shape)}, or to that without the channel axis "
            f"{without} or the last one, got shape {tuple(mask.shape)}"
        )
    mask = tf.cast(mask, tf.bool)
    for axis in missing:
        mask = tf.expand_dims(mask, axis)
    sizes_x, sizes_mask = tf.unstack(tf.shape(x)), tf.unstack(tf.shape(mask))
    return tf.broadcast_to(mask, [(sizes_mask if a in channel_axes else sizes_x)[a] for a in range(rank)])


def padded(
    ragged: tf.RaggedTensor, mask: tf.Tensor | tf.RaggedTensor | None, channel_axes: Sequence[int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Dense tensor, filled up with zeros, and a mask of its shape over what was there and is not masked."""
    x, there = ragged.to_tensor(), _there(ragged)
    if mask is None:
        return x, there
    mask = mask.to_tensor(False) if isinstance(mask, tf.RaggedTensor) else mask
    return x, there & align_mask(tf.convert_to_tensor(mask), x, channel_axes)


def ragged_like(ragged: tf.RaggedTensor, x: tf.Tensor) -> tf.RaggedTensor:
    """Undoes `padded`."""
    values = tf.boolean_mask(x, _there(ragged))
    return ragged.with_flat_values(tf.reshape(values, tf.shape(ragged.flat_values)))


def split_rows(x: tf.Tensor, mask: tf.Tensor | None, size: int) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Virtual batches of `size` consecutive rows: (rows, …) becomes (virtual batches, size, …).

    A shorter last one is filled up with masked rows, so a mask comes back unless `size` is known to divide the rows.
    """
    rows = x.shape[0]
    if rows is None or rows % size:
        lacking = -tf.shape(x)[0] % size
        padding = [[0, lacking]] + [[0, 0]] * (len(x.shape) - 1)
        mask = tf.ones_like(x, tf.bool) if mask is None else mask
        x, mask = tf.pad(x, padding), tf.pad(mask, padding)
    return _grouped(x, size), None if mask is None else _grouped(mask, size)


def join_rows(grouped: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Undoes `split_rows`, the rows that were added left out."""
    flat = tf.reshape(grouped, [-1, *tf.unstack(tf.shape(grouped))[2:]])
    rows = flat[: tf.shape(like)[0]]
    rows.set_shape(like.shape)
    return rows


def _there(ragged: tf.RaggedTensor) -> tf.Tensor:
    return tf.ones_like(ragged, tf.bool).to_tensor(False)


def _grouped(x: tf.Tensor, size: int) -> tf.Tensor:
    groups = None if x.shape[0] is None else x.shape[0] // size
    grouped = tf.reshape(x, [-1, size, *tf.unstack(tf.shape(x))[1:]])
    grouped.set_shape([groups, size, *x.shape[1:]])  # tf.ensure_shape fails in forward mode inside a tf.function
    return grouped
