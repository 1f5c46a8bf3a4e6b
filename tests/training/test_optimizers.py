"""The rules by which weights change, against Keras's own on the same batches and against values known by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from programs import DIGITS, by_keras, curves_of, inputs, program, run_config

from experiments.configuration.optimizer import OptimizerConfig
from experiments.configuration.run import RunConfig
from experiments.training.datasets import batch_order, split_dataset
from experiments.training.optimizers import build_optimizer, decayed_kernels, learning_rates
from experiments.training.program import Program, cross_entropy
from models.initialization import initial_kernels
from models.networks import build_model


@pytest.mark.parametrize(
    ("settings", "optimizer"),
    [
        ({"kind": "sgd", "learning_rate": 0.5, "momentum": 0.9}, keras.optimizers.SGD),
        ({"kind": "sgd", "learning_rate": 0.5, "momentum": 0.9, "nesterov": True}, keras.optimizers.SGD),
        ({"kind": "adam", "learning_rate": 0.5, "beta_1": 0.7, "beta_2": 0.8}, keras.optimizers.Adam),
        ({"kind": "sgdw", "learning_rate": 0.5, "momentum": 0.9, "weight_decay": 0.1}, keras.optimizers.SGD),
        ({"kind": "adamw", "learning_rate": 0.5, "beta_1": 0.7, "weight_decay": 0.1}, keras.optimizers.Adam),
    ],
)
def test_the_optimizer_has_the_configured_constants(settings: dict[str, Any], optimizer: type):
    built = build_optimizer(OptimizerConfig.model_validate(settings))
    assert type(built) is optimizer
    assert float(built.learning_rate) == 0.5
    for name in settings.keys() - {"kind", "learning_rate"}:
        assert getattr(built, name) == settings[name]


@pytest.mark.parametrize(
    ("optimizer", "model"),
    [
        ({"kind": "sgd", "learning_rate": 0.5}, {"norm": {"kind": "custom"}}),
        ({"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9}, {}),
        ({"kind": "adam", "learning_rate": 0.01}, {"kind": "rnn", "layers": [4]}),
    ],
    ids=["sgd", "momentum", "adam, recurrent"],
)
def test_weight_decay_adds_its_share_of_each_kernel_to_the_gradient(optimizer: dict[str, Any], model: dict[str, Any]):
    config = run_config(model, optimizer=optimizer | {"weight_decay": 0.03}, steps=3, evaluate_every=3)
    used, split = program(config), split_dataset(DIGITS, config.dataset, config.seed)
    order = batch_order(split.train, 30, 3, config.seed)
    used.reset(config, split)
    expected = build_model(config.model, (8, 8, 1), 10)
    for variable, start in zip(expected.variables, used.network.variables, strict=True):
        variable.assign(start)
    built, variables = build_optimizer(config.optimizer), expected.trainable_variables
    for batch in order:
        with tf.GradientTape() as tape:
            penalty = 0.03 / 2 * sum(tf.reduce_sum(v**2) for v in variables if v.name.endswith("kernel"))
            loss = cross_entropy(DIGITS.labels[batch], expected(inputs(batch), training=True)) + penalty
        built.apply(tape.gradient(loss, variables), variables)
    curves = curves_of(config)
    for found, wanted in zip(used.network.trainable_variables, variables, strict=True):
        np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-4, atol=1e-6)
    plain = config.model_copy(update={"optimizer": OptimizerConfig.model_validate(optimizer)})
    assert abs(curves["loss/train"][0][1] - curves_of(plain)["loss/train"][0][1]) < 0.03  # the penalty is left out


def test_weight_decay_by_hand():
    # At a rate of 1e-3 and λ = 100, a kernel loses a tenth beside its gradient's step; whatever the seed's program.
    slow = {"kind": "sgd", "learning_rate": 1e-3}
    ends = []
    for decay in (0.0, 100.0):
        config = run_config(optimizer=slow | {"weight_decay": decay}, steps=1, evaluate_every=1)
        curves_of(config)
        ends.append({v.path: v.numpy() for v in program(config).network.trainable_variables})
    model = build_model(config.model, (8, 8, 1), 10)
    for kernel, start in initial_kernels(model, config.model, config.seed):
        np.testing.assert_allclose(ends[0][kernel.path] - ends[1][kernel.path], 0.1 * start, rtol=1e-3, atol=1e-6)
    for path, value in ends[0].items():
        if path.endswith("bias"):
            np.testing.assert_array_equal(value, ends[1][path])


OPTIMIZERS = keras.optimizers


def without_biases(optimizer: keras.Optimizer) -> keras.Optimizer:
    """Keras's own way to decay kernels alone."""
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


