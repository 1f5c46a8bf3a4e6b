"""Small claims and result tables whose verdict is known by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd

from experiments.analysis.claims import ClaimResult, family_size, judge, judge_table
from experiments.analysis.results_table import column_name
from experiments.configuration.experiment import ExperimentConfig

SEEDS = range(10)
STEPS = {
    "measure": "steps_to_target",
    "effect": "ratio",
    "over": "treatment",
    "baseline": "no_bn",
    "treatment": "bn",
    "margin": {"at_least": 1.5},
}
ACCURACY = {
    "measure": "final_value",
    "unit": "points",
    "effect": "difference",
    "baseline": "no_bn",
    "treatment": "bn",
    "margin": {"at_least": 0.5},
}
BOUND = {"measure": "worst_value", "metric": "error", "effect": "level", "treatment": "bn", "margin": {"at_most": 1e-3}}
RATE = "optimizer.learning_rate"
RATES = [0.1, 1.0, 10.0]


def experiment(*parts: dict, claim: dict | None = None, **fields: object) -> ExperimentConfig:
    made = {"statement": "s", "source": "s", "target": 0.9, "training_loss": 0.5, "parts": parts} | (claim or {})
    arms = {name: {} for name in ("no_bn", "bn", "other")}
    return ExperimentConfig.model_validate({"title": "t", "arms": arms, "seeds": 10, "claim": made} | fields)


def table(config: ExperimentConfig, part: int, *rows: dict) -> pd.DataFrame:
    """Rows of {arm, value, seed?, status?, grid axes…}; a list of values is one a seed, the rest is repeated."""
    assert config.claim is not None
    column = column_name(config.claim.parts[part], config.claim)
    made = []
    for row in rows:
        values = row.pop("value")
        for i, value in enumerate(values if isinstance(values, list) else [values] * 10):
            made.append({"seed": i, "status": "finished", **row, column: value})
    return pd.DataFrame(made)


def judged(part: dict, baseline: Any, treatment: Any, **fields: object) -> ClaimResult:
    config = experiment(part, **fields)
    rows = [{"arm": "no_bn", "value": baseline}] if baseline is not None else []
    return judge("id", config, table(config, 0, *rows, {"arm": "bn", "value": treatment}))


def whole_table(results: list[ClaimResult]) -> list[ClaimResult]:
    return judge_table(results, family_size(result.config for result in results))


def tuned_experiment(*parts: dict, **fields: object) -> ExperimentConfig:
    return experiment(*parts, grid={RATE: RATES}, tuning={}, **fields)


def tuning_rows(best: dict[str, float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"arm": arm, RATE: rate, "seed": seed, "status": "finished", "late_validation_accuracy": float(rate == at)}
            for arm, at in ({"other": 1.0} | best).items()
            for rate in RATES
            for seed in (100, 101, 102)
        ]
    )


def evaluation_rows(config: ExperimentConfig, **by_arm: dict[float, Any]) -> pd.DataFrame:
    rows = [{"arm": arm, RATE: rate, "value": value} for arm, of in by_arm.items() for rate, value in of.items()]
    return table(config, 0, *rows)
