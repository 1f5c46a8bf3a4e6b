from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from programs import DIGITS, curves_of, inputs, program, run_config

from experiments.configuration.run import DatasetConfig, OptimizerConfig, RunConfig
from experiments.training import evaluation
from experiments.training import program as program_module
from experiments.training.datasets import batch_order, load_dataset, split_dataset
from experiments.training.program import Program, build_optimizer
from experiments.training.run import Diverged, train
from models.initialization import initial_kernels
from models.networks import build_model


def reference(config: RunConfig) -> keras.Model:
    """The network trained by Keras's own `fit` on the same batches in the same order."""
    model = build_model(config.model, (8, 8, 1), 10)
    for kernel, value in initial_kernels(model, config.model, config.seed):
        kernel.assign(value)
    model.compile(
        optimizer=build_optimizer(config.optimizer),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    split = split_dataset(DIGITS, config.dataset, config.seed)
    order = batch_order(split.train, config.dataset.batch_size, config.steps, config.seed).ravel()
    model.fit(inputs(order), DIGITS.labels[order], config.dataset.batch_size, shuffle=False, epochs=1, verbose=0)
    return model


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
    ours, theirs = program(config).network, reference(config)
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
    config = run_config({"norm": {"kind": "custom"}}, optimizer={"learning_rate": 0.5})
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
    curves = curves_of(run_config(steps=0, probes=["gradients"], timed=timed), fresh=True)
    assert {step for curve in curves.values() for step, _ in curve} == {0}
    assert "accuracy/test" in curves
    assert "loss/train" not in curves
    for metric in ("loss/validation", "gradient_norm/1"):
        assert curves[metric][0] == pytest.approx(longer[metric][0])


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
        assert curves_of(one, fresh=True) == alone


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


def losses_of(config: RunConfig, steps: int) -> list[float]:
    """The loss of every step, by a loop in Python."""
    model = build_model(config.model, (8, 8, 1), 10)
    for kernel, value in initial_kernels(model, config.model, config.seed):
        kernel.assign(value)
    order = batch_order(split_dataset(DIGITS, config.dataset, 0).train, 30, steps, config.seed)
    losses = []
    for batch in order:
        with tf.GradientTape() as tape:
            logits = model(inputs(batch))
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(DIGITS.labels[batch], logits))
        losses.append(float(loss))
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
            variable.assign(variable - config.optimizer.learning_rate * gradient)
    return losses


@pytest.mark.parametrize(("rate", "step"), [(40.0, 5), (60.0, 3), (1e30, 2)])
def test_divergence_is_recorded_at_the_first_step_that_shows_it_and_training_stops(
    rate: float, step: int, monkeypatch: pytest.MonkeyPatch
):
    config = run_config({"activation": "relu"}, optimizer={"learning_rate": rate}, steps=40, evaluate_every=4)
    losses = losses_of(config, 12)
    assert [not loss <= 1000 * losses[0] for loss in losses].index(True) + 1 == step
    used, steps = program(config), []
    results, advance = [], used.advance
    monkeypatch.setattr(used, "advance", lambda *inputs: results.append(advance(*inputs)) or results[-1])
    with pytest.raises(Diverged) as outcome:
        steps.extend(evaluated.step for evaluated in train(used, config))
    assert outcome.value.step == step
    taken = 2 if step > 4 else 1
    assert steps == [0, 4][:taken]
    ((done, losses_of_steps, _, hits, _),) = results
    assert done == taken
    assert np.any(losses_of_steps[1 : taken + 1] > 0, axis=1).all()
    assert not np.any(losses_of_steps[taken + 1 :])  # nothing was done after the stretch that diverged
    assert not np.any(hits[taken + 1 :])


@pytest.mark.parametrize(
    ("losses", "step"),
    [
        ([2.0, 1999.0, 2000.0], None),  # 1,000 times the first is still allowed
        ([2.0, 3.0, 2001.0], 3),
        ([2.0, np.nan, 1.0], 2),
        ([2.0, np.inf, 1.0], 2),
        ([np.nan, 1.0, 1.0], 1),
        ([np.inf, np.inf, np.inf], 1),
    ],
)
def test_what_counts_as_divergence(losses: list[float], step: int | None, monkeypatch: pytest.MonkeyPatch):
    config = run_config(steps=10)
    used = program(config)
    padded, advance = np.array([[0.0] * 10, losses + [1.0] * 7], np.float32), used.advance
    monkeypatch.setattr(used, "advance", lambda *inputs: (1, padded, *advance(*inputs)[2:]))
    if step is None:
        assert [evaluated.step for evaluated in train(used, config)] == [0, 10]
        return
    with pytest.raises(Diverged) as outcome:
        list(train(used, config))
    assert outcome.value.step == step


