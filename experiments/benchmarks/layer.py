"""What does our batch normalization layer cost beside the stock one, the bare fused kernel and the memory itself?

A figure is the median over rounds in which all contestants take turns. A training step is forward, backward and the
update of the moving statistics, γ and β. Its output and gradient are the next step's upstream gradient and input:
nothing can be left out or moved out of the loop, and nothing is copied.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from custom_layers import BatchNormalization
from experiments.benchmarks.step import BATCH, Contestant, in_turn, ours, random_dataset
from experiments.configuration.run import RunConfig
from experiments.training.surroundings import start_tensorflow

Shape = tuple[int, ...]
Kind = Literal["ours", "stock", "kernel"]

SHAPES: tuple[Shape, ...] = ((60, 100), (256, 1024), (64, 28, 28, 32), (128, 14, 14, 64), (64, 32, 32, 64))
LARGE_SHAPES: tuple[Shape, ...] = ((64, 32, 32, 64), (256, 32, 32, 64))  # for the peak of memory
KINDS: tuple[Kind, ...] = ("ours", "stock", "kernel")
ELEMENTS_PER_MEASUREMENT = {"training": 16_000_000, "inference": 64_000_000}  # about 0.1 s
FLOOR_BYTES = {"training": 32, "inference": 8}  # an element: x twice and y; x and dy twice and dx; or x and y
CNN = {"kind": "cnn", "layers": (8, 16), "activation": "relu"}
CNN_STEPS = 10


@dataclass(frozen=True)
class Row:
    """Microseconds of a step on one shape, in one way to run it."""

    shape: Shape
    mode: Literal["graph", "XLA"]
    phase: Literal["training", "inference"]
    ours: float
    stock: float
    kernel: float
    floor: float

    def figures(self) -> dict[str, Any]:
        """Return the row with its ratios, as JSON takes it."""
        return asdict(self) | {"stock_over_ours": self.stock / self.ours, "ours_over_kernel": self.ours / self.kernel}


def measure_layer(shape: Shape, rounds: int) -> list[Row]:
    """Return the four rows of a shape: graph and XLA, training and inference."""
    rows = []
    for mode in ("graph", "XLA"):
        for phase, floor_bytes in FLOOR_BYTES.items():
            loops = {kind: _loop(_step(kind, shape), shape, mode, phase) for kind in KINDS}
            contestants: dict[str, Contestant] = {
                kind: _timed(loop, _repetitions(shape, phase)) for kind, loop in loops.items()
            }
            figures = in_turn(contestants, rounds)
            bandwidth = _timed(_differences(shape), _repetitions(shape, "inference"))
            floor = in_turn({"difference": bandwidth}, rounds)["difference"] * floor_bytes / 12  # 2 read, 1 written
            rows.append(Row(shape, mode, phase, floor=floor, **figures))  # type: ignore[arg-type]  # literals from loops
    return rows


def measure_cnn_step(rounds: int) -> dict[str, float]:
    """Return milliseconds of a whole training step of the small CNN on MNIST-sized images, with ours and with stock."""
    dataset = random_dataset("mnist")

    def network(kind: str) -> Contestant:
        config = RunConfig.model_validate(
            {"dataset": {"batch_size": BATCH}, "model": CNN | {"norm": {"kind": kind}}, "xla": False}
        )
        return ours(config, dataset, CNN_STEPS)

    return in_turn({"ours": network("custom"), "stock": network("stock")}, rounds)


def measure_peak_memory(shape: Shape, threads: int) -> dict[Kind, float]:
    """Return MiB that a training step needs beyond its input and upstream gradient, each in a fresh process."""
    figures = {}
    for kind in KINDS:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, context, initializer=start_tensorflow, initargs=(threads,)) as fresh:
            figures[kind] = fresh.submit(_peak_memory, kind, shape).result()
    return figures


def _peak_memory(kind: Kind, shape: Shape) -> float:
    rng = np.random.default_rng(0)
    # Not drawn by TensorFlow, whose allocator would keep the temporary values' memory and hand it to the step.
    x, dy = (tf.constant(rng.standard_normal(shape, np.float32)) for _ in range(2))
    call, variables = _step(kind, shape)

    @tf.function
    def step(x: tf.Tensor, dy: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = call(x, True)
        return [y, *tape.gradient(y, [x, *variables], output_gradients=dy)]

    step.get_concrete_function(x, dy)
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # starts the high-water mark anew
    for _ in range(3):
        step(x, dy)
    return (_resident("VmHWM") - before) / 1024


def _resident(name: str) -> int:
    """Return a figure of this process's resident memory, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def _step(kind: Kind, shape: Shape) -> tuple[Callable[[tf.Tensor, bool], tf.Tensor], list[tf.Variable]]:
    """Return the normalization as a function of x and of whether it trains, and its trainable variables."""
    if kind == "kernel":
        return _bare_kernel(shape)
    layer = BatchNormalization() if kind == "ours" else keras.layers.BatchNormalization()
    layer.build(shape)
    return lambda x, training: layer(x, training=training), [v.value for v in layer.trainable_variables]


