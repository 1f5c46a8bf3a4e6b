"""Which numbers stand for one run in the results table? Pure functions from a run's record.

A curve stands there whole, one value an evaluation, so that every level and budget can be read from the table; what
needs more than the table holds, such as percentiles of every unit, is reduced here.

Divergence is an outcome (protocol 2, rule 4): a curve ends before it, and a final accuracy is 0 and loss inf, the worst
there is. Where no worst value exists, as for a cosine, the value is nan, which a verdict counts as a missing run: it is
never dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from experiments.analysis.hitting_times import late
from experiments.configuration.claim import PartConfig
from experiments.records.storage import Curve, Record

_UNIT_CURVE = re.compile(r"pre_activation/(\d+)/(unit_\d+)/p(?:15|50|85)")
ACCURACY, TRAIN_LOSS = "accuracy/validation", "loss/train"
FRECHET = "frechet/validation"  # of a run with a section `gan`, which has no accuracy


def evaluations(record: Record, metric: str) -> list[float]:
    """Return a metric at every evaluation, from step 0 on, up to the last or to divergence; mean over `metric/…`.

    Curves of that very name go before those below it. nan at an evaluation at which it was not measured; empty where it
    never was.
    """
    curve = _measured(record, metric)
    curves = [curve] if curve is not None else list(_under(record, metric))
    if not curves:
        return []
    every = record.config.evaluate_every
    last = max(int(curve.steps[-1]) for curve in curves) // every
    found = np.full((len(curves), last + 1), np.nan)
    for row, curve in zip(found, curves, strict=True):
        at_evaluation = curve.steps % every == 0
        row[curve.steps[at_evaluation] // every] = curve.values[at_evaluation]
    return [float(value) for value in found.mean(axis=0)]


def seconds_per_step(record: Record) -> float:
    """Training seconds of one step: the median over evaluation intervals; nan with fewer than two timed steps."""
    if record.seconds.steps.size < 2:
        return np.nan
    return float(np.median(np.diff(record.seconds.values) / np.diff(record.seconds.steps)))


def final_value(record: Record, metric: str) -> float:
    """Last value of the metric. A diverged run has the worst, as `worst_outcome` says."""
    if record.status == "diverged":
        return worst_outcome(metric)
    curve = _measured(record, metric)
    return float(curve.values[-1]) if curve is not None else np.nan


def best_value(record: Record, metric: str) -> float:
    """Best value at any evaluation, before divergence if the run diverged; see `lower_is_better`."""
    curve = _measured(record, metric)
    if curve is None:
        return worst_outcome(metric) if record.status == "diverged" else np.nan
    best = np.fmin if lower_is_better(metric) else np.fmax
    return float(best.reduce(curve.values))


def late_value(record: Record, metric: str) -> float:
    """Median of the last three values of the metric. A diverged run has the worst, as in `final_value`."""
    if record.status == "diverged":
        return worst_outcome(metric)
    curve = _measured(record, metric)
    return late(curve.values) if curve is not None else np.nan


def worst_value(record: Record, metric: str) -> float:
    """Largest magnitude over all steps and all curves named `metric` or `metric/…`; inf if one is not finite."""
    curves = list(_under(record, metric))
    if not curves:
        return np.nan
    values = np.abs(np.concatenate([curve.values for curve in curves]))
    return float(values.max()) if np.isfinite(values).all() else np.inf


def largest_fall(record: Record, metric: str) -> float:
    """Largest fall from one evaluation to the next, as a share of the value before, of all curves as `worst_value` has.

    0 where none falls; inf if a value is not finite.
    """
    falls = [-np.diff(curve.values) / np.abs(curve.values[:-1]) for curve in _under(record, metric)]
    if not any(fall.size for fall in falls):
        return np.nan
    largest = np.concatenate(falls)
    return max(0.0, float(largest.max())) if np.isfinite(largest).all() else np.inf


def value_at_step(record: Record, metric: str, step: int) -> float:
    """Value of the metric at exactly this step; nan where it was not measured or the run had diverged."""
    curve = _measured(record, metric)
    if curve is None:
        return np.nan
    at = np.flatnonzero(curve.steps == step)
    return float(curve.values[at[0]]) if at.size else np.nan


def unit_drifts(record: Record) -> tuple[np.ndarray, np.ndarray]:
    """Movement of the percentiles of every unit's input up to every evaluation, in spreads, and the percentiles.

    Of the last hidden layer. Movement: the range so far (largest less smallest) of the 15th, 50th and 85th percentile
    of a unit's pre-activation; the largest of the three over p85 − p15 at that evaluation. Curves:
    pre_activation/<layer>/unit_<k>/p15, p50, p85. Returns (units, evaluations) and (units, 3, evaluations); without
    units where not measured. After Ioffe & Szegedy 2015, figure 1b, c.
    """
    units = [(int(found[1]), found[2]) for name in record.curves if (found := _UNIT_CURVE.fullmatch(name))]
    if not units:
        return np.zeros((0, 0)), np.zeros((0, 3, 0))
    last = max(layer for layer, _ in units)
    percentiles = np.stack(
        [
            [record.curves[f"pre_activation/{last}/{unit}/p{percent}"].values for percent in (15, 50, 85)]
            for unit in sorted({unit for layer, unit in units if layer == last})
        ]
    )
    highest, lowest = np.maximum.accumulate(percentiles, axis=2), np.minimum.accumulate(percentiles, axis=2)
    movement = (highest - lowest).max(axis=1)  # (units, evaluations)
    spread = percentiles[:, 2] - percentiles[:, 0]  # (units, evaluations)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((movement == 0) & (spread == 0), 0.0, movement / spread), percentiles


def drift(record: Record) -> list[float]:
    """Return the median over units of their drifts, as `unit_drifts` has them, at every evaluation."""
    drifts, _ = unit_drifts(record)
    return [float(value) for value in np.median(drifts, axis=0)] if drifts.size else []


def gradient_norms(record: Record, step: int) -> list[float]:
    """‖∂L/∂W‖ of every layer at a step, the output layer's last; nan where not measured then; empty where never."""
    numbers = [int(name.removeprefix("gradient_norm/")) for name in record.curves if name.startswith("gradient_norm/")]
    return [value_at_step(record, f"gradient_norm/{layer}", step) for layer in sorted(numbers)]


