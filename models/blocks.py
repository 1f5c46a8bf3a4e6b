"""How are a linear map, its normalization and its activation put together?

Placement is a fact of `hidden_block` alone, and so are the place of dropout and what a residual network adds.
"""

from __future__ import annotations

from typing import Any, Literal

import keras

from models.config import ModelConfig
from models.norm_config import NormConfig
from models.normalization import normalization

NORMS_WITHOUT_BIAS = ("custom", "stock", "noisy", "mean_only", "instance")  # in whose mean it cancels


def hidden_block(
    x: keras.KerasTensor,
    linear: keras.Layer,
    activation: keras.Layer,
    config: ModelConfig,
    index: int,
    skip: bool = False,
) -> keras.KerasTensor:
    """Apply linear → norm → activation, or linear → activation → norm, with dropout where it is to stand.

    index: position from 1; the layers are named `norm_<index>` and so on, where probes find them. skip: whether the
    block is a branch, whose output is added to its input.
    """
    norm, drop = normalization(config.norm, f"norm_{index}"), dropout(config, index)
    normalized = [norm] if norm else []
    if drop and config.dropout_place == "before_norm":
        normalized, drop = [drop, *normalized], None
    before = config.norm.placement == "before"
    layers = [linear, *normalized, activation] if before else [linear, activation, *normalized]
    branch = x
    for layer in [*layers, drop] if drop else layers:
        branch = layer(branch)
    if not skip:
        return branch
    if config.branch_scale != 1:
        branch = BranchScale(config.branch_scale, name=f"branch_scale_{index}")(branch)
    return keras.layers.Add(name=f"sum_{index}")([x, branch])


def dense_blocks(
    x: keras.KerasTensor, widths: tuple[int, ...], config: ModelConfig, first: int = 1
) -> keras.KerasTensor:
    """Apply a dense hidden layer of each width, numbered from `first` on."""
    for index, units in enumerate(widths, start=first):
        linear = keras.layers.Dense(units, use_bias=needs_bias(config.norm), name=f"linear_{index}")
        activation = keras.layers.Activation(config.activation, name=f"activation_{index}")
        x = hidden_block(x, linear, activation, config, index, skip=config.residual and index > first)
    return x


def dropout(config: ModelConfig, index: int) -> keras.Layer | None:
    """Build the dropout of a hidden layer; None without one."""
    if not config.dropout or (config.dropout_place == "after_last_norm" and index < config.hidden):
        return None
    return keras.layers.Dropout(config.dropout, name=f"dropout_{index}")


class BranchScale(keras.Layer):
    """y = a x, with a number a: as given, or trained from 0 (SkipInit; De & Smith 2020, arXiv:2002.10444, §4)."""

    def __init__(self, scale: float | Literal["learnt"], **kwargs: Any):
        super().__init__(**kwargs)
        self.scale = scale
        self.factor = self.add_weight(shape=(), initializer="zeros", name="factor") if scale == "learnt" else scale

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Multiply every value by a."""
        return x * self.factor

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"scale": self.scale}


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
