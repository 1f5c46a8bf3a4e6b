"""Epochs in place of steps: what they come to, and what is said where nothing tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from experiment_files import BASE, faults_of, load, only_run
from own_examples import X, Y

from experiments.configuration.experiment import Experiment
from experiments.configuration.loading import load_experiment
from experiments.configuration.yaml_source import ConfigError
from experiments.training.datasets import known_in

# Of 1,797 digits 1,078 are trained on: 10 epochs are 10,780 examples.
TEN = "run: {epochs: 10, evaluations: 40, dataset: {name: digits, batch_size: 32}}\n"


def lengths(experiment: Experiment) -> list[tuple[int, int, int]]:
    """Batch size, steps and evaluate_every of each cell."""
    configs = [experiment.run(arm, grid, 0).config for arm, grid in experiment.cells()]
    return [(c.dataset.batch_size, c.steps, c.evaluate_every) for c in configs]


def test_a_run_of_epochs_is_the_run_of_the_steps_they_come_to(tmp_path: Path):
    in_steps = "run: {steps: 336, evaluate_every: 8, dataset: {name: digits, batch_size: 32}}\n"  # 336.9 / 8
    found, written_out = only_run(tmp_path, BASE + TEN), only_run(tmp_path, BASE + in_steps)
    assert found == written_out
    assert (found.digest(), found.program_key()) == (written_out.digest(), written_out.program_key())


def test_batches_of_all_sizes_see_equally_many_examples(tmp_path: Path):
    text = BASE + TEN.replace("name: digits", "name: digits, train_examples: 1024")
    exact = lengths(load(tmp_path, text + "grid: {dataset.batch_size: [8, 64]}"))
    assert exact == [(8, 1280, 32), (64, 160, 4)]
    rounded = lengths(load(tmp_path, BASE + TEN + "grid: {dataset.batch_size: [8, 64, 1024]}"))
    assert rounded == [(8, 1360, 34), (64, 168, 4), (1024, 11, 1)]
    assert all(abs(steps * batch - 10_780) <= every * batch / 2 for batch, steps, every in rounded)


def test_an_arm_may_ask_for_equal_examples_and_the_command_line_for_epochs(tmp_path: Path):
    steps = "title: t\nrun: {steps: 500, evaluate_every: 20, dataset: {batch_size: 32}}\n"
    equal = "arms: {a: {}, b: {dataset.batch_size: 8, epochs: 20}}\n"  # 2,695 steps
    assert lengths(load(tmp_path, steps + equal)) == [(32, 500, 20), (8, 2700, 135)]
    assert lengths(load(tmp_path, steps + "arms: {a: {}}", "run.epochs=10")) == [(32, 340, 17)]
    assert lengths(load(tmp_path, BASE + TEN, "run.steps=100")) == [(32, 100, 50)]


def test_fewer_than_one_epoch_and_more_evaluations_than_steps_take_a_step(tmp_path: Path):
    run = "run: {epochs: 0.01, dataset: {batch_size: 64}}"
    assert lengths(load(tmp_path, BASE + run)) == [(64, 1, 1)]


def test_a_schedule_may_warm_up_as_long_as_the_epochs_last(tmp_path: Path):
    schedule = "optimizer: {schedule: {warmup_steps: 1500}}"
    run = f"run: {{epochs: 100, dataset: {{batch_size: 64}}, {schedule}}}"
    assert only_run(tmp_path, BASE + run).steps == 1680
    short = "x.yaml:4: run: optimizer.schedule.warmup_steps (1500) must be at most steps (168)"
    assert faults_of(tmp_path, BASE + run.replace("100", "10")) == [short]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("run: {epochs: 10, steps: 500}", "x.yaml:4: run: epochs (10) and steps (500) exclude each other; keep one"),
        (
            "run: {epochs: 10, evaluate_every: 5}",
            "x.yaml:4: run: epochs (10) and evaluate_every (5) exclude each other; keep one, or give evaluations",
        ),
        ("run: {epochs: 0}", "x.yaml:4: run.epochs: must be above 0, got 0"),
        (
            "run: {steps: 500, evaluations: 5}",
            "x.yaml:4: run.evaluations: has no effect with epochs: null; leave it out",
        ),
        (
            "run:\n  dataset: {name: mnist}\n  epochs: 10",
            "x.yaml:6: run.epochs: how many examples of mnist are for training is not known before they are loaded; "
            "give dataset.train_examples too, or steps",
        ),
        (
            "run: {epochs: 10, dataset: {classes: [0, 1]}}",
            "x.yaml:4: run.epochs: how many examples of digits are for training is not known before they are loaded; "
            "give dataset.train_examples too, or steps",
        ),
    ],
)
def test_what_epochs_cannot_be(tmp_path: Path, text: str, fault: str):
    assert faults_of(tmp_path, BASE + text) == [fault]


def test_of_steps_and_epochs_in_one_arm_the_first_is_told_to_have_no_effect(tmp_path: Path):
    arm = "title: t\narms:\n  a:\n    epochs: 2\n    steps: 100\n"
    assert faults_of(tmp_path, arm) == [
        "x.yaml:4: arms.a.epochs: has no effect, as arm or grid set in its place another; keep one"
    ]


def test_a_file_that_extends_another_may_not_have_both_either(tmp_path: Path):
    (tmp_path / "base.yaml").write_text(BASE + TEN)
    both = "extends: base.yaml\nrun:\n  epochs: 10\n  steps: 500\n"
    assert faults_of(tmp_path, both) == [
        "base.yaml:4: run: epochs (10) and steps (500) exclude each other; keep one",
    ]


def test_a_claim_at_a_step_needs_steps(tmp_path: Path):
    part = "{measure: value_at_step, metric: accuracy/validation, step: 20, effect: level, treatment: a, role: beside}"
    claim = f"claim: {{statement: s, source: s, points: 1, parts: [{part}]}}\n"
    said = "cannot be known to be an evaluation with run.epochs; give run.steps and run.evaluate_every"
    assert faults_of(tmp_path, BASE + TEN + claim) == [f"x.yaml:5: claim.parts.0.step: {said}"]
    assert load(tmp_path, BASE + TEN + claim.replace("step: 20", "step: 0"))


def test_a_file_of_ones_own_is_read_to_count_its_examples(tmp_path: Path):
    np.savez(tmp_path / "my.npz", x=X, y=Y)  # 30, of which 18 are trained on
    path = tmp_path / "x.yaml"
    path.write_text(BASE + "run: {epochs: 10, evaluations: 5, dataset: {file: my.npz, batch_size: 6}}")
    assert lengths(load_experiment(path, known=known_in(None))) == [(6, 30, 6)]
    np.savez(tmp_path / "my.npz", x=X, y=Y[:5])
    with pytest.raises(ConfigError, match=r"x.yaml:4: run.dataset.file: .*x has 30 examples and y 5"):
        load_experiment(path, known=known_in(None))
