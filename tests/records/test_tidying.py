"""What is ours goes, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.records import tidying

OURS = ("run.json", "curves.parquet", "events.out.tfevents.1.5.batchnorm-lab")
THEIRS = ("notes.txt", "events.out.tfevents.1.5.host", "my.run.json", ".hidden")


def filled(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_a_directory_is_cleared_of_our_files_alone(tmp_path: Path):
    tidying.clear(filled(tmp_path / "run", *OURS, *THEIRS))
    assert names(tmp_path / "run") == set(THEIRS)
    tidying.clear(filled(tmp_path / "other", *OURS))
    tidying.clear(tmp_path / "nowhere")
    assert not (tmp_path / "other").exists()


def test_events_are_cleared_of_a_folder_and_of_those_inside_it(tmp_path: Path):
    for arm in ("bn", "no_bn"):
        filled(tmp_path / arm, OURS[2])
    filled(tmp_path, OURS[2], THEIRS[1])
    filled(tmp_path / "bn", "notes.txt")
    tidying.clear_events(tmp_path)
    assert names(tmp_path) == {THEIRS[1], "bn/notes.txt"}
    assert not (tmp_path / "no_bn").exists()


def test_what_a_killed_command_left_goes_and_a_users_notes_come_back(tmp_path: Path):
    run, gone = tmp_path / "a/seed=4", tmp_path / "a/seed=5"
    filled(run, *OURS)
    filled(tmp_path / "a/.seed=4.0123abcd", "curves.parquet")
    filled(tmp_path / "a/.seed=4.4567abcd.before", *OURS, "notes.txt")
    filled(tmp_path / "a/.seed=5.0123abcd.before", "run.json", "notes.txt")
    filled(tmp_path / "a/.seed=5.4567abcd", *OURS)
    filled(tmp_path / "a/.seed=4.mine", "run.json")
    filled(tmp_path, ".results.parquet.4711.partial", ".my.own.notes", ".my.own.partial", "b.partial")
    tidying.tidy(tmp_path, [run, gone])
    assert names(tmp_path / "a") == {
        *(f"seed=4/{name}" for name in (*OURS, "notes.txt")),
        "seed=5/run.json",
        "seed=5/notes.txt",
        ".seed=4.mine/run.json",
    }
    assert {path.name for path in tmp_path.iterdir()} == {"a", ".my.own.notes", ".my.own.partial", "b.partial"}


@pytest.mark.parametrize("kept", [True, False])
def test_runs_that_are_none_of_an_experiments_go_with_their_empty_folders(tmp_path: Path, kept: bool):
    run, stray, other = (tmp_path / name for name in ("a/rate=1/seed=0", "a/rate=2/seed=0", "b/seed=0"))
    for directory in (run, stray, other, tmp_path / "c/.seed=0.0123abcd"):
        filled(directory, *OURS)
    filled(tmp_path / "mine", "run.json")  # without curves it is none of ours
    if kept:
        filled(other, "notes.txt")
    assert tidying.strays(tmp_path, [run]) == [stray, other]
    tidying.remove_strays(tmp_path, [run])
    assert tidying.strays(tmp_path, [run]) == []
    assert names(run) == set(OURS)
    assert {path.name for path in tmp_path.iterdir()} == {"a", "c", "mine", *(["b"] if kept else [])}
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"rate=1"}


def test_runs_of_an_experiment_inside_another_are_no_strays(tmp_path: Path):
    filled(tmp_path / "old_arm/seed=0", *OURS)
    filled(tmp_path / "claim", "experiment.json")
    filled(tmp_path / "claim/bn/seed=0", *OURS)
    filled(tmp_path / "held", ".lock")
    filled(tmp_path / "held/bn/seed=0", *OURS)
    assert tidying.strays(tmp_path, []) == [tmp_path / "old_arm/seed=0"]
    tidying.remove_strays(tmp_path, [])
    assert not (tmp_path / "old_arm").exists()
    assert (tmp_path / "claim/bn/seed=0/run.json").exists()
