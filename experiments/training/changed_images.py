"""How does a trained network do on changed test images? Looked at once, after the last step; no variable changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from experiments.training.datasets import Split
from experiments.training.evaluation import EVALUATION_BATCH, POPULATION, in_rows, means_of_parts

if TYPE_CHECKING:
    from experiments.training.program import Program

BRIGHTNESS = (-0.5, -0.4, -0.3, -0.2, -0.1, 0.1, 0.2, 0.3, 0.4, 0.5)  # added to pixels in [0, 1]
CONTRAST = (0.25, 0.5, 0.75, 1.5, 2.0, 4.0)  # factors about each image's mean
ATTACKS = (0.02, 0.05, 0.1, 0.2)  # largest change of a pixel in [0, 1], and the deviation of noise
PGD_STEPS, PGD_REACH = 20, 2.5  # each 2.5/20 of the largest change, as Madry et al. 2018 have 2.5/100


def corrupted(program: Program, split: Split, population: np.ndarray) -> dict[str, float]:
    """Test accuracy on images changed in brightness or contrast: `corrupted/<statistics>/<kind>/<change>`.

    kept: with the statistics of the run. recomputed: with those of 1,000 test images under the same change (Benz et al.
    2021). mixed: with those of as many under all changes in turn.
    """
    changes = {f"brightness/{b:+g}": (1.0, b) for b in BRIGHTNESS} | {f"contrast/{c:g}": (c, 0.0) for c in CONTRAST}
    shown = split.test[:POPULATION]

    def changed(indices: np.ndarray, change: tuple[float, float]) -> tf.Tensor:
        return program.examples(indices, tf.constant(change, tf.float32))[0]

    kept = program.statistics(population)[:1]
    each = zip(np.array_split(shown, len(changes)), changes.values(), strict=True)
    mixed = [program.population_of(tf.concat([changed(*of) for of in each], axis=0))]
    metrics: dict[str, float] = {}
    for name, change in changes.items():
        recomputed = [program.population_of(changed(shown, change))]
        for statistics, values in (("kept", kept), ("recomputed", recomputed), ("mixed", mixed)):
            losses, hits = program.evaluate(in_rows(split.test), values, np.array(change, np.float32))
            found = means_of_parts({"": split.test}, losses[0], hits[0])
            metrics[f"corrupted/{statistics}/{name}"] = found["accuracy/"]
    return metrics


def attacked(program: Program, seed: int, split: Split, population: np.ndarray) -> dict[str, float]:
    """Accuracy on the first 1,000 test images under attack or noise: `attacked/<kind>/<size>`.

    By the statistics of the run. The seed draws the noise and the random starts.
    """
    indices, statistics = split.test[:EVALUATION_BATCH], program.statistics(population)[0]
    shape = (len(indices), *program.dataset.features.shape[1:])
    rng = np.random.default_rng([seed, 2])
    noise, start = rng.standard_normal(shape, np.float32), rng.uniform(-1, 1, shape).astype(np.float32)
    metrics = {}
    for size in ATTACKS:
        for kind, (change, pace, steps) in {
            "fgsm": (np.zeros(shape, np.float32), size, 1),
            "pgd": (size * start, size * PGD_REACH / PGD_STEPS, PGD_STEPS),
            "gaussian": (size * noise, 0.0, 0),
        }.items():
            limits = map(np.float32, (size, pace))
            hits = program.hits_when_attacked(indices, statistics, change, *limits, np.int32(steps))
            metrics[f"attacked/{kind}/{size:g}"] = float(hits.numpy().mean())
    return metrics


def attack(
    logits_of: Callable[[tf.Tensor], tf.Tensor],
    images: tf.Tensor,
    labels: tf.Tensor,
    change: tf.Tensor,
    size: tf.Tensor,
    pace: tf.Tensor,
    steps: tf.Tensor,
) -> tf.Tensor:
    """Return images in [0, 1] with `change`, moved in steps of `pace` along the sign of the loss's gradient.

    size: what the change of a pixel is kept within after each step. One step of the whole size from no change is the
    fast gradient sign method of Goodfellow et al. 2015, §4; many from a random one the projected gradient of Madry et
    al. 2018, §2.1; no step at all leaves the change as it is.
    """
    for _ in tf.range(steps):
        with tf.GradientTape() as tape:
            moved = tf.clip_by_value(images + change, 0.0, 1.0)
            tape.watch(moved)
            loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits_of(moved)))
        uphill = tf.sign(tape.gradient(loss, moved))
        change = tf.clip_by_value(moved - images + pace * uphill, -size, size)
    return tf.clip_by_value(images + change, 0.0, 1.0)