def test_a_loss_that_is_not_finite_in_evaluation_is_divergence(monkeypatch: pytest.MonkeyPatch):
    config = run_config()
    used = program(config)
    advance = used.advance

    def advance_into_nothing(*inputs: Any) -> Any:
        done, losses, of_examples, *others = advance(*inputs)
        of_examples[1] = np.nan
        return done, losses, of_examples, *others

    monkeypatch.setattr(used, "advance", advance_into_nothing)
    steps = []
    with pytest.raises(Diverged) as outcome:
        steps.extend(evaluated.step for evaluated in train(used, config))
    assert (outcome.value.step, steps) == (10, [0])


@pytest.mark.parametrize("timed", [False, True])
def test_seconds_grow_with_training_and_leave_evaluation_out_where_a_run_is_timed(
    timed: bool, monkeypatch: pytest.MonkeyPatch
):
    config = run_config(timed=timed)
    used = program(config)
    advance = used.advance
    monkeypatch.setattr(used, "advance", lambda *inputs: time.sleep(0.2) or advance(*inputs))
    found = [evaluated.seconds for evaluated in train(used, config)]
    assert found[0] == 0
    if timed:
        assert 0 < found[1] < found[2] < 0.2
    else:
        assert 0.1 < found[1] < 0.2 < found[2] == 2 * found[1]


def test_a_run_of_several_calls_is_the_same_run(monkeypatch: pytest.MonkeyPatch):
    config = run_config({"norm": {"kind": "custom"}}, steps=60, probes=["gradients", "step_loss"], xla=True)
    whole = curves_of(config)
    monkeypatch.setattr(program_module, "MOST_STRETCHES", 4)
    assert Program(config, DIGITS).stretches == 4
    assert curves_of(config, fresh=True) == whole  # of four and of two stretches
    assert [step for step, _ in whole["loss/validation"]] == [0, 10, 20, 30, 40, 50, 60]


def test_divergence_in_a_later_call_is_measured_by_the_first_loss_of_the_run(monkeypatch: pytest.MonkeyPatch):
    config = run_config({"activation": "relu"}, optimizer={"learning_rate": 40.0}, steps=40, evaluate_every=4)
    monkeypatch.setattr(program_module, "MOST_STRETCHES", 1)
    used, first_losses = Program(config, DIGITS), []
    advance = used.advance
    monkeypatch.setattr(used, "advance", lambda *inputs: first_losses.append(inputs[3]) or advance(*inputs))
    with pytest.raises(Diverged) as outcome:
        list(train(used, config))
    assert outcome.value.step == 5
    assert first_losses == [None, pytest.approx(losses_of(config, 1)[0], rel=1e-5)]


def test_divergence_in_a_later_call_ends_it(monkeypatch: pytest.MonkeyPatch):
    config = run_config({"activation": "relu"}, optimizer={"learning_rate": 40.0}, steps=40, evaluate_every=1)
    monkeypatch.setattr(program_module, "MOST_STRETCHES", 2)
    used, results = Program(config, DIGITS), []
    advance = used.advance
    monkeypatch.setattr(used, "advance", lambda *inputs: results.append(advance(*inputs)) or results[-1])
    with pytest.raises(Diverged):
        list(train(used, config))
    assert [done for done, *_ in results] == [2, 2, 1]  # of two stretches each; step 5 diverges


def test_a_diverged_run_keeps_the_losses_before_and_the_pace_it_had(monkeypatch: pytest.MonkeyPatch):
    config = run_config(
        {"activation": "relu"}, optimizer={"learning_rate": 40.0}, steps=40, evaluate_every=4, probes=["step_loss"]
    )
    used, kept, slow = program(config), [], used_slowly(monkeypatch, program(config))
    with pytest.raises(Diverged):
        kept.extend(train(used, config))
    losses = {e.step: e.metrics["loss/step"] for e in kept if "loss/step" in e.metrics}
    assert list(losses) == [1, 2, 3, 4]  # step 5 shows the divergence
    np.testing.assert_allclose(list(losses.values()), losses_of(config, 4), rtol=1e-3)
    assert max(e.seconds for e in kept) == pytest.approx(slow / 2, rel=0.2)  # two stretches were done


