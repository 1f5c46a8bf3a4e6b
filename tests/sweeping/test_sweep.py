"""What a sweep plans, how it cuts the work, what it keeps, and what one run more costs it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from experiments.configuration.experiment import Run
from experiments.configuration.run import RunConfig
from experiments.records import storage
from experiments.records.storage import Curve, Record
from experiments.sweeping import sweep, worker
from experiments.sweeping.planning import (
    PIECES_PER_WORKER,
    Place,
    Task,
    cut_into_pieces,
    estimate_seconds,
    plan_sweep,
    relative_cost,
)
from experiments.sweeping.sweep import SweepOptions
from experiments.sweeping.workforce import SweepError, WorkerLostError, Workforce

ROOT = Path(__file__).parent.parent.parent

STEPS = np.arange(0, 1001, 50)


def place(folder: Path, arm: str = "arm", seed: int = 0, **settings: object) -> Place:
    config = RunConfig.model_validate({"steps": 100, "seed": seed, **settings})
    return Place(folder, Run.model_construct(arm=arm, grid={}, config=config))


def record(of: Place, status: storage.Status = "finished", wall_seconds: float = 2.0) -> Record:
    curves = {"loss/train": Curve(np.array([50, 100]), np.array([2.0, 1.0]))}
    error = "Traceback\nValueError: no" if status == "failed" else ""
    return Record(of.run.config, status, curves, error=error, provenance={"wall_seconds": wall_seconds})


def write(of: Place, status: storage.Status = "finished") -> None:
    storage.write_run(of.experiment, of.run, record(of, status))


def task(seed: int = 0, **settings: object) -> Task:
    at = place(Path("unused"), seed=seed, **settings)
    return Task(at.run.config, (at,))


def in_fresh_process(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a Python of its own."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)


def test_equal_configurations_are_trained_once_for_all_their_places(tmp_path: Path):
    first, second, other = place(tmp_path / "a"), place(tmp_path / "b", arm="twin"), place(tmp_path / "a", seed=1)
    plan = plan_sweep([first, second, other])
    assert [task.places for task in plan.tasks] == [(first, second), (other,)]
    assert plan.pending == [first, second, other]


def test_a_finished_twin_is_copied_instead_of_trained(tmp_path: Path):
    finished, missing = place(tmp_path / "a"), place(tmp_path / "b", arm="twin")
    write(finished)
    plan = plan_sweep([finished, missing])
    assert (plan.done, plan.copies, plan.tasks) == ([finished], [(finished, missing)], [])
    sweep.sweep(plan, SweepOptions(), lambda *_: None)
    assert plan_sweep([finished, missing]).done == [finished, missing]
    copied = tmp_path / "b" / storage.run_name(missing.run)
    assert list(copied.glob("events.out.tfevents.*"))


def test_a_finished_twin_that_is_no_part_of_the_sweep_is_copied_too(tmp_path: Path):
    finished, missing, other = place(tmp_path / "a"), place(tmp_path / "b"), place(tmp_path / "b", seed=1)
    write(finished)
    plan = plan_sweep([missing, other], elsewhere=[finished, place(tmp_path / "a", seed=1)])
    assert (plan.done, plan.copies) == ([], [(finished, missing)])
    assert [task.places for task in plan.tasks] == [(other,)]


def test_diverged_runs_are_done_and_failed_ones_are_not(tmp_path: Path):
    diverged, failed = place(tmp_path, arm="a"), place(tmp_path, arm="b", seed=1)
    write(diverged, "diverged")
    write(failed, "failed")
    plan = plan_sweep([diverged, failed])
    assert plan.done == [diverged]
    assert plan.pending == [failed]


def test_another_configuration_in_the_same_place_is_not_done(tmp_path: Path):
    write(place(tmp_path))
    assert plan_sweep([place(tmp_path, steps=150)]).done == []
    assert plan_sweep([place(tmp_path)]).done != []


def test_a_directory_without_run_json_is_not_done(tmp_path: Path):
    here = place(tmp_path)
    write(here)
    (tmp_path / storage.run_name(here.run) / "run.json").unlink()
    assert plan_sweep([here]).done == []


def test_the_estimate_is_the_median_of_finished_runs_of_the_program_over_the_workers(tmp_path: Path):
    done = [place(tmp_path, seed=seed) for seed in range(3)]
    for at, seconds in zip(done, (1.0, 3.0, 8.0), strict=True):
        storage.write_run(at.experiment, at.run, record(at, wall_seconds=seconds))
    missing = [place(tmp_path, seed=seed) for seed in range(3, 7)]
    assert estimate_seconds(plan_sweep([*done, *missing]), workers=2) == 4 * 3.0 / 2
    longer = place(tmp_path, seed=9, steps=200)
    assert estimate_seconds(plan_sweep([*done, longer]), workers=2) is None
    unknown = place(tmp_path, seed=9, model={"layers": [7]})
    assert estimate_seconds(plan_sweep([*done, unknown]), workers=2) is None


def test_timed_runs_are_not_spread_over_the_workers_in_the_estimate_either(tmp_path: Path):
    done, missing = place(tmp_path, timed=True), place(tmp_path, timed=True, seed=1)
    storage.write_run(done.experiment, done.run, record(done, wall_seconds=3.0))
    assert estimate_seconds(plan_sweep([done, missing]), workers=2) == 3.0


def test_a_worker_with_another_number_of_threads_is_a_clear_error():
    code = (
        "from experiments.sweeping.worker import _start\n"
        "from experiments.sweeping.workforce import SweepError\n"
        "_start(1); _start(1)\n"
        "try: _start(2)\n"
        "except SweepError as error: print(error)"
    )
    assert "another number of threads than 2" in in_fresh_process(code).stdout


def test_a_worker_keeps_its_programs_up_to_a_bound_and_gives_up_the_oldest(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(worker, "KEPT_PROGRAMS", 2)
    monkeypatch.setattr(worker, "_programs", {})
    monkeypatch.setattr("experiments.training.program.Program", lambda config, dataset: (config, dataset))
    first, second, third = (task(dataset={"batch_size": size}).config for size in (10, 20, 30))
    kept = [worker._program(config, None)[0] for config in (first, second)]
    assert worker._program(first.model_copy(update={"seed": 1}), None) == (kept[0], 0.0)
    worker._program(third, None)
    assert worker._program(second, None)[0] is kept[1]
    assert worker._program(first, None)[0] is not kept[0]


def test_pieces_hold_every_task_once_and_each_a_single_program():
    tasks = [task(seed, steps=5000, model={"layers": [width]}) for width in (10, 20, 300) for seed in range(50)]
    pieces = cut_into_pieces(tasks, workers=2)
    assert Counter(task.config.digest() for piece in pieces for task in piece) == Counter(
        task.config.digest() for task in tasks
    )
    assert all(len({task.config.program_key() for task in piece}) == 1 for piece in pieces)
    costs = [sum(relative_cost(task.config) for task in piece) for piece in pieces]
    assert costs == sorted(costs, reverse=True)


def test_a_large_program_is_cut_for_all_workers_a_small_one_is_compiled_once():
    large = [task(seed, steps=20_000) for seed in range(100)]
    small = [task(seed, steps=100, model={"layers": [5]}) for seed in range(100)]
    assert len(cut_into_pieces(large, workers=4)) == 4 * PIECES_PER_WORKER
    pieces = cut_into_pieces([*large, *small], workers=4)
    assert sum(piece[0].config.model.layers == (5,) for piece in pieces) == 1
    assert len(cut_into_pieces(small, workers=2)) == 2  # with nothing else to do, both workers help


def test_the_learning_rate_and_the_seed_do_not_part_a_program():
    tasks = [task(seed, optimizer={"learning_rate": rate}) for seed in range(3) for rate in (0.1, 1.0)]
    assert len(cut_into_pieces(tasks, workers=1)) == 1


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


def tasks_at(*places: Place) -> list[Task]:
    return [Task(at.run.config, (at,)) for at in places]


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


def test_runs_that_give_way_to_other_settings_are_counted(tmp_path: Path):
    before, failed, new = place(tmp_path, seed=0), place(tmp_path, seed=1), place(tmp_path, seed=2)
    write(before)
    write(failed, "failed")
    longer = [place(tmp_path, seed=seed, steps=200) for seed in range(3)]
    assert plan_sweep([before, failed, new]).outdated == []
    assert plan_sweep(longer).outdated == longer[:1]


def test_a_piece_is_left_when_another_sweep_holds_the_folder(tmp_path: Path, trained: list[RunConfig]):
    with storage.locked(tmp_path):
        sweep.train_piece(tasks_at(place(tmp_path)), SweepOptions(), {}, {tmp_path: "an earlier sweep"})
        assert trained == []
        sweep.train_piece(tasks_at(place(tmp_path)), SweepOptions(), {}, {tmp_path: storage.holder(tmp_path)})
        assert len(trained) == 1


def test_a_result_is_not_written_once_the_folder_changed_hands(tmp_path: Path):
    here = place(tmp_path)
    with storage.locked(tmp_path):
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


def test_a_folder_is_held_by_one_sweep_and_let_go_at_its_end(tmp_path: Path):
    with storage.locked(tmp_path):
        holder = storage.holder(tmp_path)
        assert holder
        with pytest.raises(storage.StorageError, match=r"another sweep .* is writing here"), storage.locked(tmp_path):
            pass
        assert storage.holder(tmp_path) == holder
    assert storage.holder(tmp_path) == ""
    with storage.locked(tmp_path):
        assert storage.holder(tmp_path) not in ("", holder)
    assert storage.holder(tmp_path / "nowhere") is None
