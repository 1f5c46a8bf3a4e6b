"""How is a network trained without Python in the loop?

A program is the training computation of one architecture as a pure function of its state and its batches. It is
compiled once; seeds, learning rates, initial weights and data order are values that it is given.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from experiments.configuration.run import RunConfig
from experiments.training.changed_images import attack
from experiments.training.datasets import Dataset, Split, split_dataset
from experiments.training.evaluation import LookedAt, evaluated_parts, in_rows, looked_at
from experiments.training.examples import as_tensors
from experiments.training.optimizers import Descent
from experiments.training.probes import Probes
from experiments.training.readings import Readings
from experiments.training.suitability import require_fit
from models.initialization import initial_kernels
from models.networks import build_model

DIVERGED = 1000  # times the initial loss, Bjorck et al. 2018
MOST_STRETCHES, MOST_INDICES = 32, 2**20  # of a call, whose results are kept until it returns


class Program:
    """The compiled training of all runs with one `RunConfig.program_key()`."""

    def __init__(self, config: RunConfig, dataset: Dataset):
        require_fit(config, dataset.facts)
        self.dataset = dataset
        self.binarize = config.dataset.binarize
        self.network = build_model(config.model, dataset.features.shape[1:], dataset.classes)
        self._descent = Descent(self.network, config)
        self.optimizer = self._descent.optimizer
        self._kernels = {id(kernel) for kernel, _ in initial_kernels(self.network, config.model, config.seed)}
        self._built = [
            (v, v.numpy()) for v in (*self.network.variables, *self.optimizer.variables) if id(v) not in self._kernels
        ]
        self.probes = Probes(config, self.network)
        self.readings = Readings(config, self.network)
        self._features, self._labels = as_tensors(dataset)
        example = dataset.features.shape[1:]
        self._scale, self._shift = (tf.Variable(tf.zeros(example), trainable=False) for _ in range(2))
        stretch = (config.longest_stretch, config.dataset.batch_size)
        most = max(1, min(MOST_STRETCHES, MOST_INDICES // (stretch[0] * stretch[1])))
        self.stretches = most if config.steps and not config.timed else 0  # and no training is compiled into `advance`
        self._no_batches = np.zeros((self.stretches, *stretch), np.int32)
        self._no_rates = np.zeros(self._no_batches.shape[:2], np.float32)
        self._compiled = tf.function(jit_compile=config.uses_xla)
        self._advances: dict[tuple[int, ...], Callable[..., Any]] = {}
        self.evaluate: Callable[..., tuple[tf.Tensor, tf.Tensor]] = self._compiled(self._evaluate)
        split = split_dataset(dataset, config.dataset, config.seed)
        examples = in_rows(*evaluated_parts(config, split).values())
        self.advance(self._no_batches[:0], self._no_rates[:0], examples, looked_at(config, split))
        if config.timed and config.steps:
            self.take_steps(np.zeros(stretch, np.int32), np.zeros(stretch[0], np.float32))

    def reset(self, config: RunConfig, split: Split) -> None:
        """Give every variable the value it has before the first step of a run."""
        for variable, value in self._built:
            variable.value.assign(value)  # not through Keras, which takes three times as long
        for i, state in enumerate(v for v in self.network.non_trainable_variables if v.name == "seed_generator_state"):
            state.assign([config.seed, i])
        for kernel, value in initial_kernels(self.network, config.model, config.seed):
            kernel.value.assign(value)
        self._descent.reset(config)
        self.readings.reset()
        self._scale.assign(split.scale)
        self._shift.assign(split.shift)

    def examples(self, indices: tf.Tensor, change: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return network inputs and labels of the examples at `indices`. `change`: contrast, brightness."""
        x = self._images(indices)
        if change is not None:
            mean = tf.reduce_mean(x, axis=list(range(1, len(x.shape))), keepdims=True)
            x = tf.clip_by_value((x - mean) * change[0] + mean + change[1], 0.0, 1.0)
        return self._as_input(x), tf.gather(self._labels, indices)

    def _images(self, indices: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.gather(self._features, indices), tf.float32) / self.dataset.unit

    def _as_input(self, x: tf.Tensor) -> tf.Tensor:
        return tf.cast(x > 0.5, tf.float32) if self.binarize else x * self._scale - self._shift

    def advance(
        self,
        order: np.ndarray,
        rates: np.ndarray,
        examples: np.ndarray,
        looked_at: LookedAt,
        first_loss: float | None = None,
    ) -> tuple[int, np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Evaluate and probe, then do so after each stretch of steps, until the loss diverges; all in one call.

        order: the examples of each step, (stretches, steps, batch), as many as there is room for at most. rates: their
        learning rates. examples: what to evaluate, (rows, examples), where −1 is padding. looked_at: the examples
        of probes and population statistics. first_loss: of the run's first step, by which divergence is measured; None
        where the run begins.

        Return how many stretches were done, the losses of the steps, losses and hits of `examples` at each reading,
        (readings, rows, examples), and what the probes measured by name, each with a row for the start and one for
        every stretch; what was not done is zero. Where a run goes on, its start is not looked at again, and that row
        is zero.
        """
        batches, paces, every = self._no_batches.copy(), self._no_rates.copy(), order.shape[1]
        batches[: len(order), :every], paces[: len(order), :every] = order, rates
        begin, first = (0, np.inf) if first_loss is None else (1, first_loss)
        given = (batches, paces, examples, *looked_at, every, len(order), begin)
        inputs = [*map(tf.constant, given), tf.constant(first, tf.float32)]
        shape = (*examples.shape, *(len(indices) for indices in looked_at))
        if shape not in self._advances:
            self._advances[shape] = self._compiled(self._advance).get_concrete_function(*inputs)
        # Straight to the concrete function: having TensorFlow match a call to a signature takes as long as a step.
        end, losses, *seen = tf.nest.map_structure(lambda tensor: tensor.numpy(), self._advances[shape](*inputs))
        return int(end) - 1, losses[:, :every], *seen

    def take_steps(self, order: np.ndarray, rates: np.ndarray) -> np.ndarray:
        """Take the steps from one evaluation to the next, on batches (steps, batch); return their losses."""
        losses: np.ndarray = self._steps(tf.constant(order), tf.constant(rates)).numpy()
        return losses

    def statistics(self, population: tf.Tensor) -> list[list[tf.Tensor]]:
        """Return mean and variance of each normalization for each reading. population: indices of examples."""
        return self.readings.statistics(self.examples(population)[0] if self.readings.recomputes else None)

    @functools.cached_property
    def population_of(self) -> Callable[[tf.Tensor], list[tf.Tensor]]:
        """Mean and variance of every batch normalization on a batch of inputs of any size."""
        inputs = tf.TensorSpec((None, *self.dataset.features.shape[1:]))
        compiled: Callable[..., list[tf.Tensor]] = tf.function(self.readings.population, input_signature=[inputs])
        return compiled

    @functools.cached_property
    def hits_when_attacked(self) -> Callable[..., tf.Tensor]:
        """Whether each of some examples, with a change that `attack` works out, is still told rightly, (examples,).

        Takes indices, the statistics of a reading, and `change`, `size`, `pace` and `steps` as `attack` does.
        """

        def hits(indices: tf.Tensor, statistics: list[tf.Tensor], *of_attack: tf.Tensor) -> tf.Tensor:
            weights, state = (
                [*map(tf.convert_to_tensor, self.network.trainable_variables)],
                self.readings.state(statistics),
            )

            def logits_of(images: tf.Tensor) -> tf.Tensor:
                return self.network.stateless_call(weights, state, self._as_input(images), training=False)[0]

            labels = tf.gather(self._labels, indices)
            moved = attack(logits_of, self._images(indices), labels, *of_attack)
            return tf.argmax(logits_of(moved), axis=1, output_type=tf.int32) == labels

        compiled: Callable[..., tf.Tensor] = self._compiled(hits)
        return compiled

    @functools.cached_property
    def _steps(self) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        # A function of these arguments alone: with a default left out, TensorFlow would try another signature first
        # and, to say why, write out the argument, which takes as long as twenty steps.
        shape = self._no_batches.shape[1:]
        compiled: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = self._compiled(
            lambda order, rates: self._take_steps(order, rates)
        ).get_concrete_function(tf.TensorSpec(shape, tf.int32), tf.TensorSpec(shape[:1]))
        return compiled

    def _advance(
        self,
        order: tf.Tensor,
        rates: tf.Tensor,
        examples: tf.Tensor,
        probed: tf.Tensor,
        population: tf.Tensor,
        every: tf.Tensor,
        stretches: tf.Tensor,
        begin: tf.Tensor,
        first_loss: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        """As `advance`, with the first `stretches` of `order`, of `every` steps each, from row `begin` on.

        Return the row after the last, then what `advance` does; no stretch's losses are cut off.
        """
        rows, longest = order.shape[0] + 1, order.shape[1]
        probe = tf.function(self._probe).get_concrete_function(tf.TensorSpec(probed.shape, probed.dtype))
        of_readings = (len(self.readings.names), *examples.shape)
        kept = tf.nest.map_structure(
            lambda spec: tf.TensorArray(spec.dtype, rows, element_shape=spec.shape),
            (
                tf.TensorSpec(longest, tf.float32),
                tf.TensorSpec(of_readings, tf.float32),
                tf.TensorSpec(of_readings, tf.bool),
                probe.structured_outputs,
            ),
        )
        row, goes_on = begin, tf.constant(True)
        while (row <= stretches) & goes_on:
            losses = tf.zeros(longest)
            if rows > 1:
                stretch = tf.maximum(row - 1, 0)
                losses = self._take_steps(order[stretch], rates[stretch], tf.where(row > 0, every, 0))
            first_loss = tf.where((begin == 0) & (row == 1), losses[0], first_loss)
            goes_on = tf.reduce_all(tf.math.is_finite(losses) & (losses <= DIVERGED * first_loss))
            found = (losses, *self._evaluate(examples, self.statistics(population)), probe(probed))
            kept = tf.nest.map_structure(lambda array, value, row=row: array.write(row, value), kept, found)
            row += 1
        return row, *tf.nest.map_structure(lambda array: array.stack(), kept)

    def _take_steps(self, order: tf.Tensor, rates: tf.Tensor, steps: tf.Tensor | None = None) -> tf.Tensor:
        """Take a step for each of the first `steps` rows of `order`, (rows, batch), or all; return the losses, (rows,).

        rates: of each step, (rows,); afterwards the optimizer's learning rate is that of the last one taken. Where no
        step was taken, the loss is 0.
        """
        losses = tf.TensorArray(tf.float32, order.shape[0], element_shape=())
        i, end = tf.constant(0), order.shape[0] if steps is None else steps
        while i < end:
            x, y = self.examples(order[i])
            before = self.readings.before_step()
            with tf.GradientTape() as tape:
                loss = cross_entropy(y, self.network(x, training=True))
            self._descent.step(tape.gradient(loss, self.network.trainable_variables), rates[i])
            self.readings.follow(before)
            losses = losses.write(i, loss)
            i += 1
        return losses.stack()

    def _evaluate(
        self, examples: tf.Tensor, statistics: list[list[tf.Tensor]], change: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return loss and hit of each of `examples`, (rows, examples), where −1 is padding: (readings, rows, examples).

        statistics: of each reading, as `Readings.statistics` gives them. Padding counts as its row's first example; a
        row that is all padding stands for the data set's first.
        """
        weights = [tf.convert_to_tensor(v) for v in self.network.trainable_variables]
        states = [self.readings.state(of_reading) for of_reading in statistics]

        def of_row(indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            x, y = self.examples(tf.where(indices >= 0, indices, tf.maximum(indices[0], 0)), change)
            logits = tf.stack([self.network.stateless_call(weights, state, x, training=False)[0] for state in states])
            labels = tf.broadcast_to(y, logits.shape[:2])
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            return losses, tf.argmax(logits, axis=2, output_type=tf.int32) == labels

        if examples.shape[0] == 1:  # which is most often, and mapping over rows costs as much as a small row
            losses, hits = of_row(examples[0])
            return losses[:, tf.newaxis], hits[:, tf.newaxis]
        losses, hits = tf.map_fn(of_row, examples, fn_output_signature=(tf.float32, tf.bool))
        return tf.transpose(losses, (1, 0, 2)), tf.transpose(hits, (1, 0, 2))

    def _probe(self, indices: tf.Tensor) -> dict[str, tf.Tensor]:
        if not self.probes.asked:
            return {}
        x, labels = self.examples(indices)
        return self.probes.measure(x, labels, tf.convert_to_tensor(self.optimizer.learning_rate))


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return the mean cross-entropy of integer labels (batch,) and logits (batch, classes), in nats."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
