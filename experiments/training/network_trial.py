"""Can a network of the user's own be trained and probed? Tried on made-up examples, before anything is."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from experiments.configuration.facts import Facts
from experiments.configuration.run import RunConfig
from experiments.training.probes import Probes
from models.initialization import initial_kernels
from models.networks import build_model
from models.own_network import NetworkError, brief

EXAMPLES = 8  # or a virtual batch


def fault_of_network(config: RunConfig, facts: Facts) -> NetworkError | None:
    """Return what is wrong with the network of a run on such data; None where it may be trained."""
    try:
        network = build_model(config.model, facts.shape, facts.classes)
        Probes(config, network)
        _require_momenta(config, network)
        _require_seeds(config, network)
        _require_gradients(config, network, facts)
    except NetworkError as error:
        return error
    return None


def _require_momenta(config: RunConfig, network: keras.Model) -> None:
    """Averages beside a network's own are told apart by its configured momentum."""
    norms = [layer for layer in network._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in norms if config.moving_averages else ():
        if layer.momentum != config.model.norm.momentum:
            raise NetworkError(
                f"{layer.name} has the momentum {layer.momentum}, which moving_averages do not know of; build it "
                "by calling normalization"
            )


def _require_seeds(config: RunConfig, network: keras.Model) -> None:
    first, second = ([value for _, value in initial_kernels(network, config.model, seed)] for seed in (0, 1))
    if all(map(np.array_equal, first, second)):
        raise NetworkError(
            f"{config.model.own_module()[2]} gives its weights the same values with every seed; leave the seeds of its "
            "initializers out"
        )


def _require_gradients(config: RunConfig, network: keras.Model, facts: Facts) -> None:
    """One forward and backward pass, as a step would make it."""
    folder, _, name = config.model.own_module()
    count = config.model.norm.virtual_batch_size or EXAMPLES
    x = tf.constant(np.random.default_rng(0).standard_normal((count, *facts.shape)), tf.float32)
    labels = tf.constant(np.arange(count) % facts.classes)
    weights = [v.value for v in network.trainable_variables]
    try:
        with tf.GradientTape() as tape:
            logits = network(x, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        gradients = tape.gradient(loss, weights)
    except Exception as error:
        raise NetworkError(f"the network of {name} cannot be run: {brief(error, folder)}") from error
    if logits.shape != (count, facts.classes):
        raise NetworkError(f"the network of {name} gives {tuple(logits.shape)}, not {(count, facts.classes)}")
    if np.all(logits.numpy() >= 0) and np.allclose(logits.numpy().sum(axis=1), 1, atol=1e-4):
        raise NetworkError(
            f"the network of {name} gives probabilities; give logits, without the softmax, which is part of the loss"
        )
    for variable, gradient in zip(network.trainable_variables, gradients, strict=True):
        if gradient is None:
            raise NetworkError(f"{variable.path} of {name} has no part in the output; leave it out, or freeze it")
