"""Which number sums up one run? Pure functions from a run's record to one value.

Divergence is an outcome, so each measure says what it makes of it (protocol 1, rule 4): what the run was to reach is
never reached (inf steps), accuracy is 0 and loss inf, the worst there is. Where no worst value exists, as for a cosine,
the value is nan, which a verdict counts as a missing run: it is never dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import assert_never

import numpy as np

from experiments.configuration.claim import TIMED_MEASURES, ClaimConfig, MeasureName, PartConfig
from experiments.records.storage import Curve, Record

FIRST_STEPS = 100  # how many losses `first_values` compares (custom_equals_stock)
_UNIT_CURVE = re.compile(r"pre_activation/(\d+)/(unit_\d+)/p(?:15|50|85)")


def steps_to_target(record: Record, metric: str, target: float) -> float:
    """First evaluated step at which the metric is at least `target`; inf if never, or if the run ever diverged."""
    if record.status == "diverged":
        return np.inf
    curve = _measured(record, metric)
    if curve is None:
        return np.nan
    reached = np.flatnonzero(curve.values >= target)
    return float(curve.steps[reached[0]]) if reached.size else np.inf


def seconds_to_target(record: Record, metric: str, target: float) -> float:
    """Training seconds up to the first evaluated step that reaches `target`; inf as for steps; nan without timing."""
    steps = steps_to_target(record, metric, target)
    if not np.isfinite(steps):
        return steps
    if not record.seconds.steps.size:
        return np.nan
    return float(np.interp(steps, record.seconds.steps, record.seconds.values))


def seconds_per_step(record: Record) -> float:
    """Training seconds of one step: the median over evaluation intervals; nan with fewer than two timed steps."""
    if record.seconds.steps.size < 2:
        return np.nan
    return float(np.median(np.diff(record.seconds.values) / np.diff(record.seconds.steps)))


def final_value(record: Record, metric: str) -> float:
    """Last value of the metric. A diverged run has the worst: accuracy 0, loss inf, saturation 1; else nan."""
    if record.status == "diverged":
        return _worst_outcome(metric)
    curve = _measured(record, metric)
    return float(curve.values[-1]) if curve is not None else np.nan


def best_value(record: Record, metric: str) -> float:
    """Best value at any evaluation, before divergence if the run diverged: lowest of a loss, highest of the rest."""
    curve = _measured(record, metric)
    if curve is None:
        return _worst_outcome(metric) if record.status == "diverged" else np.nan
    best = np.fmin if metric.startswith("loss") else np.fmax
    return float(best.reduce(curve.values))


def worst_value(record: Record, metric: str) -> float:
    """Largest magnitude over all steps and all curves named `metric` or `metric/…`; inf if one is not finite."""
    curves = list(_under(record, metric))
    if not curves:
        return np.nan
    values = np.abs(np.concatenate([curve.values for curve in curves]))
    return float(values.max()) if np.isfinite(values).all() else np.inf


def mean_value(record: Record, metric: str) -> float:
    """Mean over all steps and all curves named `metric` or `metric/…`; nan for a diverged run, which lacks steps."""
    curves = list(_under(record, metric))
    if not curves or record.status == "diverged":
        return np.nan
    return float(np.mean([curve.values.mean() for curve in curves]))


def value_at_step(record: Record, metric: str, step: int) -> float:
    """Value of the metric at exactly this step; nan where it was not measured or the run had diverged."""
    curve = _measured(record, metric)
    if curve is None:
        return np.nan
    at = np.flatnonzero(curve.steps == step)
    return float(curve.values[at[0]]) if at.size else np.nan


def first_values(record: Record, metric: str) -> list[float]:
    """Values of the first 100 steps at which the metric stands, in order of steps. A diverged run's list is shorter."""
    curve = _measured(record, metric)
    return [] if curve is None else [float(value) for value in curve.values[:FIRST_STEPS]]


def drift(record: Record) -> float:
    """Movement of the percentiles of the last hidden layer's inputs over training, in units of their final spread.

    For each unit the range over steps (largest less smallest) of the 15th, 50th and 85th percentile of its
    pre-activation; the largest of the three over the final p85 − p15; then the median over units. inf for a diverged
    run. Curves: pre_activation/<layer>/unit_<k>/p15, p50, p85. After Ioffe & Szegedy 2015, figure 1b, c.
    """
    units = [(int(found[1]), found[2]) for name in record.curves if (found := _UNIT_CURVE.fullmatch(name))]
    if record.status == "diverged":
        return np.inf
    if not units:
        return np.nan
    last = max(layer for layer, _ in units)
    percentiles = np.stack(
        [
            [record.curves[f"pre_activation/{last}/{unit}/p{percent}"].values for percent in (15, 50, 85)]
            for unit in sorted({unit for layer, unit in units if layer == last})
        ]
    )  # (units, 3, steps)
    movement = np.ptp(percentiles, axis=2).max(axis=1)  # (units,)
    spread = percentiles[:, 2, -1] - percentiles[:, 0, -1]  # (units,)
    with np.errstate(divide="ignore", invalid="ignore"):
        in_spreads = np.where((movement == 0) & (spread == 0), 0.0, movement / spread)
    return float(np.median(in_spreads))


