"""What every arm comes to, from rows of a results table: best rates, levels, steps, rates at which it trains."""

from __future__ import annotations

from math import inf, isnan, nan
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from experiments.analysis.results_table import results_table
from experiments.analysis.summary import (
    Estimate,
    Level,
    arms_by_network,
    estimate,
    runs_at_best_rate,
    shown_level,
    summarize,
)
from experiments.configuration.experiment import Experiment
from experiments.configuration.loading import load_experiment
from experiments.records.storage import Record

RATE = "optimizer.learning_rate"
LINE = [0.1, 0.5, 0.9, 0.9, 0.9]  # half of the way to 0.9 in each of the first two of four times 10 steps
ARMS = "no_bn: {}, bn: {model.norm.kind: custom}"
CNN = "model.kind: cnn, model.layers: [4]"


def experiment(folder: Path, rates: str = "[0.1, 1, 10]", tail: str = "seeds: 3\n", arms: str = ARMS) -> Experiment:
    grid = f"grid: {{{RATE}: {rates}}}\n" if rates else ""
    path = folder / "x.yaml"
    path.write_text(f"title: t\nrun: {{steps: 40, evaluate_every: 10}}\narms: {{{arms}}}\n{grid}{tail}")
    return load_experiment(path)


def row(arm: str, rate: float, seed: int, validation: float, test: float = 0.5, **fields: Any) -> dict[str, Any]:
    values = {"arm": arm, RATE: rate, "seed": seed, "status": "finished", "final_validation_accuracy": validation}
    values |= {"final_test_accuracy": test, "late_validation_accuracy": validation, "accuracy/validation": LINE}
    return values | fields


def arms(tried: Experiment, table: pd.DataFrame) -> list[Any]:
    (network,) = summarize(tried, table)
    return list(network.arms)


def test_without_tuning_the_best_rate_has_the_highest_mean_validation_accuracy(tmp_path: Path):
    # 0.1: 0.5, 0.6, 0.7; 1: 0.9, 0.1, 0.9 (mean 0.633); 10: diverged once
    table = pd.DataFrame(
        [row("no_bn", 0.1, s, v, test=v) for s, v in enumerate((0.5, 0.6, 0.7))]
        + [row("no_bn", 1.0, s, v, test=v) for s, v in enumerate((0.9, 0.1, 0.9))]
        + [row("no_bn", 10.0, s, 0.0, status="diverged" if s == 0 else "finished") for s in range(3)]
        + [row("bn", 10.0, s, 0.8, test=0.7 + s / 10) for s in range(3)]
    )
    no_bn, bn = arms(experiment(tmp_path), table)
    assert (no_bn.arm, no_bn.best_rate, no_bn.seeds) == ("no_bn", 1.0, 3)
    assert no_bn.accuracy == Estimate(0.9, 0.9, (0.1, 0.9), is_range=True, seeds=3)
    assert (no_bn.diverged, no_bn.runs, no_bn.diverged_elsewhere, no_bn.runs_elsewhere) == (0, 3, 1, 6)
    assert (bn.best_rate, bn.diverged, bn.runs) == (10.0, 0, 3)
    assert bn.accuracy.interval == pytest.approx((0.7, 0.9), abs=1e-12)


def test_tuning_seeds_choose_the_rate_and_are_not_summarized(tmp_path: Path):
    tried = experiment(tmp_path, tail="seeds: 2\ntuning: {seeds: [100, 101], evaluate: all}\n")
    # on the tuning seeds 1 is best; on the evaluation seeds 10 would be
    table = pd.DataFrame(
        [row(arm, rate, seed, v) for arm in ("no_bn", "bn") for seed in (100, 101)
         for rate, v in ((0.1, 0.5), (1.0, 0.9), (10.0, 0.6))]
        + [row(arm, rate, seed, v, test=v) for arm in ("no_bn", "bn") for seed in (0, 1)
           for rate, v in ((0.1, 0.5), (1.0, 0.7), (10.0, 0.8))]
    )  # fmt: skip
    for found in arms(tried, table):
        assert (found.best_rate, found.at_edge, found.seeds) == (1.0, False, 2)
        assert (found.runs, found.runs_elsewhere) == (2, 10)
        assert found.accuracy == Estimate(0.7, 0.7, (0.7, 0.7), is_range=True, seeds=2)
    for tuning_seeds, seeds in ((False, (0, 1)), (True, (100, 101))):
        runs = runs_at_best_rate(tried, table, tuning_seeds)
        assert {(r.arm, r.grid[RATE], r.config.seed) for r in runs} == {
            (arm, 1.0, seed) for arm in ("no_bn", "bn") for seed in seeds
        }


