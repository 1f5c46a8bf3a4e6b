"""How are a linear map, its normalization and its activation put together?

Placement is a fact of `hidden_block` alone.
"""

from __future__ import annotations

from typing import Any

import keras

from custom_layers import BatchNormalization, NoisyBatchNormalization
from models.config import BATCH_NORMS, ModelConfig, NormConfig


def hidden_block(
    x: keras.KerasTensor, linear: keras.Layer, activation: keras.Layer, config: ModelConfig, index: int
) -> keras.KerasTensor:
    """Apply linear → norm → activation, or linear → activation → norm, then dropout.

    index: position from 1; the layers are named `norm_<index>` and so on, where probes find them.
    """
    x = linear(x)
    norm = normalization(config.norm, f"norm_{index}")
    if norm is None:
        x = activation(x)
    elif config.norm.placement == "before":
        x = activation(norm(x))
    else:
        x = norm(activation(x))
    return keras.layers.Dropout(config.dropout, name=f"dropout_{index}")(x) if config.dropout else x


def needs_bias(config: NormConfig) -> bool:
    """Tell whether a linear map keeps its bias: not where the mean that batch normalization subtracts cancels it.

    Ioffe & Szegedy 2015, §3.2. Layer and group normalization take means over several units, so there it is kept.
    """
    return not (config.kind in BATCH_NORMS and config.placement == "before")


def normalization(config: NormConfig, name: str) -> keras.Layer | None:
    """Build the normalization layer that the configuration names; None without one."""
    affine: dict[str, Any] = {"epsilon": config.epsilon, "center": config.center, "scale": config.scale, "name": name}
    affine["gamma_initializer"] = keras.initializers.Constant(config.initial_scale)
    match config.kind:
        case "none":
            return None
        case "custom":
            return BatchNormalization(
                momentum=config.momentum,
                renorm=config.renorm,
                renorm_relaxation=config.renorm_relaxed_by,
                virtual_batch_size=config.virtual_batch_size,
                **affine,
            )
        case "stock":
            return keras.layers.BatchNormalization(momentum=config.momentum, **affine)
        case "noisy":
            return NoisyBatchNormalization(momentum=config.momentum, noise=config.noise, **affine)
        case "layer":
            return keras.layers.LayerNormalization(**affine)
        case "group":
            return keras.layers.GroupNormalization(groups=config.groups, **affine)


def network_input(shape: tuple[int, ...], config: ModelConfig) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input of a network and the same after its normalization, if there is one on the input."""
    inputs = keras.Input(shape, name="features")
    norm = normalization(config.norm, "norm_input") if config.norm.on_input else None
    return inputs, inputs if norm is None else norm(inputs)
