"""Which initial values does a network start from?

Drawn from the seed and the position of the weight alone, so that arms share the values of the weights they share.
"""

from __future__ import annotations

import keras
import numpy as np

from models.config import ModelConfig


def initial_values(model: keras.Model, config: ModelConfig, seed: int) -> list[np.ndarray]:
    """Return the initial values of `model.trainable_variables`, in their order.

    Kernels are drawn as `config.initialization` says, times `config.init_scale`; recurrent kernels are orthogonal
    (Saxe et al. 2014), times the same factor unless the scale is a gaussian's deviation. All others (biases, γ, β)
    keep the value their layer was built with.
    """
    values = []
    kernels = 0
    for variable in model.trainable_variables:
        shape = tuple(variable.shape)
        if variable.name not in ("kernel", "recurrent_kernel"):
            values.append(np.asarray(variable))
            continue
        kernels += 1
        rng = np.random.default_rng([seed, kernels])
        if variable.name == "kernel":
            values.append(_kernel(shape, config, rng))
        else:
            scale = 1.0 if config.initialization == "gaussian" else config.init_scale
            values.append((scale * np.linalg.qr(rng.standard_normal(shape))[0]).astype(np.float32))
    return values


def _kernel(shape: tuple[int, ...], config: ModelConfig, rng: np.random.Generator) -> np.ndarray:
    receptive_field = int(np.prod(shape[:-2]))
    fan_in, fan_out = shape[-2] * receptive_field, shape[-1] * receptive_field
    match config.initialization:
        case "glorot_uniform":  # Glorot & Bengio 2010, eq. 16
            limit = np.sqrt(6 / (fan_in + fan_out))
            kernel = rng.uniform(-limit, limit, shape)
        case "he_normal":  # He et al. 2015, eq. 10
            kernel = rng.standard_normal(shape) * np.sqrt(2 / fan_in)
        case "gaussian":
            kernel = rng.standard_normal(shape)
    return (config.init_scale * kernel).astype(np.float32)
