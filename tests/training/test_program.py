from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from programs import DIGITS, curves_of, program, run_config

from experiments.training.dataset_facts import DatasetError
from experiments.training.datasets import load_dataset, split_dataset
from experiments.training.program import Program
from experiments.training.run import train


def test_noise_and_dropout_differ_by_seed_and_by_layer():
    config = run_config({"norm": {"kind": "noisy"}, "dropout": 0.3})
    used = program(config)
    states = []
    for seed in (1, 2):
        used.reset(config.model_copy(update={"seed": seed}), split_dataset(DIGITS, config.dataset, seed))
        states += [tuple(v.numpy()) for v in used.network.non_trainable_variables if v.name == "seed_generator_state"]
    assert len(states) == 2 * 4  # two layers, each with noise and dropout
    assert len(set(states)) == len(states)


def test_reset_brings_back_every_variable():
    config = run_config({"norm": {"kind": "custom", "momentum": 0.5}}, optimizer={"kind": "adam", "learning_rate": 0.1})
    used = program(config)
    variables = (*used.network.variables, *used.optimizer.variables)
    split = split_dataset(DIGITS, config.dataset, config.seed)
    used.reset(config, split)
    start = [v.numpy() for v in variables]
    curves_of(config)
    assert sum(not np.array_equal(v.numpy(), value) for v, value in zip(variables, start, strict=True)) > 20
    used.reset(config, split)
    for variable, value in zip(variables, start, strict=True):
        assert np.array_equal(variable.numpy(), value), variable.path
    assert all(not np.any(v.numpy()) for v in used.network.variables if v.name in ("moving_mean", "beta", "bias"))


def test_a_call_holds_no_more_batches_than_fit():
    assert Program(run_config(steps=100), DIGITS).stretches == 32
    assert Program(run_config(steps=0), DIGITS).stretches == 0
    assert Program(run_config(steps=20_000, evaluate_every=20_000), DIGITS).stretches == 1
    assert Program(run_config(timed=True), DIGITS).stretches == 0


def test_binarized_pixels_are_0_or_1():
    config = run_config(dataset={"batch_size": 30, "binarize": True})
    x, y = program(config).examples(np.arange(50))
    np.testing.assert_array_equal(x, (DIGITS.features[:50] > 8).astype(np.float32))
    np.testing.assert_array_equal(y, DIGITS.labels[:50])


def test_standardized_inputs():
    config = run_config(dataset={"batch_size": 30, "standardize": True}, steps=0)
    used = program(config)
    list(train(used, config))
    split = split_dataset(DIGITS, config.dataset, 0)
    x = used.examples(split.train)[0].numpy()
    spread = DIGITS.features[split.train].std(axis=0) > 0
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=0)[spread], 1, atol=1e-4)


@pytest.mark.parametrize("fields", [{}, {"timed": True}, {"test_every_evaluation": True}])
def test_all_is_compiled_before_the_first_run(fields: dict[str, bool], traces: list[str]):
    config = run_config({"norm": {"kind": "custom"}}, probes=["gradients"], **fields)
    used = Program(config, DIGITS)
    compiled = len(traces)
    list(train(used, config.model_copy(update={"seed": 3})))
    list(train(used, config.model_copy(update={"steps": 40})))
    assert len(traces) == compiled > 0
    assert len(used._advances) == 1  # validation and test, 359 and 360 examples, are one shape, and so are both at once


def test_tables_have_no_brightness():
    config = run_config(dataset={"name": "wine", "batch_size": 30}, probes=["corruptions"])
    with pytest.raises(DatasetError, match=r"^probes: corruptions changes images, and wine has none; leave it out$"):
        Program(config, load_dataset("wine"))


@pytest.mark.parametrize(
    ("kind", "setting", "used"),
    [("mlp", "auto", True), ("rnn", "auto", True), ("cnn", "auto", False), ("cnn", True, True), ("mlp", False, False)],
)
def test_xla_is_used_where_it_was_measured_to_help_or_as_configured(kind: str, setting: str | bool, used: bool):
    assert run_config({"kind": kind}, xla=setting).uses_xla == used


def test_timed_steps_are_called_straight_and_not_written_out(monkeypatch: pytest.MonkeyPatch):
    program = Program(run_config(timed=True), DIGITS)

    def written_out(_: object) -> str:
        raise AssertionError("a call that TensorFlow cannot match at once writes out its arguments")

    order, rates = np.zeros(program._no_batches.shape[1:], np.int32), np.zeros(program._no_rates.shape[1], np.float32)
    monkeypatch.setattr(type(tf.constant(0)), "__repr__", written_out)
    assert np.isfinite(program.take_steps(order, rates)).all()