def test_a_best_rate_at_the_edge_is_marked(tmp_path: Path):
    tried = experiment(tmp_path, tail="seeds: 1\ntuning: {seeds: [100], evaluate: all}\n")
    table = pd.DataFrame(
        row(arm, rate, seed, v)
        for arm in ("no_bn", "bn")
        for seed in (0, 100)
        for rate, v in ((0.1, 0.5), (1.0, 0.6 if arm == "bn" else 0.9), (10.0, 0.8))
    )
    assert [found.at_edge for found in arms(tried, table)] == [False, True]


def test_without_several_rates_all_runs_are_summarized(tmp_path: Path):
    tried = experiment(tmp_path, rates="", tail="seeds: 2\n")
    table = pd.DataFrame([row("bn", 1.0, s, 0.9, test=0.4 + s / 10) for s in range(2)]).drop(columns=[RATE])
    no_bn, bn = arms(tried, table)
    assert (no_bn.steps, no_bn.accuracy, no_bn.runs) == (None, None, 0)
    assert (bn.best_rate, bn.trains_to, bn.accuracy.interval) == (None, None, (0.4, 0.5))


def test_before_any_run_no_rate_is_the_best(tmp_path: Path):
    tried = experiment(tmp_path)
    assert runs_at_best_rate(tried, results_table([])) == []
    assert [(found.best_rate, found.runs) for found in arms(tried, results_table([]))] == [(None, 0)] * 2


@pytest.mark.parametrize("tail", ["seeds: 2\n", "seeds: 2\ntuning: {seeds: [100]}\n"])
def test_when_every_run_failed_nothing_is_found_without_an_error(tmp_path: Path, tail: str):
    tried = experiment(tmp_path, tail=tail)
    runs = [*tried.tuning_runs(), *(tried.evaluation_runs({}) if "tuning" not in tail else [])]
    table = results_table([(run.arm, run.grid, Record(run.config, "failed", {}, error="no")) for run in runs])
    assert runs_at_best_rate(tried, table) == []
    (network,) = summarize(tried, table)
    assert network.level is None
    assert [(found.best_rate, found.accuracy, found.trains_to) for found in network.arms] == [(None, None, None)] * 2


@pytest.mark.parametrize("tail", ["seeds: 2\n", "seeds: 2\ntuning: {seeds: [100], evaluate: all}\n"])
def test_when_one_arm_failed_the_others_are_summarized(tmp_path: Path, tail: str):
    failed = {"status": "failed", "test": nan, "late_validation_accuracy": nan, "accuracy/validation": []}
    table = pd.DataFrame(
        [row("no_bn", rate, s, nan, **failed) for rate in (0.1, 1.0, 10.0) for s in (0, 1, 100)]
        + [row("bn", rate, s, 0.9 if rate == 1 else 0.5) for rate in (0.1, 1.0, 10.0) for s in (0, 1, 100)]
    )
    no_bn, bn = arms(experiment(tmp_path, tail=tail), table)
    assert (no_bn.best_rate, no_bn.accuracy, no_bn.trains_to) == (None, None, None)
    assert (bn.best_rate, bn.seeds, bn.accuracy.low, bn.trains_to) == (1.0, 2, 0.5, 1.0)


