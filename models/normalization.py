"""Which layer does the configuration of a normalization name?"""

from __future__ import annotations

from typing import Any, Literal

import keras
import tensorflow as tf

from custom_layers import BatchNormalization, NoisyBatchNormalization, equations
from models.norm_config import NormConfig


def normalization(config: NormConfig, name: str) -> keras.Layer | None:
    """Build the normalization layer that the configuration names; None without one."""
    affine: dict[str, Any] = {"center": config.center, "scale": config.scale, "name": name}
    affine["gamma_initializer"] = keras.initializers.Constant(config.initial_scale)
    dividing = affine | {"epsilon": config.epsilon}
    averaging = dividing | {"momentum": config.momentum, "debiased": config.debiased}
    match config.kind:
        case "none":
            return None
        case "custom":
            return BatchNormalization(
                renorm=config.renorm,
                renorm_relaxation=config.renorm_relaxed_by,
                virtual_batch_size=config.virtual_batch_size,
                **averaging,
            )
        case "stock":
            return keras.layers.BatchNormalization(momentum=config.momentum, renorm=config.renorm, **dividing)
        case "noisy":
            return NoisyBatchNormalization(noise=config.noise, **averaging)
        case "detached" | "variance_only":
            return PartialBatchNormalization(config.kind, **averaging)
        case "mean_only":
            return PartialBatchNormalization(config.kind, **averaging | {"epsilon": 0})
        case "layer":
            return keras.layers.LayerNormalization(**dividing)
        case "group":
            return keras.layers.GroupNormalization(groups=config.groups, **dividing)
        case "instance":
            return keras.layers.GroupNormalization(groups=-1, **dividing)
        case "rms":
            return keras.layers.RMSNormalization(epsilon=config.epsilon, name=name)
        case "dyt":
            return DynamicTanh(**affine)


class PartialBatchNormalization(BatchNormalization):
    """Batch normalization with a part of it left out, in training and in inference.

    detached: whole, but the gradient takes μ and σ² for constants, ∂l/∂x = γ r dy (Ioffe & Szegedy 2015, §2).
    mean_only: y = γ (x − μ) + β, with ε = 0 (Salimans & Kingma 2016, §4).
    variance_only: y = γ x / √(σ² + ε) + β, σ² about the mean.

    What is left out is 0 and 1 among the moving statistics. Takes no renorm, virtual_batch_size or synchronized.
    """

    def __init__(self, kind: Literal["detached", "mean_only", "variance_only"], *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.kind = kind

    def _normalize_by_batch(self, x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        batch = equations.moments(x, self._reduced_axes, mask)
        match self.kind:
            case "detached":
                batch = equations.Moments(*map(tf.stop_gradient, batch))
            case "mean_only":
                batch = batch._replace(variance=tf.ones_like(batch.variance))
            case "variance_only":
                batch = batch._replace(mean=tf.zeros_like(batch.mean))
        self._update_moving_statistics(x, batch, mask)
        if self.kind == "mean_only":
            self.moving_variance.assign(tf.ones_like(self.moving_variance))  # which an average of ones misses
        return equations.affine(x, batch.mean, batch.variance, self._spread(gamma), self._spread(beta), self.epsilon)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"kind": self.kind}


class DynamicTanh(keras.Layer):
    """y = γ tanh(α x) + β with a single α, from 0.5. Zhu et al. 2025 (arXiv:2503.10622), §4.

    γ and β: (channels,), of the last axis.
    """

    def __init__(self, center: bool = True, scale: bool = True, gamma_initializer: Any = "ones", **kwargs: Any):
        super().__init__(**kwargs)
        self.center, self.scale = center, scale
        self.gamma_initializer = keras.initializers.get(gamma_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create α and, where there are any, γ and β."""
        channels = input_shape[-1:]
        self.alpha = self.add_weight(shape=(), initializer=keras.initializers.Constant(0.5), name="alpha")
        if self.scale:
            self.gamma = self.add_weight(shape=channels, initializer=self.gamma_initializer, name="gamma")
        if self.center:
            self.beta = self.add_weight(shape=channels, initializer="zeros", name="beta")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Apply it to every value by itself."""
        y = keras.ops.tanh(self.alpha * x)
        y = y * self.gamma if self.scale else y
        return y + self.beta if self.center else y

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {"center": self.center, "scale": self.scale}
        return super().get_config() | own | {"gamma_initializer": keras.initializers.serialize(self.gamma_initializer)}
