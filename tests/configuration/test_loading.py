# ruff: noqa: E501  one case a line, so that the tables of messages can be read
import json
import typing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from experiments.configuration.claim import Margin, PartConfig
from experiments.configuration.experiment import ExperimentConfig, json_schema
from experiments.configuration.loading import load_experiment
from experiments.configuration.run import Probe, RunConfig
from experiments.configuration.yaml_source import ConfigError
from experiments.records.storage import run_name

ROOT = Path(__file__).parent.parent.parent
BASE = "title: t\narms:\n  a: {}\n"
PROBES = ", ".join(typing.get_args(Probe))
RUN_FIELDS = ", ".join(RunConfig.model_fields)
NORM = "kind, placement, on_input, momentum, epsilon, center, scale, renorm, virtual_batch_size, groups"
FIELDS = "expected fields and their values, such as {steps: 500}"
SEEDS = "expected how many seeds, such as 20, or a list of them, such as [0, 1, 2]"
NO_SEED = "runs take their seeds from the field seeds at the top, such as seeds: 20; leave this out"
PART = "{measure: drift, effect: level, treatment: a, margin: {above: 1}}"


def load(folder: Path, text: str, *overrides: str):
    path = folder / "x.yaml"
    path.write_text(text)
    return load_experiment(path, list(overrides))


def faults_of(folder: Path, text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, *overrides)
    return [fault.replace(f"{folder}/", "") for fault in caught.value.faults]


