"""Who judges generated images? A classifier that is trained here, on the real images of the same split.

Heusel et al. 2017 take a network that was trained on ImageNet; small images ask for a small one, and nothing has to be
downloaded.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from experiments.configuration.dataset import DatasetConfig
from experiments.configuration.optimizer import OptimizerConfig
from experiments.configuration.run import RunConfig
from experiments.training.datasets import Dataset, split_dataset
from experiments.training.program import Program
from experiments.training.run import train
from models.config import ModelConfig

LAYERS = (128, 32)  # the last are the features: few, as a covariance of them is estimated from some hundreds of images
STEPS, BATCH = 600, 60


class Judge:
    """The classifier of one split. accuracy: on its validation images.

    Equal for equal data, settings and seed, whichever runs came before.
    """

    def __init__(self, program: Program, config: RunConfig):
        *_, end = train(program, config)
        self.accuracy = end.metrics["accuracy/validation"]
        self._weights = [tf.convert_to_tensor(variable.numpy()) for variable in program.network.trainable_variables]
        self._read = _reading(program)

    def read(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return features (examples, 32) and classes (examples,) of images (examples, height, width, channels)."""
        features, labels = self._read(self._weights, tf.constant(images, tf.float32))
        return features.numpy(), labels.numpy()


def judge_of(dataset: Dataset, config: DatasetConfig, seed: int) -> Judge:
    """Return the judge of the split that a run trains on, trained at the first call for it.

    config: of the run's data; how many make a batch there, and in which order they come, does not matter.
    """
    return _judge(dataset, config.model_copy(update={"batch_size": 1, "order": "shuffled"}), seed)


@functools.lru_cache(maxsize=64)  # as many as the seeds of a sweep, whose runs take turns
def _judge(dataset: Dataset, config: DatasetConfig, seed: int) -> Judge:
    batch_size = min(BATCH, len(split_dataset(dataset, config, seed).train))
    run = RunConfig(
        dataset=config.model_copy(update={"batch_size": batch_size}),
        model=ModelConfig(kind="mlp", layers=LAYERS, activation="relu", initialization="he_normal"),
        optimizer=OptimizerConfig(kind="adam", learning_rate=0.002),
        steps=STEPS,
        evaluate_every=STEPS,
        seed=seed,
    )
    return Judge(_program(dataset, run.model_copy(update={"seed": 0})), run)


_program = functools.lru_cache(maxsize=4)(lambda dataset, trial: Program(trial, dataset))  # the seeds take turns


@functools.lru_cache(maxsize=4)
def _reading(program: Program) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Weights and images → features and classes, of any judge of the program."""
    network = program.network
    seen = keras.Model(network.input, [network.get_layer(f"activation_{len(LAYERS)}").output, network.output])

    def read(weights: list[tf.Tensor], images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        (features, logits), _ = seen.stateless_call(weights, [], images, training=False)
        return features, tf.argmax(logits, axis=1, output_type=tf.int32)

    compiled: Callable[..., tuple[tf.Tensor, tf.Tensor]] = tf.function(read)
    return compiled
