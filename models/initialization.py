"""Which initial values does a network start from?

Drawn from the seed and the position of the weight alone, so that arms share the values of the weights they share.
"""

from __future__ import annotations

import keras
import numpy as np

from models.config import ModelConfig
from models.own_network import initial_values, own_kernels


def initial_kernels(model: keras.Model, config: ModelConfig, seed: int) -> list[tuple[keras.Variable, np.ndarray]]:
    """Return every kernel of the network with its initial value.

    Kernels are drawn as `config.initialization` says, times `config.init_scale`; recurrent kernels are orthogonal
    (Saxe et al. 2014), times the same factor unless the scale is a gaussian's deviation. All other variables (biases,
    γ, β) start from the value that their layer is built with. Of a network of the user's own, kernels are drawn by its
    own initializers.
    """
    if config.kind == "keras":
        return list(zip(own_kernels(model), initial_values(model, config, seed), strict=True))
    kernels = [v for v in model.trainable_variables if v.name in ("kernel", "recurrent_kernel")]
    values = []
    for position, variable in enumerate(kernels):
        rng = np.random.default_rng([seed, 1, position])
        if variable.name == "kernel":
            values.append(_kernel(tuple(variable.shape), config, rng))
        else:
            scale = 1.0 if config.initialization == "gaussian" else config.init_scale
            values.append((scale * np.linalg.qr(rng.standard_normal(variable.shape))[0]).astype(np.float32))
    return list(zip(kernels, values, strict=True))


def _kernel(shape: tuple[int, ...], config: ModelConfig, rng: np.random.Generator) -> np.ndarray:
    receptive_field = int(np.prod(shape[:-2]))
    fan_in, fan_out = shape[-2] * receptive_field, shape[-1] * receptive_field
    match config.initialization:
        case "glorot_uniform":  # Glorot & Bengio 2010, eq. 16
            limit = np.sqrt(6 / (fan_in + fan_out))
            kernel = rng.uniform(-limit, limit, shape)
        case "he_normal":  # He et al. 2015, eq. 10
            kernel = rng.standard_normal(shape) * np.sqrt(2 / fan_in)
        case "lecun_normal":  # LeCun et al. 1998, "Efficient BackProp", §4.6
            kernel = rng.standard_normal(shape) / np.sqrt(fan_in)
        case "gaussian":
            kernel = rng.standard_normal(shape)
        case "orthogonal":
            kernel = _orthogonal(fan_in, shape[-1], rng).reshape(shape)
    return (config.init_scale * kernel).astype(np.float32)


def _orthogonal(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Return a matrix with orthonormal rows or columns, whichever are fewer, of which all are as likely."""
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))  # else the signs follow the algorithm (Mezzadri 2007)
    return q if rows >= columns else q.T
