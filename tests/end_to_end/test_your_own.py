"""The examples of docs/your_own.md, as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from running import command
from sweeping import ROOT

BLOCK = re.compile(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", re.DOTALL)
RUNS = {"flowers": 4, "pictures": 4, "residual": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the page, the data they make, and the runs, in `runs`."""
    folder = tmp_path_factory.mktemp("own")
    for name, text in BLOCK.findall((ROOT / "docs" / "your_own.md").read_text(encoding="utf-8")):
        (folder / name).write_text(text, encoding="utf-8")
    subprocess.run([sys.executable, "make_data.py"], cwd=folder, check=True)
    done = command(*(folder / f"{name}.yaml" for name in RUNS), "--out", folder / "runs", "--workers", 1)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize("name", RUNS)
def test_every_run_of_an_example_is_finished(folder: Path, name: str):
    table = pd.read_parquet(folder / "runs" / name / "results.parquet")
    assert table["status"].tolist() == ["finished"] * RUNS[name]
    assert table["final_test_accuracy"].between(0, 1).all()


def test_a_run_says_of_which_files_it_was_made(folder: Path):
    told = json.loads((folder / "runs" / "residual" / "custom_bn" / "seed=1" / "run.json").read_text())
    assert told["config"]["model"]["build"] == "my_networks:build_model"
    assert told["provenance"]["network"]["build"] == f"{folder}/my_networks:build_model"
    table = json.loads((folder / "runs" / "flowers" / "no_bn" / "seed=0" / "run.json").read_text())
    assert table["config"]["dataset"]["file"] == "flowers.csv"
    assert table["provenance"]["data_file"]["path"] == f"{folder}/flowers.csv"


def test_a_file_that_has_changed_is_another_run(folder: Path):
    with (folder / "flowers.csv").open("a") as file:
        file.write("5,3,1,0.2,setosa\n")
    with (folder / "my_networks.py").open("a") as file:
        file.write("# changed\n")
    for name, setting in (("flowers", "run.dataset.sha256"), ("residual", "run.model.sha256")):
        done = command(folder / f"{name}.yaml", "--out", folder / "runs", "--workers", 1, "--dry-run")
        assert done.returncode == 1
        assert f"4 finished runs have other settings than those asked for, such as no_bn/seed=0: {setting}: " in (
            done.stderr
        )


def test_what_is_wrong_with_data_and_network_is_told_before_anything_is_trained(folder: Path, tmp_path: Path):
    for name in ("flowers.yaml", "residual.yaml"):
        (tmp_path / name).write_text((folder / name).read_text())
    (tmp_path / "flowers.csv").write_text("a,species\n1,setosa\n,setosa\n")
    (tmp_path / "my_networks.py").write_text("def build_model(*_):\n    raise KeyError('units')\n")
    for name, said in (
        ("flowers", "3: run.dataset.file: flowers.csv: column 'a' has 1 missing values, the first in row 2; fill them"),
        ("residual", "4: run.model.build: my_networks:build_model raises KeyError: 'units' (my_networks.py:2)"),
    ):
        done = command(tmp_path / f"{name}.yaml", "--out", tmp_path / "runs", "--workers", 1)
        assert done.returncode == 2
        assert f"{tmp_path}/{name}.yaml:{said}" in done.stderr
        assert not (tmp_path / "runs").exists()


def test_the_sentence_is_a_file_and_trains(folder: Path):
    file = folder / "sentence.yaml"
    asked = command(file, "--out", folder / "runs", "--dry-run")
    assert asked.returncode == 0, asked.stderr
    assert "20 runs of 2 arms" in asked.stdout
    smaller = [f"run.{field}" for field in ("dataset.name=digits", "steps=200", "evaluate_every=50")]
    sets = [word for setting in (*smaller, "seeds=2") for word in ("--set", setting)]
    done = command(file, *sets, "--out", folder / "runs", "--workers", 1)
    assert done.returncode == 0, done.stdout + done.stderr
    table = pd.read_parquet(next((folder / "runs").glob("sentence,*")) / "results.parquet")
    assert table["status"].tolist() == ["finished"] * 4
    assert table["final_test_accuracy"].median() > 0.5
