"""What does one training step cost, with and without XLA, beside Keras's `fit` and beside loops written by hand?

All contestants of a case run in this process, in turn, on the same random data; medians over the rounds count.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from experiments.configuration.experiment import Run
from experiments.configuration.run import RunConfig
from experiments.records import storage
from experiments.records.storage import Curve, Record
from experiments.records.tensorboard import write_run_events
from experiments.training.datasets import Dataset, split_dataset
from experiments.training.optimizers import build_optimizer
from experiments.training.program import Program
from experiments.training.run import train
from models.networks import build_model

EXAMPLES, CLASSES, BATCH = 2000, 10, 60
SIDES = {"digits": 8, "mnist": 28}  # of images with one channel
PROBES = ("pre_activations", "gradients")

Contestant = Callable[[], float]  # takes some steps and returns the milliseconds of each


@dataclass(frozen=True)
class Case:
    """One kind of network on one size of images. `steps`: per measurement; `slow_steps`: where XLA is slow."""

    model: str
    shape: str
    layers: tuple[int, ...]
    steps: int
    slow_steps: int

    @property
    def name(self) -> str:
        """Return the case as tables name it."""
        return f"{self.model} {'-'.join(map(str, self.layers))}, {self.shape}"


CASES = (
    Case("mlp", "digits", (100, 100, 100), 50, 50),
    Case("mlp", "mnist", (100, 100, 100), 50, 50),
    Case("cnn", "digits", (8, 16), 25, 10),
    Case("cnn", "mnist", (8, 16), 10, 2),
    Case("rnn", "digits", (100,), 25, 25),
    Case("rnn", "mnist", (100,), 10, 10),
)


def measure_case(case: Case, rounds: int) -> dict[str, float]:
    """Return contestant → median milliseconds of a step."""
    dataset = random_dataset(case.shape)
    contestants = {
        "ours with XLA": ours(_config(case, xla=True), dataset, case.slow_steps),
        "ours without XLA": ours(_config(case, xla=False), dataset, case.steps),
        "model.fit": keras_fit(_config(case), dataset, max(4 * case.steps, 50)),
    }
    match case.model:
        case "mlp":
            contestants["by hand with XLA"] = mlp_by_hand(case, dataset)
        case "cnn":
            contestants["by hand without XLA"] = cnn_by_hand(case, dataset)
    return in_turn(contestants, rounds)


def in_turn(contestants: Mapping[str, Contestant], rounds: int) -> dict[str, float]:
    """Return the median of every contestant's figures, each measured once a round, after one round to warm up.

    The order changes from round to round: it makes 7 % whose memory a contestant finds, warm or cold.
    """
    rng = np.random.default_rng(0)
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name in rng.permutation(list(contestants)).tolist():
            figure = contestants[name]()
            if number > 0:
                figures[name].append(figure)
    return {name: statistics.median(values) for name, values in figures.items()}


def measure_extras(rounds: int, steps: int = 500, seeds: int = 3) -> dict[str, float]:
    """Return the seconds of a run of the MNIST-shaped MLP: bare, and with probes on a batch and TensorBoard's events.

    Both evaluate every 50 steps and are stored. Several runs follow each other, each written while the next is
    trained, as in sweeps.
    """
    dataset = random_dataset("mnist", examples=20_000)
    case = next(case for case in CASES if case.name == "mlp 100-100-100, mnist")
    bare = _config(case).model_copy(update={"steps": steps, "evaluate_every": 50, "probe_examples": BATCH})
    probed = bare.model_copy(update={"probes": PROBES})
    with tempfile.TemporaryDirectory() as folder:
        contestants = {
            "bare": _whole_runs(bare, dataset, seeds, Path(folder) / "bare", None),
            "with probes and TensorBoard": _whole_runs(
                probed, dataset, seeds, Path(folder) / "probed", write_run_events
            ),
        }
        return in_turn(contestants, rounds)


def random_dataset(shape: str, examples: int = EXAMPLES) -> Dataset:
    """Return random bytes as images of the size of the named data set's."""
    rng = np.random.default_rng(0)
    side = SIDES[shape]
    features = rng.integers(0, 256, (examples, side, side, 1), np.uint8)
    return Dataset(features, rng.integers(0, CLASSES, examples).astype(np.int32), CLASSES, 255)


def ours(config: RunConfig, dataset: Dataset, steps: int) -> Contestant:
    """Return the program that sweeps use."""
    program = Program(config.model_copy(update={"evaluate_every": steps, "steps": steps, "timed": True}), dataset)
    program.reset(config, split_dataset(dataset, config.dataset, config.seed))
    order, rates = _order(dataset, steps), np.full(steps, config.optimizer.learning_rate, np.float32)
    return lambda: _milliseconds(lambda: program.take_steps(order, rates), steps)


