from __future__ import annotations

from math import inf

import pandas as pd

from experiments.analysis.comparison import compare, smallest_progressing
from experiments.analysis.tuning import ResultRows, tuned_rates
from experiments.configuration.experiment import ExperimentConfig

STEPS = {
    "measure": "steps_to_target",
    "effect": "ratio",
    "over": "treatment",
    "baseline": "no_bn",
    "treatment": "bn",
    "rate": "smallest_progressing",
    "per_seed": "median",
    "margin": {"within": [0.8, 1.25]},
}
CONFIG = ExperimentConfig.model_validate(
    {
        "title": "t",
        "arms": {"no_bn": {}, "bn": {}},
        "grid": {"optimizer.learning_rate": ["1e-1", 1, 10], "model.depth": [1, 2]},
        "tuning": {"evaluate": "all"},
        "seeds": [0, 1],
        "claim": {"statement": "s", "source": "s", "target": 0.9, "parts": [STEPS]},
    }
)
COLUMN = "steps_to_target(accuracy/validation, 0.9)"


def rows(never_reached: set[tuple[str, float, int]]) -> pd.DataFrame:
    """Every run of CONFIG, 100 steps but for (arm, rate, depth) where the target is never reached."""
    return pd.DataFrame(
        [
            {
                "arm": arm,
                "optimizer.learning_rate": rate,
                "model.depth": depth,
                "seed": seed,
                "status": "finished",
                "late_validation_accuracy": 0.9,
                COLUMN: inf if (arm, rate, depth) in never_reached else 100.0,
            }
            for arm in ("no_bn", "bn")
            for rate in (0.1, 1.0, 10.0)
            for depth in (1, 2)
            for seed in (0, 1, 100, 101, 102)
        ]
    )


def test_a_rate_makes_progress_only_if_both_arms_do_all_over_the_grid():
    assert CONFIG.claim is not None
    part = CONFIG.claim.parts[0]
    for never, smallest in [
        (set(), 0.1),
        ({("no_bn", 0.1, 1)}, 1.0),
        ({("no_bn", 0.1, 2), ("bn", 1.0, 1)}, 10.0),
        ({("bn", 0.1, 1), ("bn", 1.0, 2), ("no_bn", 10.0, 1)}, None),
    ]:
        found = ResultRows(rows(never), CONFIG)
        assert smallest_progressing(found, part, CONFIG.claim, CONFIG) == smallest


def test_a_comparison_holds_one_value_a_seed_in_every_cell_chosen():
    assert CONFIG.claim is not None
    table = rows(set())
    tuned = tuned_rates(table, CONFIG)
    found = compare(CONFIG.claim.parts[0], CONFIG.claim, CONFIG, ResultRows(table, CONFIG), tuned)
    assert found.problems == ()
    assert found.arms["bn"].values == {(1,): [100.0, 100.0], (2,): [100.0, 100.0]}  # by depth, at the rate 0.1
    assert found.effects().tolist() == [1.0, 1.0]
    assert found.note == "at the rate 0.1"
