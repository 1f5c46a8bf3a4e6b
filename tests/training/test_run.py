"""One run: the weights it ends with, what it evaluates and when, and that nothing else decides its curves."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from programs import DIGITS, by_keras, curves_of, inputs, program, run_config

from experiments.configuration.optimizer import OptimizerConfig
from experiments.training import evaluation
from experiments.training import program as program_module
from experiments.training.datasets import batch_order, split_dataset
from experiments.training.optimizers import build_optimizer
from experiments.training.program import Program
from experiments.training.run import train
from models.initialization import initial_kernels
from models.networks import build_model


@pytest.mark.parametrize(
    ("fields", "optimizer"),
    [
        ({}, {"kind": "sgd", "learning_rate": 0.5}),
        ({"norm": {"kind": "custom", "momentum": 0.9}}, {"kind": "sgd", "learning_rate": 0.5, "momentum": 0.9}),
        ({"norm": {"kind": "stock", "momentum": 0.9}}, {"kind": "adam", "learning_rate": 0.01, "beta_1": 0.8}),
        ({"kind": "cnn", "layers": [3], "norm": {"kind": "custom"}}, {"kind": "adam", "learning_rate": 0.01}),
        ({"kind": "rnn", "layers": [6], "norm": {"kind": "stock"}}, {"kind": "sgd", "learning_rate": 0.5}),
    ],
    ids=["sgd", "custom momentum", "stock adam", "cnn adam", "rnn sgd"],
)
def test_the_loop_gives_the_weights_that_fit_gives(fields: dict[str, Any], optimizer: dict[str, Any]):
    config = run_config(fields, optimizer=optimizer, seed=5, xla="auto")
    curves_of(config)
    ours, theirs = program(config).network, by_keras(config, build_optimizer(config.optimizer))
    start = {v.path: v.numpy() for v in build_model(config.model, (8, 8, 1), 10).variables}
    assert len(ours.variables) == len(theirs.variables) == len(start)
    for variable, expected in zip(ours.variables, theirs.variables, strict=True):
        assert variable.name == expected.name
        np.testing.assert_allclose(variable.numpy(), expected.numpy(), rtol=1e-3, atol=2e-5)
        if variable.name in ("moving_mean", "moving_variance", "beta"):
            assert np.abs(variable.numpy() - start[variable.path]).max() > 1e-3  # it did move


def test_the_training_loss_is_that_of_the_batches():
    config = run_config(optimizer={"learning_rate": 1e-12})  # so small that the network stays as it is
    curves = curves_of(config)
    split = split_dataset(DIGITS, config.dataset, 0)
    order = batch_order(split.train, 30, 20, 0)
    model = build_model(config.model, (8, 8, 1), 10)
    for kernel, value in initial_kernels(model, config.model, 0):
        kernel.assign(value)
    logits = np.asarray(model(inputs(order.ravel())), np.float64)
    losses = (np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(600), DIGITS.labels[order.ravel()]]).reshape(20, 30)
    expected = [(10, losses[:10].mean()), (20, losses[10:].mean())]
    for (step, found), (at, value) in zip(curves["loss/train"], expected, strict=True):
        assert step == at
        assert found == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("batch", [1000, 100, 7])
def test_evaluation_in_padded_batches_equals_a_plain_one(batch: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evaluation, "EVALUATION_BATCH", batch)
    config = run_config({"norm": {"kind": "custom"}}, optimizer={"learning_rate": 0.5}, statistics="moving")
    curves = curves_of(config)
    trained = program(config).network
    split = split_dataset(DIGITS, config.dataset, 0)
    for part, indices in (("validation", split.validation), ("test", split.test)):
        logits = np.asarray(trained(inputs(indices), training=False), np.float64)
        labels = DIGITS.labels[indices]
        loss = (np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]).mean()
        assert curves[f"loss/{part}"][-1] == (20, pytest.approx(loss, rel=1e-5))
        assert curves[f"accuracy/{part}"][-1] == (20, pytest.approx((logits.argmax(axis=1) == labels).mean(), abs=1e-6))


def test_evaluations_are_before_the_first_step_and_after_every_so_many():
    curves = curves_of(run_config())
    assert {metric: [step for step, _ in curve] for metric, curve in curves.items()} == {
        "loss/train": [10, 20],
        "loss/validation": [0, 10, 20],
        "accuracy/validation": [0, 10, 20],
        "loss/test": [20],
        "accuracy/test": [20],
    }


@pytest.mark.parametrize("timed", [False, True])
def test_no_steps_give_one_evaluation_and_compile_no_training(timed: bool, monkeypatch: pytest.MonkeyPatch):
    longer = curves_of(run_config(probes=["gradients"]))
    monkeypatch.setattr(Program, "_take_steps", None)
    config = run_config(steps=0, probes=["gradients"], timed=timed)
    curves = curves_of(config, Program(config, DIGITS))
    assert {step for curve in curves.values() for step, _ in curve} == {0}
    assert "accuracy/test" in curves
    assert "loss/train" not in curves
    for metric in ("loss/validation", "gradient_norm/1"):
        assert curves[metric][0] == pytest.approx(longer[metric][0])


def test_no_steps_tell_of_the_whole_test_split_in_one_call(monkeypatch: pytest.MonkeyPatch):
    config = run_config({"norm": {"kind": "custom"}}, steps=0, evaluation_examples=100, probes=["representation"])
    of_part = next(train(program(config.model_copy(update={"steps": 20})), config)).metrics
    used, calls, advance = Program(config, DIGITS), [], Program.advance
    monkeypatch.setattr(Program, "advance", lambda *given: calls.append(1) or advance(*given))
    whole = next(train(used, config)).metrics
    assert len(calls) == 1
    assert of_part.keys() == whole.keys()
    for metric, value in whole.items():
        assert of_part[metric] == pytest.approx(value, rel=1e-4, abs=1e-6), metric


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("asked", [False, True])
def test_the_test_split_is_read_only_at_the_end_unless_asked(asked: bool, timed: bool, monkeypatch: pytest.MonkeyPatch):
    config = run_config(test_every_evaluation=asked, probes=["gradients", "training_loss"], timed=timed)
    used = program(config)
    read: list[set[int]] = []  # by each call

    def reading(compiled: Callable[..., Any], *inputs: Any) -> Any:
        arrays = [array for array in inputs if isinstance(array, np.ndarray)]
        read.append({index for array in arrays for index in array.ravel().tolist()})
        return compiled(*inputs)

    for name in ("advance", "take_steps"):
        monkeypatch.setattr(used, name, functools.partial(reading, getattr(used, name)))
    test = set(split_dataset(DIGITS, config.dataset, 0).test.tolist())
    for evaluated in train(used, config):
        assert ("accuracy/test" in evaluated.metrics) == (asked or evaluated.step == 20)
    reads_test = [bool(indices & test) for indices in read]
    match asked, timed:
        case False, False:
            assert reads_test == [False, True]  # the whole training, the last evaluation
        case False, True:
            assert reads_test == [False] * 5 + [True]  # start, two stretches of steps and their evaluations
        case True, False:
            assert reads_test == [True]
        case True, True:
            assert reads_test == [True, False, True, False, True]


VARIANTS = {
    "noise, dropout, Adam, XLA": (
        {"layers": [6], "norm": {"kind": "noisy", "momentum": 0.9}, "dropout": 0.3},
        {"kind": "adam"},
        True,
    ),
    "momentum": ({"norm": {"kind": "custom", "momentum": 0.9}}, {"kind": "sgd", "momentum": 0.9}, False),
    "renormalization": ({"norm": {"kind": "custom", "renorm": True}}, {"kind": "sgd"}, False),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_curves_are_the_same_after_other_runs_and_in_a_fresh_program(variant: str):
    model, optimizer, xla = VARIANTS[variant]
    one = run_config(model, optimizer=optimizer | {"learning_rate": 0.05}, seed=1, xla=xla)
    other = run_config(
        model | {"init_scale": 2.0, "initialization": "he_normal"},
        optimizer=optimizer | {"learning_rate": 0.5},
        dataset={"batch_size": 30, "standardize": True, "train_examples": 200},
        seed=2,
        xla=xla,
    )
    assert program(one) is program(other)
    alone = curves_of(one)
    between = curves_of(other)
    assert curves_of(one) == alone
    assert between != alone
    if not xla:  # which takes seconds to compile
        assert curves_of(one, Program(one, DIGITS)) == alone


def test_a_program_for_no_steps_refuses_to_train():
    config = run_config(steps=0)
    with pytest.raises(ValueError, match="steps: must be 0, as the program was compiled for runs of none, got 20"):
        list(train(program(config), config.model_copy(update={"steps": 20})))


@pytest.mark.parametrize("field", ["seed", "optimizer.learning_rate"])
def test_what_a_program_is_given_matters(field: str):
    config = run_config()
    if field == "seed":
        other = config.model_copy(update={"seed": 1})
    else:
        other = config.model_copy(update={"optimizer": OptimizerConfig(learning_rate=0.2)})
    assert program(config) is program(other)
    assert curves_of(config)["loss/train"] != curves_of(other)["loss/train"]


def test_a_program_for_one_interval_between_evaluations_is_that_of_others():
    config = run_config({"norm": {"kind": "custom"}}, steps=60, probes=["gradients", "step_loss"], xla=True)
    seldom = config.model_copy(update={"evaluate_every": 15})
    assert program(config) is program(seldom)
    curves = curves_of(seldom)
    assert [step for step, _ in curves["loss/validation"]] == [0, 15, 30, 45, 60]
    assert curves == curves_of(seldom, Program(seldom, DIGITS))
    often = curves_of(config)
    assert often["loss/step"] == curves["loss/step"]
    for metric in ("loss/validation", "accuracy/validation", "gradient_norm/1"):
        assert dict(often[metric])[30] == dict(curves[metric])[30]
        assert often[metric][-1] == curves[metric][-1]


def test_a_run_of_several_calls_is_the_same_run(monkeypatch: pytest.MonkeyPatch):
    config = run_config({"norm": {"kind": "custom"}}, steps=60, probes=["gradients", "step_loss"], xla=True)
    whole = curves_of(config)
    monkeypatch.setattr(program_module, "MOST_STRETCHES", 4)
    used = Program(config, DIGITS)
    assert used.stretches == 4
    assert curves_of(config, used) == whole  # of four and of two stretches
    assert [step for step, _ in whole["loss/validation"]] == [0, 10, 20, 30, 40, 50, 60]
