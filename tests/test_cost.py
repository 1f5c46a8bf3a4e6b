"""What ten thousand runs cost is ten thousand times what one costs, and that is little: counted, not timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from counting import calls, opened

from experiments.analysis.results_table import results_table
from experiments.configuration.claim import PartConfig
from experiments.configuration.loading import load_experiment
from experiments.configuration.run import RunConfig
from experiments.records import storage
from experiments.records.storage import Curve, Record
from experiments.study import Study
from experiments.sweeping.planning import plan_sweep

FEW, MANY = 40, 200
STEPS = np.arange(0, 1001, 50)
METRICS = [
    *("loss/train", "loss/validation", "accuracy/validation", "accuracy/test"),
    *(f"pre_activation/{layer}/p{p}" for layer in (1, 2, 3) for p in (15, 50, 85)),
    *(f"gradient_norm/{layer}" for layer in (1, 2, 3, 4)),
]
CURVES = {metric: Curve(STEPS, np.random.default_rng(0).random(len(STEPS))) for metric in METRICS}
BLANK = Record(RunConfig(), "finished", CURVES, seconds=Curve(STEPS, STEPS * 1e-4), provenance={"wall_seconds": 1})


def study(folder: Path, runs: int) -> Study:
    rates = ", ".join(f"{0.1 * i:.1f}" for i in range(1, 11))
    (folder / "many.yaml").write_text(
        "title: Many\nrun: {steps: 1000, evaluate_every: 50, probes: [pre_activations, gradients]}\n"
        "arms: {no_bn: {}, custom_bn: {model.norm.kind: custom}}\n"
        f"grid: {{optimizer.learning_rate: [{rates}]}}\nseeds: {runs // 20}\n"
    )
    return Study(load_experiment(folder / "many.yaml"), folder)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Study]:
    """Two experiments, by their number of runs, all finished; the runs of the smaller are among those of the larger."""
    folder = tmp_path_factory.mktemp("many")
    larger = study(folder, MANY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "_sync", lambda _: None)  # hundreds of syncs are slow, and not what is tested
        for place in larger.evaluation():
            storage.write_run(folder, place.run, replace(BLANK, config=place.run.config))
    return {FEW: study(folder, FEW), MANY: larger}


def cost_of_a_run(work: Callable[[int], object]) -> float:
    """The calls for each of many runs, once it is seen that they are no more than for each of few."""
    few, many = (calls(lambda runs=runs: work(runs)) / runs for runs in (FEW, MANY))
    assert many < 1.02 * few
    return many


def test_planning_reads_a_finished_run_once_and_never_its_curves(finished: dict[int, Study]):
    with opened() as files:
        plan = plan_sweep(finished[MANY].evaluation())
    assert (len(plan.done), plan.pending) == (MANY, [])
    assert files == {"run.json": MANY}


def test_planning_costs_each_finished_run_alike_and_little(finished: dict[int, Study]):
    assert cost_of_a_run(lambda runs: plan_sweep(finished[runs].evaluation())) < 350  # calls: 0.1 ms


def test_tabulating_reads_the_curves_of_a_finished_run_once(finished: dict[int, Study]):
    with opened() as files:
        table = finished[MANY].table()
    assert len(table) == MANY
    assert table["best_validation_accuracy"].notna().all()
    assert files["curves.parquet"] == MANY
    assert files["run.json"] <= 2 * MANY
    assert files.keys() == {"run.json", "curves.parquet"}


def test_tabulating_costs_each_finished_run_alike_and_little(finished: dict[int, Study]):
    assert cost_of_a_run(lambda runs: finished[runs].table()) < 800  # calls: 1 ms; Python 3.13 makes more of them


def test_measuring_costs_each_run_alike_and_little():
    part = {"effect": "level", "treatment": "bn", "role": "beside"}
    measures = ({"measure": "steps_to_level", "level": 0.9}, {"measure": "final_value"})
    parts = [PartConfig.model_validate(part | measure) for measure in measures]
    entries = [("bn", {"optimizer.learning_rate": 0.1}, BLANK)] * MANY
    assert len(results_table(entries, parts)) == MANY
    assert cost_of_a_run(lambda runs: results_table(entries[:runs], parts)) < 300  # calls: 0.1 ms
