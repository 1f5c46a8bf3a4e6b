"""What becomes of an older run, and of what a user put beside it, when another takes its place."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from written_runs import record_of, run_of, written

from experiments.records import storage, tidying


def test_writing_again_replaces_the_old_run_but_not_what_a_user_put_there(tmp_path: Path):
    run = written(tmp_path, status="failed", error="no")
    folder = tmp_path / storage.run_name(run)
    (folder / "events.out.tfevents.1.batchnorm-lab").touch()
    (folder / "events.out.tfevents.1.mine").touch()
    (folder / "notes").mkdir()
    (folder / "notes/today.txt").write_text("strange")
    written(tmp_path)
    assert storage.is_done(tmp_path, run)
    assert (folder / "notes/today.txt").read_text() == "strange"
    assert {path.name for path in folder.iterdir()} == {
        "run.json",
        "curves.parquet",
        "notes",
        "events.out.tfevents.1.mine",
    }
    assert [path.name for path in folder.parent.iterdir()] == ["seed=4"]


@pytest.mark.parametrize("where", ["curves", "events", "run.json", "rename"])
def test_a_crash_in_the_middle_leaves_no_directory(tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch):
    def crash(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    run = run_of(seed=4)
    match where:
        case "curves":
            monkeypatch.setattr(pq, "write_table", crash)
        case "run.json":
            monkeypatch.setattr(Path, "write_text", crash)
        case "rename":
            monkeypatch.setattr(Path, "rename", crash)
    with pytest.raises(OSError, match="No space left"):
        storage.write_run(tmp_path, run, record_of(run), crash if where == "events" else None)
    monkeypatch.undo()
    assert [path for path in tmp_path.rglob("*") if path.name != "a"] == []
    assert not storage.is_done(tmp_path, run)


def test_a_crash_before_the_end_leaves_the_old_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = written(tmp_path)

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", crash)
    with pytest.raises(KeyboardInterrupt):
        storage.write_run(tmp_path, run, record_of(run, status="diverged"))
    assert storage.read_run(tmp_path, run).status == "finished"


def test_a_forgotten_run_leaves_what_a_user_put_there(tmp_path: Path):
    run = written(tmp_path)
    folder = tmp_path / storage.run_name(run)
    (folder / "notes.txt").touch()
    storage.forget_run(tmp_path, run)
    assert not storage.exists(tmp_path, run)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    written(tmp_path)
    (folder / "notes.txt").unlink()
    storage.forget_run(tmp_path, run)
    assert not folder.exists()


@pytest.mark.parametrize("crash_at", [1, 2])
def test_a_run_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, crash_at: int, monkeypatch: pytest.MonkeyPatch
):
    run, renames, rename = written(tmp_path), [], Path.rename

    def crash(path: Path, target: Path) -> Path:
        renames.append(target)
        if len(renames) == crash_at:
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", crash)
    with pytest.raises(OSError, match="No space left"):
        storage.write_run(tmp_path, run, record_of(run, status="diverged"))
    assert storage.read_run(tmp_path, run).status == "finished"
    assert [path.name for path in (tmp_path / "a/learning_rate=0.1").iterdir()] == ["seed=4"]


def test_a_run_that_is_a_link_is_replaced_and_what_it_points_to_stays(tmp_path: Path):
    run = written(tmp_path / "runs")
    folder = tmp_path / "runs" / storage.run_name(run)
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    storage.write_run(tmp_path / "runs", run, record_of(run, status="diverged"))
    assert storage.read_run(tmp_path / "runs", run).status == "diverged"
    assert (tmp_path / "elsewhere/run.json").exists()


def test_a_failure_costs_no_finished_run(tmp_path: Path):
    run = written(tmp_path)
    storage.write_run(tmp_path, run, record_of(run, status="failed", error="no room"))
    assert storage.failure(tmp_path, run) == "no room"
    tidying.tidy(tmp_path, [tmp_path / storage.run_name(run)])
    assert storage.is_done(tmp_path, run)
    assert sorted(path.name for path in (tmp_path / storage.run_name(run)).parent.iterdir()) == ["seed=4"]


def test_a_failure_takes_the_place_of_a_failure(tmp_path: Path):
    run = written(tmp_path, status="failed", error="no room")
    storage.write_run(tmp_path, run, record_of(run, status="failed", error="no light"))
    tidying.tidy(tmp_path, [tmp_path / storage.run_name(run)])
    assert storage.failure(tmp_path, run) == "no light"
