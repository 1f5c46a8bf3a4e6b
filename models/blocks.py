"""How are a linear map, its normalization and its activation put together?

Placement is a fact of `hidden_block` alone.
"""

from __future__ import annotations

import keras

from models.config import ModelConfig, NormConfig
from models.normalization import normalization

NORMS_WITHOUT_BIAS = ("custom", "stock", "noisy", "mean_only", "instance")  # in whose mean it cancels


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
    """Tell whether a linear map keeps its bias: not where the mean that is subtracted behind it cancels it.

    Ioffe & Szegedy 2015, §3.2. Layer and group normalization take means over several units, so there it is kept; with
    `detached`, it cancels in the output but not in the gradient, which is what that is for (§2).
    """
    return not (config.kind in NORMS_WITHOUT_BIAS and config.placement == "before")


def network_input(shape: tuple[int, ...], config: ModelConfig) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input of a network and the same after its normalization, if there is one on the input."""
    inputs = keras.Input(shape, name="features")
    norm = normalization(config.norm, "norm_input") if config.norm.on_input else None
    return inputs, inputs if norm is None else norm(inputs)