def only_run(folder: Path, text: str, *overrides: str) -> RunConfig:
    experiment = load(folder, text, *overrides)
    ((arm, grid),) = experiment.cells()
    return experiment.run(arm, grid, 0).config


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("run:\n  model: {activation: sigmod}", "run.model.activation: 'sigmod' is not one of relu, sigmoid, tanh; did you mean 'sigmoid'?"),
        ("run:\n  model: {activation: no}", "run.model.activation: False is not one of relu, sigmoid, tanh; YAML reads yes/no/on/off as a boolean, quote it"),
        ("run:\n  probes: [gradient]", f"run.probes.0: 'gradient' is not one of {PROBES}; did you mean 'gradients'?"),
        ("run:\n  stepss: 5", f"run.stepss: no such field; 'stepss' is not one of {RUN_FIELDS}; did you mean 'steps'?"),
        ("run:\n  model: {norm: {knd: custom}}", f"run.model.norm.knd: no such field; 'knd' is not one of {NORM}; did you mean 'kind'?"),
        ("run:\n  steps: yes", "run.steps: expected a number, but YAML reads yes/no/on/off as True; give a number"),
        ("run:\n  optimizer: {learning_rate: no}", "run.optimizer.learning_rate: expected a number, but YAML reads yes/no/on/off as False; give a number"),
        ("run:\n  optimizer: {learning_rate: fast}", "run.optimizer.learning_rate: expected a number, got 'fast'"),
        ("run:\n  optimizer: {learning_rate: 0}", "run.optimizer.learning_rate: must be above 0, got 0"),
        ("run:\n  optimizer: {learning_rate: .nan}", "run.optimizer.learning_rate: expected a finite number, got nan"),
        ("run:\n  optimizer: {momentum: 1}", "run.optimizer.momentum: must be below 1, got 1"),
        ("run:\n  optimizer: {momentum: -0.1}", "run.optimizer.momentum: must be at least 0, got -0.1"),
        ("run:\n  dataset: {batch_size: 0}", "run.dataset.batch_size: must be at least 1, got 0"),
        ("run:\n  dataset: {batch_size: 2.5}", "run.dataset.batch_size: expected a whole number, got 2.5"),
        ("run:\n  dataset: {batch_size: 1e-1}", "run.dataset.batch_size: expected a whole number, got '1e-1'"),
        ("run:\n  dataset: {standardize: maybe}", "run.dataset.standardize: expected true or false, got 'maybe'"),
        ("run:\n  dataset: {name: 5}", "run.dataset.name: expected a text; quote it, got 5"),
        ("run:\n  model: {layers: []}", "run.model.layers: give at least one, got []"),
        ("run:\n  model: {layers: 100}", "run.model.layers: expected a list, such as [1, 2], got 100"),
        ("run:\n  model: mlp", f"run.model: {FIELDS}, got 'mlp'"),
        ("run:\n  steps: 30", "run: steps (30) must be a multiple of evaluate_every (50)"),
        ("run:\n  model: {norm: {kind: stock, renorm: true}}", "run.model.norm: renorm and virtual_batch_size need kind: custom"),
        ("run:\n  seed: 3", f"run.seed: {NO_SEED}"),
        ("seeds:\n  0", f"seeds: {SEEDS}, got 0"),
        ("seeds:\n  yes", f"seeds: {SEEDS}, got True"),
        ("seeds:\n  []", "seeds: give at least one, got []"),
        ("seeds:\n  [0, -1]", "seeds.1: must be at least 0, got -1"),
        ("seeds:\n  [3, 4, 3]", "seeds: 3 is given twice; keep one"),
        ("grid:\n  optimizer.learning_rate: 0.1", "grid.optimizer.learning_rate: expected a list, such as [1, 2], got 0.1"),
        ("grid:\n  optimizer.learning_rate: []", "grid.optimizer.learning_rate: give at least one value"),
        ("grid:\n  optimizer.learning_rate: [0.1, 1e-1]", "grid.optimizer.learning_rate: 0.1 is given twice; keep one"),
        ("grid:\n  optimizer.rate: [1, 2]", "grid.optimizer.rate: no such field; 'rate' is not one of kind, learning_rate, momentum, beta_1, beta_2"),
        ("grid:\n  optimizer.learning_rate: [1, -2]", "grid.optimizer.learning_rate: must be above 0, got -2"),
        ("grid:\n  seed: [1]", f"grid.seed: {NO_SEED}"),
        ("grid:\n  model.norm: [{kind: none}, {kind: custom}]", "grid.model.norm: several fields at once; give one of them, such as model.norm.kind, or arms"),
        ("grid:\n  xla: [auto, true]", "grid.xla: texts and other values cannot share an axis; make them arms"),
        ("tuning:\n  over: steps", "tuning.over: 'steps' is not one of  (an axis of grid)"),
        ("tuning:\n  {over: steps, seeds: [5, 5]}\ngrid: {steps: [50]}", "tuning.seeds: 5 is given twice; keep one"),
        ("tuning:\n  {over: steps, seeds: [0, 5]}\ngrid: {steps: [50]}", "tuning.seeds: [0] are evaluation seeds too; a seed is for tuning or for evaluation"),
        ("tuning:\n  {over: steps, per: [step]}\ngrid: {steps: [50]}", "tuning.per: 'step' is not one of steps; did you mean 'steps'? (an axis of grid)"),
        ("claim:\n  {source: s}", "claim.statement: required, but not given"),
        ("claim:\n  {statement: s, source: s, parts: [" + PART.replace("a,", "b,") + "]}", "claim.parts.0.treatment: 'b' is not one of a (an arm)"),
        ("claim:\n  {statement: s, source: s, parts: [" + PART.replace("level", "ratio") + "]}", "claim.parts.0: a ratio needs a baseline arm"),
        ("claim:\n  {statement: s, source: s, parts: [" + PART.replace("drift", "seconds_per_step, rate: smallest_progressing") + "]}\nrun: {timed: true}", "claim.parts.0.rate: smallest_progressing is found on tuning runs, which are not timed; measure steps"),
        ("claim:\n  {statement: s, source: s, parts: [" + PART.replace("drift", "seconds_per_step") + "]}", "claim.parts.0: seconds_per_step compares runs that were trained alone; set run.timed: true"),
        ("claim:\n  {statement: s, source: s, parts: [" + PART.replace("above: 1", "above: 1, below: 2") + "]}", "claim.parts.0.margin: give exactly one of at_least, at_most, above, below, within, found 2"),
        ("claim:\n  {statement: s, source: s, parts: [" + PART.replace("above: 1", "within: [2, 1]") + "]}", "claim.parts.0.margin: within: the lower bound comes first"),
        ("claim:\n  {statement: s, source: s, parts: [" + PART.replace("drift", "mean_value") + "]}", "claim.parts.0: mean_value needs a metric, such as loss/validation"),
        ("claim:\n  {statement: s, source: s, parts: [" + PART.replace("drift", "drift, rate: every") + "]}\ntuning: {over: steps}\ngrid: {steps: [50]}", "claim.parts.0.rate: every compares at other rates than the tuned; set tuning.evaluate: all"),
        ("claim:\n  {statement: s, source: s, parts: [" + PART.replace("drift", "drft") + "]}", "claim.parts.0.measure: 'drft' is not one of"),
    ],
)  # fmt: skip
def test_a_fault_names_file_line_field_found_allowed_and_nearest(tmp_path: Path, text: str, fault: str):
    (found,) = faults_of(tmp_path, f"{BASE}{text}\n")
    whole_section = "." not in fault.partition(":")[0] or fault.endswith("required, but not given")
    place = f"x.yaml:{4 if whole_section else 5}: "
    if "is not one of" in fault and "measure" in fault:
        assert found.startswith(place + fault)
    else:
        assert found == place + fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("arms: {a: {}}", "x.yaml:1: title: required, but not given"),
        ("title: t", "x.yaml:1: arms: required, but not given"),
        ("title: t\narms: {}", "x.yaml:2: arms: give at least one, got {}"),
        ("title: t\narms: [a]", f"x.yaml:2: arms: {FIELDS}, got ['a']"),
        ("title: t\narms:\n  a:", f"x.yaml:3: arms.a: {FIELDS}, got nothing; write {{}} for no fields"),
        ("title: t\narms:\n  a/b: {}", "x.yaml:3: arms.a/b: 'a/b' cannot be the name of a folder; leave out / \\ = and a leading dot"),
        ("title: t\narms:\n  summary: {}", "x.yaml:3: arms.summary: 'summary' is the folder of the whole experiment's summary; choose another name"),
        (f"{BASE}run:", f"x.yaml:4: run: {FIELDS}, got nothing; write {{}} for no fields"),
        (f"{BASE}run: 5", f"x.yaml:4: run: {FIELDS}, got 5"),
        (f"{BASE}titel: u", "x.yaml:4: titel: no such field; 'titel' is not one of title, run, arms, grid, tuning, seeds, claim; did you mean 'title'?"),
    ],
)  # fmt: skip
def test_a_fault_at_the_top_of_the_file(tmp_path: Path, text: str, fault: str):
    assert faults_of(tmp_path, text + "\n") == [fault]


