from __future__ import annotations

import io
from math import inf, isnan, nan
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from experiments.analysis.results_table import results_table
from experiments.analysis.summary import runs_at_best_rate, summarize
from experiments.configuration.experiment import Experiment
from experiments.configuration.loading import load_experiment
from experiments.records.storage import Record
from experiments.reporting.summary_table import print_summary

RATE = "optimizer.learning_rate"
TARGET = "steps_to_target(accuracy/validation, 0.9)"
CLAIM = """claim:
  statement: s
  source: q
  target: 0.9
  parts:
    - {measure: steps_to_target, effect: ratio, over: treatment, baseline: no_bn, treatment: bn, margin: {above: 1}}
"""


def experiment(folder: Path, rates: str = "[0.1, 1, 10]", tail: str = "seeds: 3\n") -> Experiment:
    grid = f"grid: {{{RATE}: {rates}}}\n" if rates else ""
    path = folder / "x.yaml"
    path.write_text(f"title: t\narms: {{no_bn: {{}}, bn: {{model.norm.kind: custom}}}}\n{grid}{tail}")
    return load_experiment(path)


def row(arm: str, rate: float, seed: int, validation: float, test: float = 0.5, **fields: Any) -> dict[str, Any]:
    values = {"arm": arm, RATE: rate, "seed": seed, "status": "finished", "final_validation_accuracy": validation}
    values["late_validation_accuracy"] = validation
    return values | {"final_test_accuracy": test, "best_validation_accuracy": validation, TARGET: 100.0} | fields


def shown(tried: Experiment, table: pd.DataFrame) -> str:
    text = io.StringIO()
    print_summary(Console(file=text, width=120), tried, table)
    return text.getvalue()


def test_without_tuning_the_best_rate_has_the_highest_mean_validation_accuracy(tmp_path: Path):
    # 0.1: 0.5, 0.6, 0.7; 1: 0.9, 0.1, 0.9 (mean 0.633); 10: diverged once
    table = pd.DataFrame(
        [row("no_bn", 0.1, s, v, test=v) for s, v in enumerate((0.5, 0.6, 0.7))]
        + [row("no_bn", 1.0, s, v, test=v) for s, v in enumerate((0.9, 0.1, 0.9))]
        + [row("no_bn", 10.0, s, 0.0, status="diverged" if s == 0 else "finished") for s in range(3)]
        + [row("bn", 10.0, s, 0.8, test=0.7 + s / 10) for s in range(3)]
    )
    no_bn, bn = summarize(experiment(tmp_path), table)
    assert (no_bn.arm, no_bn.best_rate, no_bn.seeds) == ("no_bn", 1.0, 3)
    assert no_bn.test_accuracy == (0.9, 0.1, 0.9)  # median, lower and upper quartile of 0.1, 0.9, 0.9
    assert (no_bn.diverged, no_bn.runs, no_bn.diverged_elsewhere, no_bn.runs_elsewhere) == (0, 3, 1, 6)
    assert (bn.best_rate, bn.diverged, bn.runs) == (10.0, 0, 3)
    assert bn.test_accuracy == pytest.approx((0.8, 0.7, 0.9), abs=1e-12)


def test_quartiles_are_of_the_runs_and_never_reached_counts_as_the_most_steps(tmp_path: Path):
    steps = (100.0, 200.0, inf, 300.0, inf)
    tried = experiment(tmp_path, "[1]", "seeds: 5\n" + CLAIM)
    table = pd.DataFrame([row("bn", 1.0, s, 0.9, **{TARGET: value}) for s, value in enumerate(steps)])
    assert summarize(tried, table)[1].steps_to_target == (300, 200, inf)
    assert "300 [200, never]" in shown(tried, table)


def test_each_arm_counts_its_steps_to_its_own_target(tmp_path: Path):
    other = CLAIM + CLAIM[CLAIM.index("    - {") :].replace(
        "baseline: no_bn, treatment: bn", "target: 0.8, baseline: bn, treatment: bn_2"
    )
    path = tmp_path / "x.yaml"
    path.write_text(
        "title: t\narms: {no_bn: {}, bn: {model.norm.kind: custom}, bn_2: {model.norm.kind: stock}}\n" + other
    )
    columns = {TARGET: 100.0, "steps_to_target(accuracy/validation, 0.8)": 50.0}
    table = pd.DataFrame([row(arm, 1.0, 0, 0.9, **columns) for arm in ("no_bn", "bn", "bn_2")])
    rows = summarize(load_experiment(path), table)
    assert [summary.steps_to_target[0] for summary in rows] == [100, 100, 50]
    assert "90%" not in shown(load_experiment(path), table)


