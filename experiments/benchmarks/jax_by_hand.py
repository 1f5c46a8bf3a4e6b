"""What would a researcher write instead? The sweeps that are timed, by hand in JAX: run by run, or many runs at once.

A run is one call of a compiled function, its steps two nested `lax.scan`s. All runs of an architecture share it; with
`vmap` they are one call too. Split, order of examples and initial weights are those of our runs, so that the losses
must be ours too. Needs JAX and loads no TensorFlow.
"""

from __future__ import annotations

import functools
import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from experiments.benchmarks.timed_sweeps import AT_ONCE, BATCH, EVERY, SWEEPS
from experiments.configuration.run import RunConfig
from experiments.training.datasets import Dataset, batch_order, load_dataset, split_dataset

EPSILON, MOMENTUM = 1e-3, 0.99
KERNEL = 3  # pixels, of a convolution

Tree = Any  # arrays in dicts, lists and tuples
Network = Callable[[Tree, Tree, jax.Array, bool], tuple[jax.Array, Tree]]  # as `mlp`


def mlp(weights: Tree, moving: Tree, x: jax.Array, training: bool) -> tuple[jax.Array, Tree]:
    """Return logits (batch, classes) of images (batch, height, width, 1), and the new moving statistics."""
    x, kept = x.reshape(len(x), -1), []
    for layer, statistics in zip(weights[:-1], moving, strict=True):
        x, statistics = shift_or_normalize(x @ layer["kernel"], layer, statistics, training)
        x = jax.nn.sigmoid(x)
        kept.append(statistics)
    return x @ weights[-1]["kernel"] + weights[-1]["bias"], kept


def cnn(weights: Tree, moving: Tree, x: jax.Array, training: bool) -> tuple[jax.Array, Tree]:
    """Return logits (batch, classes) of images (batch, height, width, channels), and the new moving statistics."""
    kept = []
    for layer, statistics in zip(weights[:-1], moving, strict=True):
        x, statistics = shift_or_normalize(convolve(x, layer["kernel"]), layer, statistics, training)
        x = max_pool(jax.nn.relu(x))
        kept.append(statistics)
    return x.reshape(len(x), -1) @ weights[-1]["kernel"] + weights[-1]["bias"], kept


