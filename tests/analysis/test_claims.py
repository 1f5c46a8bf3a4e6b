from __future__ import annotations

import typing
from dataclasses import replace
from math import inf, isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.analysis.claims import ClaimResult, PartResult, family_size, judge, judge_table
from experiments.analysis.results_table import column_name
from experiments.configuration.claim import MeasureName, PartConfig
from experiments.configuration.experiment import ExperimentConfig
from experiments.configuration.loading import load_experiment
from experiments.reporting.wording import what_would_change

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
Values = dict[str, Any]


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


# ── every verdict ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_effect_wholly_beyond_the_margin_is_supported():
    result = judged(STEPS, [200.0, 300.0] * 5, 100.0)
    part = result.parts[0]
    assert result.verdict == part.verdict == "supported"
    assert (part.estimate, part.low, part.high) == (2.5, 2.0, 3.0)
    assert part.effects == {seed: 2.0 + seed % 2 for seed in SEEDS}
    assert part.p == 2.0**-10
    assert part.p_adjusted is None
    assert (part.baseline_median, part.treatment_median) == (250.0, 100.0)
    assert part.probability_of_improvement == 1.0


@pytest.mark.parametrize(
    ("baseline", "direction"), [(140.0, "smaller than claimed"), (100.0, "absent"), (50.0, "reversed")]
)
def test_an_effect_wholly_short_of_the_margin_is_refuted_and_says_how(baseline: float, direction: str):
    result = judged(STEPS, baseline, 100.0)
    assert (result.verdict, result.parts[0].direction) == ("refuted", direction)
    assert direction in result.reason


@pytest.mark.parametrize(
    ("treatment", "direction"), [(90.0, "smaller than claimed"), (100.0, "absent"), (110.0, "reversed")]
)
def test_a_refuted_decrease_says_how(treatment: float, direction: str):
    part = STEPS | {"over": "baseline", "margin": {"below": 0.8}}
    result = judged(part, 100.0, treatment)
    assert (result.verdict, result.parts[0].direction) == ("refuted", direction)


def test_short_of_a_margin_at_no_effect_is_reversed():
    assert judged(STEPS | {"margin": {"at_least": 1}}, 50.0, 100.0).parts[0].direction == "reversed"


def test_a_refuted_harmlessness_is_larger_than_allowed():
    part = ACCURACY | {"over": "treatment", "margin": {"at_most": 1}}
    result = judged(part, 0.95, 0.90)
    assert (result.verdict, result.parts[0].direction) == ("refuted", "larger than allowed")


def test_an_interval_that_includes_the_margin_is_inconclusive():
    result = judged(STEPS, [100.0, 200.0] * 5, 100.0)
    assert result.verdict == "inconclusive"
    assert "includes the margin" in result.reason


@pytest.mark.parametrize(
    ("baseline", "verdict", "direction"),
    [(100.0, "supported", ""), (50.0, "refuted", "below the band"), (150.0, "refuted", "above the band")],
)
def test_a_band_holds_the_whole_interval_or_none_of_it(baseline: float, verdict: str, direction: str):
    result = judged(STEPS | {"margin": {"within": [0.8, 1.25]}}, baseline, 100.0)
    assert (result.verdict, result.parts[0].direction) == (verdict, direction)
    assert result.parts[0].probability_of_improvement is None


def test_points_are_hundredths_and_rounding_does_not_decide():
    result = judged(ACCURACY, 0.915, 0.92)
    part = result.parts[0]
    assert (part.estimate, part.low, part.high) == (0.5, 0.5, 0.5)
    assert (part.baseline_median, part.treatment_median) == pytest.approx((91.5, 92.0))
    assert part.verdict == "inconclusive"  # the interval is at the margin, but no seed is beyond it: p = 1
    assert part.p == 1.0
    assert "p = 1" in part.reason


