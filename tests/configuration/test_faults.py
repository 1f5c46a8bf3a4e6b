# ruff: noqa: E501  one case a line, so that the tables of messages can be read
import typing
from pathlib import Path

import pytest
from experiment_files import BASE, faults_of

from experiments.configuration.probes import Probe
from experiments.configuration.run import RunConfig

PROBES = ", ".join(typing.get_args(Probe))
RUN_FIELDS = ", ".join(RunConfig.model_fields)
NORM = "kind, placement, on_input, momentum, debiased, epsilon, center, scale, noise, initial_scale, recurrent, renorm, renorm_relaxed_by, virtual_batch_size, groups"
ARMS = "{no_bn: {}, custom_bn: {model.norm.kind: custom}}"
FIELDS = "expected fields and their values, such as {steps: 500}"
SEEDS = (
    "expected how many seeds, such as 20, the first and the last, such as 20-39, or a list of them, such as [0, 1, 2]"
)
NO_SEED = "runs take their seeds from the field seeds at the top, such as seeds: 20; leave this out"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("run:\n  model: {activation: sigmod}", "run.model.activation: 'sigmod' is not one of relu, sigmoid, tanh, gelu, leaky_relu, elu, selu, linear; did you mean 'sigmoid'?"),
        ("run:\n  model: {activation: no}", "run.model.activation: False is not one of relu, sigmoid, tanh, gelu, leaky_relu, elu, selu, linear; YAML reads yes/no/on/off as a boolean, quote it"),
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
        ("run:\n  model: {layers: 100}", "run.model.layers: expected a list, such as [1, 2], got 100; write [100]"),
        ("run:\n  model: mlp", "run.model: expected fields and their values, such as {kind: mlp}, got 'mlp'"),
        ("run:\n  steps: 30", "run: steps (30) must be a multiple of evaluate_every (50)"),
        ("run:\n  model: {norm: {kind: layer, renorm: true}}", "run.model.norm: renorm needs kind: custom or stock"),
        ("run:\n  model: {norm: {kind: stock, debiased: true}}", "run.model.norm: debiased and momentum: null need a kind that is not stock, such as custom"),
        ("run:\n  model: {norm: {kind: stock, momentum: null}}", "run.model.norm: debiased and momentum: null need a kind that is not stock, such as custom"),
        ("run:\n  model: {norm: {kind: custom, momentum: null, debiased: true}}", "run.model.norm: debiased excludes momentum: null, the mean over all steps, which has no bias; keep one"),
        ("run:\n  model: {norm: {kind: custom, momentum: 1}}", "run.model.norm.momentum: must be below 1, got 1"),
        ("run:\n  {moving_averages: [0.9], model: {norm: {kind: custom, debiased: true}}}", "run: moving_averages must be [] with model.norm.momentum: null or debiased: they learn what a batch has added to the layers' own average, whose momentum has to be the same at each step"),
        ("run:\n  model: {trainable: norm}", "run.model: trainable: norm counts what normalization learns, which is nothing with norm.kind: none"),
        ("run:\n  model: {trainable: scale_invariant, norm: {kind: layer}}", "run.model: trainable: scale_invariant needs kernels whose output goes straight into a batch normalization; norm.kind: layer has none"),
        ("run:\n  model: {trainable: scale_invariant, norm: {kind: custom, placement: after}}", "run.model: trainable: scale_invariant needs kernels whose output goes straight into a batch normalization; norm.placement: after has none"),
        ("run:\n  model: {trainable: random_subset, norm: {kind: custom, scale: false, center: false}}", "run.model: trainable: random_subset counts what normalization learns, which is nothing with norm.scale and norm.center false"),
        ("run:\n  {probes: [landscape], model: {trainable: output}}", "run: probes: landscape takes a step of all weights, and training with model.trainable: output does not; leave it out"),
        ("run:\n  model: {residual: true, layers: [8, 8, 6]}", "run.model: residual adds a layer's output to its input, so all layers must be of one width, got 8 and 6"),
        ("run:\n  model: {residual: true, layers: [8]}", "run.model: residual needs a second layer, as the first, from the examples, has nothing to add to"),
        ("run:\n  model: {branch_scale: learnt}", "run.model: branch_scale needs residual: true"),
        ("run:\n  model: {residual: true, kind: rnn}", "run.model.residual: has no effect with kind: rnn, only with mlp or cnn; leave it out"),
        ("run:\n  model: {residual: true, branch_scale: 0}", "run.model.branch_scale: must be above 0, got 0; or write learnt"),
        ("run:\n  model: {residual: true, branch_scale: trained}", "run.model.branch_scale: expected a number, got 'trained'; or write learnt"),
        ("run:\n  xla: maybe", "run.xla: expected true or false, got 'maybe'; or write auto"),
        ("run:\n  model: {dropout_place: after_last_norm}", "run.model: dropout_place: after_last_norm needs a dropout above 0"),
        ("run:\n  model: {dropout: 0.1, dropout_place: before_norm}", "run.model: dropout_place: before_norm needs a normalization to stand before; norm.kind: none has none"),
        ("run:\n  model: {kind: rnn, dropout: 0.1, dropout_place: before_norm, norm: {kind: custom, recurrent: true}}", "run.model: dropout_place: before_norm needs a normalization to stand before; norm.recurrent: true has none"),
        ("run:\n  model: {kernel_size: 5}", "run.model.kernel_size: has no effect with kind: mlp, only with cnn; leave it out"),
        ("run:\n  model: {kind: cnn, kernel_size: 100}", "run.model.kernel_size: must be at most 99, got 100: images are hardly larger"),
        ("run:\n  model: {kind: cnn, pooling: mean}", "run.model.pooling: 'mean' is not one of max, average, none"),
        ("run:\n  model: {kind: cnn, layers: [8], dense: [20, 10], residual: true}", "run.model: residual adds a layer's output to its input, so all dense layers must be of one width, got 20 and 10"),
        ("run:\n  model: {kind: cnn, layers: [8, 8], padding: valid, residual: true}", "run.model: residual adds images of one size, and padding: valid makes them smaller; use same"),
        ("run:\n  model: {kind: cnn, layers: [8], dense: [20], norm: {kind: instance}}", "run.model: norm.kind: instance takes mean and variance over the positions of an image, of which dense layers have none; use layer, or a cnn without dense"),
        ("run:\n  model: {kind: cnn, layers: [8], dense: [21], norm: {kind: group, groups: 4}}", "run.model: norm.groups (4) must divide every layer, but not 21; give a number that divides all of them"),
        ("run:\n  model: {kind: cnn, layers: [8], dense: [100000, 100000]}", "run.model: must have at most 1,000,000,000 weights between its layers, got 10,000,000,000: they and their gradients lie in memory; give fewer or narrower layers"),
        ("run:\n  model: {norm: {kind: stock, virtual_batch_size: 4}}", "run.model.norm: renorm_relaxed_by and virtual_batch_size need kind: custom"),
        ("run:\n  model: {norm: {kind: stock, renorm: true, renorm_relaxed_by: 4}}", "run.model.norm: renorm_relaxed_by and virtual_batch_size need kind: custom"),
        ("run:\n  model: {norm: {kind: instance}}", "run.model: norm.kind: instance takes mean and variance over the positions of an image, of which an mlp has none; use layer, or a cnn without dense"),
        ("run:\n  seed: 3", f"run.seed: {NO_SEED}"),
        ("seeds:\n  0", f"seeds: {SEEDS}, got 0"),
        ("seeds:\n  yes", f"seeds: {SEEDS}, got True"),
        ("seeds:\n  []", "seeds: give at least one, got []"),
        ("seeds:\n  [0, -1]", "seeds.1: must be at least 0, got -1"),
        ("seeds:\n  [3, 4, 3]", "seeds: 3 is given twice; keep one"),
        ("grid:\n  optimizer.learning_rate: 0.1", "grid.optimizer.learning_rate: expected a list, such as [1, 2], got 0.1; write [0.1]"),
        ("grid:\n  optimizer.learning_rate: []", "grid.optimizer.learning_rate: give at least one value"),
        ("grid:\n  optimizer.learning_rate: [0.1, 1e-1]", "grid.optimizer.learning_rate: 0.1 is given twice; keep one"),
        ("grid:\n  optimizer.rate: [1, 2]", "grid.optimizer.rate: no such field; 'rate' is not one of kind, learning_rate, momentum, nesterov, weight_decay, weight_decay_over, keep_norms, beta_1, beta_2, schedule"),
        ("grid:\n  optimizer.learning_rate: [1, -2]", "grid.optimizer.learning_rate: must be above 0, got -2"),
        ("grid:\n  seed: [1]", f"grid.seed: {NO_SEED}"),
        ("grid:\n  model.norm: [{kind: none}, {kind: custom}]", "grid.model.norm: several fields at once; give one of them, such as model.norm.kind, or arms"),
        ("grid:\n  xla: [auto, true]", "grid.xla: texts and other values cannot share an axis; make them arms"),
        ("tuning:\n  over: steps", "tuning.over: 'steps' is no axis of grid, which has none; add it there"),
        ("tuning:\n  {over: steps, seeds: [5, 5]}\ngrid: {steps: [50]}", "tuning.seeds: 5 is given twice; keep one"),
        ("tuning:\n  {over: steps, seeds: [0, 5]}\ngrid: {steps: [50]}", "tuning.seeds: [0] are evaluation seeds too; a seed is for tuning or for evaluation"),
        ("tuning:\n  {over: steps, per: [step]}\ngrid: {steps: [50]}", "tuning.per: 'step' is not one of steps; did you mean 'steps'? (an axis of grid)"),
        ("claim:\n  {source: s}", "claim.statement: required, but not given"),
    ],
)  # fmt: skip
def test_a_fault_names_file_line_field_found_allowed_and_nearest(tmp_path: Path, text: str, fault: str):
    (found,) = faults_of(tmp_path, f"{BASE}{text}\n")
    whole_section = "." not in fault.partition(":")[0] or fault.endswith("required, but not given")
    place = f"x.yaml:{4 if whole_section else 5}: "
    assert found == place + fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("arms: {a: {}}", "x.yaml:1: title: required, but not given; add it, such as title: Sigmoid MLP with and without BN"),
        ("title: t", "x.yaml:1: arms: give at least one arm, or a claim all of whose parts read runs of other files"),
        ("title: t\narms: {}", "x.yaml:2: arms: give at least one arm, or a claim all of whose parts read runs of other files"),
        ("title: t\narms: [a]", f"x.yaml:2: arms: expected fields and their values, such as {ARMS}, got ['a']"),
        ("title: t\narms:\n  a:", f"x.yaml:3: arms.a: {FIELDS}, got nothing; write {{}} for no fields"),
        ("title: t\narms:\n  a/b: {}", "x.yaml:3: arms.a/b: 'a/b' cannot be the name of a folder; leave out / \\ = < > : \" | ? *, and a dot or space at the ends"),
        ("title: t\narms:\n  summary: {}", "x.yaml:3: arms.summary: 'summary' is the folder of the whole experiment's summary; choose another name"),
        (f"{BASE}run:", f"x.yaml:4: run: {FIELDS}, got nothing; write {{}} for no fields"),
        (f"{BASE}run: 5", f"x.yaml:4: run: {FIELDS}, got 5"),
        (f"{BASE}titel: u", "x.yaml:4: titel: no such field; 'titel' is not one of title, run, arms, grid, tuning, edges, seeds, claim; did you mean 'title'?"),
    ],
)  # fmt: skip
def test_a_fault_at_the_top_of_the_file(tmp_path: Path, text: str, fault: str):
    assert faults_of(tmp_path, text + "\n") == [fault]


