"""What a run shows where it is asked to: seconds, losses of single steps, changed images, other splits."""

from __future__ import annotations

import numpy as np
import pytest
from programs import DIGITS, by_the_clock, curves_of, inputs, losses_of, program, run_config

from custom_layers import recompute_statistics
from experiments.configuration.optimizer import OptimizerConfig
from experiments.configuration.run import DatasetConfig
from experiments.training import changed_images as of_images
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


@pytest.mark.parametrize("statistics", ["population", "moving"])
def test_changed_images_by_statistics_of_the_run_of_each_change_and_of_all_in_turn(
    statistics: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(of_images, "POPULATION", 320)
    config = run_config(
        {"norm": {"kind": "custom"}}, probes=["corruptions"], optimizer={"learning_rate": 0.5}, statistics=statistics
    )
    curves, used, split = curves_of(config), program(config), split_dataset(DIGITS, config.dataset, 0)
    labels = DIGITS.labels[split.test]
    changed = {f"brightness/{b:+.1f}": changed_images(split.test, 1.0, b) for b in np.arange(-5, 6) / 10 if b}
    changed |= {f"contrast/{c:g}": changed_images(split.test, c, 0.0) for c in (0.25, 0.5, 0.75, 1.5, 2, 4)}
    assert len(changed) == 16
    if statistics == "population":
        recompute_statistics(used.network, [inputs(split.train[:1000])])
    mix = np.concatenate([images[20 * i : 20 * i + 20] for i, images in enumerate(changed.values())])
    written = {name for name in curves if name.startswith("corrupted/")}
    for kind in ("kept", "mixed", "recomputed"):
        if kind == "mixed":
            recompute_statistics(used.network, [mix])
        for name, images in changed.items():
            if kind == "recomputed":
                recompute_statistics(used.network, [images[:320]])
            accuracy = (np.argmax(used.network(images, training=False), axis=1) == labels).mean()
            assert curves[f"corrupted/{kind}/{name}"] == [(20, pytest.approx(accuracy, abs=0.006))]
            written.remove(f"corrupted/{kind}/{name}")
    assert not written


def changed_images(indices: np.ndarray, contrast: float, brightness: float) -> np.ndarray:
    x = inputs(indices)
    mean = x.mean(axis=(1, 2, 3), keepdims=True)
    return np.clip((x - mean) * contrast + mean + brightness, 0, 1).astype(np.float32)


def test_changed_images_leave_the_rest_of_the_run_as_it_is():
    plain = run_config({"norm": {"kind": "custom"}}, optimizer={"learning_rate": 0.5})
    curves = curves_of(plain.model_copy(update={"probes": ("corruptions",)}))
    assert {name: curve for name, curve in curves.items() if "corrupted" not in name} == curves_of(plain)


def test_the_training_split_is_evaluated_on_demand():
    config = run_config(probes=["training_loss"])  # without normalization: there are no statistics to choose
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