def test_divergence_counts_as_never_reaching_the_target():
    always = judged(STEPS, inf, 100.0)
    assert (always.verdict, always.parts[0].estimate) == ("supported", inf)
    never = judged(STEPS, inf, inf)
    assert (never.verdict, never.parts[0].estimate, never.parts[0].direction) == ("refuted", 1.0, "absent")
    treatment_only = judged(STEPS, 100.0, inf)
    assert (treatment_only.verdict, treatment_only.parts[0].estimate) == ("refuted", 0.0)


def test_a_level_is_the_treatment_alone():
    part = ACCURACY | {"effect": "level", "baseline": None, "margin": {"at_most": 30}}
    result = judged(part, None, 0.1)
    assert (result.verdict, result.parts[0].estimate, result.parts[0].baseline_median) == ("supported", 10.0, None)
    assert judged(part, None, 0.5).verdict == "refuted"


def test_improvement_is_counted_in_the_direction_the_claim_states():
    lower_is_claimed = STEPS | {"over": "baseline", "margin": {"below": 1}}
    assert judged(lower_is_claimed, 200.0, 100.0).parts[0].probability_of_improvement == 1.0
    assert judged(ACCURACY, 0.8, 0.9).parts[0].probability_of_improvement == 1.0
    assert judged(ACCURACY, 0.9, 0.8).parts[0].probability_of_improvement == 0.0


def test_arms_with_weights_make_a_contrast():
    # Recovers half: bn − ½ no_bn − ½ other = 0.92 − 0.45 − 0.46 = 0.01
    part = ACCURACY | {"effect": "level", "baseline": None, "margin": {"above": 0.9}}
    config = experiment(part | {"treatment": {"bn": 1, "no_bn": -0.5, "other": -0.5}})
    rows = [{"arm": arm, "value": value} for arm, value in {"bn": 0.92, "no_bn": 0.9, "other": 0.92}.items()]
    result = judge("id", config, table(config, 0, *rows))
    assert (result.verdict, result.parts[0].estimate) == ("supported", 1.0)


def test_a_share_of_the_baseline_is_a_weight():
    # 0.95 · 1.0 − 0.9 = 0.05
    part = {"measure": "gap_at_training_loss", "effect": "difference", "over": "treatment", "margin": {"at_least": 0}}
    weighted = part | {"baseline": {"no_bn": 0.95}, "treatment": "bn"}
    assert judged(weighted, 1.0, 0.9).parts[0].estimate == 0.05
    assert judged(weighted, 1.0, 0.9).verdict == "supported"


@pytest.mark.parametrize(
    ("treatment", "direction"), [(0.98, "smaller than claimed"), (1.0, "absent"), (1.2, "reversed")]
)
def test_a_share_of_the_baseline_refuted_is_compared_with_the_whole_of_it(treatment: float, direction: str):
    part = {"measure": "gap_at_training_loss", "effect": "difference", "over": "treatment", "margin": {"at_least": 0}}
    result = judged(part | {"baseline": {"no_bn": 0.95}, "treatment": "bn"}, 1.0, treatment)
    assert (result.verdict, result.parts[0].direction) == ("refuted", direction)


@pytest.mark.parametrize(
    ("treatment", "direction"), [(0.7, "smaller than claimed"), (0.6, "absent"), (0.5, "reversed")]
)
def test_short_of_a_mean_of_arms_is_compared_with_the_one_that_is_easiest_to_beat(treatment: float, direction: str):
    # Recovers less than half, nothing, or loses more: half would be 0.75.
    config = experiment(ACCURACY | {"baseline": {"other": 0.5, "no_bn": 0.5}, "margin": {"at_least": 0}})
    values = {"bn": treatment, "no_bn": 0.6, "other": 0.9}
    result = judge("id", config, table(config, 0, *({"arm": arm, "value": value} for arm, value in values.items())))
    assert (result.verdict, result.parts[0].direction) == ("refuted", direction)


# ── what keeps a verdict from being given ────────────────────────────────────────────────────────────────────────────


