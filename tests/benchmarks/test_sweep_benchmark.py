"""The sweep's benchmark times equal trainings only, and says so where they are not."""

import json

import numpy as np
import pytest

from experiments.benchmarks import equal_training, sweep
from experiments.benchmarks.timed_sweeps import ARMS, EVERY, SWEEPS
from experiments.configuration.loading import load_experiment

needs_jax = pytest.mark.skipif(
    not sweep.jax_is_installed(), reason="JAX is not installed; pip install --editable '.[benchmark]'"
)


@pytest.mark.parametrize(("model", "runs"), [("mlp", 160), ("cnn", 80)])
def test_the_runs_that_jax_does_are_those_of_our_experiment(model, runs, tmp_path):
    path = tmp_path / "timed.yaml"
    path.write_text(json.dumps(SWEEPS[model].experiment()))
    ours = {run.config.digest() for run in load_experiment(path).evaluation_runs({})}
    assert {run.digest() for run in SWEEPS[model].runs()} == ours
    assert len(ours) == runs


@needs_jax
@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_jax_by_hand_has_our_losses_in_both_arms(model):
    from experiments.benchmarks import jax_by_hand

    ours = equal_training.train_ours(model)
    assert ours.keys() == set(ARMS)
    checked = [
        run.model_copy(update={"steps": EVERY}) for run in SWEEPS[model].runs() if equal_training.is_checked(run)
    ]
    for run in checked:
        arm, other = run.model.norm.kind, run.model_copy(update={"seed": 1})
        for runs in ([run], [other, run]):
            curves, _ = jax_by_hand.train_all(runs, at_once=len(runs) > 1)
            theirs = np.append(curves["train_loss"][-1], curves["validation_loss"][-1])
            equal_training.check_equal({arm: ours[arm]}, {arm: theirs}, "JAX")


def curves(runs: int) -> dict[str, np.ndarray]:
    """Every run's losses are its number and, by steps or evaluations, hundredths."""
    number = np.arange(1.0, runs + 1)[:, None]
    return {"train_loss": number + np.arange(500) / 100, "validation_loss": number + np.arange(11) / 100}


def test_the_runs_that_are_checked_have_rate_a_tenth_and_seed_0():
    checked = equal_training.checked_losses("mlp", curves(160))
    assert checked.keys() == {"none", "custom"}
    np.testing.assert_allclose(checked["none"][[0, 49, 50, 51]], [31, 31.49, 31, 31.01])  # the fourth rate of eight
    np.testing.assert_allclose(checked["custom"][[0, 49, 50, 51]], [111, 111.49, 111, 111.01])


@pytest.mark.parametrize(
    ("position", "value", "named"),
    [(7, 2.02, "the loss of step 8"), (EVERY + 1, 1.98, "the validation loss"), (0, np.nan, "the loss of step 1")],
)
def test_another_training_is_refused(position, value, named):
    ours = {arm: np.full(EVERY + 2, 2.0) for arm in ARMS}
    theirs = {arm: losses.copy() for arm, losses in ours.items()}
    equal_training.check_equal(ours, theirs, "JAX")
    theirs["custom"][position] = value
    with pytest.raises(
        equal_training.DifferentTrainingError, match=f"JAX, arm custom: {named} must be ours, 2, .* got {value}"
    ):
        equal_training.check_equal(ours, theirs, "JAX")