def _bare_kernel(shape: Shape) -> tuple[Callable[[tf.Tensor, bool], tf.Tensor], list[tf.Variable]]:
    """Return what remains when Keras and every care are left out. Takes a matrix as an image of one pixel."""
    channels = shape[-1]
    gamma, variance = tf.Variable(tf.ones(channels)), tf.Variable(tf.ones(channels))
    beta, mean = tf.Variable(tf.zeros(channels)), tf.Variable(tf.zeros(channels))

    def normalize(x: tf.Tensor, training: bool) -> tf.Tensor:
        y, batch_mean, batch_variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x if len(shape) == 4 else tf.reshape(x, (-1, 1, 1, channels)),
            scale=gamma,
            offset=beta,
            mean=[] if training else mean,
            variance=[] if training else variance,
            epsilon=1e-3,
            is_training=training,
        )
        if training:
            mean.assign(0.99 * mean + 0.01 * batch_mean)
            variance.assign(0.99 * variance + 0.01 * batch_variance)
        return y if len(shape) == 4 else tf.reshape(y, shape)

    return normalize, [gamma, beta]


def _loop(
    step: tuple[Callable[[tf.Tensor, bool], tf.Tensor], list[tf.Variable]], shape: Shape, mode: str, phase: str
) -> Callable[[], tf.Tensor]:
    call, variables = step
    x, dy = tf.random.normal(shape), tf.random.normal(shape)

    @tf.function(jit_compile=mode == "XLA")
    def train(x: tf.Tensor, dy: tf.Tensor) -> tf.Tensor:
        for _ in tf.range(_repetitions(shape, phase)):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = call(x, True)
            dx, *slopes = tape.gradient(y, [x, *variables], output_gradients=dy)
            for variable, slope in zip(variables, slopes, strict=True):
                variable.assign_sub(1e-9 * slope)
            x, dy = tf.ensure_shape(dx, shape), tf.ensure_shape(y, shape)
        return _first(x) + _first(dy)

    @tf.function(jit_compile=mode == "XLA")
    def infer(x: tf.Tensor) -> tf.Tensor:
        for _ in tf.range(_repetitions(shape, phase)):
            x = tf.ensure_shape(call(x, False), shape)
        return _first(x)

    return lambda: train(x, dy) if phase == "training" else infer(x)


def _differences(shape: Shape) -> Callable[[], tf.Tensor]:
    """Return the loop that shows the bandwidth, cache included where the shape fits: one tensor less another.

    On small shapes it shows TensorFlow's cost of an operation instead.
    """
    first, second = tf.random.normal(shape), tf.random.normal(shape)

    @tf.function
    def subtract(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        for _ in tf.range(_repetitions(shape, "inference")):
            x, y = tf.ensure_shape(x - y, shape), x  # comes back to itself after six
        return _first(x)

    return lambda: subtract(first, second)


def _first(x: tf.Tensor) -> tf.Tensor:
    """Return one element: all are computed for it, none is read for the sake of the measurement."""
    return tf.reshape(x, [-1])[0]


def _timed(loop: Callable[[], tf.Tensor], repetitions: int) -> Contestant:
    """Return a measurement of the loop in microseconds a step."""

    def measure() -> float:
        started = time.perf_counter()
        loop().numpy()
        return 1e6 * (time.perf_counter() - started) / repetitions

    return measure


def _repetitions(shape: Shape, phase: str) -> int:
    return min(20_000, max(4, ELEMENTS_PER_MEASUREMENT[phase] // tf.TensorShape(shape).num_elements()))
