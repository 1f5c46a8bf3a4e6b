"""By which rule do the weights change, and at which learning rate at each step?"""

from __future__ import annotations

import keras
import numpy as np

from experiments.configuration.optimizer import OptimizerConfig
from experiments.configuration.run import RunConfig


def build_optimizer(config: OptimizerConfig) -> keras.Optimizer:
    """Build the Keras optimizer of the configuration."""
    match config.kind:
        case "sgd":
            return keras.optimizers.SGD(config.learning_rate, momentum=config.momentum)
        case "adam":
            return keras.optimizers.Adam(config.learning_rate, beta_1=config.beta_1, beta_2=config.beta_2)


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
