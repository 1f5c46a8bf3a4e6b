# ruff: noqa: E501  one case a line, so that the tables of messages can be read
"""What is wrong in the section claim of a file, where, and what to do about it."""

import typing
from pathlib import Path

import pytest
from experiment_files import faults_of, load

from experiments.configuration.claim import Bound, ClaimConfig, MeasureName, PartConfig

AXES = "model.init_scale, optimizer.learning_rate"
HEAD = """title: t
run: {evaluate_every: 50}
arms: {a: {}, b: {}, c: {}}
grid:
  model.init_scale: [1, 2]
  optimizer.learning_rate: [0.1, 1, 10]
tuning: {evaluate: all}
edges: {halvings: 3}
seeds: 20
claim:
  statement: s
  source: s
  parts:
    - """
FITTING = {"measure": "late_value", "effect": "ratio", "baseline": "a", "treatment": "b", "each": "[model.init_scale]"}


def written(changes: dict[str, str]) -> str:
    part = {name: value for name, value in (FITTING | changes).items() if value}
    return "{" + ", ".join(f"{name}: {value}" for name, value in part.items()) + "}"


def test_the_part_that_all_cases_change_is_without_fault(tmp_path: Path):
    config = load(tmp_path, f"{HEAD}{written({})}\n").config
    assert config.claim is not None
    assert config.claim.parts[0].each == ("model.init_scale",)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"measure": "fast"}, f"measure: 'fast' is not one of {', '.join(typing.get_args(MeasureName))}"),
        ({"treatment": ""}, "treatment: required, but not given"),
        ({"measure": "value_at_step", "metric": "drift"}, "value_at_step needs a step"),
        ({"measure": "gradient_ratio"}, "gradient_ratio needs a step"),
        ({"measure": "value_at_step", "step": "0"}, "value_at_step needs a metric, such as loss/validation"),
        ({"measure": "mean_value"}, "mean_value needs a metric, such as loss/validation"),
        ({"measure": "worst_value"}, "worst_value needs a metric, such as loss/validation"),
        ({"measure": "steps_to_level"}, "steps_to_level and level need each other"),
        ({"level": "common"}, "steps_to_level and level need each other"),
        ({"measure": "steps_to_level", "level": "95"}, "level: must be above 0 and at most 1, as an accuracy, got 95"),
        ({"measure": "steps_to_level", "level": "0"}, "level: must be above 0 and at most 1, as an accuracy, got 0"),
        ({"measure": "largest_rate", "metric": "loss/train"}, "metric: of largest_rate must be trains or finite, got 'loss/train'"),
        ({"per_seed": "worst"}, "per_seed worst needs an axis"),
        ({"axis": "model.init_scale"}, "axis needs per_seed, which says how the values along it become one"),
        ({"limit": "0", "effect": "ratio"}, "limit is of a difference, not of effect: ratio"),
        ({"effect": "recovered", "band": "0.1"}, "effect: recovered and whole need each other"),
        ({"whole": "c"}, "effect: recovered and whole need each other"),
        ({"baseline": ""}, "effect: ratio needs a baseline arm"),
        ({"baseline": "b"}, "baseline and treatment are one arm, 'b'; compare two"),
        ({"effect": "difference", "baseline": "", "unit": "points"}, "effect: difference needs a baseline arm"),
        ({"effect": "difference"}, "give a band: which differences are not material?"),
        ({"effect": "recovered", "whole": "c"}, "give a band: which differences are not material?"),
        ({"effect": "recovered", "whole": "c", "unit": "points"}, "give a band: which differences are not material?"),
        ({"effect": "largest_difference", "measure": "final_value", "band": "0.1"}, "effect: largest_difference is between curves: give measure: late_value, and no axis"),
        ({"effect": "largest_difference"}, "effect: largest_difference has nothing to be compared with; give a bound, a band around 0, or role: beside"),
        ({"measure": "largest_fall"}, "largest_fall needs a metric, such as loss/validation"),
        ({"band": "1"}, "band: must be above 1 for a ratio, got 1"),
        ({"band": "0.8"}, "band: must be above 1 for a ratio, got 0.8"),
        ({"band": "-0.8"}, "band: must be above 0, got -0.8"),
        ({"bound": "{}"}, "bound: give exactly one of at_least, at_most"),
        ({"bound": "{at_least: 1, at_most: 2}"}, "bound: give exactly one of at_least, at_most"),
        ({"cost": "{runs: t.yaml, baseline: a, treatment: b}"}, "cost divides a ratio of baseline to treatment; set effect: ratio and over: treatment"),
        ({"cost": "{runs: t.yaml, baseline: a}", "over": "treatment"}, "cost.treatment: required, but not given"),
    ],
)  # fmt: skip
def test_a_part_has_what_its_measure_and_its_effect_need(tmp_path: Path, changes: dict[str, str], fault: str):
    (found,) = faults_of(tmp_path, f"{HEAD}{written(changes)}\n")
    field, _, text = fault.partition(": ")
    is_field = field.partition(".")[0] in PartConfig.model_fields and not (
        field in ("level", "metric", "effect") or fault.startswith("band: must be above 1")
    )
    assert found == f"x.yaml:14: claim.parts.0{f'.{field}: {text}' if is_field else f': {fault}'}"


