"""What lies in the page to play with: what the runs hold, and nothing else."""

from __future__ import annotations

import fnmatch
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.analysis.results_table import results_table
from experiments.configuration.experiment import Experiment, Run
from experiments.configuration.loading import load_experiment
from experiments.records.storage import Curve, Record
from experiments.reporting import explorer
from experiments.reporting.explorer import Explored, network_words, render_explorer
from models.config import ModelConfig

ROOT = Path(__file__).parent.parent.parent
VENDORED = ROOT / "experiments/reporting/vendored/uplot"
FILE = """title: small
run: {{model: {{kind: mlp, layers: [4, 4]}}, steps: 4, evaluate_every: {every}, probes: {probes}}}
arms: {{plain: {{}}, normalized: {{model.norm.kind: custom}}}}
grid: {{optimizer.learning_rate: [0.1, 1e0]}}  # which YAML reads as text
{more}
seeds: 2
"""


def experiment_of(folder: Path, name: str, every: int = 2, probes: str = "[]", more: str = "") -> Experiment:
    path = folder / f"{name}.yaml"
    path.write_text(FILE.format(every=every, probes=probes, more=more))
    return load_experiment(path)


def record_of(run: Run, status: str = "finished", **more: list[float]) -> Record:
    """Accuracy rises by rate / 10 + seed / 100 an evaluation; the loss falls. more: further curves."""
    every, rate = run.config.evaluate_every, run.config.optimizer.learning_rate
    steps = np.arange(0, run.config.steps + 1, every)
    rise = (rate / 10 + run.config.seed / 100) * np.arange(len(steps))
    curves = {"accuracy/validation": Curve(steps, 0.1 + rise), "loss/train": Curve(steps[1:], 1 / steps[1:])}
    curves |= {name: Curve(steps, np.array(values)) for name, values in more.items()}
    return Record(run.config, status, curves, 3 if status == "diverged" else None)


def explored(experiment: Experiment, **more: list[float]) -> Explored:
    runs = [*experiment.tuning_runs(), *experiment.evaluation_runs({})]
    table = results_table((run.arm, run.grid, record_of(run)) for run in runs)
    return Explored(experiment, table, lambda run: record_of(run, **more))


def data_of(page: str | None) -> list[dict[str, Any]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page or "", re.DOTALL)
    assert found
    return json.loads(found[1])


def curve(network: Mapping[str, Any], arm: int, place: int, metric: str) -> Any:
    return network["arms"][arm]["cells"][place]["curves"][metric]


def test_every_run_of_the_table_lies_in_the_page(tmp_path: Path) -> None:
    (network,) = data_of(render_explorer([explored(experiment_of(tmp_path, "one"))], "t"))
    assert (network["name"], network["axis"], network["values"]) == (
        "MLP 2×4, sigmoid, Glorot weights", "learning rate", ["0.1", "1"]
    )  # fmt: skip
    assert [arm["label"] for arm in network["arms"]] == ["without BN", "with BN"]
    assert curve(network, 1, 1, "accuracy/validation") == {"every": 2, "values": [[0.1, 0.2, 0.3], [0.1, 0.21, 0.32]]}
    assert curve(network, 0, 0, "loss/train") == {"every": 2, "values": [[None, 0.5, 0.25]] * 2}
    assert network["arms"][0]["cells"][0]["seeds"] == [0, 1]
    assert [arm["best"] for arm in network["arms"]] == [1, 1]


def test_what_was_not_measured_is_not_there(tmp_path: Path) -> None:
    layer = {"gradient_norm/1": [1.0, 2.0, 3.0]}
    (unasked,) = data_of(render_explorer([explored(experiment_of(tmp_path, "one"), **layer)], "t"))
    assert unasked["arms"][0]["cells"][0]["curves"].keys() == {"accuracy/validation", "loss/train"}
    asked = explored(experiment_of(tmp_path, "two", probes="[gradients]"), **layer)
    (network,) = data_of(render_explorer([asked], "t"))
    assert curve(network, 0, 0, "gradient_norm/1")["values"] == [[1.0, 2.0, 3.0]] * 2
    only_table = Explored(asked.experiment, asked.table, lambda _: None)
    assert data_of(render_explorer([only_table], "t"))[0] == unasked | {"sources": ["two"]}


def test_percentiles_of_single_units_become_their_mean_beside_the_first_unit(tmp_path: Path) -> None:
    units = {"pre_activation/2/unit_000/p50": [0.0, 1.0, 2.0], "pre_activation/2/unit_001/p50": [0.0, 3.0, -1.0]}
    source = explored(experiment_of(tmp_path, "one", probes="[unit_percentiles]"), **units)
    (network,) = data_of(render_explorer([source], "t"))
    assert curve(network, 0, 0, "pre_activation/2/p50")["values"][0] == [0.0, 2.0, 0.5]
    assert curve(network, 0, 0, "pre_activation/2/unit_000/p50")["values"][0] == [0.0, 1.0, 2.0]
    assert "pre_activation/2/unit_001/p50" not in network["arms"][0]["cells"][0]["curves"]


def test_trainings_that_experiments_share_are_one_network(tmp_path: Path) -> None:
    often = explored(experiment_of(tmp_path, "often", every=1))
    seldom = explored(
        experiment_of(tmp_path, "inside", every=2, probes="[gradients]"), **{"gradient_norm/1": [1, 2, 3]}
    )
    (network,) = data_of(render_explorer([often, seldom], "t"))
    assert network["sources"] == ["often", "inside"]
    assert curve(network, 0, 0, "accuracy/validation")["every"] == 1
    assert curve(network, 0, 0, "gradient_norm/1") == {"every": 2, "values": [[1, 2, 3]] * 2}


