"""What does every trial come to? One arm at one place of the grid, over its seeds: settings, curves and measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from experiments.analysis.measures import ACCURACY, lower_is_better
from experiments.analysis.summary import Network, Outcome, runs_at_best_rate
from experiments.analysis.tuning import ResultRows, plain
from experiments.configuration.experiment import Experiment, Run
from experiments.records.storage import Curve, run_name
from experiments.records.tensorboard import CURVES, RESULT, hparams
from experiments.reporting.figures import Band, band

# Tag → heading. Medians over seeds; a diverged run has the worst value there is.
MEASURES = {
    f"{RESULT}/steps_to_level": "steps to level",
    f"{RESULT}/test_accuracy": "test accuracy",
    f"{RESULT}/validation_accuracy": "validation accuracy",
    f"{RESULT}/test_frechet": "Fréchet distance to test images",
    f"{RESULT}/validation_frechet": "Fréchet distance to validation images",
    f"{RESULT}/share_diverged": "share diverged",
    f"{RESULT}/runs": "runs",
}
COLUMNS = {  # of the results table, whose medians are measures
    f"{RESULT}/test_accuracy": "final_test_accuracy",
    f"{RESULT}/validation_accuracy": "final_validation_accuracy",
    f"{RESULT}/test_frechet": "final_test_frechet",
    f"{RESULT}/validation_frechet": "late_validation_frechet",
}


@dataclass(frozen=True)
class Trial:
    """One row of TensorBoard's HParams.

    name: as its runs are called, the seed apart. settings: hyperparameter → value, and the status. measures: tag →
    value; no steps to a level that most runs do not reach. bands: metric → median and quartiles over the steps.
    """

    name: str
    settings: Mapping[str, str | float]
    measures: Mapping[str, float]
    bands: Mapping[str, Band]
    steps: int


def trials(experiment: Experiment, table: pd.DataFrame, networks: Sequence[Network]) -> list[Trial]:
    """Return every arm at every place of the grid, and between, where a run did not fail; tuning seeds count, too."""
    levels, axes = _levels(networks), [*experiment.config.grid]
    cells = {(arm, tuple(map(plain, grid.values()))): grid for arm, grid in experiment.cells()}
    rows: dict[tuple[str, tuple[Any, ...]], list[int]] = {cell: [] for cell in cells}
    for i, row in enumerate(table.to_dict("records")):
        if row["status"] != "failed":
            rows.setdefault((row["arm"], tuple(plain(row[axis]) for axis in axes)), []).append(i)
    found = []
    for (arm, values), of_cell in rows.items():
        if of_cell:
            run = experiment.run(arm, cells.get((arm, values)) or dict(zip(axes, values, strict=True)), 0)
            name = run_name(run).rpartition("/")[0]
            found.append(_trial(name, hparams(run), table.iloc[of_cell], levels.get(arm)))
    return found


def best_trials(experiment: Experiment, table: pd.DataFrame, networks: Sequence[Network]) -> list[Trial]:
    """Return every arm at its best learning rate, over its evaluation seeds and what else the grid varies."""
    levels, rows = _levels(networks), ResultRows(table, experiment.config)
    found: dict[str, dict[int, Run]] = {}
    for run in runs_at_best_rate(experiment, table):
        row = rows.row(run.arm, tuple(map(plain, run.grid.values())), run.config.seed)
        if row is not None:
            found.setdefault(run.arm, {})[row] = run
    return [
        _trial(arm, _common([*map(hparams, runs.values())]), table.iloc[[*runs]], levels.get(arm))
        for arm, runs in found.items()
    ]


def _common(settings: Sequence[Mapping[str, str | float]]) -> dict[str, str | float]:
    """What all have in common."""
    return {name: value for name, value in settings[0].items() if all(of.get(name) == value for of in settings)}


def _levels(networks: Sequence[Network]) -> dict[str, float]:
    """Arm → the accuracy to which its network's steps are counted."""
    return {arm.arm: network.level.accuracy for network in networks if network.level for arm in network.arms}


def _trial(name: str, settings: Mapping[str, str | float], rows: pd.DataFrame, level: float | None) -> Trial:
    diverged = rows["status"] == "diverged"
    measures = {
        **{tag: rows[column].median() for tag, column in COLUMNS.items() if column in rows},
        f"{RESULT}/share_diverged": diverged.mean(),
        f"{RESULT}/runs": len(rows),
    }
    if level is not None:
        columns = (rows[ACCURACY], rows["evaluate_every"], rows["steps"], diverged)
        outcomes = [Outcome(*of_run, np.nan) for of_run in zip(*columns, strict=True)]
        measures[f"{RESULT}/steps_to_level"] = np.median([outcome.steps_to(level)[1] for outcome in outcomes])
    bands = {
        metric: band(
            [
                Curve(every * np.arange(len(curve)), np.asarray(curve, float))
                for curve, every in zip(rows[metric], rows["evaluate_every"], strict=True)
            ],
            lower_is_better=lower_is_better(metric),
        )
        for metric in CURVES
        if metric in rows
    }
    lost = "finished" if not diverged.any() else "diverged" if diverged.all() else "diverged in part"
    known = {tag: float(value) for tag, value in measures.items() if np.isfinite(value)}
    return Trial(name, {**settings, "status": lost}, known, bands, int(rows["steps"].max()))
