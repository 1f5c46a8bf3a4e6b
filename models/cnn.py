"""A convolutional network: convolutions, each with 2×2 pooling, dense layers perhaps, and a linear output."""

from __future__ import annotations

import keras

from models.blocks import dense_blocks, hidden_block, needs_bias, network_input
from models.config import ModelConfig


def build_cnn(config: ModelConfig, input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Return the network from images (batch, height, width, channels) to logits (batch, classes).

    Pooling stops once the image is a single pixel wide. Raises ValueError where the input is not an image.
    """
    if len(input_shape) != 3:
        raise ValueError(f"model.kind: a cnn needs images, but the examples have shape {input_shape}; use mlp")
    inputs, x = network_input(input_shape, config)
    for index, filters in enumerate(config.layers * config.depth, start=1):
        linear = keras.layers.Conv2D(
            filters,
            config.kernel_size,
            padding=config.padding,
            use_bias=needs_bias(config.norm),
            name=f"linear_{index}",
        )
        activation = keras.layers.Activation(config.activation, name=f"activation_{index}")
        x = hidden_block(x, linear, activation, config, index, skip=config.residual and index > 1)
        if config.pooling != "none" and min(x.shape[1:3]) > 1:
            pool = keras.layers.MaxPooling2D if config.pooling == "max" else keras.layers.AveragePooling2D
            x = pool(2, name=f"pool_{index}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = dense_blocks(x, config.dense, config, first=len(config.layers) * config.depth + 1)
    return keras.Model(inputs, keras.layers.Dense(classes, name="output")(x), name="cnn")