def test_a_level_by_itself_has_nothing_to_be_compared_with(tmp_path: Path):
    (found,) = faults_of(tmp_path, f"{HEAD}{written({'effect': 'level', 'baseline': ''})}\n")
    assert found.startswith("x.yaml:14: claim.parts.0: effect: level has nothing to be compared with; give a bound, ")
    assert "role: beside" in found
    for given in ({"role": "beside"}, {"bound": "{at_most: 1}"}):
        load(tmp_path, f"{HEAD}{written({'effect': 'level', 'baseline': ''} | given)}\n")


@pytest.mark.parametrize(
    ("changes", "field", "fault"),
    [
        ({"treatment": "d"}, "treatment", "'d' is not one of a, b, c (an arm)"),
        ({"baseline": "d"}, "baseline", "'d' is not one of a, b, c (an arm)"),
        ({"effect": "recovered", "whole": "d", "band": "0.1"}, "whole", "'d' is not one of a, b, c (an arm)"),
        ({"each": "[model.init_scale, model.depth]"}, "each", f"'model.depth' is not one of {AXES} (an axis of grid)"),
        ({"each": "[model.init_scal]"}, "each", f"'model.init_scal' is not one of {AXES}; did you mean 'model.init_scale'? (an axis of grid)"),
        ({"each": ""}, "each", "runs differ along model.init_scale, too; take it apart by each, or make one number of it by axis"),
        ({"axis": "model.init_scale", "per_seed": "worst"}, "axis", "each takes model.init_scale apart, value by value; keep one"),
        ({"measure": "largest_rate", "each": "[model.init_scale, optimizer.learning_rate]"}, "each", "largest_rate looks along optimizer.learning_rate itself; leave it out"),
        ({"measure": "value_at_step", "metric": "drift", "step": "75"}, "step", "must be a multiple of evaluate_every (50), got 75"),
        ({"measure": "gradient_ratio", "step": "20"}, "step", "must be a multiple of evaluate_every (50), got 20"),
        ({"measure": "seconds_per_step"}, "measure", "seconds_per_step compares runs that were trained alone; set run.timed: true"),
        ({"measure": "drift", "metric": "loss/train"}, "", "metric has no effect with measure: drift; leave it out"),
        ({"measure": "drift", "step": "50"}, "", "step has no effect with measure: drift; leave it out"),
        ({"measure": "final_value", "matched": "true"}, "", "matched has no effect with measure: final_value; leave it out"),
        ({"effect": "recovered", "whole": "c", "band": "0.1", "over": "treatment"}, "", "over has no effect with effect: recovered; leave it out"),
        ({"measure": "steps_to_level", "level": "common", "tuned_for": "measure"}, "level", "common is no level to tune for; take optimizer.learning_rate apart by each, or give another level"),
    ],
)  # fmt: skip
def test_a_part_asks_only_for_runs_that_are_there(tmp_path: Path, changes: dict[str, str], field: str, fault: str):
    (found,) = faults_of(tmp_path, f"{HEAD}{written(changes)}\n")
    assert found == f"x.yaml:14: claim.parts.0{'.' if field else ''}{field}: {fault}"


ALL_RATES = "compares at other rates than the most accurate; set tuning.evaluate: all"
ON_TUNING_SEEDS = "is taken at levels or rates that are found on tuning seeds; add tuning"
STEPS = {"measure": "steps_to_level"}


@pytest.mark.parametrize(
    "changes",
    [
        STEPS | {"level": "0.5", "tuned_for": "measure"},
        {"each": "[model.init_scale, optimizer.learning_rate]"},
        {"per_seed": "share_training", "axis": "optimizer.learning_rate"},
    ],
)
def test_other_rates_than_the_most_accurate_have_to_be_trained(tmp_path: Path, changes: dict[str, str]):
    text = HEAD.replace("tuning: {evaluate: all}\nedges: {halvings: 3}\n", "tuning: {}\n")
    assert faults_of(tmp_path, f"{text}{written(changes)}\n") == [f"x.yaml:13: claim.parts.0.measure: {ALL_RATES}"]
    load(tmp_path, f"{HEAD}{written(changes)}\n")


@pytest.mark.parametrize(
    "changes",
    [
        *(STEPS | {"level": level} for level in ("common", "ladder", "half_way")),
        STEPS | {"level": "0.5", "tuned_for": "measure"},
        {"matched": "true"},
        {"measure": "gap_at_training_loss"},
    ],
)
def test_levels_and_rates_are_found_on_tuning_seeds(tmp_path: Path, changes: dict[str, str]):
    text = HEAD.replace("  optimizer.learning_rate: [0.1, 1, 10]\ntuning: {evaluate: all}\nedges: {halvings: 3}\n", "")
    fault = f"x.yaml:11: claim.parts.0.measure: {ON_TUNING_SEEDS}"
    assert faults_of(tmp_path, f"{text}{written(changes)}\n") == [fault]
    load(tmp_path, f"{HEAD}{written(changes)}\n")


