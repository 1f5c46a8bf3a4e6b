"""Batch normalization followed by noise that shifts every unit's distribution anew at every step.

Santurkar et al. 2018 (arXiv:1805.11604), section 2.1: if batch normalization helped by keeping the distributions of a
layer's inputs steady, this noise would undo the help. It does not.
"""

import math
from typing import Any

import keras
import tensorflow as tf

from custom_layers.arguments import checked_between
from custom_layers.batch_normalization import BatchNormalization

NOISE_MEAN = (-0.5, 0.5)
NOISE_DEVIATION = (1.0, 1.25)


@keras.saving.register_keras_serializable(package="custom_layers")  # saved by this name: what to import
@keras.saving.register_keras_serializable(package="batchnorm_lab")  # the name in older files
class NoisyBatchNormalization(BatchNormalization):
    """`BatchNormalization` plus, in training only, independent Gaussian noise on every activation.

    At each step every unit (channel) draws the mean of its noise from U(-0.5, 0.5) and the standard deviation from
    U(1, 1.25), both times `noise`, whatever the unit drew before. `seed` makes the noise repeatable. A frozen layer is
    in inference.
    """

    def __init__(self, *args: Any, seed: int | None = None, noise: float = 1.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seed, self.noise = seed, checked_between("noise", noise, 0, math.inf)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Normalized inputs, with the noise in training, in the compute dtype."""
        y = super().call(inputs, training=training, mask=mask)
        if not (training and self.trainable):
            return y
        channels, options = self.moving_mean.shape, {"dtype": "float32", "seed": self.seed_generator}
        mean = keras.random.uniform(channels, *NOISE_MEAN, **options)
        deviation = keras.random.uniform(channels, *NOISE_DEVIATION, **options)
        noise = keras.random.normal(tf.shape(y), **options)
        return y + tf.cast(self.noise * (self._spread(mean) + self._spread(deviation) * noise), y.dtype)

    def get_config(self) -> dict[str, Any]:
        """Configuration of the layer, its seed, and the strength of the noise where it is not 1."""
        strength = {} if self.noise == 1 else {"noise": self.noise}
        return {**super().get_config(), "seed": self.seed, **strength}
