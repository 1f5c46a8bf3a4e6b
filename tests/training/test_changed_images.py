"""Attacks where their effect is known by hand, and on a network against gradients taken one by one."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from programs import DIGITS, curves_of, inputs, program, run_config

from experiments.training import changed_images
from experiments.training.changed_images import attack
from experiments.training.dataset_facts import DatasetError
from experiments.training.datasets import load_dataset, split_dataset
from experiments.training.program import Program

WEIGHTS = np.array([[1.0, -1.0], [-2.0, 2.0], [0.0, 0.0]], np.float32)  # of three pixels to two classes
IMAGES = np.array([[0.6, 0.5, 0.5], [0.9, 0.5, 0.5], [0.5, 0.05, 0.5]], np.float32)
LABELS = np.array([1, 1, 0], np.int32)


def attacked(change: float, size: float, pace: float, steps: int) -> np.ndarray:
    limits = tf.constant(size), tf.constant(pace), tf.constant(steps)
    return attack(lambda x: tf.matmul(x, WEIGHTS), IMAGES, LABELS, tf.fill((3, 3), change), *limits).numpy()


def test_one_step_moves_every_pixel_that_matters_by_the_whole_size_and_stays_in_the_image():
    # The margin of class 0 over class 1 is 2 x₁ − 4 x₂: up with the first pixel, down with the second.
    expected = IMAGES + np.array([[0.2, -0.2, 0], [0.2, -0.2, 0], [-0.2, 0.2, 0]], np.float32)
    np.testing.assert_allclose(attacked(0.0, 0.2, 0.2, 1), np.clip(expected, 0, 1), atol=1e-6)


def test_many_steps_reach_the_same_corner_from_any_start_and_go_no_further():
    once = attacked(0.0, 0.2, 0.2, 1)
    many = attacked(0.13, 0.2, 0.025, 20)
    np.testing.assert_allclose(many[:, :2], once[:, :2], atol=1e-6)
    np.testing.assert_allclose(many[:, 2], IMAGES[:, 2] + 0.13, atol=1e-6)  # of no consequence: it stays where it was


def test_no_step_leaves_the_change_as_it_is():
    np.testing.assert_allclose(attacked(0.3, 0.2, 0.0, 0), np.clip(IMAGES + 0.3, 0, 1), atol=1e-6)


def test_accuracy_under_attack_by_the_run_s_own_statistics():
    config = run_config(
        {"norm": {"kind": "custom", "momentum": 0.5}},
        probes=["attack"],
        optimizer={"learning_rate": 0.5},
        statistics="moving",
        dataset={"batch_size": 30, "standardize": True},
    )
    curves, used, split = curves_of(config), program(config), split_dataset(DIGITS, config.dataset, 0)
    images, labels = tf.constant(inputs(split.test)), DIGITS.labels[split.test]
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = used.network(images * split.scale - split.shift, training=False)
        loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    uphill = np.sign(tape.gradient(loss, images))
    noise = np.random.default_rng([0, 2]).standard_normal(images.shape, np.float32)
    for size in changed_images.ATTACKS:
        for kind, change in {"fgsm": size * uphill, "gaussian": size * noise}.items():
            moved = np.clip(images + change, 0, 1).astype(np.float32) * split.scale - split.shift
            accuracy = (np.argmax(used.network(moved, training=False), axis=1) == labels).mean()
            assert curves[f"attacked/{kind}/{size:g}"] == [(20, pytest.approx(accuracy, abs=0.006))]
    at_most = {kind: [curves[f"attacked/{kind}/{s:g}"][0][1] for s in (0.05, 0.2)] for kind in ("fgsm", "pgd")}
    assert at_most["pgd"][1] <= at_most["fgsm"][1] < at_most["fgsm"][0] < curves["accuracy/test"][-1][1]


def test_an_attack_leaves_the_rest_of_the_run_as_it_is():
    plain = run_config({"norm": {"kind": "custom"}}, optimizer={"learning_rate": 0.5})
    curves = curves_of(plain.model_copy(update={"probes": ("attack",)}))
    assert {name: curve for name, curve in curves.items() if "attacked" not in name} == curves_of(plain)


def test_tables_have_no_pixels_to_attack():
    config = run_config(dataset={"name": "wine", "batch_size": 30}, probes=["attack"])
    with pytest.raises(DatasetError, match=r"^probes: attack changes images, and wine has none; leave it out$"):
        Program(config, load_dataset("wine"))
