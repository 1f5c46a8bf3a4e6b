"""Every verdict, and what keeps one from being given."""

from __future__ import annotations

from math import inf, isnan, nan

import pandas as pd
import pytest
from judging import ACCURACY, SEEDS, STEPS, experiment, judged, table

from experiments.analysis.claims import judge
from experiments.configuration.experiment import ExperimentConfig


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