def used_slowly(monkeypatch: pytest.MonkeyPatch, used: Program, seconds: float = 0.4) -> float:
    """Have every call of a program take that much longer."""
    advance = used.advance
    monkeypatch.setattr(used, "advance", lambda *inputs: time.sleep(seconds) or advance(*inputs))
    return seconds


def test_a_timed_run_trains_alike():
    assert curves_of(run_config(timed=True)) == curves_of(run_config())


def test_the_first_hundred_losses_are_kept_on_demand():
    config = run_config(probes=["step_loss"], steps=120, evaluate_every=40)
    evaluated = list(train(program(config), config))
    curve = {e.step: e.metrics["loss/step"] for e in evaluated if "loss/step" in e.metrics}
    assert list(curve) == list(range(1, 101))
    np.testing.assert_allclose([curve[step] for step in range(1, 21)], losses_of(config, 20), rtol=1e-3)
    seconds = {e.step: e.seconds for e in evaluated}
    assert list(seconds) == [*range(101), 120]
    of_steps = np.diff([seconds[step] for step in range(101)])
    np.testing.assert_allclose(of_steps[:40], of_steps[0], rtol=1e-6)  # an even share of the interval's seconds
    assert of_steps.min() > 0


def test_changed_images_and_recomputed_statistics():
    config = run_config(
        {"norm": {"kind": "custom"}},
        probes=["corruptions", "recomputed_statistics"],
        optimizer={"learning_rate": 0.5},
        test_every_evaluation=True,
    )
    curves = curves_of(config)
    used = program(config)
    assert sum(metric.startswith("corrupted/") for metric in curves) == 2 * 16
    split = split_dataset(DIGITS, config.dataset, 0)
    x, labels = inputs(split.test), DIGITS.labels[split.test]
    mean = x.mean(axis=(1, 2, 3), keepdims=True)
    for name, changed in (
        ("brightness=-0.3", x - 0.3),
        ("brightness=+0.5", x + 0.5),
        ("contrast=0.25", (x - mean) * 0.25 + mean),
        ("contrast=4", (x - mean) * 4 + mean),
    ):
        for statistics, training in (("moving", False), ("recomputed", True)):
            logits = used.network(np.clip(changed, 0, 1).astype(np.float32), training=training)
            # training mode moves the moving statistics, so they are put back below
            accuracy = (np.argmax(logits, axis=1) == labels).mean()
            assert curves[f"corrupted/{statistics}/{name}"] == [(20, pytest.approx(accuracy, abs=0.006))]
            if training:
                curves_of(config)
    assert [step for step, _ in curves["accuracy/test_recomputed"]] == [20]
    # 20 steps at momentum 0.99 leave the moving statistics far off: the recomputed ones must do better
    assert curves["accuracy/test_recomputed"][0][1] > curves["accuracy/test"][-1][1]
    assert curves["accuracy/test"][-1] == curves_of(run_config(
        {"norm": {"kind": "custom"}}, optimizer={"learning_rate": 0.5}
    ))["accuracy/test"][-1]  # fmt: skip


def test_the_training_split_is_evaluated_on_demand():
    config = run_config(probes=["training_loss"])
    curves = curves_of(config)
    split = split_dataset(DIGITS, config.dataset, 0)
    logits = np.asarray(program(config).network(inputs(split.train[:1000])))
    accuracy = (logits.argmax(axis=1) == DIGITS.labels[split.train[:1000]]).mean()
    assert curves["accuracy/training_split"][-1] == (20, pytest.approx(accuracy, abs=1e-6))


def test_data_sets_without_images_are_trained_on():
    config = run_config(dataset=DatasetConfig(name="wine", standardize=True, batch_size=20), steps=60)
    wine = Program(config, load_dataset("wine"))
    last = list(train(wine, config.model_copy(update={"optimizer": OptimizerConfig(learning_rate=0.5)})))[-1]
    assert last.metrics["accuracy/test"] > 0.9