def shift_or_normalize(z: jax.Array, layer: Tree, moving: Tree, training: bool) -> tuple[jax.Array, Tree]:
    """Add the bias or, where there are moving statistics, normalize over all axes but the last."""
    if not moving:
        return z + layer["bias"], moving
    mean, variance = moving["mean"], moving["variance"]
    if training:
        axes = tuple(range(z.ndim - 1))
        mean, variance = z.mean(axes), z.var(axes)
        new = {"mean": mean, "variance": variance}
        moving = jax.tree.map(lambda old, now: MOMENTUM * old + (1 - MOMENTUM) * now, moving, new)
    return (z - mean) * (lax.rsqrt(variance + EPSILON) * layer["gamma"]) + layer["beta"], moving


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolve with a 3×3 kernel, (3, 3, channels, filters), by one product over all patches.

    On a processor XLA takes four times as long for its own convolution and the gradients of that.
    """
    height, width = x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    offsets = itertools.product(range(KERNEL), repeat=2)
    patches = jnp.concatenate([padded[:, i : i + height, j : j + width] for i, j in offsets], axis=-1)
    return patches @ kernel.reshape(-1, kernel.shape[-1])


def max_pool(x: jax.Array) -> jax.Array:
    """Return the maxima of 2×2 pixels, a last odd row or column left out."""
    batch, height, width, channels = x.shape
    rows, columns = height // 2, width // 2
    return x[:, : 2 * rows, : 2 * columns].reshape(batch, rows, 2, columns, 2, channels).max((2, 4))


def train(network: Network, state: Tree, run: Tree, data: Tree) -> tuple[Tree, Tree]:
    """Train from (weights, moving statistics) and return what they have become, and the curves of the run.

    run: rate; order, (stretches, steps, batch); validation and test, indices of examples. data: features and labels.
    Curves: the loss of each step; loss and accuracy of validation, (stretches + 1,), and after training of test, ().
    """

    def loss_of(weights: Tree, moving: Tree, indices: jax.Array, training: bool) -> Any:
        logits, moving = network(weights, moving, data["features"][indices], training)
        labels = data["labels"][indices]
        losses = -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
        return losses.mean(), (moving, (logits.argmax(axis=1) == labels).mean())

    def step(state: Tree, indices: jax.Array) -> tuple[Tree, jax.Array]:
        weights, moving = state
        gradient = jax.value_and_grad(loss_of, has_aux=True)
        (loss, (moving, _)), slopes = gradient(weights, moving, indices, True)
        return (jax.tree.map(lambda w, slope: w - run["rate"] * slope, weights, slopes), moving), loss

    def evaluate(state: Tree, part: str) -> Tree:
        weights, moving = state
        loss, (_, accuracy) = loss_of(weights, moving, run[part], False)
        return {f"{part}_loss": loss, f"{part}_accuracy": accuracy}

    def stretch(state: Tree, order: jax.Array) -> tuple[Tree, Tree]:
        state, losses = lax.scan(step, state, order)
        return state, (losses, evaluate(state, "validation"))

    first = evaluate(state, "validation")
    state, (losses, later) = lax.scan(stretch, state, run["order"])
    validation = jax.tree.map(lambda start, rest: jnp.concatenate([start[None], rest]), first, later)
    return state, {"train_loss": losses.ravel()} | validation | evaluate(state, "test")


def initial_state(config: RunConfig, shape: tuple[int, ...], classes: int) -> tuple[Tree, Tree]:
    """Return Glorot's uniform kernels, zero biases, γ = 1, β = 0, and moving statistics where the arm has them."""
    model, normalizes = config.model, config.model.norm.kind != "none"
    height, width, channels = shape
    window: tuple[int, ...] = ()
    pixels = height * width
    flat = model.layers[-1]
    if model.kind == "cnn":
        window, pixels = (KERNEL, KERNEL), 1
        flat *= (height // 2 ** len(model.layers)) * (width // 2 ** len(model.layers))
    hidden = [(*window, *pair) for pair in itertools.pairwise((pixels * channels, *model.layers))]
    weights, moving = [], []
    for position, kernel in enumerate([*hidden, (flat, classes)]):
        limit = np.sqrt(6 / (np.prod(kernel[:-2]) * (kernel[-2] + kernel[-1])))
        rng = np.random.default_rng([config.seed, 1, position])
        zeros, ones = np.zeros(kernel[-1], np.float32), np.ones(kernel[-1], np.float32)
        affine = {"gamma": ones, "beta": zeros} if normalizes and position < len(hidden) else {"bias": zeros}
        weights.append({"kernel": rng.uniform(-limit, limit, kernel).astype(np.float32)} | affine)
        moving.append({"mean": zeros, "variance": ones} if normalizes else {})
    return weights, moving[:-1]


def inputs(config: RunConfig, dataset: Dataset) -> tuple[Tree, Tree]:
    """Return the initial state of a run, and the rest of what `train` is to know of it."""
    split = split_dataset(dataset, config.dataset, config.seed)
    order = batch_order(split.train, BATCH, config.steps, config.seed).reshape(-1, EVERY, BATCH)
    rate = np.float32(config.optimizer.learning_rate)
    run = {"rate": rate, "order": order, "validation": split.validation, "test": split.test}
    return initial_state(config, dataset.features.shape[1:], dataset.classes), run


def train_all(runs: list[RunConfig], at_once: bool) -> tuple[Tree, float]:
    """Train runs of one architecture; return their curves, with an axis of runs, and the seconds without compiling."""
    dataset = load_dataset(runs[0].dataset.name)
    data = jax.device_put({"features": dataset.features / np.float32(dataset.unit), "labels": dataset.labels})
    training = functools.partial(train, {"mlp": mlp, "cnn": cnn}[runs[0].model.kind])
    started = time.perf_counter()
    calls = [inputs(config, dataset) for config in runs]
    if at_once:
        training, calls = jax.vmap(training, in_axes=(0, 0, None)), [stacked(calls)]
    prepared = time.perf_counter()
    compiled = jax.jit(training, donate_argnums=0).lower(*calls[0], data).compile()
    compiled_at = time.perf_counter()
    curves = jax.device_get([compiled(*call, data)[1] for call in calls])
    seconds = time.perf_counter() - compiled_at + prepared - started
    return curves[0] if at_once else stacked(curves), seconds


def stacked(trees: list[Tree]) -> Tree:
    """Return one tree, whose arrays have an axis more."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def main(model: str, at_once: bool, part: int, parts: int, out: Path) -> float:
    """Train a part of the sweep, save its curves to a `.npz` file, and return the seconds without compiling."""
    runs = SWEEPS[model].runs()
    runs = runs[part * len(runs) // parts : (part + 1) * len(runs) // parts]
    of_architectures = [list(group) for _, group in itertools.groupby(runs, RunConfig.program_key)]
    curves, seconds = zip(*(train_all(group, at_once) for group in of_architectures), strict=True)
    jointly = jax.tree.map(lambda *arrays: np.concatenate(arrays), *curves)
    np.savez(out, **jointly)
    return sum(seconds)


if __name__ == "__main__":
    model, how, part, parts, out = sys.argv[1:]
    print(json.dumps([main(model, how == AT_ONCE, int(part), int(parts), Path(out))]))
