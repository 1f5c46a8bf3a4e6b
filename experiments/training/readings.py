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
        self.recomputes = bool(self._layers) and config.statistics == "population"
        momenta = config.moving_averages if self._layers else ()
        self.names = ("", *(f"moving_{momentum:g}" for momentum in momenta))
        own = config.model.norm.momentum
        self._averages = {m: [tf.Variable(v.value, trainable=False) for v in self._moving] for m in momenta if m != own}
        self._momenta = momenta
        self.population = batch_statistics(network) if self._layers else lambda _: []

    def reset(self) -> None:
        """Give the averages kept beside the values they start from: those of the layers' own."""
        for of_momentum in self._averages.values():
            for average, variable in zip(of_momentum, self._moving, strict=True):
                average.assign(variable.value)

    def moving(self) -> list[tf.Tensor]:
        """Return the layers' moving statistics, as `follow` needs them from before a step; empty where it does not."""
        return [tf.identity(v.value) for v in self._moving] if self._averages else []

    def follow(self, before: list[tf.Tensor]) -> None:
        """Let the averages kept beside take up the batch of a step, which the layers' own have taken up.

        That batch's statistic is what moved a layer's own average: (after − m · before) / (1 − m).
        """
        for i, old in enumerate(before):
            own = float(self._layers[i // 2].momentum)
            of_batch = (self._moving[i].value - own * old) / (1 - own)
            for momentum, averages in self._averages.items():
                averages[i].assign(momentum * averages[i] + (1 - momentum) * of_batch)

    def statistics(self, inputs: tf.Tensor | None) -> list[list[tf.Tensor]]:
        """Return mean and variance of each layer, for each reading. inputs: of the population, where it is asked."""
        own = [tf.convert_to_tensor(v.value) for v in self._moving]
        beside = [
            [tf.convert_to_tensor(v) for v in self._averages[m]] if m in self._averages else own for m in self._momenta
        ]
        return [self.population(inputs) if self.recomputes else own, *beside]

    def state(self, statistics: list[tf.Tensor]) -> list[tf.Tensor]:
        """Return all that the network holds beside its weights, with these statistics in place of the moving ones."""
        given = {id(v): value for v, value in zip(self._moving, statistics, strict=True)}
        return [given.get(id(v), tf.convert_to_tensor(v.value)) for v in self._network.non_trainable_variables]