def test_what_is_taken_at_no_level_and_no_rate_needs_no_tuning(tmp_path: Path):
    text = HEAD.replace("  optimizer.learning_rate: [0.1, 1, 10]\ntuning: {evaluate: all}\nedges: {halvings: 3}\n", "")
    for changes in ({}, {"each": "", "per_seed": "worst", "axis": "model.init_scale"}):
        load(tmp_path, f"{text}{written(changes)}\n")


def test_the_largest_rate_needs_the_rates_between(tmp_path: Path):
    part = written({"measure": "largest_rate"})
    text = HEAD.replace("edges: {halvings: 3}\n", "")
    fault = "x.yaml:13: claim.parts.0.measure: largest_rate needs the section edges"
    assert faults_of(tmp_path, f"{text}{part}\n") == [fault]
    load(tmp_path, f"{HEAD}{part}\n")


@pytest.mark.parametrize(
    ("axis", "per_seed", "fault"),
    [
        ("model.activation: [relu, tanh]", "growth", "growth is per unit of an axis of numbers"),
        ("model.activation: [relu, tanh]", "slope", "slope is per doubling of an axis of numbers, all above 0"),
        ("steps: [0, 50]", "slope", "slope is per doubling of an axis of numbers, all above 0"),
        ("steps: [0, 50]", "growth", ""),
        ("model.init_scale: [1e-3, 2]", "slope", ""),
        ("model.activation: [relu, tanh]", "worst", ""),
    ],
)
def test_growth_and_slope_are_along_numbers(tmp_path: Path, axis: str, per_seed: str, fault: str):
    name = axis.partition(":")[0]
    text = HEAD.replace("model.init_scale: [1, 2]", axis)
    part = written({"each": "", "per_seed": per_seed, "axis": name})
    if fault:
        assert faults_of(tmp_path, f"{text}{part}\n") == [f"x.yaml:14: claim.parts.0.axis: {fault}"]
    else:
        load(tmp_path, f"{text}{part}\n")


def test_an_axis_of_one_value_need_not_be_taken_apart(tmp_path: Path):
    load(tmp_path, f"{HEAD.replace('[1, 2]', '[1]')}{written({'each': ''})}\n")


def test_timed_runs_may_be_compared(tmp_path: Path):
    part = written({"measure": "seconds_per_step"})
    load(tmp_path, f"{HEAD.replace('evaluate_every: 50', 'evaluate_every: 50, timed: true')}{part}\n")


def test_what_other_files_hold_is_not_asked_of_this_one(tmp_path: Path):
    load(tmp_path, f"{HEAD}{written({'runs': 'other.yaml', 'treatment': 'elsewhere', 'each': '[model.depth]'})}\n")


CLAIM = "title: t\nclaim:\n  statement: s\n  source: s\n"


@pytest.mark.parametrize("parts", ["", "  parts:\n    - {measure: drift, effect: ratio, baseline: a, treatment: b}\n"])
def test_a_file_without_arms_reads_the_runs_of_others(tmp_path: Path, parts: str):
    (found,) = faults_of(tmp_path, CLAIM + parts)
    assert found.endswith("arms: give at least one arm, or a claim all of whose parts read runs of other files")
    if parts:
        load(tmp_path, CLAIM + parts.replace("{measure", "{runs: x.yaml, measure"))
    else:
        load(tmp_path, CLAIM + "  kind: over_all_claims\n")


@pytest.mark.parametrize(
    ("bound", "kept", "broken"), [({"at_least": 0.5}, 0.5, 0.4), ({"at_most": 0.5}, 0.5, 0.6), ({"at_most": 0}, 0, 0.1)]
)
def test_a_bound_is_kept_at_its_end_and_never_by_what_is_no_number(bound: dict, kept: float, broken: float):
    found = Bound.model_validate(bound)
    assert found.kept_by(kept)
    assert not found.kept_by(broken)
    assert not found.kept_by(float("nan"))


@pytest.mark.parametrize(
    ("fields", "band"),
    [
        ({"effect": "ratio"}, 1.25),
        ({"effect": "ratio", "band": 1.1}, 1.1),
        ({"effect": "difference", "unit": "points"}, 1.0),
        ({"effect": "difference", "band": 0.2}, 0.2),
        ({"effect": "recovered", "whole": "c", "band": 0.1}, 0.1),
    ],
)
def test_the_band_is_the_claims_unless_the_part_has_one(fields: dict, band: float):
    part = PartConfig.model_validate({"measure": "late_value", "baseline": "a", "treatment": "b"} | fields)
    claim = ClaimConfig.model_validate({"statement": "s", "source": "s", "points": 1, "parts": [part]})
    assert claim.band_of(part) == band