def test_a_fault_in_an_arm_stands_at_the_arms_line(tmp_path: Path):
    text = "title: t\nrun:\n  steps: 100\narms:\n  a:\n    model.norm.kind: custm\n  b:\n    steps: 30\n  c:\n    model: {norm: {renorm: true}}\n  d: {steps.x: 1}\n"
    assert faults_of(tmp_path, text) == [
        "x.yaml:6: arms.a.model.norm.kind: 'custm' is not one of none, custom, stock, noisy, layer, group; "
        "did you mean 'custom'?",
        "x.yaml:8: arms.b.steps: steps (30) must be a multiple of evaluate_every (50)",
        "x.yaml:10: arms.c.model.norm: renorm and virtual_batch_size need kind: custom",
        "x.yaml:11: arms.d.steps.x: expected a whole number, got {'x': 1}",
    ]


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path):
    text = """title: t
run:
  model: {activation: sigmod}
arms:
  a: {model.norm.kind: custm}
  b: {optimizer.momentum: 2, seed: 1, steps: 100}
grid:
  optimizer.learning_rate: [0.1, x]
  steps: [50]
tuning: {over: optimizer.rate, seeds: [1]}
seeds: [0, 1]
claim:
  statement: s
  source: q
  parts:
    - {measure: drift, effect: difference, baseline: c, treatment: a, axis: step, margin: {above: 1}}
"""
    axes = "optimizer.learning_rate, steps"
    assert sorted(faults_of(tmp_path, text), key=lambda fault: int(fault.split(":")[1])) == [
        "x.yaml:3: run.model.activation: 'sigmod' is not one of relu, sigmoid, tanh; did you mean 'sigmoid'?",
        "x.yaml:5: arms.a.model.norm.kind: 'custm' is not one of none, custom, stock, noisy, layer, group; "
        "did you mean 'custom'?",
        f"x.yaml:6: arms.b.seed: {NO_SEED}",
        "x.yaml:6: arms.b.steps: the grid sets this too; keep one",
        "x.yaml:6: arms.b.optimizer.momentum: must be below 1, got 2",
        "x.yaml:8: grid.optimizer.learning_rate: expected a number, got 'x'",
        f"x.yaml:10: tuning.over: 'optimizer.rate' is not one of {axes}; "
        "did you mean 'optimizer.learning_rate'? (an axis of grid)",
        "x.yaml:10: tuning.seeds: [1] are evaluation seeds too; a seed is for tuning or for evaluation",
        "x.yaml:16: claim.parts.0.baseline: 'c' is not one of a, b (an arm)",
        f"x.yaml:16: claim.parts.0.axis: 'step' is not one of {axes}; did you mean 'steps'? (an axis of grid)",
    ]


