"""What a run shows where it is asked to: seconds, losses of single steps, changed images, other splits."""

from __future__ import annotations

import numpy as np
import pytest
from programs import DIGITS, by_the_clock, curves_of, inputs, losses_of, program, run_config

from experiments.configuration.run import DatasetConfig, OptimizerConfig
from experiments.training.datasets import load_dataset, split_dataset
from experiments.training.program import Program
from experiments.training.run import train


@pytest.mark.parametrize(("timed", "seconds"), [(False, [0, 5, 10]), (True, [0, 1, 2])])
def test_seconds_grow_with_training_and_leave_evaluation_out_where_a_run_is_timed(
    timed: bool, seconds: list[float], monkeypatch: pytest.MonkeyPatch
):
    config = run_config(timed=timed)
    used = program(config)
    by_the_clock(monkeypatch, used, advance=10, take_steps=1)  # where timed, `advance` evaluates
    assert [evaluated.seconds for evaluated in train(used, config)] == seconds


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
