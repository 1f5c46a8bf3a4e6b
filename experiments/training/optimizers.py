"""By which rule do the weights change, and at which learning rate at each step?"""

from __future__ import annotations

import keras
import numpy as np

from experiments.configuration.optimizer import DECOUPLED, OptimizerConfig
from experiments.configuration.run import RunConfig
from models.rnn import NormalizedRecurrence


def build_optimizer(config: OptimizerConfig) -> keras.Optimizer:
    """Build the Keras optimizer of the configuration; decoupled weight decay it does itself, L2 is not its affair."""
    decay = (config.weight_decay or None) if config.kind in DECOUPLED else None
    match config.kind:
        case "sgd" | "sgdw":
            return keras.optimizers.SGD(
                config.learning_rate, momentum=config.momentum, nesterov=config.nesterov, weight_decay=decay
            )
        case "adam" | "adamw":
            return keras.optimizers.Adam(
                config.learning_rate, beta_1=config.beta_1, beta_2=config.beta_2, weight_decay=decay
            )


def decayed_kernels(network: keras.Model, config: OptimizerConfig) -> list[keras.Variable]:
    """Return the kernels that weight decay is over, from below."""
    kernels = [v for v in network.trainable_variables if v.name in ("kernel", "recurrent_kernel")]
    if config.weight_decay_over == "kernels":
        return kernels
    invariant = _scale_invariant(network)
    return [kernel for kernel in kernels if id(kernel) in invariant]


def _scale_invariant(network: keras.Model) -> set[int]:
    """The identities of the kernels whose output goes straight into a batch normalization, and nowhere else.

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
    return found


def learning_rates(config: RunConfig) -> np.ndarray:
    """Return the learning rate of every step, (steps,) float32.

    The warm-up is that of Goyal et al. 2017, §2.2, the cosine that of Loshchilov & Hutter 2017, equation 5 without
    restarts, as Keras's `CosineDecay` has them: the first step of a warm-up is taken at a rate of 0.
    """
    schedule, warmup = config.optimizer.schedule, config.optimizer.schedule.warmup_steps
    rest = config.steps - warmup
    at = np.arange(rest)
    factors: np.ndarray
    match schedule.kind:
        case "constant":
            factors = np.ones(at.shape)
        case "cosine":
            factors = (1 + np.cos(np.pi * at / rest)) / 2
        case "step":
            milestones = [round(share * rest) for share in sorted(schedule.milestones)]
            factors = schedule.factor ** np.searchsorted(milestones, at, side="right")
        case "exponential":
            factors = schedule.factor ** (at / rest)
    rising = np.arange(warmup) / max(warmup, 1)
    return (config.optimizer.learning_rate * np.append(rising, factors)[: config.steps]).astype(np.float32)