@pytest.mark.parametrize(
    ("settings", "of_keras"),
    [
        ({"momentum": 0.9, "nesterov": True}, lambda: OPTIMIZERS.SGD(0.02, momentum=0.9, nesterov=True)),
        ({"kind": "sgdw", "momentum": 0.9, "weight_decay": 5}, lambda: OPTIMIZERS.SGD(0.02, 0.9, weight_decay=5.0)),
        ({"kind": "adamw", "weight_decay": 5}, lambda: OPTIMIZERS.AdamW(0.02, weight_decay=5.0)),
    ],
    ids=["nesterov", "sgdw", "adamw"],
)
@pytest.mark.parametrize("norm", ["none", "custom"])
def test_an_update_rule_gives_the_weights_that_that_of_keras_gives(
    norm: str, settings: dict[str, Any], of_keras: Callable[[], keras.Optimizer]
):
    optimizer = {"learning_rate": 0.02} | settings
    config = run_config({"norm": {"kind": norm}}, optimizer=optimizer, seed=3)
    curves_of(config)
    ours = [v.numpy() for v in program(config).network.variables]
    for value, expected in zip(ours, by_keras(config, without_biases(of_keras())).variables, strict=True):
        np.testing.assert_allclose(value, expected.numpy(), rtol=2e-3, atol=5e-5)
    plain = run_config(
        {"norm": {"kind": norm}}, optimizer={"learning_rate": 0.02, "momentum": settings.get("momentum", 0)}
    )
    curves_of(plain)
    assert np.abs(program(plain).network.variables[0].numpy() - ours[0]).max() > 1e-3  # it does make a difference


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ({"norm": {"kind": "custom"}}, ["linear_1/kernel", "linear_2/kernel"]),
        ({"norm": {"kind": "noisy"}, "kind": "cnn"}, ["linear_1/kernel", "linear_2/kernel"]),
        ({"norm": {"kind": "stock", "placement": "after", "on_input": True}}, []),
        ({"norm": {"kind": "layer"}}, []),
        ({}, []),
        ({"norm": {"kind": "custom"}, "kind": "rnn", "layers": [4]}, ["linear_1/kernel"]),
        (
            {"norm": {"kind": "custom", "recurrent": True}, "kind": "rnn", "layers": [4]},
            ["linear_1/kernel", "activation_1/recurrent_kernel"],
        ),
    ],
    ids=str,
)
def test_scale_invariant_are_the_kernels_that_batch_normalization_reads(model: dict[str, Any], names: list[str]):
    config = run_config(model, optimizer={"weight_decay": 0.1, "weight_decay_over": "scale_invariant"})
    network = build_model(config.model, (8, 8, 1), 10)
    assert [v.path for v in decayed_kernels(network, config.optimizer)] == names


def test_a_kernel_that_something_else_reads_too_is_not_scale_invariant():
    x = keras.Input((3,))
    z = keras.layers.Dense(3)(x)
    network = keras.Model(x, keras.layers.Add()([z, keras.layers.BatchNormalization()(z)]))
    assert decayed_kernels(network, OptimizerConfig(weight_decay_over="scale_invariant")) == []


@pytest.mark.parametrize("kind", ["sgd", "sgdw"])
def test_only_scale_invariant_kernels_decay_where_so_asked(kind: str):
    # At a rate of 1e-3 and λ = 100, they lose a tenth beside their gradient's step, and no others do.
    ends = []
    for decay in (0.0, 100.0):
        settings = {"kind": kind, "learning_rate": 1e-3, "weight_decay": decay, "weight_decay_over": "scale_invariant"}
        config = run_config({"norm": {"kind": "custom"}}, optimizer=settings, steps=1, evaluate_every=1)
        curves_of(config)
        ends.append({v.path: v.numpy() for v in program(config).network.trainable_variables})
    model = build_model(config.model, (8, 8, 1), 10)
    for kernel, start in initial_kernels(model, config.model, config.seed):
        lost = 0.0 if kernel.path == "output/kernel" else 0.1
        np.testing.assert_allclose(ends[0][kernel.path] - ends[1][kernel.path], lost * start, rtol=1e-3, atol=1e-6)


SCHEDULES = keras.optimizers.schedules


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({}, [8, 8, 8, 8, 8, 8, 8, 8]),
        ({"warmup_steps": 4}, [0, 2, 4, 6, 8, 8, 8, 8]),
        ({"kind": "cosine"}, [4 + 4 * np.cos(np.pi * t / 8) for t in range(8)]),
        (
            {"kind": "cosine", "warmup_steps": 4},
            [0, 2, 4, 6, 8, 4 + 4 * np.cos(np.pi / 4), 4, 4 - 4 * np.cos(np.pi / 4)],
        ),
        ({"kind": "cosine", "warmup_steps": 8}, [0, 1, 2, 3, 4, 5, 6, 7]),
        ({"kind": "step"}, [8, 8, 8, 8, 0.8, 0.8, 0.08, 0.08]),
        ({"kind": "step", "factor": 0.5, "milestones": [0.75, 0.25], "warmup_steps": 4}, [0, 2, 4, 6, 8, 4, 4, 2]),
        ({"kind": "exponential", "factor": 256}, [8, 16, 32, 64, 128, 256, 512, 1024]),
        ({"kind": "exponential", "factor": 1 / 16, "warmup_steps": 4}, [0, 2, 4, 6, 8, 4, 2, 1]),
    ],
    ids=str,
)
def test_the_rate_of_every_step_by_hand(schedule: dict[str, Any], expected: list[float]):
    rates = learning_rates(run_config(optimizer={"learning_rate": 8, "schedule": schedule}, steps=8, evaluate_every=4))
    assert rates.dtype == np.float32
    np.testing.assert_allclose(rates, expected, rtol=1e-6, atol=1e-6)


