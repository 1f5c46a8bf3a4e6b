"""Population statistics after training, in place of the moving averages ("precise batch normalization")."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def recompute_statistics(
    model: keras.Model, data: Iterable[Any], statistics_of: Callable[[Any], Sequence[Any]] | None = None
) -> None:
    """Sets the moving statistics of every batch normalization layer to those of `data` under the present weights.

    `data`: batches as for `fit`, each the inputs alone or (inputs, targets, …), iterable or with `len` and a batch for
    each number below it. A tuple is no exception: (x, y) would be two batches of inputs, [(x, y)] is one with targets.

    The network runs in training mode, so each layer sees what it saw in training; nothing but the moving statistics
    changes. Over batches of n_b rows the mean is Σ n_b μ_b / n and the variance Σ n_b (σ_b² + (μ_b − μ)²) / n, with
    n = Σ n_b: for batches without masks just those of all the data at once. A channel that a batch masks wholly counts
    there with its old value, and a layer called more than once in a pass with its last call alone. Frozen layers stay
    as they are. Works on the stock layer too. After Wu & Johnson 2021 (arXiv:2105.07576), section 3.

    `statistics_of`: `batch_statistics(model)` as compiled by the caller, for whom one model is often done. Raises
    ValueError where other layers were trainable when it was made.
    """
    batches_of = _batches(data)
    statistics_of = statistics_of or batch_statistics(model)
    rows, batches = [], []
    for batch in batches_of:
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
        if count := len(tf.nest.flatten(inputs)[0]):
            rows.append(count)
            batches.append([np.asarray(value, np.float64) for value in statistics_of(inputs)])
    if not rows:
        raise ValueError("data: must hold at least one batch that is not empty, got none")
    weights, layers = np.array(rows) / sum(rows), _batch_norms(model)
    if (made_for := len(batches[0]) // 2) != len(layers):
        raise ValueError(
            f"statistics_of: made for {made_for} trainable layers, now the model has {len(layers)}; make anew"
        )
    for index, layer in enumerate(layers):
        means, variances = (np.stack([batch[2 * index + k] for batch in batches]) for k in (0, 1))
        mean = np.tensordot(weights, means, 1)
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(np.tensordot(weights, variances + (means - mean) ** 2, 1))
        if layer.renorm:  # its next step derives the moving variance from this
            layer.moving_stddev.assign(keras.ops.sqrt(layer.moving_variance + layer.epsilon))


def batch_statistics(model: keras.Model) -> Callable[[Any], list[Any]]:
    """Returns inputs → mean and variance of each batch normalization layer on them; may be compiled, changes nothing.

    Raises ValueError for a model that is not built.
    """
    layers = _batch_norms(model)
    if not all(layer.built for layer in (model, *layers)):
        raise ValueError(f"model: must be built, got {type(model).__name__} that is not; call it on some data once")

    def statistics_of(inputs: Any) -> list[Any]:
        state = [variable for layer in layers for variable in layer.non_trainable_variables]
        finite = [(v, keras.ops.nan_to_num(v, posinf=0, neginf=0)) for v in state]  # as 0 · NaN is NaN
        momenta = [layer.momentum for layer in layers]
        try:
            for layer in layers:
                layer.momentum = 0.0  # the update then is the statistic of the batch
            with keras.StatelessScope(finite) as scope:
                model(inputs, training=True)
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum
        return [scope.get_current_value(v) for layer in layers for v in (layer.moving_mean, layer.moving_variance)]

    return statistics_of


def _batches(data: Any) -> Iterable[Any]:
    if isinstance(data, np.ndarray | tf.Tensor):
        raise ValueError(f"data: must be an iterable of batches, got one array of shape {tuple(data.shape)}")
    if isinstance(data, Mapping | str | bytes):
        raise ValueError(f"data: must be an iterable of batches, got a {type(data).__name__}; [data] is one batch")
    if isinstance(data, Iterable):
        return data
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):  # which need not end by an IndexError
        return (data[number] for number in range(len(data)))
    raise ValueError(f"data: must be an iterable of batches, got {data!r}")


def _batch_norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    return [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
