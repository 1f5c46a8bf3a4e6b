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
from experiments.evaluation import evaluated_parts, in_rows, means_of_parts
from experiments.probes import Probes
from models.initialization import initial_kernels
from models.networks import build_model

DIVERGED = 1000  # times the initial loss, Bjorck et al. 2018
BRIGHTNESS = (-0.5, -0.4, -0.3, -0.2, -0.1, 0.1, 0.2, 0.3, 0.4, 0.5)  # added to pixels in [0, 1]
CONTRAST = (0.25, 0.5, 0.75, 1.5, 2.0, 4.0)  # factors about each image's mean
MOST_RECOMPUTED = 10_000  # training examples for recomputed statistics
FIRST_STEPS = 100  # whose losses the probe step_loss keeps


@dataclass(frozen=True)
class Evaluated:
    """What a run shows at one step.

    seconds: of training so far, with the evaluations and probes between steps; in a timed run, without them.
    """

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
        self._no_batches = tf.zeros((config.evaluate_every, config.dataset.batch_size), tf.int32)
        self._compiled = tf.function(jit_compile=uses_xla(config))
        self._advances: dict[tuple[int, ...], Callable[..., Any]] = {}
        self.evaluate: Callable[..., tuple[tf.Tensor, tf.Tensor]] = self._compiled(self._evaluate)
        split = split_dataset(dataset, config.dataset, config.seed)
        probed = tf.constant(split.train[: config.probe_examples])
        for parts in (evaluated_parts(config, split), {"test": split.test}):
            self._proceed(self._no_batches.numpy(), tf.constant(in_rows(*parts.values())), probed, config.timed)
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
        parts, probed = evaluated_parts(config, split), tf.constant(split.train[: config.probe_examples])
        examples, test = tf.constant(in_rows(*parts.values())), tf.constant(in_rows(split.test))
        every, seconds, limit = config.evaluate_every, 0.0, np.inf
        for step in range(0, config.steps + 1, every):
            metrics: dict[str, float] = {}
            batches = order[max(step - every, 0) : step]  # none before the first step
            losses, seen, measured, took = self._proceed(batches, examples, probed, config.timed)
            if step > 0:
                seconds += took
                if step == every:
                    limit = DIVERGED * losses[0]
                outside = np.flatnonzero(~(np.isfinite(losses) & (losses <= limit)))
                if len(outside):
                    raise Diverged(step - every + int(outside[0]) + 1)
                metrics["loss/train"] = float(losses.mean())
            metrics |= means_of_parts(parts, *seen)
            if not np.isfinite(metrics["loss/validation"]):
                raise Diverged(step)
            if step == config.steps:
                if "test" not in parts:
                    _, seen, *_ = self._proceed(order[:0], test, probed)
                    metrics |= means_of_parts({"test": split.test}, *seen)
                metrics |= self._after_training(config.probes, split.train[:MOST_RECOMPUTED], split.test)
            metrics |= self.probes.metrics(measured)
            if "step_loss" in config.probes and step > 0:
                times = np.linspace(seconds - took, seconds, every + 1)[1:]  # so that seconds per step stay true
                for i, (loss, at) in enumerate(zip(losses, times, strict=True), step - every + 1):
                    if i <= FIRST_STEPS:
                        yield Evaluated(i, {"loss/step": float(loss)}, float(at))
            yield Evaluated(step, metrics, seconds)

    def _proceed(
        self, batches: np.ndarray, examples: tf.Tensor, probed: tf.Tensor, timed: bool = False
    ) -> tuple[np.ndarray, list[np.ndarray], dict[str, np.ndarray], float]:
        """Take a step per row of `batches`, then evaluate and probe.

        Returns the losses of the steps, losses and hits of `examples`, what the probes measured, and the seconds that
        all this took; where `timed`, those of the steps alone.
        """
        count, started = len(batches), time.perf_counter()
        order = tf.constant(batches) if count else self._no_batches
        if timed and count:
            losses = self.take_steps(order).numpy()
            took = time.perf_counter() - started
            _, *seen, measured = self.advance(order, tf.constant(0), examples, probed)
        else:
            losses, *seen, measured = self.advance(order, tf.constant(count), examples, probed)
            losses = losses.numpy()[:count]
            took = time.perf_counter() - started
        return losses, [t.numpy() for t in seen], {name: value.numpy() for name, value in measured.items()}, took

    @functools.cached_property
    def take_steps(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """`_take_steps`, compiled for the steps from one evaluation to the next."""
        compiled: Callable[[tf.Tensor], tf.Tensor] = self._compiled(self._take_steps).get_concrete_function(
            self._no_batches
        )
        return compiled

    def advance(self, *inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        """`_advance`, compiled once for each shape of what it evaluates and probes.

        Straight to the concrete function: having TensorFlow match a call to a signature takes as long as a step.
        """
        shape = tuple(size for tensor in inputs for size in tensor.shape)
        if shape not in self._advances:
            self._advances[shape] = self._compiled(self._advance).get_concrete_function(*inputs)
        result: tuple[tf.Tensor, tf.Tensor, tf.Tensor, dict[str, tf.Tensor]] = self._advances[shape](*inputs)
        return result

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
                    seen = self.evaluate(in_rows(test), change, statistics == "recomputed")
                    metrics[f"corrupted/{statistics}/{name}"] = means_of_parts({"": test}, *seen)["accuracy/"]
        if "recomputed_statistics" in probes:
            moving = [v.numpy() for v in self.network.non_trainable_variables]
            recompute_statistics(self.network, [self._examples(row[row >= 0])[0] for row in in_rows(train)])
            recomputed = means_of_parts({"test": test}, *self.evaluate(in_rows(test)))
            metrics["accuracy/test_recomputed"] = recomputed["accuracy/test"]
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

    def _advance(
        self, order: tf.Tensor, steps: tf.Tensor, examples: tf.Tensor, probed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        """Take the first `steps` steps of `order`, evaluate `examples` and probe, all in one call."""
        losses = self._take_steps(order, steps)
        return losses, *self._evaluate(examples), self._probe(probed)

    def _take_steps(self, order: tf.Tensor, steps: tf.Tensor | None = None) -> tf.Tensor:
        """Take a step for each of the first `steps` rows of `order`, (rows, batch), or all; return the losses, (rows,).

        Where no step was taken, the loss is 0.
        """
        variables = self.network.trainable_variables
        losses = tf.TensorArray(tf.float32, order.shape[0], element_shape=())
        for i in tf.range(order.shape[0] if steps is None else steps):
            x, y = self._examples(order[i])
            with tf.GradientTape() as tape:
                loss = cross_entropy(y, self.network(x, training=True))
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            losses = losses.write(i, loss)
        return losses.stack()

    def _evaluate(
        self, examples: tf.Tensor, change: tf.Tensor | None = None, recomputed: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return loss and hit of each of `examples`, (rows, examples), where −1 is padding, in the same shape.

        recomputed: normalize by the statistics of each row instead of the moving ones; there, padding counts as its
        row's first example.
        """

        def of_row(indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            x, y = self._examples(tf.where(indices >= 0, indices, indices[0]), change)
            weights, statistics = ([tf.convert_to_tensor(v) for v in variables] for variables in self._variables)
            logits, _ = self.network.stateless_call(weights, statistics, x, training=recomputed)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
            return losses, tf.argmax(logits, axis=1, output_type=tf.int32) == y

        return tf.map_fn(of_row, examples, fn_output_signature=(tf.float32, tf.bool))

    @property
    def _variables(self) -> tuple[list[Any], list[Any]]:
        return self.network.trainable_variables, self.network.non_trainable_variables

    def _probe(self, indices: tf.Tensor) -> dict[str, tf.Tensor]:
        if not self.probes.asked:
            return {}
        x, labels = self._examples(indices)
        return self.probes.measure(x, labels, tf.convert_to_tensor(self.optimizer.learning_rate))


@functools.lru_cache(maxsize=2)
def _as_tensors(dataset: Dataset) -> tuple[tf.Tensor, tf.Tensor]:
    """Features and labels in memory once, however many programs use them."""
    return tf.constant(dataset.features), tf.constant(dataset.labels)


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
