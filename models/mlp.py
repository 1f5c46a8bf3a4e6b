"""A multilayer perceptron: dense hidden layers and a linear output."""

from __future__ import annotations

import keras

from models.blocks import dense_blocks, network_input
from models.config import ModelConfig


def build_mlp(config: ModelConfig, input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Return the network from (batch, *input_shape) to logits (batch, classes)."""
    inputs, x = network_input(input_shape, config)
    x = keras.layers.Flatten(name="flatten")(x)
    x = dense_blocks(x, config.layers * config.depth, config)
    return keras.Model(inputs, keras.layers.Dense(classes, name="output")(x), name="mlp")