def gradient_ratio(record: Record, step: int) -> float:
    """‖∂L/∂W₁‖ / ‖∂L/∂W_last‖ at a step, W_last being the output layer's; nan where not measured, or 0/0."""
    numbers = [int(name.removeprefix("gradient_norm/")) for name in record.curves if name.startswith("gradient_norm/")]
    if not numbers:
        return np.nan
    first, last = (value_at_step(record, f"gradient_norm/{layer}", step) for layer in (1, max(numbers)))
    if last == 0:
        return np.inf if first > 0 else np.nan
    return first / last


def gap_at_training_loss(record: Record, level: float) -> float:
    """Test loss less training loss where training loss first falls to `level`, between evaluations by a straight line.

    Where it starts at or below the level, the gap at the first evaluation. nan where the level is never reached: there
    is then no gap at matched training loss, large or small. Curves: loss/training_split, loss/test.
    """
    training, test = _measured(record, "loss/training_split"), _measured(record, "loss/test")
    if training is None or test is None:
        return np.nan
    _, in_training, in_test = np.intersect1d(training.steps, test.steps, return_indices=True)
    train_loss, test_loss = training.values[in_training], test.values[in_test]  # (evaluations,)
    reached = np.flatnonzero(train_loss <= level)
    if not reached.size:
        return np.nan
    i = reached[0]
    if i == 0:
        return float(test_loss[0] - train_loss[0])
    share = (train_loss[i - 1] - level) / (train_loss[i - 1] - train_loss[i])
    return float(test_loss[i - 1] + share * (test_loss[i] - test_loss[i - 1]) - level)


def accuracy_drop(record: Record, metric: str) -> float:
    """Final test accuracy less the mean final accuracy over the curves `metric/…`.

    nan for a diverged run: with no accuracy to lose, its drop of 0 would count as robust.
    """
    changed = [curve.values[-1] for curve in _under(record, metric)]
    if not changed or record.status == "diverged":
        return np.nan
    return final_value(record, "accuracy/test") - float(np.mean(changed))


def measure_value(record: Record, part: PartConfig, claim: ClaimConfig) -> float | list[float]:
    """Return what a part of a claim measures in one run.

    nan for a failed run, where the claim lacks a target, and for seconds of a run that was not timed.
    """
    metric, target, step = measured_metric(part), part_target(part, claim), part.step or 0
    if record.status == "failed":
        return [] if part.measure == "first_values" else np.nan
    if (target is None and needs_target(part)) or (part.measure in TIMED_MEASURES and not record.config.timed):
        return np.nan
    level = target if target is not None else np.nan
    match part.measure:
        case "steps_to_target":
            return steps_to_target(record, metric, level)
        case "seconds_to_target":
            return seconds_to_target(record, metric, level)
        case "seconds_per_step":
            return seconds_per_step(record)
        case "final_value":
            return final_value(record, metric)
        case "best_value":
            return best_value(record, metric)
        case "worst_value":
            return worst_value(record, metric)
        case "mean_value":
            return mean_value(record, metric)
        case "value_at_step":
            return value_at_step(record, metric, step)
        case "first_values":
            return first_values(record, metric)
        case "drift":
            return drift(record)
        case "gradient_ratio":
            return gradient_ratio(record, step)
        case "gap_at_training_loss":
            return gap_at_training_loss(record, level)
        case "accuracy_drop":
            return accuracy_drop(record, metric)
        case _:
            assert_never(part.measure)


def measured_metric(part: PartConfig) -> str:
    """Return the curve a part measures, its measure's own where the part names none; "" where there is no choice."""
    return part.metric or own_metric(part.measure)


def own_metric(measure: MeasureName) -> str:
    """Return the curve that a measure takes where a part names none."""
    match measure:
        case "steps_to_target" | "seconds_to_target" | "best_value":
            return "accuracy/validation"
        case "final_value":
            return "accuracy/test"
        case "first_values":
            return "loss/step"
        case "accuracy_drop":
            return "corrupted/kept"
        case (
            "worst_value"
            | "mean_value"
            | "value_at_step"
            | "seconds_per_step"
            | "drift"
            | "gradient_ratio"
            | "gap_at_training_loss"
        ):
            return ""
        case _:
            assert_never(measure)


def needs_target(part: PartConfig) -> bool:
    """Whether the measure is taken at a level that the claim has to name: an accuracy, or a training loss."""
    return part.measure in ("steps_to_target", "seconds_to_target", "gap_at_training_loss")


def part_target(part: PartConfig, claim: ClaimConfig) -> float | None:
    """Return the accuracy or the training loss at which a part measures; None where the claim names none."""
    if part.target is not None:
        return part.target
    return claim.training_loss if part.measure == "gap_at_training_loss" else claim.target


def _measured(record: Record, metric: str) -> Curve | None:
    """The curve up to divergence; None where nothing was measured."""
    curve = record.curves.get(metric)
    if curve is None or not curve.steps.size:
        return None
    if record.diverged_at is None:
        return curve
    before = curve.steps < record.diverged_at
    return Curve(curve.steps[before], curve.values[before]) if before.any() else None


def _under(record: Record, metric: str) -> Iterator[Curve]:
    """The curves named `metric` or `metric/…`, each with at least one value."""
    prefix = metric.rstrip("/")
    for name in record.curves:
        if name == prefix or name.startswith(prefix + "/"):
            curve = _measured(record, name)
            if curve is not None:
                yield curve


def _worst_outcome(metric: str) -> float:
    """What a diverged run is taken to end with."""
    match metric.partition("/")[0]:
        case "accuracy":
            return 0.0
        case "loss":
            return np.inf
        case "saturation":
            return 1.0
        case _:
            return np.nan
