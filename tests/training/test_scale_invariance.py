"""What becomes of training when the scale of weights is of no consequence: decay, growing rates, kept norms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from programs import DIGITS, curves_of, inputs, program, run_config

from experiments.configuration.run import RunConfig
from experiments.configuration.tiers import Tier, load_claims
from experiments.training.datasets import batch_order, split_dataset
from experiments.training.optimizers import build_optimizer, learning_rates
from experiments.training.program import cross_entropy
from models.initialization import initial_kernels
from models.networks import build_model
from models.trainable import scale_invariant_kernels

BN = {"norm": {"kind": "custom"}}


def arm_of_the_claim(arm: str) -> RunConfig:
    experiment = load_claims(Tier.embedded).experiments["exponential_rate_is_weight_decay"]
    return experiment.run(arm, {}, 0).config


def test_weight_decay_is_an_exponentially_growing_rate_in_64_bits():
    # Li & Arora 2020, of ½·‖w/‖w‖ − a_t‖², a loss that the scale of w is nothing to, at the rates that the claim has.
    decay, grows = arm_of_the_claim("decay").optimizer, arm_of_the_claim("growing_rate")
    rates, share = learning_rates(grows), 1 - decay.learning_rate * decay.weight_decay
    targets = np.random.default_rng(0).standard_normal((len(rates), 5))

    def gradient(w: np.ndarray, a: np.ndarray) -> np.ndarray:
        unit = w / np.linalg.norm(w)
        return (unit @ a * unit - a) / np.linalg.norm(w)

    decayed = grown = np.array([1.0, -2.0, 0.5, 3.0, 1.5])
    for step, (rate, a) in enumerate(zip(rates.astype(float), targets, strict=True)):
        assert rate == pytest.approx(decay.learning_rate * share ** (-2 * step - 1), rel=1e-6)
        decayed = decayed - decay.learning_rate * (gradient(decayed, a) + decay.weight_decay * decayed)
        grown = grown - decay.learning_rate * share ** (-2 * step - 1) * gradient(grown, a)
        np.testing.assert_allclose(grown * share ** (step + 1), decayed, rtol=1e-10)
    assert rates[-1] / rates[0] > 50


@pytest.mark.parametrize(("arm", "differs"), [("growing_rate", False), ("constant_rate", True)])
def test_the_arms_of_the_claim_have_the_same_losses_and_a_control_has_not(arm: str, differs: bool):
    small = {"xla": False, "evaluate_every": 50}
    losses = [
        [loss for _, loss in curves_of(arm_of_the_claim(name).model_copy(update=small))["loss/train"]]
        for name in ("decay", arm)
    ]
    largest = np.max(np.abs(np.divide(*losses) - 1))
    assert largest > 0.05 if differs else largest < 1e-5


def test_only_kernels_before_a_normalization_are_trained_where_so_asked():
    config = run_config(BN | {"trainable": "scale_invariant"}, optimizer={"learning_rate": 0.5})
    curves_of(config)
    start = build_model(config.model, (8, 8, 1), 10)
    for kernel, value in initial_kernels(start, config.model, config.seed):
        kernel.assign(value)
    moved = [
        v.path
        for v, before in zip(program(config).network.trainable_variables, start.trainable_variables, strict=True)
        if (v.numpy() != before.numpy()).any()
    ]
    assert moved == ["linear_1/kernel", "linear_2/kernel"]


def norms_of_units(kernel: np.ndarray) -> np.ndarray:
    return np.sqrt((kernel**2).sum(axis=tuple(range(kernel.ndim - 1))))


@pytest.mark.parametrize(
    ("optimizer", "model"),
    [
        ({"learning_rate": 0.5, "weight_decay": 0.3}, BN),
        ({"learning_rate": 0.1, "momentum": 0.9}, BN),
        ({"kind": "adamw", "learning_rate": 0.01, "weight_decay": 0.5}, BN | {"kind": "cnn", "layers": [3, 4]}),
    ],
    ids=["sgd", "momentum", "adamw, filters"],
)
def test_kept_norms_are_those_of_a_loop_that_rescales_each_unit_by_numpy(
    optimizer: dict[str, Any], model: dict[str, Any]
):
    config = run_config(model, optimizer=optimizer | {"keep_norms": True}, steps=4, evaluate_every=4)
    order = batch_order(split_dataset(DIGITS, config.dataset, config.seed).train, 30, 4, config.seed)
    expected = build_model(config.model, (8, 8, 1), 10)
    for kernel, value in initial_kernels(expected, config.model, config.seed):
        kernel.assign(value)
    built, variables = build_optimizer(config.optimizer), expected.trainable_variables
    if built.weight_decay is not None:
        built.exclude_from_weight_decay([v for v in variables if v.name != "kernel"])
    kernels = [expected.get_layer(f"linear_{i}").kernel for i in (1, 2)]
    start = [norms_of_units(kernel.numpy()) for kernel in kernels]
    for batch in order:
        with tf.GradientTape() as tape:
            loss = cross_entropy(DIGITS.labels[batch], expected(inputs(batch), training=True))
            if config.optimizer.kind == "sgd":
                squares = [tf.reduce_sum(v**2) for v in variables if v.name == "kernel"]
                loss += config.optimizer.weight_decay / 2 * sum(squares)
        built.apply(tape.gradient(loss, variables), variables)
        for kernel, norms in zip(kernels, start, strict=True):
            kernel.assign(kernel.numpy() * norms / norms_of_units(kernel.numpy()))
    curves_of(config)
    for found, wanted in zip(program(config).network.trainable_variables, variables, strict=True):
        np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-3, atol=1e-5)
    free = run_config(model, optimizer=optimizer, steps=4, evaluate_every=4)
    curves_of(free)
    now = norms_of_units(scale_invariant_kernels(program(free).network)[0].numpy())
    assert np.abs(now / start[0] - 1).max() > 1e-3  # they would else move


def test_with_kept_norms_weight_decay_is_a_rate_that_is_larger_by_a_constant():
    # (1 − ηλ)w − ηg points where w − η/(1 − ηλ)·g does.
    model = {"norm": {"kind": "custom", "epsilon": 1e-12}, "trainable": "scale_invariant"}
    kept = {"keep_norms": True}
    decay = {"learning_rate": 0.1, "weight_decay": 2.0, "weight_decay_over": "scale_invariant"}
    losses = [
        curves_of(run_config(model, optimizer=kept | fields))["loss/train"]
        for fields in (decay, {"learning_rate": 0.125}, {"learning_rate": 0.1})
    ]
    values = [[loss for _, loss in curve] for curve in losses]
    assert values[0] == pytest.approx(values[1], rel=1e-4)
    assert values[0] != pytest.approx(values[2], rel=1e-3)


def test_without_decay_and_momentum_norms_grow_by_what_the_step_is_long():
    # Arora et al. 2019: ‖w − ηg‖² = ‖w‖² + η²‖g‖², as g is orthogonal to w; here all training examples are one batch.
    probes = ["weight_norms", "weight_gradient_cosine", "gradients"]
    model = {"norm": {"kind": "custom", "epsilon": 1e-12}}
    fields = {"dataset": {"batch_size": 30, "train_examples": 30}, "probe_examples": 30, "probes": probes}
    fields |= {"optimizer": {"learning_rate": 5.0}, "steps": 1, "evaluate_every": 1}
    curves = curves_of(run_config(model, **fields))
    for layer in (1, 2):
        (_, before), (_, after) = curves[f"weight_norm/{layer}"]
        step = 5.0 * curves[f"gradient_norm/{layer}"][0][1]
        assert after == pytest.approx(np.hypot(before, step), rel=1e-5)
        assert after > 1.001 * before
        assert abs(curves[f"weight_gradient_cosine/{layer}"][0][1]) < 1e-5
    assert abs(curves_of(run_config(**fields))["weight_gradient_cosine/1"][0][1]) > 1e-3  # without normalization


@pytest.mark.parametrize("trainable", ["norm", "output", "random_subset"])
def test_weights_that_are_not_trained_are_not_brought_back(trainable: str):
    fields = {"model": BN | {"trainable": trainable}, "optimizer": {"keep_norms": True}}
    with pytest.raises(
        ValueError, match=rf"keep_norms brings back weights that model\.trainable: {trainable} does not"
    ):
        RunConfig.model_validate(fields)