def gradient_ratio(record: Record, step: int) -> float:
    """‖∂L/∂W₁‖ / ‖∂L/∂W_last‖ at a step, W_last being the output layer's; nan where not measured, or 0/0."""
    norms = gradient_norms(record, step)
    if not norms:
        return np.nan
    first, last = norms[0], norms[-1]
    if last == 0:
        return np.inf if first > 0 else np.nan
    return first / last


def columns_of(part: PartConfig) -> tuple[str, ...]:
    """Return the columns of the results table from which a part's measure is read: "drift", "accuracy/validation"."""
    match part.measure:
        case "steps_to_level":
            return (part.metric or ACCURACY,)
        case "late_value" | "mean_value" | "value_at_step":
            own: tuple[str, ...] = (part.metric or ACCURACY,)
        case "final_value":
            return (f"final({part.metric or 'accuracy/test'})",)
        case "worst_value":
            return (f"worst({part.metric})",)
        case "largest_fall":
            return (f"fall({part.metric})",)
        case "gradient_ratio":
            return (f"gradient_ratio(step {part.step})",)
        case "gap_at_training_loss":
            return ("loss/training_split", "loss/test")
        case "largest_rate":
            return ()
        case "drift" | "seconds_per_step":
            own = (part.measure,)
    return (*own, TRAIN_LOSS) if part.matched else own


def column_value(record: Record, name: str) -> float | list[float]:
    """Return what stands in a column, by its name as `columns_of` gives it; nan or empty for a failed run."""
    kind, _, argument = name.partition("(")
    argument = argument.rstrip(")")
    failed = record.status == "failed"
    match kind:
        case "final":
            return np.nan if failed else final_value(record, argument)
        case "worst":
            return np.nan if failed else worst_value(record, argument)
        case "fall":
            return np.nan if failed else largest_fall(record, argument)
        case "gradient_ratio":
            return np.nan if failed else gradient_ratio(record, int(argument.removeprefix("step ")))
        case "seconds_per_step":
            return np.nan if failed or not record.config.timed else seconds_per_step(record)
        case "drift":
            return [] if failed else drift(record)
        case _:
            return [] if failed else evaluations(record, name)


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


def lower_is_better(metric: str) -> bool:
    """Tell whether the lowest value of a metric is its best: of losses and of Fréchet distances."""
    return metric.partition("/")[0] in ("loss", "frechet")


def worst_outcome(metric: str) -> float:
    """What a diverged run is taken to end with."""
    match metric.partition("/")[0]:
        case "accuracy" | "attacked":
            return 0.0
        case "loss" | "frechet":
            return np.inf
        case "classes_generated":
            return 0.0
        case "saturation" | "far_saturation":
            return 1.0
        case _:
            return np.nan