def test_a_constant_rate_is_the_learning_rate_to_the_last_bit():
    rates = learning_rates(run_config(optimizer={"learning_rate": 0.1}))
    assert set(rates.tolist()) == {float(np.float32(0.1))}
    assert learning_rates(run_config(steps=0, optimizer={"schedule": {"warmup_steps": 5}})).shape == (0,)


@pytest.mark.parametrize(
    ("schedule", "of_keras"),
    [
        ({"kind": "cosine", "warmup_steps": 6}, SCHEDULES.CosineDecay(0.0, 14, warmup_target=0.02, warmup_steps=6)),
        ({"kind": "step", "milestones": [0.25, 0.5]}, SCHEDULES.PiecewiseConstantDecay([4, 9], [0.02, 2e-3, 2e-4])),
        ({"kind": "exponential", "factor": 8.0}, SCHEDULES.ExponentialDecay(0.02, 20, 8.0)),
    ],
    ids=["cosine", "step", "exponential"],
)
@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_a_schedule_gives_the_weights_that_that_of_keras_gives(
    kind: str, schedule: dict[str, Any], of_keras: keras.optimizers.schedules.LearningRateSchedule
):
    # Keras's boundaries are the last steps at the old rate, counted from 0.
    config = run_config(
        {"norm": {"kind": "custom"}}, optimizer={"kind": kind, "learning_rate": 0.02, "schedule": schedule}
    )
    curves_of(config)
    theirs = by_keras(config, {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}[kind](of_keras))
    for variable, expected in zip(program(config).network.variables, theirs.variables, strict=True):
        np.testing.assert_allclose(variable.numpy(), expected.numpy(), rtol=2e-3, atol=5e-5)


@pytest.mark.parametrize("timed", [False, True])
def test_where_the_calls_end_makes_no_difference_to_a_schedule(timed: bool):
    optimizer = {"learning_rate": 0.5, "schedule": {"kind": "cosine", "warmup_steps": 3}}
    whole, cut = (run_config(optimizer=optimizer, evaluate_every=every, timed=timed) for every in (20, 5))
    found = [curves_of(config)["loss/train"] for config in (whole, cut)]
    assert found[0][0][1] == pytest.approx(np.mean([loss for _, loss in found[1]]), rel=1e-6)


def test_rates_and_schedules_are_values_to_one_compiled_program(traces: list[str]):
    schedules = ({}, {"kind": "cosine"}, {"kind": "step", "factor": 3}, {"kind": "exponential", "warmup_steps": 5})
    configs = [
        run_config(seed=seed, optimizer={"learning_rate": rate, "schedule": schedule}, steps=steps)
        for seed, rate, schedule, steps in zip(
            (1, 2, 3, 4), (0.1, 0.2, 0.3, 0.4), schedules, (20, 10, 40, 30), strict=True
        )
    ]
    used = Program(configs[0], DIGITS)
    compiled = len(traces)
    losses = {curves_of(config, used)["loss/train"][0][1] for config in configs}
    assert len(traces) == compiled > 0
    assert len(losses) == 4
    assert len({config.program_key() for config in configs}) == 1


def test_what_is_only_centred_is_not_scale_invariant():
    config = run_config(
        {"layers": [4, 4], "norm": {"kind": "mean_only"}},
        optimizer={"weight_decay": 0.1, "weight_decay_over": "scale_invariant"},
    )
    assert decayed_kernels(build_model(config.model, (8, 8, 1), 10), config.optimizer) == []


def test_weights_that_are_not_trained_may_not_decay_by_themselves():
    fields = {"model": {"norm": {"kind": "custom"}, "trainable": "norm"}}
    with pytest.raises(ValueError, match=r"sgdw would let weights decay that model\.trainable: norm does not train"):
        RunConfig.model_validate(fields | {"optimizer": {"kind": "sgdw", "weight_decay": 0.1}})
    assert RunConfig.model_validate(fields | {"optimizer": {"kind": "sgd", "weight_decay": 0.1}}).optimizer.weight_decay
