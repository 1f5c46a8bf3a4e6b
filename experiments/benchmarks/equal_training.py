"""Does another contestant train what we train? Its first losses, in both arms, must be ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.benchmarks.timed_sweeps import EVERY, SWEEPS
from experiments.configuration.run import RunConfig

CHECKED_RATE, CHECKED_SEED = 0.1, 0
TOLERANCE = 1e-4  # of losses over EVERY steps in float32, relative; 3e-6 was the largest difference


class DifferentTrainingError(Exception):
    """A contestant whose losses are not ours; its seconds would mean nothing."""


def train_ours(model: str) -> dict[str, list[float]]:
    """Take our first steps of one run in each arm; return the loss of each, then validation's before and after them."""
    from experiments.training.surroundings import start_tensorflow

    start_tensorflow(1)
    from experiments.training.datasets import load_dataset
    from experiments.training.program import Program
    from experiments.training.run import train

    found: dict[str, list[float]] = {}
    for run in filter(is_checked, SWEEPS[model].runs()):
        config = run.model_copy(update={"steps": EVERY, "probes": ("step_loss",)})
        shown = [evaluated.metrics for evaluated in train(Program(config, load_dataset("digits")), config)]
        names = ("loss/step", "loss/validation")
        found[run.model.norm.kind] = [metrics[name] for name in names for metrics in shown if name in metrics]
    return found


def checked_losses(model: str, curves: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the same from the curves of all runs: train_loss (runs, steps), validation_loss (runs, evaluations)."""
    rows = {run.model.norm.kind: row for row, run in enumerate(SWEEPS[model].runs()) if is_checked(run)}
    of_validation = curves["validation_loss"]
    return {arm: np.append(curves["train_loss"][row, :EVERY], of_validation[row, :2]) for arm, row in rows.items()}


def check_equal(ours: Mapping[str, Sequence[float]], theirs: Mapping[str, np.ndarray], who: str) -> None:
    """Raise DifferentTrainingError where any loss is not ours."""
    for arm, losses in ours.items():
        different = ~(np.abs(theirs[arm] - losses) <= TOLERANCE * np.abs(losses))  # what is not finite is different too
        if different.any():
            at = int(np.argmax(different))
            where = f"the loss of step {at + 1}" if at < EVERY else "the validation loss"
            raise DifferentTrainingError(
                f"{who}, arm {arm}: {where} must be ours, {losses[at]:.6g}, within {TOLERANCE:g} of it, "
                f"got {theirs[arm][at]:.6g}; it is another training, and is not timed"
            )


def is_checked(run: RunConfig) -> bool:
    """Tell whether the losses of this run are compared; there is one in each arm."""
    return run.optimizer.learning_rate == CHECKED_RATE and run.seed == CHECKED_SEED
