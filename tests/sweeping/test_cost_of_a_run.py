"""What one finished run more costs to plan and to tabulate."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.conduct import Study
from experiments.configuration.experiment import Experiment
from experiments.configuration.loading import load_experiment
from experiments.configuration.run import RunConfig
from experiments.records import storage
from experiments.records.storage import Curve, Record
from experiments.records.tensorboard import write_run_events
from experiments.sweeping.planning import plan_sweep

STEPS = np.arange(0, 1001, 50)
SEEDS, FINISHED = 50, 1000


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Experiment, Path]:
    """An experiment of a thousand runs, all finished."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "many.yaml").write_text(
        "title: Many\nrun: {steps: 1000, evaluate_every: 50, probes: [pre_activations, gradients]}\n"
        "arms: {no_bn: {}, custom_bn: {model.norm.kind: custom}}\n"
        f"grid: {{optimizer.learning_rate: [{', '.join(f'{0.1 * i:.1f}' for i in range(1, 11))}]}}\nseeds: {SEEDS}\n"
    )
    experiment = load_experiment(folder / "many.yaml")
    metrics = ["loss/validation", "accuracy/validation"]
    metrics += [f"pre_activation/{layer}/p{p}" for layer in (1, 2, 3) for p in (15, 50, 85)]
    metrics += [f"gradient_norm/{layer}" for layer in (1, 2, 3, 4)]
    curves = {metric: Curve(STEPS, np.random.default_rng(0).random(len(STEPS))) for metric in metrics}
    blank = Record(RunConfig(), "finished", curves, seconds=Curve(STEPS, STEPS * 1e-4), provenance={"wall_seconds": 1})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "_sync", lambda _: None)  # a thousand syncs are slow, and not what is tested
        for run in experiment.evaluation_runs({}):
            storage.write_run(folder, run, replace(blank, config=run.config), write_run_events)
    return experiment, folder


def least_seconds(work: Callable[[], Any], times: int = 3) -> tuple[Any, float]:
    """What the work returns, and the processor time it takes when least disturbed."""
    seconds = []
    for _ in range(times):
        started = time.process_time()
        result = work()
        seconds.append(time.process_time() - started)
    return result, min(seconds)


def test_planning_finished_runs_costs_a_fraction_of_a_millisecond_each(many: tuple[Experiment, Path]):
    experiment, folder = many
    plan, seconds = least_seconds(lambda: plan_sweep(Study(experiment, folder).evaluation()))
    assert len(plan.done) == FINISHED
    assert not plan.pending
    assert seconds / FINISHED < 3e-4  # 3 s for 10,000


def test_tabulating_finished_runs_costs_a_millisecond_each(many: tuple[Experiment, Path]):
    experiment, folder = many
    table, seconds = least_seconds(lambda: Study(experiment, folder).table())
    assert len(table) == FINISHED
    assert table["best_validation_accuracy"].notna().all()
    assert seconds / FINISHED < 1e-3  # 10 s for 10,000
