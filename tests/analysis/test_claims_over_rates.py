"""Claims over learning rates and other axes of the grid: tuned, pooled, the largest and the smallest that work."""

from __future__ import annotations

from math import inf

import numpy as np
import pandas as pd
import pytest
from judging import ACCURACY, RATE, RATES, STEPS, evaluation_rows, experiment, table, tuned_experiment, tuning_rows

from experiments.analysis.claims import ClaimResult, judge
from experiments.configuration.experiment import ExperimentConfig


def test_each_arm_is_taken_at_its_own_best_rate():
    config = experiment(STEPS, grid={RATE: [0.1, 1.0, 3.0, 10.0]}, tuning={})
    tuning = pd.concat(
        [tuning_rows({"no_bn": 1.0, "bn": 3.0}), tuning_rows({}).assign(arm="bn", **{RATE: 3.0}).iloc[3:6]]
    )
    for arm in ("no_bn", "other"):
        tuning = pd.concat([tuning, tuning[(tuning.arm == arm) & (tuning[RATE] == 0.1)].assign(**{RATE: 3.0})])
    evaluation = evaluation_rows(config, no_bn={1.0: 300.0, 3.0: 1.0}, bn={1.0: 1.0, 3.0: 100.0})
    result = judge("id", config, pd.concat([tuning, evaluation]))
    assert (result.verdict, result.parts[0].estimate) == ("supported", 3.0)
    assert result.tuned == {"no_bn": 1.0, "bn": 3.0, "other": 1.0}


def test_a_best_rate_at_the_edge_makes_the_claim_inconclusive_whatever_the_numbers():
    config = tuned_experiment(STEPS, ACCURACY | {"baseline": "other"})
    rows = evaluation_rows(config, no_bn={10.0: 300.0}, bn={1.0: 100.0}, other={1.0: 100.0})
    rows["final_value(accuracy/test)"] = 0.9  # no difference at all
    result = judge("id", config, pd.concat([tuning_rows({"no_bn": 10.0, "bn": 1.0}), rows]))
    assert result.verdict == "inconclusive"
    assert "the best learning rate of no_bn is at the edge of the grid" in result.reason
    assert result.parts[0].estimate == 3.0
    assert result.parts[0].at_edge == ("no_bn",)
    assert result.parts[1].verdict == "refuted"


def test_the_edge_of_an_arm_that_is_not_compared_does_not_matter():
    config = tuned_experiment(STEPS)
    tuning = tuning_rows({"no_bn": 1.0, "bn": 1.0, "other": 10.0})
    rows = evaluation_rows(config, no_bn={1.0: 300.0}, bn={1.0: 100.0})
    assert judge("id", config, pd.concat([tuning, rows])).verdict == "supported"


def test_missing_tuning_runs_make_it_inconclusive():
    config = tuned_experiment(STEPS)
    tuning = tuning_rows({"no_bn": 1.0, "bn": 1.0})
    rows = evaluation_rows(config, no_bn={1.0: 300.0}, bn={1.0: 100.0})
    result = judge("id", config, pd.concat([tuning.drop(index=0), tuning.iloc[:0], rows], ignore_index=True))
    assert result.verdict == "supported"  # index 0 is of the arm that is not compared
    result = judge("id", config, pd.concat([tuning[tuning.arm != "bn"], rows], ignore_index=True))
    assert (result.verdict, result.reason) == ("inconclusive", "bn is not tuned: 9 tuning runs are missing or failed")


POOLED = STEPS | {"rate": "every", "per_seed": "median"}


def test_pooled_rates_are_paired_rate_by_rate():
    config = experiment(POOLED, grid={RATE: RATES})
    # ratios 1 (neither arrives), 4, 2: median 2; the ratio of medians would be 3
    rows = evaluation_rows(config, no_bn={0.1: inf, 1.0: 400.0, 10.0: 600.0}, bn={0.1: inf, 1.0: 100.0, 10.0: 300.0})
    result = judge("id", config, rows)
    assert (result.verdict, result.parts[0].estimate) == ("supported", 2.0)
    # pairs of seeds at 0.1 tie, at the others bn is always better
    assert result.parts[0].probability_of_improvement == pytest.approx((0.5 + 1 + 1) / 3)


