"""How does every arm differ from the first of its kind of network, whether the experiment makes a claim or not?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from experiments.analysis.measures import steps_to_target
from experiments.analysis.statistics import bootstrap_interval, median, paired_differences, paired_ratios
from experiments.analysis.summary import runs_at_best_rate, target_of
from experiments.analysis.tuning import ResultRows, plain
from experiments.configuration.experiment import LEARNING_RATE, Experiment, Run
from experiments.records.storage import Curve, Record

CurvesOf = Callable[[Iterable[Run], str], Mapping[str, Sequence[Curve]]]
METRIC = "accuracy/validation"
BELOW = 0.01  # a target that is not the claim's: this much under what the slowest arm comes to
TESTED, BEST = "final_test_accuracy", "best_validation_accuracy"
_Key = tuple[object, ...]  # values of the grid's axes but the tuned one, then the seed


@dataclass(frozen=True)
class _Found:
    """A run that is there, and what its row of the results table holds."""

    run: Run
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Effect:
    """The median over seeds of a paired effect, and its 95 % interval."""

    median: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True)
class Contrast:
    """One arm against the first, each at its best learning rate, paired seed by seed.

    accuracy: difference of the final test accuracies. steps: ratio of the steps to the target, the arm's over the
    first's: the ratio of a claim on steps, first over arm, turned round, so that both say the same. None without pairs.
    """

    arm: str
    accuracy: Effect | None
    steps: Effect | None


@dataclass(frozen=True)
class Contrasts:
    """The arms of one kind of network against its first. target: the accuracy that steps are counted to, if any."""

    first: str
    target: float | None
    arms: tuple[Contrast, ...]


def network_kinds(experiment: Experiment) -> dict[str, list[str]]:
    """Return kind of network → its arms, in the file's order; an arm of several kinds has a kind of its own."""
    kinds: dict[str, set[str]] = {}
    for arm, grid in experiment.cells():
        kinds.setdefault(arm, set()).add(experiment.run(arm, grid, 0).config.model.kind)
    arms_of: dict[str, list[str]] = {}
    for arm in experiment.config.arms:
        arms_of.setdefault(", ".join(sorted(kinds[arm])), []).append(arm)
    return arms_of


def contrasts(experiment: Experiment, table: pd.DataFrame, curves_of: CurvesOf) -> dict[str, Contrasts]:
    """Return kind of network → every other arm of it against its first; kinds with one arm are left out.

    curves_of: (runs, metric) → arm → curves.
    """
    config, rows = experiment.config, ResultRows(table, experiment.config)
    over = config.tuning.over if config.tuning else LEARNING_RATE
    found: dict[str, dict[_Key, _Found]] = {arm: {} for arm in config.arms}
    for run in runs_at_best_rate(experiment, table):
        row = rows.row(run.arm, tuple(plain(value) for value in run.grid.values()), run.config.seed)
        if row is not None:
            others = (plain(value) for axis, value in run.grid.items() if axis != over)
            values = {name: rows.column(name)[row] for name in ("status", TESTED, BEST)}
            found[run.arm][(*others, run.config.seed)] = _Found(run, values)
    return {
        kind: _against_first({arm: found[arm] for arm in arms}, target_of(config), curves_of)
        for kind, arms in network_kinds(experiment).items()
        if len(arms) > 1
    }


def _against_first(found: Mapping[str, Mapping[_Key, _Found]], target: float | None, curves_of: CurvesOf) -> Contrasts:
    accuracy = {arm: {key: of.values[TESTED] for key, of in runs.items()} for arm, runs in found.items()}
    target, steps = _common_steps(found, target, curves_of)
    first, *others = found
    shown = [
        Contrast(
            arm,
            _effect(accuracy[arm], accuracy[first], paired_differences),
            _turned_round(_effect(steps[first], steps[arm], paired_ratios)),
        )
        for arm in others
    ]
    return Contrasts(first, target, tuple(shown))


def _common_steps(
    found: Mapping[str, Mapping[_Key, _Found]], target: float | None, curves_of: CurvesOf
) -> tuple[float | None, Mapping[str, Mapping[_Key, float]]]:
    """Return the target and arm → the steps to it of every run.

    Without a target, the lowest median over an arm's runs of their best validation accuracy, less a point, that no run
    has before its first step: an arm that learns nothing sets none.
    """
    records = {arm: {key: _record(of, curves_of) for key, of in runs.items()} for arm, runs in found.items()}
    best = [median(np.array([of.values[BEST] for of in runs.values()])) - BELOW for runs in found.values()]
    for candidate in sorted(best) if target is None else [target]:
        steps = {
            arm: {key: steps_to_target(record, METRIC, candidate) for key, record in of_arm.items()}
            for arm, of_arm in records.items()
        }
        counted = [value for of_arm in steps.values() for value in of_arm.values() if not np.isnan(value)]
        if counted and min(counted) > 0 and np.isfinite(min(counted)):
            return candidate, steps
    return None, {arm: {} for arm in found}


def _record(found: _Found, curves_of: CurvesOf) -> Record:
    curves = curves_of([found.run], METRIC).get(found.run.arm, ())
    return Record(found.run.config, found.values["status"], {METRIC: curves[0]} if curves else {})


def inverse(ratio: float) -> float:
    """Return a ratio as it reads from the other side; 0 and ∞ are each other's."""
    return 1 / ratio if ratio else np.inf


def _turned_round(effect: Effect | None) -> Effect | None:
    return effect and Effect(inverse(effect.median), inverse(effect.high), inverse(effect.low), effect.seeds)


def _effect(
    first: Mapping[_Key, float],
    second: Mapping[_Key, float],
    paired: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Effect | None:
    """Pair what both arms have; of several pairs of a seed, their median is the seed's."""
    keys = [key for key in first if key in second and not np.isnan([first[key], second[key]]).any()]
    effects = paired(np.array([first[key] for key in keys]), np.array([second[key] for key in keys]))
    by_seed: dict[object, list[float]] = {}
    for key, effect in zip(keys, effects, strict=True):
        by_seed.setdefault(key[-1], []).append(effect)
    values = np.array([median(np.array(of_seed)) for of_seed in by_seed.values()])
    return Effect(median(values), *bootstrap_interval(values), len(values)) if len(values) else None
