"""What a user is told of runs that fail, and of runs that do not fit their data."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import TINY, command

LARGE = "large: {model.layers: [7]}"
# What every Python process runs at its start: it has networks of seven units fail, as for want of memory.
NO_ROOM = """
import builtins, sys
plain_import = builtins.__import__

def importing(name, *arguments, **options):
    module = plain_import(name, *arguments, **options)
    run = sys.modules.get("experiments.training.run")
    if hasattr(run, "train") and not hasattr(run, "plain_train"):
        run.plain_train = run.train
        run.train = train
    return module

def train(program, config):
    if config.model.layers == (7,):
        raise MemoryError("no room for seven units")
    return sys.modules["experiments.training.run"].plain_train(program, config)

builtins.__import__ = importing
"""


def without_room(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "sitecustomize.py").write_text(NO_ROOM)
    return command(config, "--out", folder, "--workers", 1, PYTHONPATH=str(folder))


def some(folder: Path, *arms: str) -> Path:
    """An experiment of these arms, each trained on two seeds."""
    config = folder / "some.yaml"
    head = f"extends: {TINY}\ngrid: {{}}\ntuning: null\nseeds: [0, 1]\nclaim: null\narms:\n"
    config.write_text(head + "".join(f"  {arm}\n" for arm in arms))
    return config


def test_equal_failures_are_told_once_and_the_others_go_on(tmp_path: Path):
    done = without_room(some(tmp_path, LARGE, "good: {}"), tmp_path)
    assert done.returncode == 1
    told = " ".join(done.stdout.split())
    assert told.count("failed: some/large/seed=0: MemoryError: no room") == told.count("MemoryError") == 1
    assert done.stderr.splitlines() == [
        "2 runs failed: MemoryError: no room for seven units; the first's traceback stands in "
        f"{tmp_path}/some/large/seed=0/run.json"
    ]
    table = pd.read_parquet(tmp_path / "some/results.parquet").set_index(["arm", "seed"])
    assert table["status"].to_dict() == {
        ("large", 0): "failed",
        ("large", 1): "failed",
        ("good", 0): "finished",
        ("good", 1): "finished",
    }
    assert np.isnan(table["final_test_accuracy"]["large", 0])
    about = json.loads((tmp_path / "some/large/seed=0/run.json").read_text())
    assert about["error"].startswith("Traceback")
    row = next(line for line in done.stdout.splitlines() if line.strip("│ ").startswith("large "))
    assert row.split()[1:] == ["–"] * (len(row.split()) - 1)  # of which nothing is known


def test_where_all_runs_fail_no_table_and_no_pictures_are_offered(tmp_path: Path):
    done = without_room(some(tmp_path, LARGE), tmp_path)
    assert done.returncode == 1
    assert "Tiny: no run finished, so there is nothing to show." in done.stdout.splitlines()
    assert "TensorBoard" not in done.stdout
    assert "accuracy" not in done.stdout
    assert done.stderr.count("2 runs failed: ") == 1


@pytest.mark.parametrize("option", [["--dry-run"], ["--workers", 1]], ids=["dry run", "run"])
def test_runs_that_do_not_fit_their_data_are_told_at_once_with_their_place(option: list[object], tmp_path: Path):
    config = some(
        tmp_path,
        "unknown: {dataset.name: mnnist}",
        "few: {dataset.train_examples: 10}",
        "many: {dataset.train_examples: 5000}",
        "good: {}",
    )
    done = command(config, "--out", tmp_path / "out", *option)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"{config}:7: arms.unknown.dataset.name: no data set 'mnnist'; use digits, wine, breast_cancer or a name of "
        "TensorFlow Datasets; did you mean 'mnist'?",
        f"{config}:8: arms.few.dataset.train_examples: got 10, but a batch takes 20; give more, or a smaller "
        "batch_size",
        f"{config}:9: arms.many.dataset.train_examples: digits has 1078 training examples, got 5000; give fewer",
    ]
    assert not (tmp_path / "out").exists()


def test_data_that_prove_damaged_when_loaded_are_told_once_before_any_run(tmp_path: Path):
    (tmp_path / "data/kmnist/3.0.1").mkdir(parents=True)
    config = some(tmp_path, "a: {dataset.name: kmnist}", "b: {dataset.name: kmnist}", "good: {}")
    done = command(config, "--out", tmp_path, "--workers", 1, "--data-dir", tmp_path / "data")
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.partition(": what ")[0] for line in done.stderr.splitlines()] == [
        f"{config}:7: arms.a.dataset.name",
        f"{config}:8: arms.b.dataset.name",
    ]
    assert not list(tmp_path.rglob("run.json"))