def test_the_level_is_twice_the_error_of_the_weaker_arm():
    # the weaker arm ends with errors of 0.1, 0.1 and 0.2 by seed: median 0.1
    weaker = [[0.1, 0.9, 0.9, 0.9], [0.1, 0.9, 0.9, 0.9], [0.1, 0.8, 0.8, 0.8]]
    stronger = [[0.1, 0.98, 0.98, 0.98]] * 3
    found = shown_level([weaker, stronger], start=0.1)
    assert found == Level(pytest.approx(0.8), "twice the error")
    assert shown_level([stronger, weaker], start=0.1) == found


def test_the_level_is_never_the_ceiling_nor_below_half_way():
    perfect, poor = [[0.1, 1.0, 1.0, 1.0]], [[0.1, 0.6, 0.6, 0.6]]
    assert shown_level([perfect, perfect], 0.1) == Level(0.995, "half a point below")
    assert shown_level([perfect, poor], 0.1) == Level(0.55, "half way")  # twice the error of 0.4 would be 0.2


def test_an_arm_that_learns_nothing_sets_no_level():
    nothing, much = [[0.1, 0.1, 0.1, 0.1]], [[0.1, 0.9, 0.9, 0.9]]
    assert shown_level([nothing, much], 0.1) == Level(pytest.approx(0.8), "twice the error")
    assert shown_level([[[]], much], 0.1) == Level(pytest.approx(0.8), "twice the error")
    assert shown_level([nothing, nothing], 0.1) is None
    assert shown_level([[], []], nan) is None


def test_the_level_comes_from_tuning_seeds_where_there_are(tmp_path: Path):
    low = [0.1, 0.8, 0.8, 0.8, 0.8]
    rows = [
        row(arm, 1.0, s, 0.8, **{"accuracy/validation": low if s else LINE})
        for arm in ("no_bn", "bn")
        for s in (0, 100)
    ]
    rows += [row(arm, rate, 100, 0.2) for arm in ("no_bn", "bn") for rate in (0.1, 10.0)]
    (tuned,) = summarize(experiment(tmp_path, tail="seeds: 1\ntuning: {seeds: [100]}\n"), pd.DataFrame(rows))
    assert tuned.level == Level(pytest.approx(0.6), "twice the error")
    (untuned,) = summarize(experiment(tmp_path, tail="seeds: 1\n"), pd.DataFrame(rows))
    assert untuned.level == Level(pytest.approx(0.8), "twice the error")


def test_noise_before_the_first_step_is_no_level(tmp_path: Path):
    noise = [
        [0.13, 0.12, 0.12, 0.12, 0.12],
        [0.1, 0.12, 0.12, 0.12, 0.12],
        [0.1, 0.12, 0.12, 0.12, 0.12],
    ]  # half way: 0.11
    rows = [row(a, 1.0, s, 0.1, **{"accuracy/validation": noise[s]}) for a in ("no_bn", "bn") for s in range(3)]
    (network,) = summarize(experiment(tmp_path, "[1]"), pd.DataFrame(rows))
    assert (network.level, [arm.steps for arm in network.arms]) == (None, [None, None])


def test_steps_are_interpolated_and_what_never_comes_there_is_a_bound(tmp_path: Path):
    never = {"accuracy/validation": [0.1, 0.5, 0.7, 0.7, 0.7]}
    rows = [row("no_bn", 1.0, s, 0.9) for s in range(3)]
    rows += [row("bn", 1.0, 0, 0.9), row("bn", 1.0, 1, 0.9, status="diverged"), row("bn", 1.0, 2, 0.7, **never)]
    (network,) = summarize(experiment(tmp_path, "[1]"), pd.DataFrame(rows))
    no_bn, bn = network.arms
    assert network.level == Level(pytest.approx(0.8), "twice the error")
    assert (no_bn.steps.low, no_bn.steps.high) == pytest.approx((17.5, 17.5))  # 0.5 at step 10, 0.9 at 20
    assert (bn.steps.low, bn.steps.high) == (40, inf)  # of 17.5, and two that are open from 40 on
    assert bn.steps.interval == pytest.approx((17.5, inf))


