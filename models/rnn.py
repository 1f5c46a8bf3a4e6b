"""A recurrent network that reads an image row by row and classifies after the last row."""

from __future__ import annotations

from typing import Any

import keras

from custom_layers import BatchNormalization
from models.blocks import dropout, hidden_block, needs_bias, network_input
from models.config import ModelConfig
from models.norm_config import NormConfig


class Recurrence(keras.Layer):
    """h_t = f(z_t + U h_{t−1}), h_0 = 0: the hidden-to-hidden half of a simple recurrent layer.

    The input-to-hidden half z = W x is a layer of its own, so that normalization can stand between the two, the
    "vertical" batch normalization of Laurent et al. 2016, §3. Input and output: (batch, time, units).
    """

    def __init__(self, activation: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create U, (units, units)."""
        units = input_shape[-1]
        self.recurrent_kernel = self.add_weight(shape=(units, units), initializer="orthogonal", name="recurrent_kernel")

    def call(self, z: keras.KerasTensor) -> keras.KerasTensor:
        """Unroll over time, whose length must be known."""
        kernel = keras.ops.convert_to_tensor(self.recurrent_kernel)
        hidden = self.activation(z[:, 0])
        states = [hidden]
        for t in range(1, z.shape[1]):
            hidden = self.activation(z[:, t] + keras.ops.matmul(hidden, kernel))
            states.append(hidden)
        return keras.ops.stack(states, axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"activation": keras.activations.serialize(self.activation)}


class NormalizedRecurrence(keras.Layer):
    """h_t = f(BN(z_t; γ_x) + BN(U h_{t−1}; γ_h) + b), h_0 = 0, with statistics of every time step apart.

    Cooijmans et al. 2016 (arXiv:1603.09025), equations 4 and 5, for a simple recurrent layer: γ and b are common to all
    time steps, β is b's work, and the first step, which nothing comes before, has no hidden term. Input and output:
    (batch, time, units).
    """

    def __init__(self, activation: str, norm: NormConfig, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation, self.norm = keras.activations.get(activation), norm

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create U, (units, units), γ_x, γ_h and b, (units,), and the normalizations."""
        _, times, units = input_shape
        assert times is not None
        affine: dict[str, Any] = {
            "center": False,
            "scale": False,
            "momentum": self.norm.momentum,
            "debiased": self.norm.debiased,
            "epsilon": self.norm.epsilon,
        }
        initial = keras.initializers.Constant(self.norm.initial_scale)
        self.recurrent_kernel = self.add_weight(shape=(units, units), initializer="orthogonal", name="recurrent_kernel")
        self.bias = self.add_weight(shape=(units,), initializer="zeros", name="bias")
        self.gammas = [self.add_weight(shape=(units,), initializer=initial, name=f"gamma_{of}") for of in ("x", "h")]
        self.norm_x = BatchNormalization(axis=(1, 2), name="norm_x", **affine)
        self.norms_h = [BatchNormalization(name=f"norm_h_{t}", **affine) for t in range(1, times)]
        self.norm_x.build((None, times, units))
        for norm in self.norms_h:
            norm.build((None, units))

    def call(self, z: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """Unroll over time, whose length must be known."""
        kernel, bias, of_x, of_h = map(keras.ops.convert_to_tensor, (self.recurrent_kernel, self.bias, *self.gammas))
        terms = of_x * self.norm_x(z, training=training) + bias
        states = [self.activation(terms[:, 0])]
        for t, norm in enumerate(self.norms_h, start=1):
            term = of_h * norm(keras.ops.matmul(states[-1], kernel), training=training)
            states.append(self.activation(terms[:, t] + term))
        return keras.ops.stack(states, axis=1)


def build_rnn(config: ModelConfig, input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Return the network from images (batch, rows, columns, channels) to logits (batch, classes).

    Raises ValueError where the input is not an image. The input-to-hidden maps keep their bias unless β replaces it.
    """
    if len(input_shape) != 3:
        raise ValueError(f"model.kind: an rnn reads images by row, but the examples have shape {input_shape}; use mlp")
    inputs, x = network_input(input_shape, config)
    rows, columns, channels = input_shape
    x = keras.layers.Reshape((rows, columns * channels), name="rows")(x)
    for index, units in enumerate(config.layers * config.depth, start=1):
        linear = keras.layers.Dense(units, use_bias=needs_bias(config.norm), name=f"linear_{index}")
        name = f"activation_{index}"
        if config.norm.recurrent:
            x = NormalizedRecurrence(config.activation, config.norm, name=name)(linear(x))
            drop = dropout(config, index)
            x = drop(x) if drop else x
        else:
            x = hidden_block(x, linear, Recurrence(config.activation, name=name), config, index)
    return keras.Model(inputs, keras.layers.Dense(classes, name="output")(x[:, -1]), name="rnn")