def test_a_fault_in_what_is_extended_names_that_file(tmp_path: Path):
    (tmp_path / "base.yaml").write_text("title: t\nrun:\n  steps: -50\narms: {a: {}}\n")
    assert faults_of(tmp_path, "extends: base.yaml\nseeds: 0\n") == [
        "base.yaml:3: run.steps: must be at least 0, got -50",
        f"x.yaml:2: seeds: {SEEDS}, got 0",
    ]


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("run.steps", "expected field=value, such as run.steps=500"),
        ("=3", "expected field=value, such as run.steps=500"),
        ("run..steps=3", "expected field=value, such as run.steps=500"),
        ("run.stepss=3", f"run.stepss: no such field; 'stepss' is not one of {RUN_FIELDS}; did you mean 'steps'?"),
        ("run.steps=010", "run.steps: YAML reads 010 as a number in octal; quote it"),
        ("run.steps=", "run.steps: expected a whole number, got None"),
        ("title.x=3", "title: expected a text; quote it, got {'x': 3}"),
        ("arms.a.model.kind=mlq", "arms.a.model.kind: 'mlq' is not one of mlp, cnn, rnn; did you mean 'mlp'?"),
        ("grid.optimizer.learning_rate=[0]", "grid.optimizer.learning_rate: must be above 0, got 0"),
    ],
)
def test_a_fault_in_an_override_names_the_override(tmp_path: Path, override: str, fault: str):
    text = BASE + "grid: {optimizer.learning_rate: [1]}\n"
    assert faults_of(tmp_path, text, override) == [f"--set {override}: {fault}"]


def test_overrides_reach_the_run_the_arms_and_the_grid(tmp_path: Path):
    text = BASE + "run: {steps: 100, model: {layers: [7]}}\ngrid: {optimizer.learning_rate: [1, 2]}\n"
    run = only_run(
        tmp_path,
        text,
        "run.steps=1e3",
        "run.model={activation: relu}",
        "arms.a.model.norm.kind=stock",
        "grid.optimizer.learning_rate=[1e-2]",
    )
    assert (run.steps, run.model.layers, run.model.activation) == (1000, (7,), "relu")
    assert (run.model.norm.kind, run.optimizer.learning_rate) == ("stock", 0.01)


@pytest.mark.parametrize("rate", ["1e-3", "0.001", "1.0e-3", "'0.001'", "+1E-3"])
def test_a_number_may_be_written_in_every_way(tmp_path: Path, rate: str):
    run = only_run(tmp_path, f"{BASE}run: {{optimizer: {{learning_rate: {rate}}}}}\n")
    assert run.optimizer.learning_rate == 0.001
    (cell,) = load(tmp_path, f"{BASE}grid: {{optimizer.learning_rate: [{rate}]}}\n").cells()
    assert cell == ("a", {"optimizer.learning_rate": 0.001})


