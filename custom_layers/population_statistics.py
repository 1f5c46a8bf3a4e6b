"""Population statistics after training, in place of the moving averages ("precise batch normalization")."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def recompute_statistics(model: keras.Model, data: Iterable[Any]) -> None:
    """Sets the moving statistics of every batch normalization layer to those of `data` under the present weights.

    `data`: batches as for `fit`, each the inputs alone or (inputs, targets, …). The network runs in training mode, so
    each layer sees what it saw in training; nothing but the moving statistics changes. Over batches of n_b rows the
    mean is Σ n_b μ_b / n and the variance Σ n_b (σ_b² + (μ_b − μ)²) / n, with n = Σ n_b: for batches without masks just
    those of all the data at once. A channel that a batch masks wholly counts there with its old value, and a layer
    called more than once in a pass with its last call alone. Frozen layers stay as they are. Works on the stock layer
    too. After Wu & Johnson 2021 (arXiv:2105.07576), section 3.
    """
    if isinstance(data, np.ndarray | tf.Tensor):
        raise ValueError(f"data: must be an iterable of batches, got one array of shape {tuple(data.shape)}")
    layers = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not all(layer.built for layer in (model, *layers)):
        raise ValueError(f"model: must be built, got {type(model).__name__} that is not; call it on some data once")
    variables = [variable for layer in layers for variable in (layer.moving_mean, layer.moving_variance)]
    state = [variable for layer in layers for variable in layer.non_trainable_variables]
    finite = [(variable, keras.ops.nan_to_num(variable, posinf=0, neginf=0)) for variable in state]  # as 0 · NaN is NaN

    def batch_statistics(inputs: Any) -> list[np.ndarray]:
        with keras.StatelessScope(finite) as scope:
            model(inputs, training=True)
        return [np.asarray(scope.get_current_value(variable), np.float64) for variable in variables]

    momenta = [layer.momentum for layer in layers]
    rows, batches = [], []
    try:
        for layer in layers:
            layer.momentum = 0.0  # the update then is the statistic of the batch
        for batch in data:
            inputs, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
            if count := len(tf.nest.flatten(inputs)[0]):
                rows.append(count)
                batches.append(batch_statistics(inputs))
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    if not rows:
        raise ValueError("data: must hold at least one batch that is not empty, got none")
    weights = np.array(rows) / sum(rows)
    for index, layer in enumerate(layers):
        means, variances = (np.stack([batch[2 * index + k] for batch in batches]) for k in (0, 1))
        mean = np.tensordot(weights, means, 1)
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(np.tensordot(weights, variances + (means - mean) ** 2, 1))
        if layer.renorm:  # its next step derives the moving variance from this
            layer.moving_stddev.assign(keras.ops.sqrt(layer.moving_variance + layer.epsilon))