def test_missing_and_failed_runs_make_it_inconclusive():
    config = experiment(STEPS)
    rows = table(config, 0, {"arm": "no_bn", "value": 200.0}, {"arm": "bn", "value": 100.0})
    rows.loc[0, "status"] = "failed"
    result = judge("id", config, rows.drop(index=[18, 19]))
    assert result.verdict == "inconclusive"
    assert result.reason == "1 of 10 runs of no_bn failed; 2 of 10 runs of bn are missing"
    assert isnan(result.parts[0].estimate)


def test_no_results_at_all_are_inconclusive():
    for empty in (pd.DataFrame(), pd.DataFrame({"arm": [], "seed": [], "status": []})):
        result = judge("id", experiment(STEPS), empty)
        assert result.reason == "10 of 10 runs of no_bn are missing; 10 of 10 runs of bn are missing"


def test_a_run_without_the_measure_is_a_missing_run_and_says_if_it_diverged():
    config = experiment(ACCURACY | {"measure": "mean_value", "metric": "change"})
    rows = table(config, 0, {"arm": "no_bn", "value": 0.5}, {"arm": "bn", "value": 0.4})
    rows.loc[[0, 1], "mean_value(change)"] = nan
    rows.loc[0, "status"] = "diverged"
    result = judge("id", config, rows)
    assert result.verdict == "inconclusive"
    assert result.reason == "2 of 10 runs of no_bn have no value of mean_value(change), 1 of them diverged"


def test_a_table_made_for_another_target_has_no_values():
    config = experiment(STEPS)
    result = judge("id", experiment(STEPS | {"target": 0.5}), table(config, 0, {"arm": "no_bn", "value": 1.0}))
    assert "no value of steps_to_target(accuracy/validation, 0.5)" in result.reason


def test_too_few_seeds_for_any_verdict():
    result = judged(STEPS, 1000.0, 100.0, seeds=9)
    assert (result.verdict, result.reason) == ("inconclusive", "9 seeds, where a verdict takes 10")
    assert result.parts[0].estimate == 10.0


@pytest.mark.parametrize(
    ("part", "name"), [(STEPS, "target"), (ACCURACY | {"measure": "gap_at_training_loss"}, "training_loss")]
)
def test_a_claim_without_its_level_names_it(part: dict, name: str):
    config = experiment(part, claim={"target": None, "training_loss": None})
    assert judge("id", config, pd.DataFrame()).reason == f"the claim names no {name}"


def test_a_ratio_of_negative_values_is_not_defined():
    result = judged(ACCURACY | {"effect": "ratio"}, -0.1, 0.1)
    assert (result.verdict, result.reason) == ("inconclusive", "the ratio is not defined for 10 of 10 seeds")


def test_several_runs_a_seed_need_a_way_to_become_one():
    config = experiment(STEPS, grid={"model.depth": [1, 2]})
    rows = [{"arm": arm, "model.depth": depth, "value": 1.0} for arm in ("no_bn", "bn") for depth in (1, 2)]
    result = judge("id", config, table(config, 0, *rows))
    assert "2 runs a seed, so per_seed has to say" in result.reason


def test_an_experiment_without_a_claim_has_nothing_to_judge():
    config = ExperimentConfig(title="t", arms={"bn": {}})
    with pytest.raises(ValueError, match="mnist_x: claim: the experiment makes none"):
        judge("mnist_x", config, pd.DataFrame())


# ── learning rates ───────────────────────────────────────────────────────────────────────────────────────────────────

RATE = "optimizer.learning_rate"
RATES = [0.1, 1.0, 10.0]


def tuned_experiment(*parts: dict, **fields: object) -> ExperimentConfig:
    return experiment(*parts, grid={RATE: RATES}, tuning={}, **fields)


def tuning_rows(best: dict[str, float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"arm": arm, RATE: rate, "seed": seed, "status": "finished", "final_validation_accuracy": float(rate == at)}
            for arm, at in ({"other": 1.0} | best).items()
            for rate in RATES
            for seed in (100, 101, 102)
        ]
    )


def evaluation_rows(config: ExperimentConfig, **by_arm: dict[float, Any]) -> pd.DataFrame:
    rows = [{"arm": arm, RATE: rate, "value": value} for arm, of in by_arm.items() for rate, value in of.items()]
    return table(config, 0, *rows)


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


