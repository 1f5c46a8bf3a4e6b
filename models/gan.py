"""A generator and a discriminator of images, both multilayer perceptrons. Goodfellow et al. 2014."""

from __future__ import annotations

import math

import keras

from models.blocks import hidden_block, needs_bias, network_input
from models.config import ModelConfig
from models.mlp import build_mlp
from models.norm_config import NormConfig


def build_generator(config: ModelConfig, latent: int, shape: tuple[int, ...]) -> keras.Model:
    """Return the network from (batch, latent) to images (batch, *shape) with pixels from 0 to 1.

    Every hidden layer is normalized as configured, the output is not: Radford et al. 2015, section 3.
    """
    network = build_mlp(config, (latent,), math.prod(shape))
    pixels = keras.layers.Activation("sigmoid", name="pixels")(network.output)
    return keras.Model(network.input, keras.layers.Reshape(shape, name="image")(pixels), name="generator")


def build_discriminator(config: ModelConfig, shape: tuple[int, ...]) -> keras.Model:
    """Return the network from images (batch, *shape) to logits (batch,) of being real.

    The first hidden layer is not normalized: Radford et al. 2015, section 3.
    """
    inputs, x = network_input(shape, config)
    x = keras.layers.Flatten(name="flatten")(x)
    for index, units in enumerate(config.layers * config.depth, start=1):
        block = config if index > 1 else config.model_copy(update={"norm": NormConfig()})
        linear = keras.layers.Dense(units, use_bias=needs_bias(block.norm), name=f"linear_{index}")
        activation = keras.layers.Activation(block.activation, name=f"activation_{index}")
        x = hidden_block(x, linear, activation, block, index, skip=config.residual and index > 1)
    logits = keras.layers.Dense(1, name="output")(x)
    return keras.Model(inputs, keras.layers.Reshape((), name="logit")(logits), name="discriminator")