def test_a_fault_in_an_arm_stands_at_the_arms_line(tmp_path: Path):
    text = "title: t\nrun:\n  steps: 100\narms:\n  a:\n    model.norm.kind: custm\n  b:\n    steps: 30\n  c:\n    model: {norm: {renorm: true}}\n  d: {steps.x: 1}\n"
    assert faults_of(tmp_path, text) == [
        "x.yaml:6: arms.a.model.norm.kind: 'custm' is not one of none, custom, stock, noisy, detached, mean_only, variance_only, layer, group, instance, rms, dyt; "
        "did you mean 'custom'?",
        "x.yaml:8: arms.b.steps: steps (30) must be a multiple of evaluate_every (50)",
        "x.yaml:10: arms.c.model.norm: renorm needs kind: custom or stock",
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
    - {measure: drift, effect: ratio, baseline: c, treatment: a, axis: step, per_seed: worst, step: 5}
"""
    axes = "optimizer.learning_rate, steps"
    assert sorted(faults_of(tmp_path, text), key=lambda fault: int(fault.split(":")[1])) == [
        "x.yaml:3: run.model.activation: 'sigmod' is not one of relu, sigmoid, tanh, gelu, leaky_relu, elu, selu, linear; did you mean 'sigmoid'?",
        "x.yaml:5: arms.a.model.norm.kind: 'custm' is not one of none, custom, stock, noisy, detached, mean_only, variance_only, layer, group, instance, rms, dyt; "
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
        "x.yaml:16: claim.parts.0: step has no effect with measure: drift; leave it out",
    ]


def test_a_fault_in_what_is_extended_names_that_file(tmp_path: Path):
    (tmp_path / "base.yaml").write_text("title: t\nrun:\n  steps: -50\narms: {a: {}}\n")
    assert faults_of(tmp_path, "extends: base.yaml\nseeds: 0\n") == [
        "base.yaml:3: run.steps: must be at least 0, got -50",
        f"x.yaml:2: seeds: {SEEDS}, got 0",
    ]