# ── plain bounds ─────────────────────────────────────────────────────────────────────────────────────────────────────

BOUND = {"measure": "worst_value", "metric": "error", "effect": "level", "treatment": "bn", "margin": {"at_most": 1e-3}}


def test_an_exact_claim_holds_for_every_seed_and_has_no_p():
    result = judged(BOUND, None, [1e-4, 1e-3], claim={"kind": "exact"}, seeds=2)
    part = result.parts[0]
    assert (result.verdict, part.p, part.estimate, part.low, part.high) == ("supported", None, 1e-3, 1e-4, 1e-3)


def test_one_seed_beyond_the_bound_refutes_an_exact_claim():
    result = judged(BOUND, None, [1e-4] * 19 + [2e-3], claim={"kind": "exact"}, seeds=20)
    assert (result.verdict, result.parts[0].estimate) == ("refuted", 2e-3)
    assert judged(BOUND, None, [1e-4, nan], claim={"kind": "exact"}, seeds=2).verdict == "inconclusive"


def test_the_worst_seed_of_a_lower_bound_is_the_smallest():
    part = BOUND | {"margin": {"at_least": 0.5}}
    result = judged(part, None, [0.4, 0.9], claim={"kind": "exact"}, seeds=2)
    assert (result.verdict, result.parts[0].estimate) == ("refuted", 0.4)


ALIKE = {
    "measure": "first_values",
    "effect": "largest_difference",
    "baseline": "no_bn",
    "treatment": "bn",
    "rate": "every",
    "margin": {"at_most": 1e-4},
}


def test_losses_step_by_step_are_a_plain_bound_in_a_statistical_claim():
    config = experiment(ALIKE, grid={RATE: [0.1, 1.0]})
    base, near, far = [[2.0, 1.0]] * 10, [[2.0, 1.00005]] * 10, [[2.0, 1.00005]] * 9 + [[2.0, 1.1]]
    rows = evaluation_rows(config, no_bn={0.1: base, 1.0: base}, bn={0.1: near, 1.0: base})
    part = judge("id", config, rows).parts[0]
    assert (part.verdict, part.p) == ("supported", None)
    assert part.estimate == pytest.approx(5e-5)
    rows = evaluation_rows(config, no_bn={0.1: base, 1.0: base}, bn={0.1: near, 1.0: far})
    assert judge("id", config, rows).verdict == "refuted"


def test_a_run_that_left_no_losses_is_missing():
    config = experiment(ALIKE)
    rows = table(config, 0, {"arm": "no_bn", "value": [[1.0]] * 10}, {"arm": "bn", "value": [[]] + [[1.0]] * 9})
    assert judge("id", config, rows).reason == "1 of 10 runs of bn have no value of first_values(loss/step)"


# ── several parts, the whole table ───────────────────────────────────────────────────────────────────────────────────


def two_parts(steps: float, accuracy: float, second: dict | None = None, **claim: object) -> ClaimResult:
    config = experiment(STEPS, ACCURACY | (second or {}), claim=dict(claim))
    rows = table(config, 0, {"arm": "no_bn", "value": 100.0}, {"arm": "bn", "value": 100.0 / steps})
    rows["final_value(accuracy/test)"] = np.where(rows.arm == "bn", 0.9 + accuracy / 100, 0.9)
    return judge("id", config, rows)


def test_a_claim_is_supported_only_if_every_part_is_and_refuted_if_one_is():
    assert two_parts(2.0, 1.0).verdict == "supported"
    assert two_parts(2.0, 0.1).verdict == "refuted"
    assert two_parts(1.5, 1.0).verdict == "inconclusive"  # the interval is at the margin, p = 1
    assert two_parts(1.5, 0.1).verdict == "refuted"


def test_only_the_parts_that_decide_do():
    shown = two_parts(2.0, 0.1, {"decides": False})
    assert shown.verdict == "supported"
    assert shown.parts[1].verdict == "refuted"


