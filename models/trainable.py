"""Which weights does training change?"""

from __future__ import annotations

import keras
import numpy as np

from models.config import ModelConfig
from models.rnn import NormalizedRecurrence


def trained_weights(network: keras.Model, config: ModelConfig, seed: int) -> list[np.ndarray]:
    """Return an array for each of the network's weights, 1 where training changes a value and 0 where it does not.

    Frankle et al. 2021 (arXiv:2003.00152): what normalization learns and nothing else; the output layer; or,
    of all other weights, as many as normalization learns, which the seed draws. Or the scale-invariant kernels.
    """
    learnt = {id(v) for layer in network.layers for v in _learnt_by_normalization(layer)}
    output = {id(v) for v in network.get_layer("output").trainable_variables}
    weights = network.trainable_variables
    match config.trainable:
        case "all":
            return [np.ones(v.shape, np.float32) for v in weights]
        case "norm":
            return [np.full(v.shape, id(v) in learnt, np.float32) for v in weights]
        case "output":
            return [np.full(v.shape, id(v) in output, np.float32) for v in weights]
        case "scale_invariant":
            invariant = {id(v) for v in scale_invariant_kernels(network)}
            return [np.full(v.shape, id(v) in invariant, np.float32) for v in weights]
        case "random_subset":
            sizes = [0 if id(v) in learnt else int(np.prod(v.shape)) for v in weights]
            drawn = np.zeros(sum(sizes), np.float32)
            asked = sum(int(np.prod(v.shape)) for v in weights if id(v) in learnt)
            rng = np.random.default_rng([seed, 2])
            drawn[rng.choice(len(drawn), min(asked, len(drawn)), replace=False)] = 1
            parts = np.split(drawn, np.cumsum(sizes)[:-1])
            return [
                part.reshape(v.shape) if size else np.zeros(v.shape, np.float32)
                for v, part, size in zip(weights, parts, sizes, strict=True)
            ]


def scale_invariant_kernels(network: keras.Model) -> list[keras.Variable]:
    """Return the kernels whose output goes straight into a batch normalization, and nowhere else, from below.

    van Laarhoven 2017, §2. Both kernels of a recurrent layer that is normalized at every time step are among them.
    """
    readers: dict[int, list[bool]] = {}
    for layer in network.layers:
        normalizes = isinstance(layer, (keras.layers.BatchNormalization, NormalizedRecurrence))
        normalizes &= getattr(layer, "kind", "") != "mean_only"  # which divides by nothing
        for tensor in keras.tree.flatten(layer.input):
            readers.setdefault(id(tensor), []).append(normalizes)
    found = set()
    for layer in network.layers:
        if all(readers.get(id(layer.output), [False])):
            found |= {id(v) for v in layer.trainable_variables if v.name == "kernel"}
        if isinstance(layer, NormalizedRecurrence):
            found.add(id(layer.recurrent_kernel))
    return [v for v in network.trainable_variables if id(v) in found]


def _learnt_by_normalization(layer: keras.Layer) -> list[keras.Variable]:
    if isinstance(layer, NormalizedRecurrence):
        return [*layer.gammas, layer.bias]  # which does β's work
    learnt: list[keras.Variable] = layer.trainable_variables if layer.name.startswith("norm_") else []
    return learnt
