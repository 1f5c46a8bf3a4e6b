"""By which rule do the weights change, and at which learning rate at each step?"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from experiments.configuration.optimizer import DECOUPLED, OptimizerConfig
from experiments.configuration.run import RunConfig
from models.trainable import scale_invariant_kernels, trained_weights


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
    if config.weight_decay_over == "scale_invariant":
        return scale_invariant_kernels(network)
    return [v for v in network.trainable_variables if v.name in ("kernel", "recurrent_kernel")]


class KeptNorms:
    """The norms that the weights of each normalized unit begin with, and are brought back to after each step.

    With a norm that stays, a rate is all that decides how far a step turns a unit's weights: weight decay, which acts
    on the norm, has nothing left to act on. After the bounded weight normalization of Hoffer et al. 2018, §5, there
    with one norm for all units of a layer. Without `config.keep_norms` it keeps none.
    """

    def __init__(self, network: keras.Model, config: OptimizerConfig):
        self._kernels = scale_invariant_kernels(network) if config.keep_norms else []
        self._norms = [tf.Variable(tf.zeros(kernel.shape[-1]), trainable=False) for kernel in self._kernels]

    def remember(self) -> None:
        """Take the norms that the weights have now, (units,) a kernel."""
        for kernel, norm in zip(self._kernels, self._norms, strict=True):
            norm.assign(_norms_of_units(kernel))

    def restore(self) -> None:
        """Give the weights these norms; those of a norm of 0 stay 0."""
        for kernel, norm in zip(self._kernels, self._norms, strict=True):
            kernel.assign(kernel * tf.math.divide_no_nan(norm, _norms_of_units(kernel)))


class Descent:
    """The step that the weights of a network take, given the loss's gradients, in all runs that share a program."""

    def __init__(self, network: keras.Model, config: RunConfig):
        self.optimizer = build_optimizer(config.optimizer)
        self._network, self._norms = network, KeptNorms(network, config.optimizer)
        self._decay = tf.Variable(0.0, trainable=False) if config.optimizer.weight_decay else None
        self._decayed = {id(kernel) for kernel in decayed_kernels(network, config.optimizer)}
        if self.optimizer.weight_decay is not None:
            self.optimizer.weight_decay = self._decay
            others = [v for v in network.trainable_variables if id(v) not in self._decayed]
            self.optimizer.exclude_from_weight_decay(others)
        self.optimizer.build(network.trainable_variables)
        masked = [] if config.model.trainable == "all" else network.trainable_variables
        self._trained = [tf.Variable(tf.zeros(v.shape), trainable=False) for v in masked]

    def reset(self, config: RunConfig) -> None:
        """Take the values of a run, whose weights have their initial values."""
        self._norms.remember()
        if self._trained:
            masks = trained_weights(self._network, config.model, config.seed)
            for trained, value in zip(self._trained, masks, strict=True):
                trained.assign(value)
        self.optimizer.learning_rate.assign(config.optimizer.learning_rate)
        if self._decay is not None:
            self._decay.assign(config.optimizer.weight_decay)

    def step(self, gradients: list[tf.Tensor], rate: tf.Tensor) -> None:
        """Change the weights. gradients: of the loss by all of them."""
        self.optimizer.learning_rate.value.assign(rate)
        weights = self._network.trainable_variables
        if self._decay is not None and self.optimizer.weight_decay is None:  # that of λ/2·‖w‖². van Laarhoven 2017
            gradients = [
                gradient + self._decay * weight if id(weight) in self._decayed else gradient
                for gradient, weight in zip(gradients, weights, strict=True)
            ]
        if self._trained:
            gradients = [gradient * trained for gradient, trained in zip(gradients, self._trained, strict=True)]
        self.optimizer.apply(gradients, weights)
        self._norms.restore()


def _norms_of_units(kernel: keras.Variable) -> tf.Tensor:
    """Euclidean norms of what goes into each unit or filter, (units,), of a kernel (..., inputs, units)."""
    return tf.norm(tf.reshape(kernel, (-1, kernel.shape[-1])), axis=0)


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