def test_separate_verdicts_are_all_given():
    result = two_parts(2.0, 0.1, separate_verdicts=True)
    assert result.verdict == "refuted"
    assert "steps_to_target: supported" in result.reason
    assert "final_value: refuted" in result.reason


def test_a_claim_without_deciding_parts_is_inconclusive():
    assert judge("id", experiment(), pd.DataFrame()).reason == "no part decides"


def test_holm_adjusts_over_all_deciding_statistical_parts_of_the_table():
    alone = judged(STEPS, [200.0] * 9 + [100.0], 100.0)  # p = 47/1024: the one below the margin is the farthest
    strong = judged(STEPS, 200.0, 100.0)
    exact = judged(BOUND, None, 1e-4, claim={"kind": "exact"})
    missing = judge("id", experiment(STEPS), pd.DataFrame())
    aside = two_parts(2.0, 1.0, {"decides": False})
    found = whole_table([alone, strong, exact, missing, aside])
    assert alone.parts[0].p == 47 / 1024
    # family: alone, strong, missing (as p = 1), and the deciding part of aside, as strong as strong
    assert found[1].parts[0].p_adjusted == pytest.approx(4 * 2.0**-10)
    assert found[4].parts[0].p_adjusted == pytest.approx(4 * 2.0**-10)
    assert found[0].parts[0].p_adjusted == pytest.approx(2 * 47 / 1024)
    assert found[2].parts[0].p_adjusted is None
    assert found[3].parts[0].p_adjusted is None
    assert found[4].parts[1].p_adjusted is None
    verdicts = [result.verdict for result in found]
    assert verdicts == ["inconclusive", "supported", "supported", "inconclusive", "supported"]
    assert alone.verdict == "supported"


def test_a_verdict_that_does_not_survive_holm_is_withdrawn_with_the_reason():
    strong = judged(STEPS, 200.0, 100.0)
    found = whole_table([strong] * 60)  # 60 · 2⁻¹⁰ = 0.059
    assert {result.verdict for result in found} == {"inconclusive"}
    assert "p = 0.059 is not below 0.05" in found[0].reason
    assert {result.verdict for result in whole_table([strong] * 50)} == {"supported"}


def test_claims_that_are_not_at_hand_count_in_the_family_as_p_1():
    weak, strong = judged(STEPS, [200.0] * 9 + [100.0], 100.0), judged(STEPS, 200.0, 100.0)
    found = judge_table([weak, strong], 5)
    assert found[1].parts[0].p_adjusted == pytest.approx(5 * 2.0**-10)
    assert found[0].parts[0].p_adjusted == pytest.approx(4 * 47 / 1024)
    assert [result.verdict for result in found] == ["inconclusive", "supported"]
    together = judge_table([weak, strong, *[judge("id", experiment(STEPS), pd.DataFrame())] * 3], 5)
    assert [result.parts for result in found] == [result.parts for result in together[:2]]


def test_a_blocked_part_stays_blocked():
    config = tuned_experiment(STEPS)
    rows = evaluation_rows(config, no_bn={10.0: 300.0}, bn={1.0: 100.0})
    edge = judge("id", config, pd.concat([tuning_rows({"no_bn": 10.0, "bn": 1.0}), rows]))
    assert whole_table([edge])[0].verdict == "inconclusive"


def over_all(*others: ClaimResult) -> ClaimResult:
    config = experiment(claim={"kind": "over_all_claims", "says_bn_helps": False})
    return whole_table([judge("does_not_always_help", config, pd.DataFrame()), *others])[0]


def test_over_all_claims_lists_the_refuted_comparisons():
    helps, absent, reversed_ = (judged(STEPS, steps, 100.0) for steps in (200.0, 100.0, 50.0))
    result = over_all(helps, replace(absent, id="a"), replace(reversed_, id="b"))
    assert result.verdict == "supported"
    assert result.reason == (
        "2 of 3 comparisons that claim a benefit are refuted, 0 inconclusive: "
        "a, steps_to_target: absent; b, steps_to_target: reversed"
    )


