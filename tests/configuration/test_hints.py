# ruff: noqa: E501  one case a line, so that the tables of messages can be read
from pathlib import Path

import pytest
from experiment_files import BASE, faults_of

from experiments.configuration.run import RunConfig
from models.config import ModelConfig

RUN = f"is not one of {', '.join(RunConfig.model_fields)}"
TOP = "is not one of title, run, arms, grid, tuning, edges, seeds, claim"
OF_BN = "custom (this project's layer) or stock (Keras's)"
BN = f"batch normalization is model.norm.kind: {OF_BN}"
SECTION = "expected fields and their values, such as"


NETWORK = ", ".join(ModelConfig.model_fields)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("grid: {learning_rate: [0.1]}\ntuning: {}", f"grid.learning_rate: no such field; 'learning_rate' {RUN}; did you mean 'optimizer.learning_rate'?"),
        ("grid: {run.optimizer.learning_rate: [0.1]}\ntuning: {}", "grid.run.optimizer.learning_rate: no such field; arms and grid name the fields of run from there on; leave out run"),
        ("grid: {model.learning_rate: [0.1]}\ntuning: {}", f"grid.model.learning_rate: no such field; 'learning_rate' is not one of {NETWORK}; did you mean 'optimizer.learning_rate'?"),
        ("tuning: {}\ngrid: {steps: [50]}", "tuning: picks each arm's best optimizer.learning_rate, which is no axis of grid; add it, or set over"),
        ("run: {learning_rate: 0.1}", f"run.learning_rate: no such field; 'learning_rate' {RUN}; did you mean 'run.optimizer.learning_rate'?"),
        ("run: {learning_rte: 0.1}", f"run.learning_rte: no such field; 'learning_rte' {RUN}; did you mean 'run.optimizer.learning_rate'?"),
        ("run: {lr: 0.1}", f"run.lr: no such field; 'lr' {RUN}; did you mean 'run.optimizer.learning_rate'?"),
        ("run: {optimizer: {lr: 0.1}}", "run.optimizer.lr: no such field; 'lr' is not one of kind, learning_rate, momentum, nesterov, weight_decay, weight_decay_over, keep_norms, beta_1, beta_2, schedule; did you mean 'run.optimizer.learning_rate'?"),
        ("run: {momentum: 0.9}", f"run.momentum: no such field; 'momentum' {RUN}; did you mean 'run.model.norm.momentum' or 'run.optimizer.momentum'?"),
        ("run: {batch_norm: true}", f"run.batch_norm: no such field; 'batch_norm' {RUN}; {BN}"),
        ("run: {scale: 1}", f"run.scale: no such field; 'scale' {RUN}; did you mean 'run.model.norm.scale'?"),
        ("run: {step: 1}", f"run.step: no such field; 'step' {RUN}; did you mean 'steps'?"),
        ("steps: 500", f"steps: no such field; 'steps' {TOP}; did you mean 'run.steps'?"),
        ("experiments: []", f"experiments: no such field; 'experiments' {TOP}; a file is one experiment, whose variants are arms"),
        ("name: x", f"name: no such field; 'name' {TOP}; an experiment is named by its file, and title says what it is about"),
        ("str: x", f"str: no such field; 'str' {TOP}"),
        ("statement: s", f"statement: no such field; 'statement' {TOP}; did you mean 'claim.statement'?"),
        ("run: {model: {norm: {kind: batch}}}", f"run.model.norm.kind: 'batch' is not one of none, custom, stock, noisy, detached, mean_only, variance_only, layer, group, instance, rms, dyt; batch normalization is {OF_BN}"),
        ("run: {model: {norm: {kind: BatchNorm}}}", f"run.model.norm.kind: 'BatchNorm' is not one of none, custom, stock, noisy, detached, mean_only, variance_only, layer, group, instance, rms, dyt; batch normalization is {OF_BN}"),
        ("run: {model: {norm: batch_norm}}", f"run.model.norm: {SECTION} {{kind: custom}}, got 'batch_norm'"),
        ("run: {model: {norm: stock}}", f"run.model.norm: {SECTION} {{kind: stock}}, got 'stock'"),
        ("run: {model: {activation: softmax}}", "run.model.activation: 'softmax' is not one of relu, sigmoid, tanh, gelu, leaky_relu, elu, selu, linear; the output layer gives logits, whose softmax is part of the loss; this is of the hidden layers"),
        ("run: {model: {activation: ReLU}}", "run.model.activation: 'ReLU' is not one of relu, sigmoid, tanh, gelu, leaky_relu, elu, selu, linear; did you mean 'relu'?"),
        ("run: {model: {layers: 64}}", "run.model.layers: expected a list, such as [1, 2], got 64; write [64]"),
        ("run: {model: {layers: [{dense: 64}]}}", "run.model.layers.0: expected a number of units, such as 100, got {'dense': 64}; model.kind says what the layers are"),
        ("run: {model: {dropout: 50}}", "run.model.dropout: must be below 1, got 50; it is a share, so write 0.5 for 50 %"),
        ("run: {model: [100]}", f"run.model: {SECTION} {{kind: mlp, layers: [100, 100]}}, got [100]"),
        ("run: {optimizer: adam}", f"run.optimizer: {SECTION} {{kind: adam}}, got 'adam'"),
        ("run: {optimizer: rmsprop}", f"run.optimizer: {SECTION} {{kind: adam, learning_rate: 0.001}}, got 'rmsprop'"),
        ("run: {dataset: mnist}", f"run.dataset: {SECTION} {{name: mnist}}, got 'mnist'"),
        ("run: {steps: }", "run.steps: expected a whole number, got nothing"),
        ("grid: [0.1]", f"grid: {SECTION} {{optimizer.learning_rate: [0.1, 1.0]}}, got [0.1]"),
        ("seeds: '10'", "seeds: expected how many seeds, such as 20, the first and the last, such as 20-39, or a list of them, such as [0, 1, 2], got '10'; write 10, without quotes"),
        ("tuning:", f"tuning: {SECTION} {{}}, got nothing; write {{}} for no fields"),
        ("claim:", f"claim: {SECTION} {{statement: what is claimed, source: who claims it}}, got nothing; write {{}} for no fields"),
    ],
)  # fmt: skip
def test_the_one_fault_says_what_to_write_instead(tmp_path: Path, text: str, fault: str):
    assert faults_of(tmp_path, f"{BASE}{text}\n") == [f"x.yaml:4: {fault}"]


def test_an_arm_names_fields_as_the_grid_does(tmp_path: Path):
    text = "title: t\narms:\n  a: {run.steps: 50}\n  b: {learning_rate: 1}\n"
    assert faults_of(tmp_path, text) == [
        "x.yaml:3: arms.a.run.steps: no such field; arms and grid name the fields of run from there on; leave out run",
        f"x.yaml:4: arms.b.learning_rate: no such field; 'learning_rate' {RUN}; did you mean 'optimizer.learning_rate'?",
    ]
