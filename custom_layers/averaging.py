"""How do moving averages take up a batch: what is kept of them, and what do several replicas make of it?"""

import tensorflow as tf


def share_kept(momentum: float | None, seen: tf.Tensor) -> tf.Tensor:
    """Share of an average over `seen` batches that is kept when the next is taken up, so that it has no bias.

    seen: s of each channel. With momentum m it is m (1 − mˢ) / (1 − mˢ⁺¹): the average then is one that starts from 0,
    divided by 1 − mˢ⁺¹, as in Adam (Kingma & Ba 2015, section 3). With None it is s / (s + 1), the limit as m goes to
    1, and the average is the mean over all batches. The first batch is taken up whole by either.
    """
    if momentum is None:
        return seen / (seen + 1)
    s = tf.cast(seen, tf.float64)  # 1 − m loses five digits in 32 bits
    m = tf.constant(momentum, tf.float64)
    return tf.cast(m * (1 - m**s) / (1 - m ** (s + 1)), seen.dtype)


def mean_over_replicas(value: tf.Tensor) -> tf.Tensor:
    """Mean of the replicas' values, or the value itself where replicas cannot meet: in loops and inner functions."""
    replicas = tf.distribute.get_replica_context()
    if replicas is None or replicas.num_replicas_in_sync == 1:
        return value
    try:
        return replicas.all_reduce(tf.distribute.ReduceOp.MEAN, value)
    except RuntimeError:  # raised while tracing, by every replica alike
        return value