def test_arms_and_grid_are_laid_over_the_run_and_not_over_each_other(tmp_path: Path):
    text = """title: t
run: {steps: 100, model: {layers: [7], activation: relu}}
arms:
  a: {model.norm: {kind: custom}, steps: 200}
  b: {model: {layers: [8]}}
grid: {model.norm.placement: [before, after], optimizer.learning_rate: [1]}
"""
    experiment = load(tmp_path, text)
    runs = {run_name(run): run.config for run in experiment.evaluation_runs({})}
    assert list(runs) == [
        "a/placement=before/learning_rate=1/seed=0",
        "a/placement=after/learning_rate=1/seed=0",
        "b/placement=before/learning_rate=1/seed=0",
        "b/placement=after/learning_rate=1/seed=0",
    ]
    a, b = (runs[f"{arm}/placement=after/learning_rate=1/seed=0"] for arm in "ab")
    assert (a.steps, a.model.layers, a.model.norm.kind, a.model.norm.placement) == (200, (7,), "custom", "after")
    assert (b.steps, b.model.layers, b.model.activation, b.model.norm.kind) == (100, (8,), "relu", "none")


def test_a_number_of_seeds_means_the_first_so_many(tmp_path: Path):
    assert load(tmp_path, BASE + "seeds: 3\n").config.seeds == (0, 1, 2)
    assert load(tmp_path, BASE + "seeds: [7, 5]\n").config.seeds == (7, 5)


def test_evaluation_runs_are_those_at_the_tuned_value(tmp_path: Path):
    text = "title: t\narms: {a: {}, b: {}}\ngrid: {optimizer.learning_rate: [0.1, 1]}\ntuning: {seeds: [9]}\nseeds: 2\n"
    experiment = load(tmp_path, text)
    assert [run_name(run) for run in experiment.tuning_runs()] == [
        "a/learning_rate=0.1/seed=9",
        "a/learning_rate=1/seed=9",
        "b/learning_rate=0.1/seed=9",
        "b/learning_rate=1/seed=9",
    ]
    assert [run_name(run) for run in experiment.evaluation_runs({("a", ()): 1.0, ("b", ()): 0.1})] == [
        "a/learning_rate=1/seed=0",
        "b/learning_rate=0.1/seed=0",
        "a/learning_rate=1/seed=1",
        "b/learning_rate=0.1/seed=1",
    ]


def changed(value: Any, annotation: Any) -> list[Any]:
    """Other values that a field may take."""
    if value == ():
        return [("gradients",)]
    options = [a for a in typing.get_args(annotation) if typing.get_origin(a) is typing.Literal]
    if typing.get_origin(annotation) is typing.Literal or options:
        booleans = (False, True) if bool in typing.get_args(annotation) else ()
        return [v for v in (*typing.get_args(options[0] if options else annotation), *booleans) if v != value]
    match value:
        case bool():
            return [not value]
        case int():
            return [value * 2 or 50]
        case float():
            return [value / 2 + 0.01]
        case str():
            return ["wine"]
        case None:
            return [50]
        case tuple():
            return [(*value, 7)]
    raise AssertionError(f"no other value known for {value!r}")


def single_changes(config: BaseModel, prefix: str = "") -> list[tuple[str, Any]]:
    changes = []
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            changes += single_changes(value, f"{prefix}{name}.")
        else:
            changes += [(f"{prefix}{name}", other) for other in changed(value, field.annotation)]
    return changes


def with_change(config: RunConfig, dotted: str, value: Any) -> RunConfig:
    values = config.model_dump()
    target = values
    *path, last = dotted.split(".")
    for part in path:
        target = target[part]
    target[last] = value
    return RunConfig.model_validate(values)