def keras_fit(config: RunConfig, dataset: Dataset, steps: int) -> Contestant:
    """Return Keras's own loop on arrays; an epoch counts, without what `fit` does before the first."""
    network = build_model(config.model, dataset.features.shape[1:], CLASSES)
    network.compile(build_optimizer(config.optimizer), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    order = _order(dataset, steps).ravel()
    x, y = (dataset.features[order] / np.float32(255)).astype(np.float32), dataset.labels[order]
    clock = _EpochClock()

    def fit() -> float:
        network.fit(x, y, batch_size=BATCH, epochs=2, shuffle=False, verbose=0, callbacks=[clock])
        return 1e3 * clock.seconds / steps

    return fit


class _EpochClock(keras.callbacks.Callback):
    """Keeps the seconds of the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002  Keras gives it
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002  Keras gives it
        self.seconds = time.perf_counter() - self.started


def mlp_by_hand(case: Case, dataset: Dataset) -> Contestant:
    """Return a loop over the same MLP with batch normalization in bare TensorFlow, compiled by XLA."""
    widths = (SIDES[case.shape] ** 2, *case.layers, CLASSES)
    kernels = [_glorot(pair) for pair in itertools.pairwise(widths)]
    affine = [(tf.Variable(tf.ones(w)), tf.Variable(tf.zeros(w))) for w in case.layers]
    moving = [(tf.Variable(tf.zeros(w)), tf.Variable(tf.ones(w))) for w in case.layers]
    bias = tf.Variable(tf.zeros(CLASSES))

    def network(x: tf.Tensor) -> tf.Tensor:
        x = tf.reshape(x, (BATCH, -1))
        for kernel, (gamma, beta), (moving_mean, moving_variance) in zip(kernels, affine, moving, strict=False):
            z = x @ kernel
            mean, variance = tf.nn.moments(z, 0)
            moving_mean.assign(0.99 * moving_mean + 0.01 * mean)
            moving_variance.assign(0.99 * moving_variance + 0.01 * variance)
            x = tf.sigmoid((z - mean) * (tf.math.rsqrt(variance + 1e-3) * gamma) + beta)
        return x @ kernels[-1] + bias

    variables = [*kernels, *(v for pair in affine for v in pair), bias]
    return _by_hand(network, variables, dataset, case.steps, xla=True)


def cnn_by_hand(case: Case, dataset: Dataset) -> Contestant:
    """Return a loop over the same CNN with batch normalization in bare TensorFlow, as a graph."""
    channels = (1, *case.layers)
    kernels = [_glorot((3, 3, *pair)) for pair in zip(channels, case.layers, strict=False)]
    affine = [(tf.Variable(tf.ones(c)), tf.Variable(tf.zeros(c))) for c in case.layers]
    moving = [(tf.Variable(tf.zeros(c)), tf.Variable(tf.ones(c))) for c in case.layers]
    side = SIDES[case.shape] // 2 ** len(case.layers)
    output, bias = _glorot((side * side * case.layers[-1], CLASSES)), tf.Variable(tf.zeros(CLASSES))

    def network(x: tf.Tensor) -> tf.Tensor:
        for kernel, (gamma, beta), (moving_mean, moving_variance) in zip(kernels, affine, moving, strict=True):
            z = tf.nn.conv2d(x, kernel, 1, "SAME")
            y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=z, scale=gamma, offset=beta, mean=[], variance=[], epsilon=1e-3, is_training=True
            )
            moving_mean.assign(0.99 * moving_mean + 0.01 * mean)
            moving_variance.assign(0.99 * moving_variance + 0.01 * variance)
            x = tf.nn.max_pool2d(tf.nn.relu(y), 2, 2, "VALID")
        return tf.reshape(x, (BATCH, -1)) @ output + bias

    variables = [*kernels, *(v for pair in affine for v in pair), output, bias]
    return _by_hand(network, variables, dataset, case.steps, xla=False)


def _by_hand(
    network: Callable[[tf.Tensor], tf.Tensor], variables: list[tf.Variable], dataset: Dataset, steps: int, xla: bool
) -> Contestant:
    features, labels = tf.constant(dataset.features), tf.constant(dataset.labels)

    @tf.function(jit_compile=xla)
    def train(order: tf.Tensor) -> tf.Tensor:
        losses = tf.TensorArray(tf.float32, steps)
        for i in tf.range(steps):
            x, y = tf.cast(tf.gather(features, order[i]), tf.float32) / 255, tf.gather(labels, order[i])
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, network(x)))
            for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
                variable.assign_sub(0.1 * gradient)
            losses = losses.write(i, loss)
        return losses.stack()

    order = tf.constant(_order(dataset, steps))
    return lambda: _milliseconds(lambda: train(order).numpy(), steps)


def _whole_runs(
    config: RunConfig,
    dataset: Dataset,
    seeds: int,
    folder: Path,
    events: Callable[[Path, Run, Record], None] | None,
) -> Contestant:
    program = Program(config, dataset)

    def train_and_write() -> float:
        started = time.perf_counter()
        with ThreadPoolExecutor(1) as writer:
            for seed in range(seeds):
                seeded = config.model_copy(update={"seed": seed})
                points: dict[str, list[tuple[int, float]]] = {}
                for evaluated in train(program, seeded):
                    for metric, value in evaluated.metrics.items():
                        points.setdefault(metric, []).append((evaluated.step, value))
                curves = {metric: _curve(at) for metric, at in points.items()}
                run = Run.model_construct(arm="arm", grid={}, config=seeded)
                writer.submit(storage.write_run, folder, run, Record(seeded, "finished", curves), events)
        return (time.perf_counter() - started) / seeds

    return train_and_write


def _curve(points: list[tuple[int, float]]) -> Curve:
    return Curve(np.array([step for step, _ in points], np.int64), np.array([value for _, value in points]))


def _config(case: Case, xla: bool | None = None) -> RunConfig:
    return RunConfig.model_validate(
        {
            "dataset": {"batch_size": BATCH},
            "model": {
                "kind": case.model,
                "layers": case.layers,
                "activation": "relu" if case.model == "cnn" else "sigmoid" if case.model == "mlp" else "tanh",
                "norm": {"kind": "custom"},
            },
            "xla": "auto" if xla is None else xla,
            "statistics": "moving",
        }
    )


def _order(dataset: Dataset, steps: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, len(dataset.labels), (steps, BATCH)).astype(np.int32)


def _glorot(shape: tuple[int, ...]) -> tf.Variable:
    return tf.Variable(keras.initializers.GlorotUniform(seed=0)(shape))


def _milliseconds(work: Callable[[], object], steps: int) -> float:
    started = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - started) / steps
