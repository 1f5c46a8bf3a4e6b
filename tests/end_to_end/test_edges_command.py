"""The largest rates that train, looked for by the command: planned, interrupted, gone on with, shown."""

from __future__ import annotations

import signal
from pathlib import Path

import pandas as pd
import pytest
from sweeping import curves, end, finish, finished, start, wait_for, workers, write_config

from experiments.analysis.training_rates import edges, half_way
from experiments.configuration.loading import load_experiment

FAR = """
title: How far
run:
  dataset: {batch_size: 20, train_examples: 400}
  model: {kind: mlp, layers: [16]}
  steps: 60
  evaluate_every: 20
  xla: false
arms:
  no_bn: {}
  custom_bn: {model.norm.kind: custom}
grid:
  optimizer.learning_rate: [0.1, 1, 1000]
tuning: {seeds: [100], evaluate: all}
edges: {halvings: 2}
seeds: 2
"""
GRID_RUNS = 18


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_config(tmp_path_factory.mktemp("config"), FAR)


@pytest.fixture(scope="module")
def undisturbed(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of results of a command that nobody disturbed; to be read only."""
    out = tmp_path_factory.mktemp("undisturbed")
    done = finish(config, out, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert "edges of the learning rate, 1 of 2 · 18/" in done.stdout
    assert "edges of the learning rate, 2 of 2" in done.stdout
    assert "no part of the experiment" not in done.stdout
    return out


def times(out: Path) -> dict[Path, int]:
    return {run.relative_to(out): (run / "run.json").stat().st_mtime_ns for run in finished(out)}


def test_every_interval_is_halved_as_often_as_was_asked(config: Path, undisturbed: Path):
    table = pd.read_parquet(undisturbed / "small" / "results.parquet")
    assert len(table) == len(finished(undisturbed)) > GRID_RUNS
    experiment = load_experiment(config).config
    level = half_way(table, experiment, experiment.arms, experiment.edges.chance if experiment.edges else 0.1)
    intervals = edges(table, experiment, "no_bn", level, "finite")
    for low, high in intervals:  # without batch normalization every seed diverges at 1000
        assert high / low == pytest.approx(1000 ** (1 / 4), rel=1e-3)


def test_killed_in_the_first_round_it_goes_on_with_the_same_command(config: Path, undisturbed: Path, tmp_path: Path):
    process = start(config, tmp_path, "--workers", 1)
    wait_for(lambda: len(finished(tmp_path)) > GRID_RUNS)
    end(process, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not workers(process.pid))
    before = times(tmp_path)
    assert finish(config, tmp_path, "--workers", 1).returncode == 0
    assert curves(tmp_path) == curves(undisturbed)
    assert before.items() <= times(tmp_path).items()


def test_a_dry_run_says_how_many_there_may_be(config: Path, undisturbed: Path, tmp_path: Path):
    fresh = finish(config, tmp_path, "--dry-run").stdout
    assert "18 to train, 2 programs to compile" in fresh
    assert "up to 16 more, between values of the grid, which the results will choose" in fresh
    done = finish(config, undisturbed, "--dry-run").stdout
    assert "0 to train" in done
    assert "between values" not in done
