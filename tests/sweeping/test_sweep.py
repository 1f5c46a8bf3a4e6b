"""How a sweep does its pieces, what it keeps of them, and when it leaves them alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from places import place, record, tasks_at, write

from experiments.configuration.run import RunConfig
from experiments.records import ownership, storage
from experiments.records.storage import Record
from experiments.sweeping import sweep
from experiments.sweeping.planning import Place, Task, plan_sweep
from experiments.sweeping.sweep import SweepOptions
from experiments.sweeping.workforce import SweepError, WorkerLostError, Workforce


def test_a_finished_twin_is_copied_instead_of_trained(tmp_path: Path):
    finished, missing = place(tmp_path / "a"), place(tmp_path / "b", arm="twin")
    write(finished)
    plan = plan_sweep([finished, missing])
    assert (plan.done, plan.copies, plan.tasks) == ([finished], [(finished, missing)], [])
    sweep.sweep(plan, SweepOptions(), lambda *_: None)
    assert plan_sweep([finished, missing]).done == [finished, missing]
    copied = tmp_path / "b" / storage.run_name(missing.run)
    assert list(copied.glob("events.out.tfevents.*"))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    """Stand in for the worker: what is trained is only noted."""
    from experiments.sweeping import worker

    configs: list[RunConfig] = []

    def train_task(config: RunConfig, *_: object) -> Record:
        configs.append(config)
        status: storage.Status = "failed" if config.optimizer.learning_rate == 13 else "finished"
        return Record(config, status, {}, error="ValueError: unlucky" if status == "failed" else "")

    monkeypatch.setattr(worker, "train_task", train_task)
    return configs


def test_a_piece_done_again_trains_only_what_has_no_record(tmp_path: Path, trained: list[RunConfig]):
    places = [place(tmp_path, seed=seed) for seed in range(3)]
    write(places[0])
    write(places[1], "failed")  # in this sweep: the plan had forgotten older failures
    sweep.train_piece(tasks_at(*places), SweepOptions(), {}, {tmp_path: None})
    assert [config.seed for config in trained] == [2]
    assert len(plan_sweep(places).done) == 2


@pytest.mark.parametrize("timed", [True, False])
def test_no_clock_runs_while_the_run_before_is_written(
    timed: bool, tmp_path: Path, trained: list[RunConfig], monkeypatch: pytest.MonkeyPatch
):
    places = [place(tmp_path, seed=seed, timed=timed) for seed in range(2)]
    underway: list[int] = []  # runs that have been trained when a write ends

    def slowly(*_: object) -> None:
        end = time.monotonic() + (0.2 if timed else 600)  # the second is trained meanwhile, unless its clock would run
        while len(trained) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        underway.append(len(trained))

    monkeypatch.setattr(storage, "write_run", slowly)
    sweep.train_piece(tasks_at(*places), SweepOptions(), {}, {tmp_path: None})
    assert underway == ([1, 2] if timed else [2, 2])


def test_a_piece_is_left_when_another_sweep_holds_the_folder(tmp_path: Path, trained: list[RunConfig]):
    with ownership.locked(tmp_path):
        sweep.train_piece(tasks_at(place(tmp_path)), SweepOptions(), {}, {tmp_path: "an earlier sweep"})
        assert trained == []
        sweep.train_piece(tasks_at(place(tmp_path)), SweepOptions(), {}, {tmp_path: ownership.holder(tmp_path)})
        assert len(trained) == 1


def test_a_result_is_not_written_once_the_folder_changed_hands(tmp_path: Path):
    here = place(tmp_path)
    with ownership.locked(tmp_path):
        sweep._write(tasks_at(here)[0], record(here), {tmp_path: "an earlier sweep"})
    assert not storage.exists(tmp_path, here.run)


def test_a_worker_that_cannot_see_the_folder_says_so(tmp_path: Path, trained: list[RunConfig]):
    away = place(tmp_path / "away")
    with pytest.raises(SweepError, match=r"does not see .*away; give with --out a folder on a file system"):
        sweep.train_piece(tasks_at(away), SweepOptions(), {}, {away.experiment: "a sweep elsewhere"})
    assert trained == []


def test_a_failure_stops_the_piece_only_with_fail_fast(tmp_path: Path, trained: list[RunConfig]):
    places = [place(tmp_path, seed=0, optimizer={"learning_rate": 13}), place(tmp_path, seed=1)]
    with pytest.raises(SweepError, match="arm/seed=0 failed: ValueError: unlucky"):
        sweep.train_piece(tasks_at(*places), SweepOptions(fail_fast=True), {}, {tmp_path: None})
    assert len(trained) == 1
    assert storage.failure(tmp_path, places[0].run) == "ValueError: unlucky"
    sweep.train_piece(tasks_at(*places), SweepOptions(), {}, {tmp_path: None})
    assert len(trained) == 2


def test_a_full_disk_is_an_error_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "write_run", full)
    here = place(tmp_path)
    with pytest.raises(SweepError, match="No space left on device; finished runs are kept; once there is room"):
        sweep._write(tasks_at(here)[0], record(here), {tmp_path: None})


def test_after_a_loss_the_rest_is_done_and_losses_without_progress_end_it(tmp_path: Path):
    places = [place(tmp_path, seed=seed) for seed in range(3)]
    handed_out: list[list[int]] = []

    def one_run_then_lost(_: object, pieces: list[list[Task]], programs: Callable[[list[Task]], set[str]]) -> None:
        tasks = [task for piece in pieces for task in piece]
        handed_out.append([task.config.seed for task in tasks])
        assert programs(tasks) == {tasks[0].config.program_key()}
        if tasks[0].config.seed < 2:
            write(tasks[0].places[0])
        raise WorkerLostError

    crew = Workforce(1, one_run_then_lost)  # type: ignore[arg-type]
    with pytest.raises(SweepError, match=r"killed, 3 times before it had finished a single run.*fewer --workers"):
        sweep._see_through(crew, lambda _: None, lambda left: [left], tasks_at(*places))
    assert handed_out == [[0, 1, 2], [1, 2], [2], [2]]
    write(places[2])
    sweep._see_through(crew, lambda _: None, lambda left: [left], [])


def test_an_outdated_run_stays_until_its_successor_is_written(tmp_path: Path, trained: list[RunConfig]):
    old, new = place(tmp_path), place(tmp_path, steps=200)
    write(old)
    plan = plan_sweep([new])
    appeared: list[Place] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "_train", lambda *_: None)
        sweep.sweep(plan, SweepOptions(), lambda done, _: appeared.extend(done))
    assert appeared == []  # the old one is not taken for the new
    assert storage.is_done(tmp_path, old.run)
    sweep.train_piece(plan.tasks, SweepOptions(), {}, {tmp_path: None})
    assert [config.steps for config in trained] == [200]
    assert storage.is_done(tmp_path, new.run)
