"""Which weights training changes: what normalization learns, the output layer, or as many others (Frankle 2021)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from programs import DIGITS, curves_of, inputs, program, run_config

from experiments.configuration.run import RunConfig
from experiments.training.datasets import batch_order, split_dataset
from models.initialization import initial_kernels
from models.networks import build_model
from models.trainable import trained_weights

NORM = {"kind": "custom"}
CHOICES = ("norm", "output", "random_subset")
RECURRENT = {"kind": "rnn", "layers": [6], "norm": NORM | {"recurrent": True}}


def counts(seed: int = 0, **model: Any) -> dict[str, int]:
    """How many values of each weight are trained."""
    config = run_config(model).model
    network = build_model(config, (8, 8, 1), 10)
    trained = trained_weights(network, config, seed)
    return {v.path: int(values.sum()) for v, values in zip(network.trainable_variables, trained, strict=True)}


@pytest.mark.parametrize(
    ("model", "trained"),
    [
        ({"norm": NORM, "trainable": "norm"}, {"gamma": 12 + 8, "beta": 12 + 8}),
        ({"norm": NORM | {"on_input": True, "center": False}, "trainable": "norm"}, {"gamma": 1 + 12 + 8}),
        ({"norm": {"kind": "dyt"}, "trainable": "norm"}, {"alpha": 2, "gamma": 20, "beta": 20}),
        (RECURRENT | {"trainable": "norm"}, {"gamma_x": 6, "gamma_h": 6, "bias": 6}),
        ({"norm": NORM, "trainable": "output"}, {"kernel": 80, "bias": 10}),
        ({"trainable": "output"}, {"kernel": 80, "bias": 10}),
    ],
)
def test_how_much_is_trained_by_hand(model: dict[str, Any], trained: dict[str, int]):
    found: dict[str, int] = {}
    for path, count in counts(**model).items():
        name = path.rpartition("/")[2]
        found |= {name: found.get(name, 0) + count} if count else {}
    assert found == trained


def test_as_many_others_as_normalization_learns_are_drawn_by_the_seed():
    model = {"norm": NORM, "trainable": "random_subset"}
    first, again, other = counts(0, **model), counts(0, **model), counts(1, **model)
    assert sum(first.values()) == sum(other.values()) == 40
    assert not any(count for path, count in first.items() if "norm_" in path)
    assert first == again != other
    # of 768 + 96 + 80 + 10 weights, 768 are of the first kernel: 32 of 40 on average
    assert np.mean([counts(seed, **model)["linear_1/kernel"] for seed in range(20)]) == pytest.approx(32.2, abs=2)


def test_where_there_are_too_few_others_all_are_trained():
    config = run_config({"layers": [1], "norm": NORM | {"on_input": True}, "trainable": "random_subset"}).model
    network = build_model(config, (1, 1, 20), 2)  # 42 of γ and β, and 20 + 2 + 2 others
    trained = trained_weights(network, config, 0)
    assert sum(values.sum() for values in trained) == 24


def run_of(trainable: str, model: dict[str, Any] | None = None, **fields: Any) -> RunConfig:
    return run_config({"norm": NORM, "trainable": trainable} | (model or {}), **fields)


def initial(config: RunConfig) -> list[np.ndarray]:
    network = build_model(config.model, (8, 8, 1), 10)
    for kernel, value in initial_kernels(network, config.model, config.seed):
        kernel.assign(value)
    return [v.numpy() for v in network.trainable_variables]


@pytest.mark.parametrize("trainable", CHOICES)
@pytest.mark.parametrize("xla", [False, True])
def test_a_step_is_that_of_the_gradient_by_what_is_trained(trainable: str, xla: bool):
    config = run_of(
        trainable, steps=1, evaluate_every=1, optimizer={"learning_rate": 0.5, "weight_decay": 0.1}, xla=xla
    )
    curves_of(config)
    found = [v.numpy() for v in program(config).network.trainable_variables]
    network = build_model(config.model, (8, 8, 1), 10)
    for variable, value in zip(network.trainable_variables, initial(config), strict=True):
        variable.assign(value)
    (batch,) = batch_order(split_dataset(DIGITS, config.dataset, 0).train, 30, 1, config.seed)
    with tf.GradientTape() as tape:
        logits = network(inputs(batch), training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(DIGITS.labels[batch], logits))
    weights = network.trainable_variables
    slopes = tape.gradient(loss, [v.value for v in weights])
    masks = trained_weights(network, config.model, config.seed)
    for variable, slope, mask, value in zip(weights, slopes, masks, found, strict=True):
        decayed = slope + 0.1 * variable.value if variable.name == "kernel" else slope
        np.testing.assert_allclose(value, variable - 0.5 * decayed * mask, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "optimizer", [{"momentum": 0.9, "weight_decay": 0.01}, {"kind": "adam", "learning_rate": 0.01}]
)
@pytest.mark.parametrize("model", [{}, RECURRENT, {"kind": "cnn"}], ids=["mlp", "rnn", "cnn"])
@pytest.mark.parametrize("trainable", CHOICES)
def test_what_is_not_trained_stays_to_the_bit(trainable: str, model: dict[str, Any], optimizer: dict[str, Any]):
    config = run_of(trainable, model, optimizer=optimizer, xla="auto", seed=2)
    losses = [value for _, value in curves_of(config)["loss/validation"]]
    network = program(config).network
    trained = trained_weights(network, config.model, config.seed)
    for variable, mask, before in zip(network.trainable_variables, trained, initial(config), strict=True):
        changed = variable.numpy() != before
        assert not changed[mask == 0].any(), variable.path
        assert changed.any() == mask.any(), variable.path
    assert losses[-1] < losses[0]


def test_runs_that_train_other_parts_share_a_program():
    keys = [run_of(trainable).program_key() for trainable in ("all", *CHOICES)]
    assert keys[0] != keys[1] == keys[2] == keys[3]
