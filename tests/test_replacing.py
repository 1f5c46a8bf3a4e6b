"""What is done is not lost: to other settings, another file, an interruption, or to tidying up after a user."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from studies import FIXED, TUNED, carried_out, studies, swept_plans

import experiments.conduct
from experiments.records import storage
from experiments.records.storage import Record, StorageError
from experiments.sweeping.planning import SweepPlan

LONGER = FIXED.replace("run: {", "run: {steps: 2000, ")
MORE = FIXED.replace("arms: {", "arms: {no_bn: {}, ").replace("seeds: 3", "seeds: 4")


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[SweepPlan]:
    return swept_plans(monkeypatch)


def runs_in(folder: Path) -> dict[str, int]:
    """The runs in a folder and when each was written."""
    return {str(path.parent.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("run.json")}


def test_an_experiment_that_grows_keeps_what_is_done(tmp_path: Path, plans: list[SweepPlan]):
    (fixed,) = studies(tmp_path, fixed=FIXED)
    carried_out([fixed])
    before = runs_in(fixed.folder)
    (fixed,) = studies(tmp_path, fixed=MORE)
    _, rows = carried_out([fixed])
    assert rows == {"fixed": 8}
    assert {name: runs_in(fixed.folder)[name] for name in before} == before
    assert len(plans[-1].pending) == 5
    (fixed,) = studies(tmp_path, fixed=FIXED)
    _, rows = carried_out([fixed])
    assert rows == {"fixed": 3}
    assert len(runs_in(fixed.folder)) == 8
    assert len(fixed.strays()) == 5


def test_runs_with_other_settings_are_not_replaced_unasked(tmp_path: Path, plans: list[SweepPlan]):
    tuned, fixed = studies(tmp_path, tuned=TUNED, fixed=FIXED)
    carried_out([tuned, fixed])
    before = {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    plans.clear()
    changed = studies(tmp_path, tuned=TUNED.replace("title", "run: {steps: 2000}\ntitle"), fixed=LONGER)
    with pytest.raises(StorageError) as caught:
        carried_out(changed)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{tuned.folder}: 5 finished runs have other settings than those asked for, such as bn/")
    assert second.startswith(f"{fixed.folder}: 3 finished runs")
    assert "the_same/seed=0: run.steps: 1000 → 2000" in second
    assert plans == []
    assert {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()} == before


def test_replaced_nothing_is_stale(tmp_path: Path, plans: list[SweepPlan]):
    (fixed,) = studies(tmp_path, fixed=MORE)
    carried_out([fixed])
    (fixed,) = studies(tmp_path, fixed=LONGER)
    _, rows = carried_out([fixed], replace=True)
    assert len(plans[-1].outdated) == 3
    assert rows == {"fixed": 3}
    assert set(runs_in(fixed.folder)) == {f"the_same/seed={seed}" for seed in range(3)}
    assert not (fixed.folder / "no_bn").exists()
    assert {path.name for path in (fixed.folder / "summary/arms").iterdir() if path.is_dir()} == {"the_same"}
    settings = json.loads((fixed.folder / "experiment.json").read_text())["settings"]
    assert settings["run"]["steps"] == 2000
    carried_out([fixed])


def test_tuned_anew_the_runs_at_rates_that_were_best_before_go(tmp_path: Path, plans: list[SweepPlan]):
    (tuned,) = studies(tmp_path, tuned=TUNED)
    carried_out([tuned])
    without = TUNED.replace("0.1, 0.3, 1", "0.1, 1").replace("title", "run: {steps: 2000}\ntitle")
    (tuned,) = studies(tmp_path, tuned=without)
    with pytest.raises(StorageError, match="2 finished runs"):  # of tuning; the others are at a rate given up
        carried_out([tuned])
    carried_out([tuned], replace=True)
    assert len(plans) == 4
    assert {name.split("/")[1] for name in runs_in(tuned.folder)} == {"learning_rate=0.1", "learning_rate=1"}
    assert len(runs_in(tuned.folder)) == 4


@pytest.mark.usefixtures("plans")
def test_another_file_of_the_same_name_is_refused_the_folder(tmp_path: Path):
    (fixed,) = studies(tmp_path, fixed=FIXED)
    carried_out([fixed])
    (tmp_path / "other").mkdir()
    (other,) = studies(tmp_path / "other", fixed=TUNED)
    other = replace(other, folder=fixed.folder)
    with pytest.raises(StorageError, match=r"holds the experiment of .*/fixed.yaml, not of .*/other/fixed.yaml"):
        carried_out([other])
    assert set(runs_in(fixed.folder)) == {f"the_same/seed={seed}" for seed in range(3)}
    carried_out([other], replace=True)
    assert len(runs_in(fixed.folder)) == 5
    assert not (fixed.folder / "the_same").exists()


@pytest.mark.usefixtures("plans")
@pytest.mark.parametrize("replaced", [False, True])
def test_what_a_user_put_anywhere_in_the_folder_stays(tmp_path: Path, replaced: bool):
    (fixed,) = studies(tmp_path, fixed=MORE)
    carried_out([fixed])
    notes = [".", "summary", "summary/arms/no_bn", "no_bn", "no_bn/seed=0", "the_same/seed=1"]
    notes = [fixed.folder / place / name for place in notes for name in ("notes.txt", ".my.own.notes", "events.out.x")]
    for note in notes:
        note.write_text(str(note))
    (fixed,) = studies(tmp_path, fixed=LONGER if replaced else MORE)
    carried_out([fixed], replace=replaced)
    assert [note.read_text() for note in notes] == list(map(str, notes))
    assert len(runs_in(fixed.folder)) == (3 if replaced else 8)


@pytest.mark.usefixtures("plans")
def test_interrupted_while_replacing_the_old_runs_are_there_and_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (fixed,) = studies(tmp_path, fixed=FIXED)
    carried_out([fixed])
    (longer,) = studies(tmp_path, fixed=LONGER)

    def interrupt(plan: SweepPlan, *_: object) -> None:
        place = plan.pending[0]
        storage.write_run(place.experiment, place.run, Record(place.run.config, "finished", {}))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(experiments.conduct, "sweep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            carried_out([longer], replace=True)
    kept = [place for place in fixed.evaluation() if storage.is_done(place.experiment, place.run)]
    assert len(kept) == 2
    with pytest.raises(StorageError, match="2 finished runs have other settings"):
        carried_out([longer])
    assert carried_out([longer], replace=True)[1] == {"fixed": 3}