def test_tuning_seeds_choose_the_rate_and_are_not_summarized(tmp_path: Path):
    tried = experiment(tmp_path, tail="seeds: 2\ntuning: {seeds: [100, 101], evaluate: all}\n")
    # on the tuning seeds 1 is best; on the evaluation seeds 10 would be
    table = pd.DataFrame(
        [row(arm, rate, seed, v) for arm in ("no_bn", "bn") for seed in (100, 101)
         for rate, v in ((0.1, 0.5), (1.0, 0.9), (10.0, 0.6))]
        + [row(arm, rate, seed, v, test=v) for arm in ("no_bn", "bn") for seed in (0, 1)
           for rate, v in ((0.1, 0.5), (1.0, 0.7), (10.0, 0.8))]
    )  # fmt: skip
    for found in summarize(tried, table):
        assert (found.best_rate, found.at_edge, found.seeds) == (1.0, False, 2)
        assert (found.runs, found.runs_elsewhere) == (2, 10)
        assert found.test_accuracy == (0.7, 0.7, 0.7)
    assert {(r.arm, r.grid[RATE], r.config.seed) for r in runs_at_best_rate(tried, table)} == {
        (arm, 1.0, seed) for arm in ("no_bn", "bn") for seed in (0, 1)
    }


def test_a_best_rate_at_the_edge_is_marked(tmp_path: Path):
    tried = experiment(tmp_path, tail="seeds: 1\ntuning: {seeds: [100], evaluate: all}\n")
    table = pd.DataFrame(
        row(arm, rate, seed, v)
        for arm in ("no_bn", "bn")
        for seed in (0, 100)
        for rate, v in ((0.1, 0.5), (1.0, 0.6 if arm == "bn" else 0.9), (10.0, 0.8))
    )
    assert [found.at_edge for found in summarize(tried, table)] == [False, True]
    text = shown(tried, table)
    assert "10 *" in text
    assert "1 *" not in text.replace("10 *", "")
    assert "* At the edge of the learning rates tried: a better one may lie outside." in text


def test_without_several_rates_all_runs_are_summarized(tmp_path: Path):
    tried = experiment(tmp_path, rates="", tail="seeds: 2\n")
    table = pd.DataFrame([row("bn", 1.0, s, 0.9, test=0.4 + s / 10) for s in range(2)]).drop(columns=[RATE, TARGET])
    found = summarize(tried, table)[1]
    assert (found.best_rate, found.steps_to_target, found.test_accuracy[1:]) == (None, None, (0.4, 0.5))


def test_before_any_run_no_rate_is_the_best(tmp_path: Path):
    tried = experiment(tmp_path)
    assert runs_at_best_rate(tried, results_table([])) == []
    assert [(found.best_rate, found.runs) for found in summarize(tried, results_table([]))] == [(None, 0)] * 2


@pytest.mark.parametrize("tail", ["seeds: 2\n", "seeds: 2\ntuning: {seeds: [100]}\n"])
def test_when_every_run_failed_the_summary_says_so_without_an_error(tmp_path: Path, tail: str):
    tried = experiment(tmp_path, tail=tail + CLAIM)
    runs = [*tried.tuning_runs(), *(tried.evaluation_runs({}) if "tuning" not in tail else [])]
    entries = [(run.arm, run.grid, Record(run.config, "failed", {}, error="no")) for run in runs]
    table = results_table(entries, tried.config.claim)
    assert runs_at_best_rate(tried, table) == []
    for found in summarize(tried, table):
        assert found.best_rate is None
        assert all(isnan(value) for value in found.test_accuracy)
    text = shown(tried, table)
    assert text.count("– [–, –]") >= 2
    assert "bn against no_bn: " in text


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ((200.0, 100.0), "bn needs 0.50× the steps of no_bn (95 % interval 0.50× at both ends, 10 seeds)."),
        ((100.0, 200.0), "bn needs 2.0× the steps of no_bn (95 % interval 2.0× at both ends, 10 seeds)."),
        ((100.0, 100.0), "bn needs as many steps as no_bn (95 % interval 1.00× at both ends, 10 seeds)."),
        (
            (inf, inf),
            "At the median over seeds neither bn nor no_bn reached the target (95 % interval 1.00× at both ends",
        ),
    ],
)
def test_steps_to_target_come_to_one_sentence(tmp_path: Path, steps: tuple[float, float], sentence: str):
    tried = experiment(tmp_path, "[1]", "seeds: 10\n" + CLAIM)
    table = pd.DataFrame(
        [row(arm, 1.0, s, 0.9, **{TARGET: n}) for arm, n in zip(("no_bn", "bn"), steps, strict=True) for s in range(10)]
    )
    assert sentence in " ".join(shown(tried, table).split())


