"""A multilayer perceptron: dense hidden layers and a linear output."""

from __future__ import annotations

import keras

from models.blocks import hidden_block, needs_bias, network_input
from models.config import ModelConfig


def build_mlp(config: ModelConfig, input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Return the network from (batch, *input_shape) to logits (batch, classes)."""
    inputs, x = network_input(input_shape, config)
    x = keras.layers.Flatten(name="flatten")(x)
    for index, units in enumerate(config.layers * config.depth, start=1):
        linear = keras.layers.Dense(units, use_bias=needs_bias(config.norm), name=f"linear_{index}")
        activation = keras.layers.Activation(config.activation, name=f"activation_{index}")
        x = hidden_block(x, linear, activation, config, index, skip=config.residual and index > 1)
    return keras.Model(inputs, keras.layers.Dense(classes, name="output")(x), name="mlp")