def test_rates_at_which_a_baseline_run_diverges_are_left_out_and_it_says_so():
    config = experiment(POOLED, grid={RATE: RATES})
    rows = evaluation_rows(config, no_bn={0.1: 100.0, 1.0: 100.0, 10.0: inf}, bn={0.1: 50.0, 1.0: 50.0, 10.0: 1.0})
    rows.loc[25, "status"] = "diverged"
    assert (rows.loc[25, "arm"], rows.loc[25, RATE]) == ("no_bn", 10.0)
    result = judge("id", config, rows)
    assert result.parts[0].estimate == 2.0
    assert "without the 1 of 3 rates at which a baseline run diverges" in result.reason
    rows.loc[rows.arm == "bn", "status"] = "diverged"
    assert judge("id", config, rows).parts[0].estimate == 2.0  # the treatment's divergence leaves nothing out
    rows.loc[rows.arm == "no_bn", "status"] = "diverged"
    assert judge("id", config, rows).reason == "at every rate a baseline run diverges"


STABLE = {
    "measure": "final_value",
    "effect": "ratio",
    "baseline": "no_bn",
    "treatment": "bn",
    "rate": "every",
    "per_seed": "largest_stable_rate",
    "axis": RATE,
    "margin": {"at_least": 5},
}


def stable(no_bn: list[float], bn: list[float]) -> ClaimResult:
    config = experiment(STABLE, grid={RATE: RATES})
    by_arm = {"no_bn": dict(zip(RATES, no_bn, strict=True)), "bn": dict(zip(RATES, bn, strict=True))}
    return judge("id", config, evaluation_rows(config, **by_arm))


def test_largest_stable_rates_are_compared():
    result = stable([0.9, 0.1, 0.1], [0.9, 0.9, 0.1])
    assert (result.verdict, result.parts[0].estimate) == ("supported", 10.0)
    assert (result.parts[0].baseline_median, result.parts[0].treatment_median) == (0.1, 1.0)


def test_a_rate_still_stable_at_the_top_can_support_but_not_refute():
    assert stable([0.9, 0.1, 0.1], [0.9, 0.9, 0.9]).verdict == "supported"
    censored = stable([0.9, 0.9, 0.9], [0.9, 0.9, 0.9])
    assert (censored.verdict, "still stable" in censored.reason) == ("inconclusive", True)
    assert stable([0.9, 0.9, 0.1], [0.9, 0.9, 0.1]).verdict == "refuted"
    assert stable([0.9, 0.9, 0.9], [0.9, 0.9, 0.1]).verdict == "refuted"


def test_the_smallest_rate_at_which_all_tuning_runs_arrive():
    part = STEPS | {"rate": "smallest_progressing", "margin": {"within": [0.8, 1.25]}}
    config = experiment(part, grid={RATE: RATES}, tuning={"evaluate": "all"})
    column = "steps_to_target(accuracy/validation, 0.9)"
    tuning = tuning_rows({"no_bn": 10.0, "bn": 10.0}).assign(**{column: 50.0})
    tuning.loc[(tuning.arm == "no_bn") & (tuning[RATE] == 0.1) & (tuning.seed == 101), column] = inf
    by_rate = {0.1: 100.0, 1.0: 200.0, 10.0: 900.0}
    rows = evaluation_rows(config, no_bn=by_rate, bn=by_rate | {10.0: 10.0, 0.1: 10.0})
    result = judge("id", config, pd.concat([tuning, rows]))
    assert (result.verdict, result.parts[0].estimate) == ("supported", 1.0)
    assert result.parts[0].baseline_median == 200.0
    assert "(at the rate 1)" in result.reason  # and the edge at which the arms are best has no bearing
    nowhere = judge("id", config, pd.concat([tuning.assign(**{column: inf}), rows]))
    assert nowhere.reason == "at no rate does every tuning run of both arms reach the target"


def test_a_correlation_along_an_axis_with_the_rate_tuned_anew():
    sizes = [16, 64, 256]
    axis = "model.norm.virtual_batch_size"
    part = {"measure": "final_value", "effect": "level", "treatment": "bn", "axis": axis, "margin": {"above": 0.5}}
    config = ExperimentConfig.model_validate(
        {
            "title": "t",
            "arms": {"bn": {}},
            "seeds": 10,
            "grid": {RATE: RATES, axis: sizes},
            "tuning": {"per": [axis]},
            "claim": {"statement": "s", "source": "s", "parts": [part | {"per_seed": "rank_correlation"}]},
        }
    )
    tuning = pd.concat([tuning_rows({"bn": 1.0}).query("arm == 'bn'").assign(**{axis: size}) for size in sizes])
    rows = table(config, 0, *({"arm": "bn", RATE: 1.0, axis: size, "value": np.log(size)} for size in sizes))
    result = judge("id", config, pd.concat([tuning, rows]))
    assert (result.verdict, result.parts[0].estimate) == ("supported", 1.0)
    assert result.tuned == {f"bn ({axis}={size})": 1.0 for size in sizes}