# Renormalization and virtual batches need kind: custom; Adam and SGD take all of the optimizer's fields.
CUSTOM = RunConfig.model_validate({"model": {"norm": {"kind": "custom"}}})
CHANGES = single_changes(CUSTOM)


def test_every_setting_in_the_digest_is_changed_below():
    def leaves(values: dict[str, Any], prefix: str = "") -> set[str]:
        nested = [leaves(v, f"{prefix}{k}.") if isinstance(v, dict) else {prefix + k} for k, v in values.items()]
        return set().union(*nested)

    assert {dotted for dotted, _ in CHANGES} == leaves(CUSTOM.model_dump(mode="json"))


@pytest.mark.parametrize(("dotted", "value"), CHANGES, ids=lambda v: str(v))
def test_the_digest_changes_with_every_single_field(dotted: str, value: Any):
    assert with_change(CUSTOM, dotted, value).digest() != CUSTOM.digest()


def test_the_digest_is_equal_for_equal_settings_however_they_are_written():
    spelled = {"steps": "1e3", "optimizer": {"learning_rate": "1e-1"}, "model": {"norm": {"kind": "custom"}}}
    assert RunConfig.model_validate(spelled).digest() == CUSTOM.digest()
    assert RunConfig.model_validate(json.loads(CUSTOM.model_dump_json())).digest() == CUSTOM.digest()


VALUES_TO_A_PROGRAM = {
    "seed",
    "steps",
    "dataset.standardize",
    "dataset.train_examples",
    "model.initialization",
    "model.init_scale",
    "optimizer.learning_rate",
}


@pytest.mark.parametrize(("dotted", "value"), CHANGES, ids=lambda v: str(v))
def test_runs_share_a_program_where_they_differ_in_values_only(dotted: str, value: Any):
    shared = with_change(CUSTOM, dotted, value).program_key() == CUSTOM.program_key()
    assert shared == (dotted in VALUES_TO_A_PROGRAM)


def test_runs_of_no_steps_have_a_program_of_their_own():
    keys = [with_change(CUSTOM, "steps", steps).program_key() for steps in (0, 50, 100)]
    assert keys[0] != keys[1] == keys[2]


def test_a_configuration_cannot_be_changed_and_takes_no_unknown_field():
    with pytest.raises(ValidationError, match="frozen"):
        CUSTOM.steps = 5  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Extra inputs"):
        RunConfig.model_validate({"step": 5})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measure": "value_at_step"}, "value_at_step needs a step"),
        ({"measure": "gradient_ratio"}, "gradient_ratio needs a step"),
        ({"per_seed": "slope"}, "per_seed: slope needs an axis"),
        ({"measure": "first_values"}, "first_values and effect: largest_difference need each other"),
        ({"effect": "largest_difference"}, "first_values and effect: largest_difference need each other"),
    ],
)
def test_a_part_needs_what_its_measure_needs(changes: dict[str, str], message: str):
    part = {"measure": "drift", "effect": "level", "treatment": "a", "margin": Margin(above=1)}
    with pytest.raises(ValidationError, match=message):
        PartConfig.model_validate(part | changes)


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_committed_experiment_loads(path: Path):
    experiment = load_experiment(path)
    assert experiment.name == path.stem
    runs = experiment.tuning_runs() or experiment.evaluation_runs({})
    names = [run_name(run) for run in runs]
    assert len(set(names)) == len(names) > 0


def test_the_committed_schema_is_current():
    committed = json.loads((ROOT / "configs/experiment.schema.json").read_text(encoding="utf-8"))
    assert committed == json_schema(), "make it again: scripts/run.py --schema > configs/experiment.schema.json"


def test_the_schema_knows_every_field():
    schema = json_schema()
    assert set(schema["properties"]) == {*ExperimentConfig.model_fields, "extends"}
    assert schema["additionalProperties"] is False
    assert set(schema["$defs"]["RunConfig"]["properties"]) == set(RunConfig.model_fields)
    assert schema["$defs"]["ModelConfig"]["properties"]["activation"]["enum"] == ["relu", "sigmoid", "tanh"]
