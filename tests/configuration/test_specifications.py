# ruff: noqa: E501  one case a line, so that the tables of messages can be read
"""Which specifications a claim has, and what is wrong with choices that do not fit."""

from pathlib import Path

import pytest
from experiment_files import faults_of, load

from experiments.configuration.claim import SpecificationsConfig
from experiments.configuration.specifications import preferred_options, specification_faults, specifications_of

PART = {"runs": "mlp", "measure": "late_value", "effect": "ratio", "baseline": "a", "treatment": "b"}
NETS = {"mlp": {}, "cnn": {"part.runs": "cnn"}}
BUDGETS = {"T": {}, "T/2": {"part.budget": 0.5}}
OPTIMIZERS = {"SGD": {"run.optimizer.momentum": 0.0}, "Adam 1": {"run.optimizer.kind": "adam", "run.steps": 10}}
ALL = {"net": NETS, "optimizer": OPTIMIZERS, "budget": BUDGETS}


def section(**fields: object) -> SpecificationsConfig:
    return SpecificationsConfig.model_validate({"part": PART, "choices": ALL} | fields)


def test_all_combinations_are_specifications():
    found = specifications_of(section())
    assert len(found) == 8
    assert dict(found[0].options) == {"net": "mlp", "optimizer": "SGD", "budget": "T"}
    last = found[-1]
    assert (last.part.runs, last.part.budget, last.part.measure) == ("cnn", 0.5, "late_value")
    assert dict(last.settings) == {"run.optimizer.kind": ("adam", "optimizer"), "run.steps": (10, "optimizer")}


def test_only_options_that_change_an_experiment_are_in_its_name():
    names = [found.experiment_name for found in specifications_of(section())]
    assert (
        names
        == ["mlp,optimizer=SGD"] * 2
        + ["mlp,optimizer=Adam-1"] * 2
        + ["cnn,optimizer=SGD"] * 2
        + ["cnn,optimizer=Adam-1"] * 2
    )


def test_a_field_that_two_choices_set_is_set_by_the_later():
    steps = {"few": {"run.steps": 20}, "many": {"run.steps": 40}}
    found = specifications_of(section(choices={"optimizer": OPTIMIZERS, "steps": steps}))
    assert [specification.settings["run.steps"] for specification in found] == [(20, "steps"), (40, "steps")] * 2


def test_combinations_can_be_left_out():
    found = specifications_of(
        section(left_out=[{"net": "cnn", "budget": "T/2"}, {"optimizer": "Adam 1", "budget": "T/2"}])
    )
    assert [tuple(of.options.values()) for of in found] == [
        ("mlp", "SGD", "T"), ("mlp", "SGD", "T/2"), ("mlp", "Adam 1", "T"), ("cnn", "SGD", "T"), ("cnn", "Adam 1", "T"),
    ]  # fmt: skip


def test_the_first_option_is_preferred_unless_another_is_named():
    assert preferred_options(section(preferred={"budget": "T/2"})) == {
        "net": "mlp",
        "optimizer": "SGD",
        "budget": "T/2",
    }
    ladder = PART | {"measure": "steps_to_level", "level": "ladder"}
    assert preferred_options(section(part=ladder, choices={"net": NETS})) == {"net": "mlp", "level": "highest"}