def test_a_premise_is_no_benefit_that_is_claimed():
    premise = judged(STEPS | {"says_bn_helps": False}, 100.0, 100.0)
    assert premise.verdict == "refuted"
    assert over_all(premise).reason.startswith("0 of 0 comparisons")


def test_over_all_claims_is_refuted_where_all_hold_and_inconclusive_where_some_are_open():
    helps, unsure = judged(STEPS, 200.0, 100.0), judged(STEPS, [100.0, 200.0] * 5, 100.0)
    assert over_all(helps).verdict == "refuted"
    assert over_all(helps, unsure).verdict == "inconclusive"
    assert over_all().verdict == "inconclusive"
    config = experiment(claim={"kind": "over_all_claims", "says_bn_helps": False})
    partly = judge_table([judge("does_not_always_help", config, pd.DataFrame()), helps], 2)[0]
    assert (partly.verdict, partly.reason) == (
        "inconclusive",
        "0 of 1 comparisons that claim a benefit are refuted, 0 inconclusive, others not judged here",
    )


def test_refuted_limits_levels_identities_and_asides_do_not_show_that_it_fails_to_help():
    limit = judged(STEPS, 100.0, 100.0, claim={"says_bn_helps": False})
    level = judged(ACCURACY | {"effect": "level", "baseline": None}, None, 0.0)
    identity = judged(BOUND, None, 1.0, claim={"kind": "exact"})
    aside = two_parts(2.0, 0.1, {"decides": False})
    assert [result.parts[-1].verdict for result in (limit, level, identity, aside)] == ["refuted"] * 4
    assert (
        over_all(limit, level, identity, aside).reason
        == "0 of 1 comparisons that claim a benefit are refuted, 0 inconclusive"
    )


# ── what would change ────────────────────────────────────────────────────────────────────────────────────────────────


def change(baseline: Any, treatment: Any, **fields: object) -> str:
    return what_would_change(judged(STEPS, baseline, treatment, **fields).parts[0])


def test_what_would_change_names_the_margin_and_the_interval():
    assert change([200.0, 300.0] * 5, 100.0) == "It would be inconclusive if the interval, 2 to 3, reached past 1.5."
    assert change(100.0, 100.0) == "It would be inconclusive if the interval, 1 at both ends, reached 1.5."
    assert change([100.0, 200.0] * 5, 100.0) == (
        "It would be supported if the whole interval, 1 to 2, lay above 1.5, and refuted if all of it lay below."
    )
    assert change(150.0, 100.0) == "It would be supported if the adjusted p, 1, were below 0.05: with more seeds."
    assert change(300.0, 100.0, seeds=3) == "No verdict before this is mended: 3 seeds, where a verdict takes 10."


def test_what_would_change_of_a_bound_and_of_points():
    bound: PartResult = judged(BOUND, None, 1e-4, claim={"kind": "exact"}).parts[0]
    assert what_would_change(bound) == "It would be refuted if one seed broke the bound of 0.001."
    broken = judged(BOUND, None, 1.0, claim={"kind": "exact"}).parts[0]
    assert what_would_change(broken) == "It would be supported if no seed broke the bound of 0.001."
    points = judged(ACCURACY, 0.90, [0.90, 0.91] * 5).parts[0]
    assert "0 to 1 points, lay above 0.5 points" in what_would_change(points)


# ── the guide ────────────────────────────────────────────────────────────────────────────────────────────────────────

GUIDE = (Path(__file__).parent.parent.parent / "docs" / "adding_a_claim.md").read_text(encoding="utf-8")


def test_the_guides_example_is_a_valid_experiment(tmp_path: Path):
    example = tmp_path / "faster_with_relu.yaml"
    example.write_text(GUIDE.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    claim = load_experiment(example).config.claim
    assert claim is not None
    assert claim.parts[0].margin.at_least == 2


def test_the_guide_names_every_measure_and_every_way_to_reduce_a_seed():
    ways = typing.get_args(PartConfig.model_fields["per_seed"].annotation)
    missing = [name for name in (*typing.get_args(MeasureName), *ways) if f"`{name}`" not in GUIDE]
    assert missing == []
