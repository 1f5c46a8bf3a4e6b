"""What came out, for a reader who has not seen the documentation: one row an arm, at its best learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.analysis.results_table import column_name
from experiments.analysis.seed_values import weights
from experiments.analysis.tuning import best_values, tuned_rates
from experiments.configuration.experiment import LEARNING_RATE, Experiment, ExperimentConfig, Run


@dataclass(frozen=True)
class ArmSummary:
    """One arm at its best learning rate, over its evaluation seeds and what else the grid varies.

    steps_to_target, test_accuracy: (median, lower quartile, upper quartile); None where not measured.
    diverged: of these runs. diverged_elsewhere: of the arm's runs at other rates and on tuning seeds.
    """

    arm: str
    best_rate: float | None
    at_edge: bool
    seeds: int
    steps_to_target: tuple[float, float, float] | None
    test_accuracy: tuple[float, float, float]
    diverged: int
    runs: int
    diverged_elsewhere: int
    runs_elsewhere: int


def runs_at_best_rate(experiment: Experiment, table: pd.DataFrame) -> list[Run]:
    """Return the evaluation runs of every arm at its best value of the tuned axis.

    Without tuning, the best learning rate is that of the highest mean validation accuracy over the evaluation seeds;
    without several rates, all evaluation runs are returned.
    """
    config = experiment.config
    tuning = config.tuning
    if tuning:
        best = best_values(tuned_rates(table, config))
        runs = experiment.evaluation_runs(best)
        return [r for r in runs if best.get((r.arm, tuple(r.grid[a] for a in tuning.per))) == r.grid[tuning.over]]
    runs = experiment.evaluation_runs({})
    if LEARNING_RATE not in config.grid:
        return runs
    if table.empty:
        return []
    evaluated = table[table["seed"].isin(config.seeds)]
    means = evaluated.pivot_table(
        index="arm", columns=LEARNING_RATE, values="final_validation_accuracy", aggfunc="mean"
    )
    best_of = means.idxmax(axis="columns").to_dict()
    return [run for run in runs if best_of.get(run.arm) == run.grid[LEARNING_RATE]]


def summarize(experiment: Experiment, table: pd.DataFrame) -> list[ArmSummary]:
    """Return a row per arm, over its evaluation runs at its best rate."""
    config = experiment.config
    edges = {arm for (arm, _), tuned in tuned_rates(table, config).items() if tuned.at_edge}
    best = runs_at_best_rate(experiment, table)
    rows = []
    for arm in config.arms:
        runs = table[table["arm"] == arm]
        of_arm = [run for run in best if run.arm == arm]
        rates = {run.grid[LEARNING_RATE] for run in of_arm} if LEARNING_RATE in config.grid else set()
        evaluated = runs[runs["seed"].isin(config.seeds)]
        steps = _steps_column(config, arm)
        if rates:
            evaluated = evaluated[evaluated[LEARNING_RATE].isin(rates)]
        diverged = int((evaluated["status"] == "diverged").sum())
        rows.append(
            ArmSummary(
                arm,
                rates.pop() if len(rates) == 1 else None,
                arm in edges,
                evaluated["seed"].nunique(),
                _quartiles(evaluated[steps]) if steps else None,
                _quartiles(evaluated["final_test_accuracy"]),
                diverged,
                len(evaluated),
                int((runs["status"] == "diverged").sum()) - diverged,
                len(runs) - len(evaluated),
            )
        )
    return rows


def target_of(config: ExperimentConfig) -> float | None:
    """Return the accuracy that steps are counted to, None where there is none or not the same one for all arms."""
    if config.claim is None or any(part.target is not None for part in config.claim.parts):
        return None
    return config.claim.target


def _steps_column(config: ExperimentConfig, arm: str) -> str | None:
    """The column of steps to the target that the claim sets for this arm, or for the first where it sets none."""
    claim = config.claim
    parts = [part for part in claim.parts if part.measure == "steps_to_target"] if claim else []
    of_arm = [part for part in parts if arm in (*weights(part.baseline), *weights(part.treatment))]
    return column_name((of_arm or parts)[0], claim) if claim and parts else None


def _quartiles(values: Sequence[float] | pd.Series) -> tuple[float, float, float]:
    """Median and quartiles; a target that was never reached counts as infinitely many steps."""
    array = np.sort(np.asarray(values, float))
    if not len(array):
        return np.nan, np.nan, np.nan
    with np.errstate(invalid="ignore"):
        low, middle, high = (float(np.quantile(array, q, method="nearest")) for q in (0.25, 0.5, 0.75))
    return middle, low, high
