"""With which statistics is a batch-normalized network read? Those of the population, or moving averages.

Moving averages lag: after few steps a network that is read with them looks worse than it is. Wu & Johnson 2021
(arXiv:2105.07576), section 3.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from custom_layers import batch_statistics
from experiments.configuration.run import RunConfig


class Readings:
    """The ways in which every evaluation reads one network: the first decides, the others are kept beside.

    names: of each, as a metric's name ends; the first's is "". recomputes: whether the first takes the population's
    statistics. A network without moving statistics is read once.
    """

    def __init__(self, config: RunConfig, network: keras.Model):
        self._network = network
        self._layers = [
            layer
            for layer in network._flatten_layers()
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        ]
        self._moving = [v for layer in self._layers for v in (layer.moving_mean, layer.moving_variance)]
        self._averaged = [v for layer in self._layers for v in (layer.moving_mean, _moving_spread(layer))]
        self.recomputes = bool(self._layers) and config.statistics == "population"
        self._momenta = config.moving_averages if self._layers else ()
        self.names = ("", *(f"moving_{momentum}" for momentum in self._momenta))
        self._beside = {
            momentum: [tf.Variable(v.value, trainable=False) for v in self._averaged]
            for momentum in self._momenta
            if momentum != config.model.norm.momentum
        }
        self.population = batch_statistics(network) if self._layers else lambda _: []

    def reset(self) -> None:
        """Give the averages kept beside the values they start from: those of the layers' own."""
        for averages in self._beside.values():
            for average, variable in zip(averages, self._averaged, strict=True):
                average.assign(variable.value)

    def before_step(self) -> list[tf.Tensor]:
        """Return what `follow` has to know from before a step: the layers' own averages; nothing where none follows."""
        return [tf.identity(v.value) for v in self._averaged] if self._beside else []

    def follow(self, before: list[tf.Tensor]) -> None:
        """Let the averages kept beside take up the batch of a step, which the layers' own have taken up.

        That batch's statistic is what moved a layer's own average: (after − m · before) / (1 − m). So nothing in the
        training changes, at the price of an error in it of 2⁻²⁴ / (1 − m) of the average.
        """
        for i, old in enumerate(before):
            own = float(self._layers[i // 2].momentum)
            of_batch = (self._averaged[i].value - own * old) / (1 - own)
            for momentum, averages in self._beside.items():
                averages[i].assign(momentum * averages[i] + (1 - momentum) * of_batch)

    def statistics(self, inputs: tf.Tensor | None) -> list[list[tf.Tensor]]:
        """Return mean and variance of each layer, for each reading. inputs: of the population, where it is asked."""
        own = [tf.convert_to_tensor(v.value) for v in self._moving]
        first = self.population(inputs) if self.recomputes else own
        return [first, *(self._kept_beside(m) if m in self._beside else own for m in self._momenta)]

    def state(self, statistics: list[tf.Tensor]) -> list[tf.Tensor]:
        """Return all that the network holds beside its weights, with these statistics in place of the moving ones."""
        given = {id(v): value for v, value in zip(self._moving, statistics, strict=True)}
        return [given.get(id(v), tf.convert_to_tensor(v.value)) for v in self._network.non_trainable_variables]

    def _kept_beside(self, momentum: float) -> list[tf.Tensor]:
        """Mean and variance of each layer."""
        values = [tf.convert_to_tensor(average) for average in self._beside[momentum]]
        for i, layer in enumerate(self._layers):
            if layer.renorm:
                values[2 * i + 1] = tf.nn.relu(tf.square(values[2 * i + 1]) - layer.epsilon)
        return values


def _moving_spread(layer: keras.layers.BatchNormalization) -> keras.Variable:
    """What a layer averages of its batches' spread: the variance, or √(σ² + ε) where renormalization derives it."""
    return layer.moving_stddev if layer.renorm else layer.moving_variance
