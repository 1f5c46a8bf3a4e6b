"""By which statistics a network is read: the population's and moving averages of several momenta, in one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from programs import DIGITS, curves_of, inputs, program, run_config

from custom_layers import recompute_statistics
from experiments.configuration.run import RunConfig
from experiments.training.datasets import Split, split_dataset
from experiments.training.evaluation import in_rows, looked_at
from experiments.training.program import Program
from experiments.training.run import train

RATE = {"learning_rate": 0.5}
NORMS: dict[str, dict[str, Any]] = {
    "custom": {"kind": "custom"},
    "stock": {"kind": "stock"},
    "noisy": {"kind": "noisy"},
    "ghost batches": {"kind": "custom", "virtual_batch_size": 10},
    "renormalization": {"kind": "custom", "renorm": True},
}


def split_of(config: RunConfig) -> Split:
    return split_dataset(DIGITS, config.dataset, config.seed)


def values_of(used: Program) -> dict[str, np.ndarray]:
    """Every variable that a run of a program may change."""
    kept = [v for averages in used.readings._beside.values() for v in averages]
    named = {v.path: v.numpy() for v in (*used.network.variables, *used.optimizer.variables)}
    return named | {f"beside/{i}": v.numpy() for i, v in enumerate(kept)}


def loss_by_hand(logits: np.ndarray, labels: np.ndarray) -> float:
    logits = logits - logits.max(axis=1, keepdims=True)
    return float((np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]).mean())


def validation_by_hand(used: Program, config: RunConfig) -> tuple[float, float]:
    """Loss and accuracy of a network of dense, norm, tanh, read with the statistics of the training examples."""
    split = split_of(config)
    weights = {v.path: v.numpy().astype(np.float64) for v in used.network.trainable_variables}
    h, population = (inputs(i).reshape(len(i), -1).astype(np.float64) for i in (split.validation, split.train[:1000]))
    for i in (1, 2):
        kernel = next(value for path, value in weights.items() if path.endswith(f"_{i}/kernel"))
        gamma, beta = weights[f"norm_{i}/gamma"], weights[f"norm_{i}/beta"]
        z = population @ kernel
        mean, factor = z.mean(axis=0), gamma / np.sqrt(z.var(axis=0) + 1e-3)
        h, population = (np.tanh((x @ kernel - mean) * factor + beta) for x in (h, population))
    logits = h @ weights["output/kernel"] + weights["output/bias"]
    labels = DIGITS.labels[split.validation]
    return loss_by_hand(logits, labels), float((logits.argmax(axis=1) == labels).mean())


@pytest.mark.parametrize("steps", [0, 20])
@pytest.mark.parametrize("xla", [False, True])
def test_population_statistics_are_those_of_a_thousand_training_examples_by_hand(steps: int, xla: bool):
    config = run_config({"norm": NORMS["custom"]}, optimizer=RATE, steps=steps, xla=xla)
    curves = curves_of(config)
    loss, accuracy = validation_by_hand(program(config), config)
    assert curves["loss/validation"][-1] == (steps, pytest.approx(loss, rel=1e-4))
    assert curves["accuracy/validation"][-1] == (steps, pytest.approx(accuracy, abs=1e-3))


@pytest.mark.parametrize(("kind", "norm"), [*(("mlp", norm) for norm in NORMS), ("cnn", "custom"), ("rnn", "stock")])
def test_a_network_is_read_as_after_recomputing_its_statistics(kind: str, norm: str):
    model = {"kind": kind, "layers": [6, 4], "norm": NORMS[norm] | {"on_input": True}, "dropout": 0.2}
    config = run_config(model, optimizer=RATE, test_every_evaluation=True)
    used, split = program(config), split_of(config)
    curves = curves_of(config)
    recompute_statistics(used.network, [inputs(split.train[:1000])])
    for part, indices in (("validation", split.validation), ("test", split.test)):
        logits = np.asarray(used.network(inputs(indices), training=False), np.float64)
        assert curves[f"loss/{part}"][-1] == (20, pytest.approx(loss_by_hand(logits, DIGITS.labels[indices]), rel=1e-4))


def test_before_the_first_step_the_population_is_read_and_not_the_untrained_averages():
    population, moving = (
        curves_of(run_config({"norm": NORMS["custom"]}, optimizer=RATE, statistics=statistics))["loss/validation"]
        for statistics in ("population", "moving")
    )
    config = run_config({"norm": NORMS["custom"]}, statistics="moving", steps=0)
    used = program(config)
    curves = curves_of(config)
    logits = np.asarray(used.network(inputs(split_of(config).validation), training=False), np.float64)
    untrained = loss_by_hand(logits, DIGITS.labels[split_of(config).validation])
    assert curves["loss/validation"] == [(0, pytest.approx(untrained, rel=1e-5))]
    assert moving[0] == (0, pytest.approx(untrained, rel=1e-5))
    assert abs(population[0][1] - untrained) > 0.01
    assert population[1][1] < moving[1][1] - 0.05  # ten steps at momentum 0.99: the averages lag


@pytest.mark.parametrize("norm", ["noisy", "renormalization"])
def test_evaluation_changes_no_variable(norm: str):
    config = run_config(
        {"norm": NORMS[norm], "dropout": 0.3}, optimizer=RATE | {"momentum": 0.9}, moving_averages=[0.9, 0.99]
    )
    used, split = program(config), split_of(config)
    curves_of(config)
    before = values_of(used)
    assert len(before) > 15
    no_steps = np.zeros((0, 10, 30), np.int32), np.zeros((0, 10), np.float32)
    done, _, losses, hits, _ = used.advance(*no_steps, in_rows(split.validation), looked_at(config, split))
    assert (done, losses[0].shape, hits[0].shape) == (0, (3, 1, 360), (3, 1, 360))
    assert np.all(losses[0] > 0)
    for name, value in values_of(used).items():
        assert np.array_equal(value, before[name]), name


@pytest.mark.parametrize(
    ("norm", "dropout", "xla"),
    [("stock", 0.0, False), ("noisy", 0.3, False), ("renormalization", 0.3, False), ("custom", 0.0, True)],
)
def test_training_is_the_same_to_the_bit_however_the_network_is_read(norm: str, dropout: float, xla: bool):
    fields = {"optimizer": RATE, "xla": xla, "probes": ["step_loss"]}
    plain = run_config({"norm": NORMS[norm], "dropout": dropout}, statistics="moving", **fields)
    read = plain.model_copy(update={"statistics": "population", "moving_averages": (0.9, 0.999)})
    steps = [curves_of(config)["loss/step"] for config in (plain, read)]
    assert len(steps[0]) == 20
    assert steps[0] == steps[1]
    for mine, theirs in zip(program(plain).network.variables, program(read).network.variables, strict=True):
        assert np.array_equal(mine.numpy(), theirs.numpy()), mine.path


@pytest.mark.parametrize(("norm", "xla"), [*((norm, False) for norm in NORMS), ("renormalization", True)])
def test_an_average_kept_beside_is_that_of_a_layer_with_its_momentum(norm: str, xla: bool):
    def run(momentum: float, **fields: Any) -> Mapping[str, list[tuple[int, float]]]:
        norms = NORMS[norm] | {"momentum": momentum}
        config = run_config({"norm": norms}, optimizer=RATE, xla=xla, test_every_evaluation=True, **fields)
        curves = curves_of(config)
        values.append([v.numpy() for v in program(config).readings._moving])
        beside.append(program(config).readings.statistics(None)[1:] if fields["statistics"] == "moving" else [])
        return curves

    values: list[list[np.ndarray]] = []
    beside: list[list[Any]] = []
    one = run(0.99, statistics="moving", moving_averages=[0.9, 0.99, 0.0])
    other = run(0.9, statistics="moving")
    for mine, theirs in zip(beside[0][0], values[1], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
    for mine, own in zip(beside[0][1], values[0], strict=True):
        np.testing.assert_array_equal(mine, own)
    for metric in ("loss/validation", "loss/test"):
        assert [step for step, _ in one[f"{metric}/moving_0.9"]] == [0, 10, 20]
        np.testing.assert_allclose(one[f"{metric}/moving_0.9"], other[metric], rtol=1e-4)
        assert one[f"{metric}/moving_0.99"] == one[metric]
        assert one[f"{metric}/moving_0.0"][-1] != one[metric][-1]


def test_averages_begin_anew_with_every_run_and_last_over_several_calls(monkeypatch: pytest.MonkeyPatch):
    config = run_config({"norm": NORMS["custom"]}, optimizer=RATE, steps=60, moving_averages=[0.9])
    alone = curves_of(config)
    curves_of(config.model_copy(update={"seed": 1}))
    assert curves_of(config) == alone
    monkeypatch.setattr("experiments.training.program.MOST_STRETCHES", 4)
    assert curves_of(config, Program(config, DIGITS)) == alone
    assert curves_of(config.model_copy(update={"timed": True})) == alone
    assert [step for step, _ in alone["accuracy/test/moving_0.9"]] == [60]


@pytest.mark.parametrize("norm", [{"kind": "none"}, {"kind": "layer"}, {"kind": "group", "groups": 4}])
def test_a_network_without_moving_statistics_is_read_once_and_pays_nothing(
    norm: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    config = run_config({"norm": norm}, moving_averages=[0.9])
    used = Program(config, DIGITS)
    assert (used.readings.names, used.readings.recomputes, used.readings._beside) == (("",), False, {})
    monkeypatch.setattr(used.readings, "population", None)
    curves = curves_of(config, used)
    assert curves == curves_of(run_config({"norm": norm}, statistics="moving"))
    assert curves.keys() == {"loss/train", "loss/validation", "accuracy/validation", "loss/test", "accuracy/test"}


def test_an_evaluation_of_some_examples_and_a_test_of_all():
    config = run_config({"norm": NORMS["custom"]}, optimizer=RATE, evaluation_examples=50, test_every_evaluation=True)
    used, split = program(config), split_of(config)
    curves = curves_of(config)
    recompute_statistics(used.network, [inputs(split.train[:1000])])
    for part, indices in (("validation", split.validation[:50]), ("test", split.test)):
        logits = np.asarray(used.network(inputs(indices), training=False), np.float64)
        assert curves[f"loss/{part}"][-1] == (20, pytest.approx(loss_by_hand(logits, DIGITS.labels[indices]), rel=1e-4))
    assert [step for step, _ in curves["accuracy/test"]] == [0, 10, 20]
    assert all(value * 50 == pytest.approx(round(value * 50)) for _, value in curves["accuracy/test"][:2])
    more = config.model_copy(update={"evaluation_examples": 5000})
    assert curves_of(more) == curves_of(config.model_copy(update={"evaluation_examples": None}))


def test_statistics_of_fewer_training_examples_than_a_thousand_are_of_all():
    config = run_config({"norm": NORMS["custom"]}, dataset={"batch_size": 30, "train_examples": 60}, optimizer=RATE)
    last = list(train(program(config), config))[-1].metrics
    assert last["loss/validation"] == pytest.approx(validation_by_hand(program(config), config)[0], rel=1e-4)
