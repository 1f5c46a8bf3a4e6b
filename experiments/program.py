"""How is a network trained without Python in the loop?

A program is the training computation of one architecture as a pure function of its state and its batches. It is
compiled once; seeds, learning rates, initial weights and data order are values that it is given.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from custom_layers import recompute_statistics
from experiments.config import OptimizerConfig, Probe, RunConfig
from experiments.datasets import Dataset, DatasetError, batch_order, split_dataset
from experiments.probes import Probes
from models.initialization import initial_kernels
from models.networks import build_model

DIVERGED = 1000  # times the initial loss, Bjorck et al. 2018
EVALUATION_BATCH = 1000  # examples at a time, to bound a CNN's memory
EVALUATION_ROUNDING = 8  # examples: validation and test of one size are one shape, compiled once
BRIGHTNESS = (-0.5, -0.4, -0.3, -0.2, -0.1, 0.1, 0.2, 0.3, 0.4, 0.5)  # added to pixels in [0, 1]
CONTRAST = (0.25, 0.5, 0.75, 1.5, 2.0, 4.0)  # factors about each image's mean
MOST_RECOMPUTED = 10_000  # training examples for recomputed statistics
FIRST_STEPS = 100  # whose losses the probe step_loss keeps


@dataclass(frozen=True)
class Evaluated:
    """What a run shows at one step. `seconds`: spent in training steps so far, evaluation and probes left out."""

    step: int
    metrics: dict[str, float]
    seconds: float


class Diverged(Exception):  # noqa: N818  an outcome, not an error
    """The loss was not finite or exceeded 1,000 times its start. `step`: the update whose batch showed it."""

    def __init__(self, step: int):
        super().__init__(f"diverged at step {step}")
        self.step = step


class Program:
    """The compiled training of all runs with one `RunConfig.program_key()`."""

    def __init__(self, config: RunConfig, dataset: Dataset):
        started = time.perf_counter()
        if "corruptions" in config.probes and dataset.features.ndim < 4:
            raise DatasetError(f"probes: corruptions changes images, and {config.dataset.name} has none; leave it out")
        self.dataset = dataset
        self.binarize = config.dataset.binarize
        self.network = build_model(config.model, dataset.features.shape[1:], dataset.classes)
        self.optimizer = build_optimizer(config.optimizer)
        self.optimizer.build(self.network.trainable_variables)
        self._all_variables = (*self.network.variables, *self.optimizer.variables)
        self._built = [v.numpy() for v in self._all_variables]
        self.probes = Probes(config, self.network)
        self._features, self._labels = _as_tensors(dataset)
        example = dataset.features.shape[1:]
        self._scale, self._shift = (tf.Variable(tf.zeros(example), trainable=False) for _ in range(2))
        compiled = tf.function(jit_compile=uses_xla(config))
        self.take_steps: Callable[[np.ndarray], tf.Tensor] = compiled(self._take_steps)
        self.evaluate: Callable[..., tuple[tf.Tensor, tf.Tensor]] = compiled(self._evaluate)
        self._probe: Callable[[np.ndarray], dict[str, tf.Tensor]] = compiled(self._probe_batch)
        self.take_steps(np.zeros((config.evaluate_every, config.dataset.batch_size), np.int32))
        split = split_dataset(dataset, config.dataset, config.seed)
        for part in (split.validation, split.test):
            self.evaluate(_in_batches(part))
        self.compile_seconds = time.perf_counter() - started

    def reset(self, config: RunConfig) -> None:
        """Give every variable the value it has before the first step of a run."""
        for variable, value in zip(self._all_variables, self._built, strict=True):
            variable.value.assign(value)  # not through Keras, which takes three times as long
        for i, state in enumerate(v for v in self.network.non_trainable_variables if v.name == "seed_generator_state"):
            state.assign([config.seed, i])
        for kernel, value in initial_kernels(self.network, config.model, config.seed):
            kernel.value.assign(value)
        self.optimizer.learning_rate.assign(config.optimizer.learning_rate)

    def train(self, config: RunConfig) -> Iterator[Evaluated]:
        """Train one run from its initial weights, yielding what it shows before the first step and at each evaluation.

        Raises Diverged, after all that could still be measured; DatasetError when the data cannot fill the request.
        """
        split = split_dataset(self.dataset, config.dataset, config.seed)
        order = batch_order(split.train, config.dataset.batch_size, config.steps, config.seed)
        self.reset(config)
        self._scale.assign(split.scale)
        self._shift.assign(split.shift)
        validation, test = _in_batches(split.validation), _in_batches(split.test)
        training = _in_batches(split.train[:EVALUATION_BATCH])
        probed = split.train[: config.probe_examples]
        seconds, limit = 0.0, np.inf
        for step in range(0, config.steps + 1, config.evaluate_every):
            metrics: dict[str, float] = {}
            if step > 0:
                started = time.perf_counter()
                losses = self.take_steps(order[step - config.evaluate_every : step]).numpy()
                before, seconds = seconds, seconds + time.perf_counter() - started
                if step == config.evaluate_every:
                    limit = DIVERGED * losses[0]
                outside = np.flatnonzero(~(np.isfinite(losses) & (losses <= limit)))
                if len(outside):
                    raise Diverged(step - config.evaluate_every + int(outside[0]) + 1)
                metrics["loss/train"] = float(losses.mean())
            metrics |= self._mean_loss_and_accuracy(validation, "validation")
            if not np.isfinite(metrics["loss/validation"]):
                raise Diverged(step)
            if step == config.steps or config.test_every_evaluation:
                metrics |= self._mean_loss_and_accuracy(test, "test")
            if step == config.steps:
                metrics |= self._after_training(config.probes, split.train[:MOST_RECOMPUTED], test)
            if "training_loss" in config.probes:
                metrics |= self._mean_loss_and_accuracy(training, "training_split")
            if config.probes:
                measured = self._probe(probed)
                metrics |= self.probes.metrics({name: value.numpy() for name, value in measured.items()})
            if "step_loss" in config.probes and step > 0:
                times = np.linspace(before, seconds, len(losses) + 1)[1:]  # so that seconds per step stay true
                start = step - config.evaluate_every + 1
                for i, (loss, at) in enumerate(zip(losses, times, strict=True), start):
                    if i <= FIRST_STEPS:
                        yield Evaluated(i, {"loss/step": float(loss)}, float(at))
            yield Evaluated(step, metrics, seconds)

    def _mean_loss_and_accuracy(self, batches: np.ndarray, part: str) -> dict[str, float]:
        loss, accuracy = self.evaluate(batches)
        return {f"loss/{part}": float(loss), f"accuracy/{part}": float(accuracy)}

    def _after_training(self, probes: tuple[Probe, ...], train: np.ndarray, test: np.ndarray) -> dict[str, float]:
        """Test accuracy under changed images and under recomputed statistics."""
        metrics: dict[str, float] = {}
        if "corruptions" in probes:
            changes = {f"brightness={b:+g}": (1.0, b) for b in BRIGHTNESS} | {
                f"contrast={c:g}": (c, 0.0) for c in CONTRAST
            }
            for statistics in ("moving", "recomputed"):
                for name, (contrast, brightness) in changes.items():
                    change = np.array([contrast, brightness], np.float32)
                    _, accuracy = self.evaluate(test, change, statistics == "recomputed")
                    metrics[f"corrupted/{statistics}/{name}"] = float(accuracy)
        if "recomputed_statistics" in probes:
            moving = [v.numpy() for v in self.network.non_trainable_variables]
            recompute_statistics(self.network, [self._examples(batch[batch >= 0])[0] for batch in _in_batches(train)])
            metrics["accuracy/test_recomputed"] = float(self.evaluate(test)[1])
            for variable, value in zip(self.network.non_trainable_variables, moving, strict=True):
                variable.assign(value)
        return metrics

    def _examples(self, indices: tf.Tensor, change: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return network inputs and labels of the examples at `indices`. `change`: contrast, brightness."""
        x = tf.cast(tf.gather(self._features, indices), tf.float32) / self.dataset.unit
        if change is not None:
            mean = tf.reduce_mean(x, axis=list(range(1, len(x.shape))), keepdims=True)
            x = tf.clip_by_value((x - mean) * change[0] + mean + change[1], 0.0, 1.0)
        x = tf.cast(x > 0.5, tf.float32) if self.binarize else x * self._scale - self._shift
        return x, tf.gather(self._labels, indices)

    def _take_steps(self, order: tf.Tensor) -> tf.Tensor:
        """Take a step per row of `order`, (steps, batch), and return the loss of each, (steps,)."""
        variables = self.network.trainable_variables
        losses = tf.TensorArray(tf.float32, order.shape[0])
        for i in tf.range(order.shape[0]):
            x, y = self._examples(order[i])
            with tf.GradientTape() as tape:
                loss = cross_entropy(y, self.network(x, training=True))
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            losses = losses.write(i, loss)
        return losses.stack()

    def _evaluate(
        self, batches: tf.Tensor, change: tf.Tensor | None = None, recomputed: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return mean loss and accuracy over `batches`, (batches, examples), where −1 is padding.

        recomputed: normalize by the statistics of each batch instead of the moving ones; there, padding counts as its
        row's first example.
        """

        def sums(indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            real = tf.cast(indices >= 0, tf.float32)
            x, y = self._examples(tf.where(indices >= 0, indices, indices[0]), change)
            weights, statistics = ([tf.convert_to_tensor(v) for v in variables] for variables in self._variables)
            logits, _ = self.network.stateless_call(weights, statistics, x, training=recomputed)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
            correct = tf.cast(tf.argmax(logits, axis=1, output_type=tf.int32) == y, tf.float32)
            return tf.reduce_sum(losses * real), tf.reduce_sum(correct * real)

        loss, correct = tf.map_fn(sums, batches, fn_output_signature=(tf.float32, tf.float32))
        count = tf.reduce_sum(tf.cast(batches >= 0, tf.float32))
        return tf.reduce_sum(loss) / count, tf.reduce_sum(correct) / count

    @property
    def _variables(self) -> tuple[list[Any], list[Any]]:
        return self.network.trainable_variables, self.network.non_trainable_variables

    def _probe_batch(self, indices: tf.Tensor) -> dict[str, tf.Tensor]:
        x, labels = self._examples(indices)
        return self.probes.measure(x, labels, tf.convert_to_tensor(self.optimizer.learning_rate))


@functools.lru_cache(maxsize=2)
def _as_tensors(dataset: Dataset) -> tuple[tf.Tensor, tf.Tensor]:
    """Features and labels in memory once, however many programs use them."""
    return tf.constant(dataset.features), tf.constant(dataset.labels)


def _in_batches(indices: np.ndarray) -> np.ndarray:
    """Cut into rows of equal length, about EVALUATION_BATCH at most, padded with −1; no row is padding alone."""
    rows = -(-len(indices) // EVALUATION_BATCH)
    length = -(-len(indices) // (rows * EVALUATION_ROUNDING)) * EVALUATION_ROUNDING
    rows = -(-len(indices) // length)
    padded = np.full(rows * length, -1, np.int32)
    padded[: len(indices)] = indices
    return padded.reshape(rows, length)


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return the mean cross-entropy of integer labels (batch,) and logits (batch, classes), in nats."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def build_optimizer(config: OptimizerConfig) -> keras.Optimizer:
    """Build the Keras optimizer of the configuration."""
    match config.kind:
        case "sgd":
            return keras.optimizers.SGD(config.learning_rate, momentum=config.momentum)
        case "adam":
            return keras.optimizers.Adam(config.learning_rate, beta_1=config.beta_1, beta_2=config.beta_2)


def uses_xla(config: RunConfig) -> bool:
    """Tell whether the program is compiled with XLA: as configured, or by the network's kind as measured."""
    return config.model.kind in ("mlp", "rnn") if config.xla == "auto" else config.xla
