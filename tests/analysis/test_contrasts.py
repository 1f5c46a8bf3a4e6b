from __future__ import annotations

from collections.abc import Iterable
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.analysis.contrasts import Contrasts, Effect, contrasts, network_kinds
from experiments.configuration.experiment import Experiment, Run
from experiments.configuration.loading import load_experiment
from experiments.records.storage import Curve

ARMS = "no_bn: {}, bn: {model.norm.kind: custom}"
CNN = "model.kind: cnn, model.layers: [4]"
TWO_KINDS = f"{ARMS}, cnn: {{{CNN}}}, cnn_bn: {{{CNN}, model.norm.kind: custom}}"


def experiment(folder: Path, arms: str = ARMS, tail: str = "seeds: 3") -> Experiment:
    (folder / "x.yaml").write_text(f"title: t\narms: {{{arms}}}\n{tail}\n")
    return load_experiment(folder / "x.yaml")


def row(arm: str, seed: int, test: float, best: float = 0.9, **fields: Any) -> dict[str, Any]:
    values = {"arm": arm, "seed": seed, "status": "finished", "final_test_accuracy": test}
    return values | {"best_validation_accuracy": best, "final_validation_accuracy": best} | fields


def found(tried: Experiment, rows: list[dict[str, Any]], reached: dict[str, list[int]] | None = None) -> dict[str, Any]:
    """The contrasts of runs whose validation accuracy goes from 0.1 to 0.9 at the step `reached` by arm and seed."""

    def curves_of(runs: Iterable[Run], _: str) -> dict[str, list[Curve]]:
        (run,) = runs
        if reached is None:
            return {}
        steps = np.array([0, reached[run.arm][run.config.seed]])
        return {run.arm: [Curve(steps, np.array([0.1, 0.9]))]}

    return contrasts(tried, pd.DataFrame(rows), curves_of)


def only_arm(of_kind: Contrasts) -> tuple[Effect | None, Effect | None]:
    (arm,) = of_kind.arms
    return arm.accuracy, arm.steps


def test_arms_are_grouped_by_kind_of_network(tmp_path: Path) -> None:
    assert network_kinds(experiment(tmp_path, TWO_KINDS)) == {"mlp": ["no_bn", "bn"], "cnn": ["cnn", "cnn_bn"]}


def test_every_arm_is_paired_with_the_first_of_its_kind_seed_by_seed(tmp_path: Path) -> None:
    tests = {"no_bn": (0.5, 0.75, 0.5), "bn": (0.75, 0.875, 1.0), "cnn": (0.5, 0.5, 0.5), "cnn_bn": (0.25, 0.25, 0.25)}
    rows = [row(arm, seed, test) for arm, of_arm in tests.items() for seed, test in enumerate(of_arm)]
    by_kind = found(experiment(tmp_path, TWO_KINDS), rows)
    assert [(of_kind.first, of_kind.target) for of_kind in by_kind.values()] == [("no_bn", None), ("cnn", None)]
    assert only_arm(by_kind["mlp"]) == (Effect(0.25, 0.125, 0.5, 3), None)  # of 0.25, 0.125 and 0.5
    assert only_arm(by_kind["cnn"]) == (Effect(-0.25, -0.25, -0.25, 3), None)


def test_steps_are_counted_to_what_the_slower_arm_comes_to_less_a_point(tmp_path: Path) -> None:
    rows = [row(arm, seed, 0.5, best) for arm, best in (("no_bn", 0.8), ("bn", 0.9)) for seed in range(3)]
    by_kind = found(experiment(tmp_path), rows, {"no_bn": [200, 200, 400], "bn": [100, 50, 100]})
    assert by_kind["mlp"].target == pytest.approx(0.79)
    assert only_arm(by_kind["mlp"])[1] == Effect(0.25, 0.25, 0.5, 3)  # of 1/2, 1/4 and 1/4


def test_the_ratio_of_steps_is_that_of_a_claim_turned_round(tmp_path: Path) -> None:
    rows = [row(arm, seed, 0.5) for arm in ("no_bn", "bn") for seed in range(2)]
    by_kind = found(experiment(tmp_path, tail="seeds: 2"), rows, {"no_bn": [100, 300], "bn": [100, 100]})
    assert only_arm(by_kind["mlp"])[1] == Effect(0.5, 1 / 3, 1.0, 2)  # 1 and 3, median 2: not the median of 1 and 1/3


def test_an_arm_that_learns_nothing_sets_no_target_and_never_reaches_the_others(tmp_path: Path) -> None:
    rows = [row("no_bn", seed, 0.5) for seed in range(3)]
    rows += [row("bn", seed, 0.1, 0.1, status="diverged") for seed in range(3)]
    by_kind = found(experiment(tmp_path), rows, {"no_bn": [100] * 3, "bn": [100] * 3})
    assert by_kind["mlp"].target == pytest.approx(0.89)
    assert only_arm(by_kind["mlp"])[1] == Effect(inf, inf, inf, 3)


def test_where_all_are_there_from_the_start_steps_are_not_compared(tmp_path: Path) -> None:
    rows = [row(arm, seed, 0.5, 0.1) for arm in ("no_bn", "bn") for seed in range(3)]
    by_kind = found(experiment(tmp_path), rows, {"no_bn": [100] * 3, "bn": [100] * 3})
    assert (by_kind["mlp"].target, only_arm(by_kind["mlp"])[1]) == (None, None)


def test_what_lacks_its_pair_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = [row("no_bn", seed, 0.5) for seed in (0, 2)] + [row("bn", seed, 0.75) for seed in (0, 1)]
    rows += [row("bn", 2, np.nan, status="failed")]
    assert only_arm(found(experiment(tmp_path), rows)["mlp"])[0] == Effect(0.25, 0.25, 0.25, 1)
    assert only_arm(found(experiment(tmp_path), rows[:1])["mlp"])[0] is None


def test_of_several_pairs_of_a_seed_the_median_is_the_seeds(tmp_path: Path) -> None:
    tried = experiment(tmp_path, tail="grid: {model.depth: [1, 2, 3]}\nseeds: 1")
    gains = {1: 0.125, 2: 0.5, 3: 0.25}
    rows = [row("no_bn", 0, 0.5, **{"model.depth": depth}) for depth in gains]
    rows += [row("bn", 0, 0.5 + gain, **{"model.depth": depth}) for depth, gain in gains.items()]
    assert only_arm(found(tried, rows)["mlp"])[0] == Effect(0.25, 0.25, 0.25, 1)


def test_each_arm_stands_at_its_own_best_rate(tmp_path: Path) -> None:
    tried = experiment(tmp_path, tail="grid: {optimizer.learning_rate: [0.1, 1]}\nseeds: 1")
    scores = {("no_bn", 0.1): 0.5, ("no_bn", 1.0): 0.25, ("bn", 0.1): 0.25, ("bn", 1.0): 0.75}
    rows = [row(arm, 0, score, score, **{"optimizer.learning_rate": rate}) for (arm, rate), score in scores.items()]
    assert only_arm(found(tried, rows)["mlp"])[0] == Effect(0.25, 0.25, 0.25, 1)


def test_a_lone_arm_is_compared_with_nothing(tmp_path: Path) -> None:
    assert found(experiment(tmp_path, "bn: {}"), [row("bn", 0, 0.5)]) == {}
