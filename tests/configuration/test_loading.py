from pathlib import Path

import pytest
from experiment_files import BASE, ROOT, faults_of, load, only_run

from experiments.configuration.loading import load_experiment
from experiments.configuration.run import RunConfig
from experiments.records.storage import run_name

RUN_FIELDS = ", ".join(RunConfig.model_fields)


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("run.steps", "expected field=value, such as run.steps=500"),
        ("=3", "expected field=value, such as run.steps=500"),
        ("run..steps=3", "expected field=value, such as run.steps=500"),
        ("run.stepss=3", f"run.stepss: no such field; 'stepss' is not one of {RUN_FIELDS}; did you mean 'steps'?"),
        ("run.steps=010", "run.steps: YAML reads 010 as a number in octal; quote it"),
        ("run.steps=", "run.steps: expected a whole number, got nothing"),
        ("title.x=3", "title: expected a text; quote it, got {'x': 3}"),
        ("arms.a.model.kind=mlq", "arms.a.model.kind: 'mlq' is not one of mlp, cnn, rnn, keras; did you mean 'mlp'?"),
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


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_committed_experiment_loads(path: Path):
    experiment = load_experiment(path)
    assert experiment.name == path.stem
    runs = experiment.tuning_runs() or experiment.evaluation_runs({})
    names = [run_name(run) for run in runs]
    assert len(set(names)) == len(names)
    assert names or experiment.config.claim  # which reads the runs of others, or counts over all claims