@pytest.mark.parametrize(
    ("seeds", "interval", "is_range"), [(5, (1, 5), True), (6, (1, 6), False), (10, (2, 9), False)]
)
def test_an_interval_takes_six_seeds_and_leaves_out_an_end_of_ten(
    seeds: int, interval: tuple[float, float], is_range: bool
):
    values = [float(value) for value in range(1, seeds + 1)]
    middle = (seeds + 1) / 2
    assert estimate(values, values) == Estimate(middle, middle, interval, is_range, seeds)


def test_an_open_end_keeps_the_median_known_where_it_can():
    assert estimate([10, 20, 40], [10, 20, inf]) == Estimate(20, 20, (10, inf), is_range=True, seeds=3)
    assert estimate([10, 40, 40], [10, inf, inf]) == Estimate(40, inf, (10, inf), is_range=True, seeds=3)
    assert estimate([], []) is None


def test_an_arm_trains_at_a_rate_where_four_of_five_runs_are_past_half_way(tmp_path: Path):
    # the best arm comes to 0.9 from 0.1: half way is 0.5
    late = {
        ("no_bn", 0.1): [0.9] * 5, ("no_bn", 1.0): [0.6, 0.6, 0.6, 0.4, 0.4], ("no_bn", 10.0): [0.0] * 5,
        ("bn", 0.1): [0.9] * 5, ("bn", 1.0): [0.6, 0.6, 0.6, 0.6, 0.4], ("bn", 10.0): [0.51] * 5,
    }  # fmt: skip
    rows = [row(arm, rate, s, value) for (arm, rate), values in late.items() for s, value in enumerate(values)]
    no_bn, bn = arms(experiment(tmp_path, "[1e-1, 1, 1e1]", "seeds: 5\n"), pd.DataFrame(rows))
    assert (no_bn.trains_to, no_bn.trains_at_top) == (0.1, False)
    assert (bn.trains_to, bn.trains_at_top) == (10.0, True)


def names(folder: Path, text: str) -> dict[str, list[str]]:
    return arms_by_network(experiment(folder, rates="", arms=text))


def test_arms_are_grouped_by_kind_and_by_how_they_start_where_none_stands_alone(tmp_path: Path):
    norm, relu, x4 = "model.norm.kind: custom", "model.activation: relu", "model.init_scale: 4"
    he = f"{relu}, model.initialization: he_normal"
    cnns = f"cnn: {{{CNN}}}, cnn_bn: {{{CNN}, {norm}}}"
    assert names(tmp_path, f"{ARMS}, {cnns}") == {"MLP": ["no_bn", "bn"], "CNN": ["cnn", "cnn_bn"]}
    assert names(tmp_path, f"{ARMS}, relu: {{{relu}}}") == {"MLP": ["no_bn", "bn", "relu"]}
    pairs = f"{ARMS}, a: {{{x4}}}, b: {{{x4}, {norm}}}"
    assert names(tmp_path, pairs) == {"MLP × 1": ["no_bn", "bn"], "MLP × 4": ["a", "b"]}
    assert list(names(tmp_path, f"{pairs}, c: {{{he}}}, d: {{{he}, {norm}}}")) == [
        "MLP sigmoid × 1", "MLP sigmoid × 4", "MLP relu × 1",
    ]  # fmt: skip
    assert list(names(tmp_path, f"{ARMS}, c: {{{he}}}, d: {{{he}, {norm}}}")) == ["MLP sigmoid", "MLP relu"]


def test_nan_is_no_accuracy(tmp_path: Path):
    no_bn, _ = arms(experiment(tmp_path, "[1]", "seeds: 1\n"), pd.DataFrame([row("no_bn", 1.0, 0, 0.9, test=nan)]))
    assert no_bn.accuracy is None
    assert not isnan(no_bn.steps.low)
