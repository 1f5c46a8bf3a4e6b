"""The section `edges`, and runs at rates between those of the grid."""

from __future__ import annotations

from pathlib import Path

import pytest
from experiment_files import BASE, faults_of, load

RATE = "optimizer.learning_rate"
GRID = f"{BASE}grid: {{{RATE}: [0.1, 1]}}\n"
TUNED = f"{GRID}tuning: {{evaluate: all}}\n"


def test_a_run_between_is_the_one_of_a_grid_that_has_its_rate(tmp_path: Path):
    depths = ", model.depth: [1, 2]}\ntuning: {evaluate: all}\nedges: {}\nrun: {optimizer: {kind: adam}}\n"
    between = load(tmp_path, f"{BASE}grid: {{{RATE}: [0.1, 1]{depths}")
    there = load(tmp_path, f"{BASE}grid: {{{RATE}: [0.1, 0.3162]{depths}")
    cell = {RATE: 0.3162, "model.depth": 2}
    assert between.run("a", cell, 3) == there.run("a", cell, 3)
    assert between.run("a", cell, 3).config.digest() == there.run("a", cell, 3).config.digest()


def test_without_edges_and_along_other_axes_only_cells_of_the_grid_have_runs(tmp_path: Path):
    with pytest.raises(KeyError):
        load(tmp_path, TUNED).run("a", {RATE: 0.3162}, 0)
    deep = load(tmp_path, TUNED.replace("1]", "1], model.depth: [1, 2]") + "edges: {}\n")
    with pytest.raises(KeyError):
        deep.run("a", {RATE: 0.3162, "model.depth": 3}, 0)


ALL = "x.yaml:5: edges: are looked for among the evaluation runs at all values; set tuning: {evaluate: all}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"{GRID}edges: {{}}\n", ALL),
        (f"{GRID}edges: {{}}\ntuning: {{}}\n", ALL),
        (
            f"{TUNED}edges: {{arms: [b]}}\n",
            "x.yaml:6: edges.arms: 'b' is not one of a (an arm)",
        ),
        (f"{TUNED}edges: {{arms: [a, a]}}\n", "x.yaml:6: edges.arms: a is given twice; keep one"),
        (f"{TUNED}edges: {{halvings: 0}}\n", "x.yaml:6: edges.halvings: must be at least 1, got 0"),
        (
            f"{TUNED}edges: {{halvings: 9}}\n",
            "x.yaml:6: edges.halvings: must be at most 8, got 9: the values between have four digits",
        ),
        (
            f"{BASE}grid: {{{RATE}: [0.1]}}\ntuning: {{evaluate: all}}\nedges: {{}}\n",
            f"x.yaml:6: edges: lie between values of {RATE}, of which grid has 1; give more",
        ),
        (
            f"{BASE}grid: {{model.depth: [1, 2]}}\ntuning: {{over: model.depth, evaluate: all}}\nedges: {{}}\n",
            "x.yaml:6: edges: halve between values of model.depth, which has to have fractions, all above 0",
        ),
        (
            f"{BASE}grid: {{optimizer.momentum: [0, 0.9]}}\n"
            "tuning: {over: optimizer.momentum, evaluate: all}\nedges: {}\n",
            "x.yaml:6: edges: halve between values of optimizer.momentum, which has to have fractions, all above 0",
        ),
    ],
)
def test_edges_that_cannot_be_looked_for_are_refused(tmp_path: Path, text: str, fault: str):
    assert faults_of(tmp_path, text) == [fault]


def test_what_is_wrong_with_the_axis_itself_is_said_once(tmp_path: Path):
    (fault,) = faults_of(tmp_path, f"{BASE}grid: {{{RATE}: [0.1, x]}}\ntuning: {{evaluate: all}}\nedges: {{}}\n")
    assert "expected a number, got 'x'" in fault
    (fault,) = faults_of(tmp_path, f"{BASE}tuning: {{evaluate: all}}\nedges: {{}}\n")
    assert "which is no axis of grid" in fault


def test_runs_between_count_among_the_most_there_may_be(tmp_path: Path):
    # 2 values × (9000 + 5 seeds), and 2 definitions × 8 halvings × 9000 seeds
    (fault,) = faults_of(tmp_path, f"{TUNED}edges: {{halvings: 8}}\nseeds: {[*range(200, 9200)]}\n")
    assert "must come to at most 100,000 runs, got 162,010" in fault
