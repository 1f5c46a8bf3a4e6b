"""Small experiments, results tables and claims whose verdict is known by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from experiments.analysis.claims import ClaimResult, judge
from experiments.analysis.comparison import Comparison, compare
from experiments.analysis.hitting_times import late
from experiments.analysis.part_runs import Results
from experiments.configuration.claim import ClaimConfig, PartConfig
from experiments.configuration.experiment import ExperimentConfig

RATE, SCALE = "optimizer.learning_rate", "model.init_scale"
SEEDS, TUNING = tuple(range(20)), tuple(range(100, 105))
STEPS, EVERY = 400, 10
ARMS = {"baseline": "no_bn", "treatment": "bn"}
ACCURACY = {"measure": "final_value", "effect": "difference", "unit": "points", **ARMS}  # bn − no_bn
TIMES = {"measure": "steps_to_level", "level": 0.5, "effect": "ratio", "over": "treatment", **ARMS}  # τ_no / τ_bn
TEST = "final(accuracy/test)"


def experiment(rates: Iterable[float] = (), **fields: Any) -> ExperimentConfig:
    """Arms no_bn, bn and other. rates: tuned over, and all of them trained by all seeds."""
    base: dict[str, Any] = {"title": "t", "arms": {arm: {} for arm in ("no_bn", "bn", "other")}, "seeds": SEEDS}
    base["tuning"] = None
    if rates:
        base |= {"grid": {RATE: tuple(rates)}, "tuning": {"seeds": TUNING, "evaluate": "all"}}
    return ExperimentConfig.model_validate(base | fields)


def learning(half: float, top: float = 0.95) -> list[float]:
    """Accuracies that rise evenly, to 0.5 at step `half`, and stay at `top`."""
    return [float(min(top, 0.5 * step / half)) for step in range(0, STEPS + 1, EVERY)]


def run(arm: str, seed: int, curve: list[float] | None = None, **columns: Any) -> dict[str, Any]:
    """A row of the results table. curve: of the accuracy."""
    made = {"arm": arm, "seed": seed, "status": "finished", "steps": STEPS, "evaluate_every": EVERY} | columns
    if curve is not None:
        made |= {"accuracy/validation": curve, "late_validation_accuracy": late(curve)}
    if made["status"] == "diverged":
        made["late_validation_accuracy"] = 0.0
    return made


def runs(arm: str, seeds: Iterable[int] = SEEDS, **columns: Any) -> list[dict[str, Any]]:
    """Rows of an arm. A column that is a numpy array has a value for each seed, any other the same for all."""
    return [
        run(arm, seed, **{name: v[i].item() if isinstance(v, np.ndarray) else v for name, v in columns.items()})
        for i, seed in enumerate(seeds)
    ]


def tuned(arm: str, halves: dict[float, float], **columns: Any) -> list[dict[str, Any]]:
    """Rows of an arm's tuning and evaluation seeds: rate → the step at which it comes to 0.5; nan: it never trains."""
    return [
        row
        for rate, half in halves.items()
        for row in runs(arm, (*TUNING, *SEEDS), curve=learning(half, **columns) if half == half else [0.1] * 41)
        for row[RATE] in [rate]
    ]


def results(rows: Iterable[dict[str, Any]], config: ExperimentConfig | None = None) -> Results:
    return Results(config or experiment(), pd.DataFrame(list(rows)))


def compared(
    part: dict[str, Any], found: Results, cost: Results | None = None, chance: float = 0.1
) -> list[Comparison]:
    return compare(PartConfig.model_validate(part), found, cost, claim(chance=chance))


def claim(*parts: dict[str, Any], **fields: Any) -> ClaimConfig:
    return ClaimConfig.model_validate({"statement": "s", "source": "s", "parts": parts} | fields)


def judged(found: Results | dict[str, Results], *parts: dict[str, Any], **fields: Any) -> ClaimResult:
    sources = found if isinstance(found, dict) else {"id": found}
    return judge("id", claim(*parts, **fields), sources)


def by_accuracy(baseline: Any, treatment: Any, config: ExperimentConfig | None = None) -> Results:
    """Results whose test accuracies are given: one for all seeds, or one each."""
    values = {"no_bn": baseline, "bn": treatment}
    seeds = (config or experiment()).seeds
    rows = [
        row
        for arm, value in values.items()
        for row in runs(arm, seeds, **{TEST: np.array(value, float) if isinstance(value, list) else value})
    ]
    return results(rows, config)