def test_other_trainings_are_another_network_of_another_name(tmp_path: Path) -> None:
    first = explored(experiment_of(tmp_path, "first"))
    (tmp_path / "longer.yaml").write_text("extends: first.yaml\nrun: {steps: 8}\n")
    longer = explored(load_experiment(tmp_path / "longer.yaml"))
    names = [network["name"] for network in data_of(render_explorer([first, longer], "t"))]
    assert names == [f"MLP 2×4, sigmoid, Glorot weights ({name})" for name in ("first", "longer")]


def test_where_evaluation_seeds_train_at_the_best_rate_alone_tuning_seeds_show_the_others(tmp_path: Path) -> None:
    experiment = experiment_of(tmp_path, "one", more="tuning: {seeds: [100]}")
    runs = [*experiment.tuning_runs(), *experiment.evaluation_runs({("plain", ()): 1, ("normalized", ()): 1})]
    table = results_table((run.arm, run.grid, record_of(run)) for run in runs)
    (network,) = data_of(render_explorer([Explored(experiment, table, lambda _: None)], "t"))
    assert [cell["seeds"] for cell in network["arms"][0]["cells"]] == [[100], [100]]
    assert network["arms"][0]["at_best"]["seeds"] == [0, 1]
    assert (network["arms"][0]["best"], network["tuning"]) == (1, [100])


def test_a_diverged_run_says_where_and_a_failed_one_is_left_out(tmp_path: Path) -> None:
    experiment = experiment_of(tmp_path, "one")
    outcome = {0: "diverged", 1: "failed"}
    entries = [(run.arm, run.grid, record_of(run, outcome[run.config.seed])) for run in experiment.evaluation_runs({})]
    (network,) = data_of(render_explorer([Explored(experiment, results_table(entries), lambda _: None)], "t"))
    cell = network["arms"][0]["cells"][0]
    assert (cell["seeds"], cell["diverged"]) == ([0], [3])
    assert cell["curves"]["accuracy/validation"]["values"] == [[0.1, 0.11]]


def test_without_runs_there_is_no_page(tmp_path: Path) -> None:
    experiment = experiment_of(tmp_path, "one")
    assert render_explorer([Explored(experiment, results_table([]), lambda _: None)], "t") is None


def test_an_experiment_without_rates_has_one_value_of_no_axis(tmp_path: Path) -> None:
    path = tmp_path / "one_rate.yaml"
    path.write_text(FILE.format(every=2, probes="[]", more="").replace("grid:", "# grid:"))
    (network,) = data_of(render_explorer([explored(load_experiment(path))], "t"))
    assert (network["axis"], len(network["values"]), network["arms"][0]["best"]) == ("", 1, 0)
    assert curve(network, 0, 0, "accuracy/validation")["values"] == [[0.1, 0.11, 0.12], [0.1, 0.12, 0.14]]


def test_an_axis_beside_the_rate_makes_a_network_of_each_of_its_values(tmp_path: Path) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text(FILE.format(every=2, probes="[]", more="").replace("grid: {", "grid: {model.init_scale: [1, 4], "))
    networks = data_of(render_explorer([explored(load_experiment(path))], "t"))
    assert [network["name"] for network in networks] == [
        "MLP 2×4, sigmoid, Glorot weights, init scale 1",
        "MLP 2×4, sigmoid, Glorot weights × 4, init scale 4",
    ]
    assert [network["values"] for network in networks] == [["0.1", "1"]] * 2


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            {"layers": [100], "depth": 8, "activation": "relu", "initialization": "he_normal"},
            "MLP 8×100, relu, He weights",
        ),
        ({"kind": "cnn", "layers": [8, 16], "init_scale": 4}, "CNN 8-16, sigmoid, Glorot weights × 4"),
    ],
)
def test_a_network_in_words(model: dict[str, Any], words: str) -> None:
    assert network_words(ModelConfig.model_validate(model)) == words


def test_the_page_of_the_published_runs_is_small_and_complete_in_itself() -> None:
    names = ("sigmoid_x1", "sigmoid_x4", "relu", "cnn")
    page = render_explorer(
        [
            Explored(
                load_experiment(ROOT / f"configs/claims/shared/{name}.yaml"),
                pd.read_parquet(ROOT / f"docs/results/embedded/{name}/results.parquet"),
                lambda _: None,
            )
            for name in names
        ],
        "<published>",
    )
    assert page
    assert len(page.encode()) < 2e6  # with what is inside of networks below 3 MB
    assert "&lt;published&gt;" in page
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"|@import|url\(', page) == []
    assert (VENDORED / "LICENSE").read_text(encoding="utf-8") in page
    assert page.count("</script>") == 5  # no data and no library ends its script early
    levels = [network["level"] for network in data_of(page)]
    assert all(0.5 < level < 1 for level in levels)


def test_the_library_is_the_version_that_is_said_and_is_packaged() -> None:
    said = re.search(r"^# uPlot (\S+)", (VENDORED / "README.md").read_text(encoding="utf-8"))
    assert said
    assert f"(v{said[1]})" in (VENDORED / "uPlot.iife.min.js").read_text(encoding="utf-8")[:100]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["experiments.reporting"]
    home = Path(explorer.__file__).parent
    for path in (home / "explorer.html.jinja", *home.glob("*.js"), *VENDORED.iterdir()):
        name = path.relative_to(home).as_posix()
        assert any(fnmatch.fnmatch(name, pattern) for pattern in patterns), name