@pytest.mark.parametrize(
    ("fields", "key", "text"),
    [
        ({"part": PART | {"each": ["model.depth"]}}, ("part", "each"), "takes nothing apart here, as each specification has one effect; make it a choice"),
        ({"part": {**PART, "runs": None}, "choices": {"budget": BUDGETS}}, ("part",), "names no experiment whose runs are read; add runs"),
        ({"choices": {"net": {"mlp": {}}}}, ("choices", "net"), "give at least two options, or leave the choice out"),
        ({"choices": {"verdict": NETS}}, ("choices", "verdict"), "'verdict' is a column of the table by itself; choose another name"),
        ({"choices": {"level": NETS}}, ("choices", "level"), "'level' is a column of the table by itself; choose another name"),
        ({"choices": {"net": NETS | {"x": {"part.budget": 2}}}}, ("choices", "net", "x", "part.budget"), "must be at most 1, got 2"),
        ({"choices": {"net": NETS | {"x": {"part.budgets": 1}}}}, ("choices", "net", "x", "part.budgets"), "no such field"),
        ({"choices": {"net": NETS | {"x": {"steps": 1}}}}, ("choices", "net", "x", "steps"), "must begin with part, or with run, arms, grid, tuning and a dot, as part.budget"),
        ({"choices": {"net": NETS | {"x": {"seeds": 1}}}}, ("choices", "net", "x", "seeds"), "must begin with part, or with run, arms, grid, tuning and a dot, as part.budget"),
        ({"preferred": {"nets": "mlp"}}, ("preferred", "nets"), "'nets' is not one of net, optimizer, budget; did you mean 'net'? (a choice)"),
        ({"preferred": {"net": "mpl"}}, ("preferred", "net"), "'mpl' is not one of mlp, cnn; did you mean 'mlp'? (an option of net)"),
        ({"preferred": {"level": "3rd"}}, ("preferred", "level"), "'level' is not one of net, optimizer, budget (a choice)"),
        ({"left_out": [{"net": "rnn"}]}, ("left_out", 0, "net"), "'rnn' is not one of mlp, cnn; did you mean 'cnn'? (an option of net)"),
        ({"left_out": [{"net": "mlp"}]}, ("left_out", 0), "leaves out the claim's own specification"),
        ({"choices": {f"{i}": {f"{j}": {} for j in range(10)} for i in range(5)}}, ("choices",), "must come to at most 20,000 specifications, got 100,000"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_its_place(fields: dict, key: tuple, text: str):
    ((found_key, found),) = specification_faults(section(**fields))
    assert found_key == key
    assert found.startswith(text)


def test_what_fits_has_no_fault():
    assert list(specification_faults(section())) == []


FILE = """title: t
arms: {a: {}, b: {}}
claim:
  statement: s
  source: s
  parts: []
  specifications:
    part: {runs: x, measure: late_value, effect: ratio, baseline: a, treatment: b}
    choices:
      budget: {T: {}, T/2: {part.budget: 0.5}}
"""


def test_a_file_may_have_them(tmp_path: Path):
    config = load(tmp_path, FILE).config
    assert config.claim is not None
    assert config.claim.specifications is not None
    assert (config.claim.specifications.seeds, config.claim.specifications.tuning_seeds) == (5, 2)


def test_faults_have_their_line(tmp_path: Path):
    (fault,) = faults_of(tmp_path, FILE.replace("0.5}", "5}"))
    assert fault == "x.yaml:10: claim.specifications.choices.budget.T/2.part.budget: must be at most 1, got 5"


def test_more_seeds_than_flips_can_be_counted_are_refused(tmp_path: Path):
    (fault,) = faults_of(tmp_path, FILE + "    seeds: 13\n")
    assert (
        fault
        == "x.yaml:11: claim.specifications.seeds: must be at most 12, got 13: all flips of their signs are counted"
    )


OWN = """title: t
arms: {a: {}, b: {}}
grid: {optimizer.learning_rate: [0.1, 1, 10]}
tuning: {evaluate: all}
seeds: 10
claim:
  statement: s
  source: s
  parts:
    - {measure: late_value, effect: ratio, baseline: a, treatment: b, rate_of: a}
"""


@pytest.mark.parametrize(
    ("found", "given", "fault"),
    [
        ("rate_of: a", "rate_of: c", "x.yaml:10: claim.parts.0.rate_of: 'c' is not one of a, b (an arm)"),
        ("rate_of: a", "in_a_row: 1", "x.yaml:10: claim.parts.0: in_a_row has no effect with measure: late_value; leave it out"),
        ("evaluate: all", "evaluate: best", "x.yaml:10: claim.parts.0.measure: compares at other rates than the most accurate; set tuning.evaluate: all"),
    ],
)  # fmt: skip
def test_the_fields_that_choices_set_fit_their_runs(tmp_path: Path, found: str, given: str, fault: str):
    assert load(tmp_path, OWN)
    assert faults_of(tmp_path, OWN.replace(found, given)) == [fault]
