"""Runs between the values of the grid: which, in which order, and that nothing is trained twice or lost."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from studies import studies

import experiments.conduct
from experiments import reproduction
from experiments.analysis.training_rates import edges
from experiments.conduct import conduct
from experiments.records import storage
from experiments.records.storage import Curve, Record, Status, StorageError
from experiments.study import Study
from experiments.sweeping.planning import SweepPlan
from experiments.sweeping.sweep import SweepOptions

RATE = "optimizer.learning_rate"
EDGES = """title: how far
arms: {bn: {model.norm.kind: custom}, no_bn: {}}
grid: {optimizer.learning_rate: [0.1, 1, 10]}
tuning: {seeds: [100], evaluate: all}
edges: {halvings: 3}
seeds: 2
"""
GRID_RUNS = 2 * 3 * (2 + 1)
TRAINS_TO = {"bn": 20.0, "no_bn": 2.0}  # with bn at the top of the grid and beyond
FINITE_TO = {"bn": 20.0, "no_bn": 6.0}
# of no_bn. (1, 10): √10 does not train and is finite; (1, 3.162) and (3.162, 10): 1.778 trains, 5.623 is finite;
# (1.778, 3.162) and (5.623, 10): 2.371 does not train, 7.499 diverges
ROUNDS = [[3.162], [1.778, 5.623], [2.371, 7.499]]


@dataclass
class Sweeper:
    """Writes the runs of a plan and does not train them.

    most: after so many it stops as on Ctrl-C. failing: learning rate and seed of the runs that fail.
    """

    most: float = np.inf
    failing: set[tuple[float, int]] = field(default_factory=set)
    trained: Counter[str] = field(default_factory=Counter)

    def __call__(self, plan: SweepPlan, *_: object) -> None:
        for place in plan.pending:
            if sum(self.trained.values()) >= self.most:
                raise KeyboardInterrupt
            arm, config = place.run.arm, place.run.config
            rate = config.optimizer.learning_rate
            curves = {"accuracy/validation": Curve(np.array([0]), np.array([0.9 if rate <= TRAINS_TO[arm] else 0.1]))}
            status: Status = "finished" if rate <= FINITE_TO[arm] else "diverged"
            if (rate, config.seed) in self.failing:
                status = "failed"
            at = 50 if status == "diverged" else None
            storage.write_run(place.experiment, place.run, Record(config, status, curves, at))
            self.trained[storage.run_name(place.run)] += 1


@pytest.fixture
def sweeper(monkeypatch: pytest.MonkeyPatch) -> Sweeper:
    made = Sweeper()
    monkeypatch.setattr(experiments.conduct, "sweep", made)
    return made


def study(folder: Path, text: str = EDGES) -> Study:
    return studies(folder, far=text)[0]


def carry_out(of: list[Study], only_tuning: bool = False, replace: bool = False) -> list[tuple[str, int, int]]:
    """Name, pending runs and runs to come of each stage but the last."""
    stages: list[tuple[str, int, int]] = []
    conduct(
        of,
        SweepOptions(workers=1),
        lambda name, plan, later: stages.append((name, len(plan.pending), len(later))),
        lambda *_: None,
        only_tuning,
        replace,
    )
    return stages[:-1]


def rates_of(of: Study) -> list[list[float]]:
    """The learning rates of each round, one a seed."""
    return [sorted({place.run.grid[RATE] for place in of_round}) for of_round in of.edge_rounds()]


@pytest.mark.usefixtures("sweeper")
def test_each_round_halves_what_the_rounds_before_left_open(tmp_path: Path):
    far = study(tmp_path)
    assert carry_out([far]) == [
        ("training", GRID_RUNS, 2 * 2 * 2 * 3),  # arms × seeds × definitions × halvings, at most
        ("edges of the learning rate, 1 of 3", 2, 2 * 2 * 2),  # of no_bn alone: with bn all rates train
        ("edges of the learning rate, 2 of 3", 4, 2 * 2 * 1),
        ("edges of the learning rate, 3 of 3", 4, 0),
    ]
    assert rates_of(far) == ROUNDS
    assert {place.run.arm for of_round in far.edge_rounds() for place in of_round} == {"no_bn"}
    table = far.table()
    assert len(table) == GRID_RUNS + 10
    assert edges(table, far.experiment.config, "no_bn", 0.5, "trains") == [(1.778, 2.371)] * 2
    assert edges(table, far.experiment.config, "no_bn", 0.5, "finite") == [(5.623, 7.499)] * 2
    assert edges(table, far.experiment.config, "bn", 0.5, "finite") == [(10.0, np.inf)] * 2


def test_given_again_nothing_is_trained_and_nothing_is_a_stray(tmp_path: Path, sweeper: Sweeper):
    carry_out([study(tmp_path)])
    far, before = study(tmp_path), sweeper.trained.copy()
    assert not far.lacks_runs()
    assert far.edges_ahead() == far.strays() == []
    assert [stage[1:] for stage in carry_out([far], replace=True)] == [(0, 0)] * 4
    assert sweeper.trained == before
    assert not study(tmp_path).lacks_runs()


@pytest.mark.parametrize("most", [*range(GRID_RUNS - 1, GRID_RUNS + 10, 3)])
def test_interrupted_anywhere_it_goes_on_and_trains_nothing_twice(tmp_path: Path, sweeper: Sweeper, most: int):
    for stop in itertools.count(most, 2):
        sweeper.most = stop
        try:
            carry_out([study(tmp_path)])
        except KeyboardInterrupt:
            continue
        break
    assert rates_of(study(tmp_path)) == ROUNDS
    assert set(sweeper.trained.values()) == {1}
    assert len(sweeper.trained) == GRID_RUNS + 10


def test_a_failure_keeps_only_its_own_seed_from_going_on(tmp_path: Path, sweeper: Sweeper):
    sweeper.failing = {(3.162, 0)}
    assert [pending for _, pending, _ in carry_out([study(tmp_path)])] == [GRID_RUNS, 2, 2, 2]
    far = study(tmp_path)
    assert far.lacks_runs()
    assert len(far.edges_ahead()) == 2 * 2
    sweeper.failing = set()
    assert [pending for _, pending, _ in carry_out([far])] == [0, 1, 2, 2]
    assert max(sweeper.trained.values()) == 2  # of the one that failed
    assert not study(tmp_path).lacks_runs()


def test_tuning_alone_looks_for_no_edges(tmp_path: Path, sweeper: Sweeper):
    assert carry_out([study(tmp_path)], only_tuning=True) == [("tuning", 6, 0)]
    assert len(sweeper.trained) == 6


def test_experiments_with_and_without_edges_share_their_rounds(tmp_path: Path, sweeper: Sweeper):
    once = EDGES.replace("halvings: 3", "halvings: 1, arms: [no_bn]")
    both = studies(tmp_path, far=EDGES, near=once, none=EDGES.replace("edges: {halvings: 3}\n", ""))
    assert [stage[:2] for stage in carry_out(both)] == [
        ("training", 3 * GRID_RUNS),
        ("edges of the learning rate, 1 of 3", 2 + 2),
        ("edges of the learning rate, 2 of 3", 4),
        ("edges of the learning rate, 3 of 3", 4),
    ]
    assert rates_of(both[1]) == ROUNDS[:1]
    assert rates_of(both[2]) == []
    assert len(sweeper.trained) == GRID_RUNS + 10


@pytest.mark.usefixtures("sweeper")
def test_a_run_between_with_other_settings_is_not_replaced_unasked(tmp_path: Path):
    far = study(tmp_path)
    run = far.experiment.run("no_bn", {RATE: 3.162}, 0)
    other = run.config.model_copy(update={"steps": 500})
    storage.write_run(far.folder, run.model_copy(update={"config": other}), Record(other, "finished", {}))
    (far.folder / "experiment.json").unlink(missing_ok=True)
    (far.folder / ".lock").touch()
    with pytest.raises(StorageError, match=r"1 finished runs .* no_bn/learning_rate=3.162/seed=0: run.steps: 500 →"):
        carry_out([far])
    carry_out([study(tmp_path)], replace=True)
    assert not study(tmp_path).lacks_runs()


@pytest.mark.usefixtures("sweeper")
def test_runs_that_follow_from_the_results_no_more_are_strays(tmp_path: Path):
    carry_out([study(tmp_path)])
    fewer = study(tmp_path, EDGES.replace("halvings: 3", "halvings: 2"))
    assert [path.parent.name for path in fewer.strays()] == ["learning_rate=2.371"] * 2 + ["learning_rate=7.499"] * 2
    assert len(fewer.table()) == GRID_RUNS + 6
    carry_out([fewer], replace=True)
    assert fewer.strays() == []


@pytest.mark.usefixtures("sweeper")
def test_verdicts_read_the_runs_between_as_long_as_their_settings_are_the_experiments(tmp_path: Path):
    far = study(tmp_path)
    carry_out([far])
    (results,) = reproduction.read_tables([far]).values()
    assert len(results.table) == GRID_RUNS + 10
    longer = study(tmp_path, EDGES + "run: {steps: 2000}\n")
    (results,) = reproduction.read_tables([longer]).values()
    assert len(results.table) == 0


@pytest.mark.usefixtures("sweeper")
def test_what_is_done_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    carry_out([study(tmp_path)])
    far = study(tmp_path)
    rounds = far.edge_rounds()
    monkeypatch.setattr(storage, "read_run", None)
    assert far.edge_rounds() == rounds