@pytest.mark.parametrize(
    ("steps_of_bn", "by_chance"), [((100,) * 6 + (400,) * 4, True), ((100,) * 6 + (150,) * 4, False)]
)
def test_a_ratio_whose_interval_includes_1_is_said_to_be_possibly_chance(
    tmp_path: Path, steps_of_bn: tuple[float, ...], by_chance: bool
):
    tried = experiment(tmp_path, "[1]", "seeds: 10\n" + CLAIM)
    steps = {"no_bn": (200.0,) * 10, "bn": steps_of_bn}
    table = pd.DataFrame([row(arm, 1.0, s, 0.9, **{TARGET: n}) for arm in steps for s, n in enumerate(steps[arm])])
    text = " ".join(shown(tried, table).split())
    upper = "2.0×" if by_chance else "0.75×"
    assert f"bn needs 0.50× the steps of no_bn (95 % interval 0.50× to {upper}, 10 seeds)." in text
    assert ("Chance may have made the difference: the interval includes 1." in text) is by_chance


def test_what_diverged_at_other_rates_is_counted_apart(tmp_path: Path):
    tried = experiment(tmp_path, tail="seeds: 2\n")
    said = "Diverged besides, at other learning rates or on tuning seeds: no_bn 2 of 4, bn 2 of 4."
    table = pd.DataFrame(
        row(arm, rate, s, 0.9 if rate < 10 else 0.1, status="diverged" if rate == 10 else "finished")
        for arm in ("no_bn", "bn")
        for rate in (0.1, 1.0, 10.0)
        for s in range(2)
    )
    assert shown(tried, table).count("0 of 2") == 2
    assert said in shown(tried, table)
    assert said not in shown(tried, table.assign(status="finished"))


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("effect: ratio, over: baseline, ", "steps to target, bn / no_bn: 0.50×, P = 0.00"),
        ("effect: ratio, over: treatment, rate: every, ", "steps to target, no_bn / bn: 2.0×, P = 1.00"),
        ("effect: difference, over: treatment, ", "steps to target, no_bn − bn: +100, P = 1.00"),
    ],
)
def test_only_a_ratio_of_tuned_arms_over_the_treatment_is_a_sentence_on_steps(tmp_path: Path, part: str, words: str):
    tried = experiment(tmp_path, "[1]", "seeds: 10\n" + CLAIM.replace("effect: ratio, over: treatment, ", part))
    steps = {"no_bn": 200.0, "bn": 100.0}
    table = pd.DataFrame([row(arm, 1.0, s, 0.9, **{TARGET: n}) for arm, n in steps.items() for s in range(10)])
    text = shown(tried, table)
    assert words in text
    assert "times" not in text


@pytest.mark.parametrize("tail", ["seeds: 2\n", "seeds: 2\ntuning: {seeds: [100], evaluate: all}\n"])
def test_when_one_arm_failed_the_others_are_summarized(tmp_path: Path, tail: str):
    tried = experiment(tmp_path, tail=tail)
    table = pd.DataFrame(
        [row("no_bn", rate, s, nan, test=nan, status="failed") for rate in (0.1, 1.0, 10.0) for s in (0, 1, 100)]
        + [row("bn", rate, s, 0.9 if rate == 1 else 0.5) for rate in (0.1, 1.0, 10.0) for s in (0, 1, 100)]
    )
    no_bn, bn = summarize(tried, table)
    assert no_bn.best_rate is None
    assert isnan(no_bn.test_accuracy[0])
    assert (bn.best_rate, bn.seeds, bn.test_accuracy[0]) == (1.0, 2, 0.5)
