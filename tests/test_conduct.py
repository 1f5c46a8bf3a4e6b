"""Tuning, then evaluation at the tuned rates, then the tables; training itself is left out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from studies import ALONE, FIXED, TIMED, TUNED, carried_out, studies, swept_plans

from experiments.configuration.claim import PartConfig
from experiments.records import storage
from experiments.records.storage import Curve, Record
from experiments.study import Study
from experiments.sweeping.planning import Place, SweepPlan
from experiments.sweeping.sweep import SweepError


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[SweepPlan]:
    return swept_plans(monkeypatch)


def rates_and_seeds(places: list[Place]) -> set[tuple[float, int]]:
    return {(place.run.config.optimizer.learning_rate, place.run.config.seed) for place in places}


def test_each_arm_is_evaluated_at_the_rate_its_tuning_chose(tmp_path: Path, plans: list[SweepPlan]):
    to_come, rows = carried_out(studies(tmp_path, tuned=TUNED))
    assert [rates_and_seeds(plan.pending) for plan in plans] == [
        {(0.1, 100), (0.3, 100), (1.0, 100)},
        {(0.3, 0), (0.3, 1)},
    ]
    assert (to_come, rows) == ([2, 0], {"tuned": 5})


def test_what_another_experiment_trained_before_the_tuning_is_copied_after_it(tmp_path: Path, plans: list[SweepPlan]):
    tuned, fixed = studies(tmp_path, tuned=TUNED, fixed=FIXED)
    carried_out([tuned, fixed])
    first, second = plans
    assert rates_and_seeds(first.pending) == {(0.1, 100), (0.3, 100), (1.0, 100), (0.3, 0), (0.3, 1), (0.3, 2)}
    assert second.tasks == []
    assert {(source.experiment, target.experiment) for source, target in second.copies} == {
        (fixed.folder, tuned.folder)
    }
    assert rates_and_seeds(second.pending) == {(0.3, 0), (0.3, 1)}


def test_tuning_alone_trains_no_evaluation_seed(tmp_path: Path, plans: list[SweepPlan]):
    to_come, rows = carried_out(studies(tmp_path, tuned=TUNED, fixed=FIXED), only_tuning=True)
    assert [rates_and_seeds(plan.pending) for plan in plans] == [{(0.1, 100), (0.3, 100), (1.0, 100)}]
    assert (to_come, rows) == ([0], {"tuned": 3, "fixed": 0})


def elsewhere(folder: Path) -> list[Study]:
    (folder / "published").mkdir()
    return studies(folder / "published", tuned=TUNED)


def test_tuning_runs_of_a_table_elsewhere_are_taken_and_not_trained(tmp_path: Path, plans: list[SweepPlan]):
    (published,) = elsewhere(tmp_path)
    carried_out([published])
    plans.clear()
    (study,) = (study.tuned_as(published.folder) for study in studies(tmp_path, tuned=TUNED))
    assert carried_out([study])[1] == {"tuned": 5}
    assert [rates_and_seeds(plan.pending) for plan in plans] == [{(0.3, 0), (0.3, 1)}]
    assert not list(study.folder.rglob("seed=100"))
    table = storage.read_table(study.folder / "results.parquet")
    assert sorted(table["seed"]) == [0, 1, 100, 100, 100]


def test_tuning_runs_with_other_settings_are_not_taken(tmp_path: Path, plans: list[SweepPlan]):
    (published,) = elsewhere(tmp_path)
    carried_out([published])
    plans.clear()
    (study,) = (s.tuned_as(published.folder) for s in studies(tmp_path, tuned="run: {steps: 50}\n" + TUNED))
    carried_out([study])
    assert rates_and_seeds(plans[0].pending) == {(0.1, 100), (0.3, 100), (1.0, 100)}


@pytest.mark.usefixtures("plans")
def test_tuning_runs_of_which_not_all_was_measured_that_is_asked_now_are_not_taken(tmp_path: Path):
    (published,) = elsewhere(tmp_path)
    carried_out([published])
    (study,) = studies(tmp_path, tuned=TUNED)
    part = {"measure": "gap_at_training_loss", "effect": "level", "treatment": "bn", "role": "beside"}
    assert study.tuned_as(published.folder).tuned is not None
    study.experiment.measured = (PartConfig.model_validate(part),)
    assert study.tuned_as(published.folder) is study


@pytest.mark.usefixtures("plans")
def test_a_study_s_own_tuning_runs_stay_and_come_before_those_elsewhere(tmp_path: Path):
    (published,) = elsewhere(tmp_path)
    carried_out([published])
    (study,) = studies(tmp_path, tuned=TUNED)
    carried_out([study], only_tuning=True)
    (own,) = studies(tmp_path, tuned=TUNED)
    assert own.tuned_as(published.folder) is own
    shutil.rmtree(next(study.folder.rglob("seed=100")))
    (again,) = (study.tuned_as(published.folder) for study in studies(tmp_path, tuned=TUNED))
    assert again.tuned is not None
    carried_out([again], replace=True)
    assert len(list(study.folder.rglob("seed=100"))) == 2


@pytest.mark.usefixtures("plans")
def test_on_the_first_seeds_no_run_of_the_others_is_lost_and_what_is_whole_stays_whole(tmp_path: Path):
    (whole,) = studies(tmp_path, tuned=TUNED)
    few = whole.on_first_seeds(1)
    assert (few.partial, few.experiment.config.seeds) == (True, (0,))
    carried_out([few])
    assert {path.name for path in whole.folder.rglob("seed=?")} == {"seed=0"}
    carried_out([whole])
    assert whole.on_first_seeds(1) is whole
    shutil.rmtree(next(whole.folder.rglob("seed=0")))
    carried_out([whole.on_first_seeds(1)], replace=True)
    assert {path.name for path in whole.folder.rglob("seed=?")} == {"seed=0", "seed=1"}


def test_timed_runs_come_last_and_are_tuned_on_runs_that_are_not_timed(tmp_path: Path, plans: list[SweepPlan]):
    to_come, rows = carried_out(studies(tmp_path, tuned=TUNED, timed=TIMED, alone=ALONE))
    first, second = plans
    assert (len(first.tasks), len(first.pending)) == (3, 6)  # one tuning for two experiments
    assert not any(task.config.timed for task in first.tasks)
    timed = [place.experiment.name for place in second.pending if place.run.config.timed]
    assert sorted(timed) == ["alone", "alone", "alone", "timed", "timed"]
    assert (to_come, rows) == ([7, 0], {"tuned": 5, "timed": 5, "alone": 3})


def test_a_run_that_diverged_before_its_first_evaluation_is_among_the_curves(tmp_path: Path):
    (fixed,) = studies(tmp_path, fixed=FIXED)
    start = Curve(np.array([0]), np.array([0.1]))
    trained = Curve(np.array([0, 50]), np.array([0.1, 0.9]))
    for place, accuracy, loss in zip(fixed.evaluation(), (trained, start, start), (trained, None, None), strict=True):
        curves = {"accuracy/validation": accuracy} | ({"loss/train": loss} if loss else {})
        status, at = ("finished", None) if accuracy is trained else ("diverged", 7)
        storage.write_run(place.experiment, place.run, Record(place.run.config, status, curves, at))
    runs = [place.run for place in fixed.evaluation()]
    assert [len(curve.steps) for curve in fixed.curves(runs, "accuracy/validation")["the_same"]] == [2, 1, 1]
    assert [len(curve.steps) for curve in fixed.curves(runs, "loss/train")["the_same"]] == [2, 0, 0]
    assert fixed.curves(runs, "accuracy/test") == {}


@pytest.mark.usefixtures("plans")
def test_tuning_runs_are_read_once_when_they_are_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tuned,) = studies(tmp_path, tuned=TUNED)
    assert tuned.evaluation() == []  # which must not be remembered
    carried_out([tuned])
    assert len(tuned.evaluation()) == 2
    monkeypatch.setattr(storage, "read_run", None)
    assert len(tuned.places()) == 5


@pytest.mark.usefixtures("plans")
def test_what_half_of_the_tuning_says_is_not_remembered(tmp_path: Path):
    two_arms = TUNED.replace("arms: {", "arms: {no_bn: {}, ")
    carried_out(studies(tmp_path, tuned=two_arms), only_tuning=True)
    (tuned,) = studies(tmp_path, tuned=two_arms)
    shutil.rmtree(tuned.folder / "no_bn")
    assert {place.run.arm for place in tuned.evaluation()} == {"bn"}
    carried_out([tuned])
    assert {place.run.arm for place in tuned.evaluation()} == {"bn", "no_bn"}


@pytest.mark.usefixtures("plans")
def test_two_processes_finish_what_one_would(tmp_path: Path):
    found: list[dict[Path, Path]] = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        folder.mkdir()
        carried_out(studies(folder, tuned=TUNED, fixed=FIXED), workers=workers)
        files = [path for path in folder.rglob("*") if path.is_file() and "tfevents" not in path.name]
        found.append({path.relative_to(folder): path for path in files})
    one, two = found
    assert one.keys() == two.keys()
    tables = [path for path in one if path.name == "results.parquet"]
    assert len(tables) == 2
    assert all(one[path].read_bytes() == two[path].read_bytes() for path in tables)


@pytest.mark.usefixtures("plans")
@pytest.mark.parametrize("only_tuning", [False, True])
def test_a_disk_full_at_the_end_keeps_the_runs_and_says_so(
    only_tuning: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tuned,) = studies(tmp_path, tuned=TUNED)
    monkeypatch.setattr(storage, "write_atomically", full)
    with pytest.raises(SweepError, match=r"all runs are finished, but .* No space left on device"):
        carried_out([tuned], only_tuning)
    runs = [*tuned.tuning(), *(() if only_tuning else tuned.evaluation())]
    assert all(storage.is_done(place.experiment, place.run) for place in runs)


@pytest.mark.usefixtures("plans")
def test_what_a_killed_command_left_half_written_goes_when_it_is_given_again(tmp_path: Path):
    (fixed,) = studies(tmp_path, fixed=FIXED)
    carried_out([fixed])
    kept = sorted(path for path in fixed.folder.rglob("*") if "tfevents" not in path.name)
    (fixed.folder / ".results.parquet.4711.partial").write_bytes(b"half")
    carried_out([fixed])
    assert sorted(path for path in fixed.folder.rglob("*") if "tfevents" not in path.name) == kept
