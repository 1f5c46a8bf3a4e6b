"""Which folder an experiment gets, when it is refused it, and that one sweep at a time holds it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.configuration.experiment import Run
from experiments.configuration.run import RunConfig
from experiments.records import ownership, storage
from experiments.records.ownership import Origin
from experiments.records.storage import Record, StorageError

ROOT = Path(__file__).parent.parent.parent
MY = Path("configs/my.yaml")


def run_of(arm: str = "a", grid: dict[str, Any] | None = None, **fields: Any) -> Run:
    return Run.model_construct(arm=arm, grid=grid or {}, config=RunConfig.model_validate(fields))


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ((), "my"),
        (("seeds=20",), "my"),
        (("run.steps=2000", "seeds=20"), "my,run.steps=2000"),
        (("run.steps = 2000",), "my,run.steps=2000"),
        (("run.steps=500", "run.steps=2000"), "my,run.steps=2000"),
        (("run.xla=false", "run.steps=2000"), "my,run.steps=2000,run.xla=false"),
        (("run.optimizer.learning_rate=1e-3",), "my,run.optimizer.learning_rate=1e-3"),
    ],
)
def test_what_was_set_is_in_the_folders_name(overrides: tuple[str, ...], name: str):
    assert Origin(MY, overrides).folder_name() == name


def test_a_value_that_cannot_be_in_a_name_is_told_by_a_digest():
    found = [
        Origin(MY, (f"run.model.layers={layers}",)).folder_name() for layers in ("[100, 50]", "[100,50]", "100/50")
    ]
    assert [name.partition("~")[0] for name in found] == ["my,run.model.layers=100-50"] * 3
    assert len(set(found)) == 3
    assert all(len(name.partition("~")[2]) == 8 for name in found)


def test_a_long_name_is_bounded():
    names = {Origin(MY, (f"arms.{'a' * 300}.steps={steps}",)).folder_name() for steps in (1, 2)}
    assert [len(name) for name in names] == [109, 109]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "my.yaml").touch()
    return tmp_path / "one/my.yaml", tmp_path / "two/my.yaml"


def test_a_folder_is_refused_to_another_file_of_the_same_name(files: tuple[Path, Path], tmp_path: Path):
    one, two = files
    ownership.check_origin(tmp_path, Origin(two), {"seeds": 1})  # nobody's yet
    ownership.write_origin(tmp_path, Origin(one, ("run.steps=3",)), {"seeds": 1})
    ownership.check_origin(tmp_path, Origin(one), {"seeds": 2})
    ownership.check_origin(tmp_path, Origin(two), {"seeds": 1})  # a copy of the file
    with pytest.raises(StorageError) as caught:
        ownership.check_origin(tmp_path, Origin(two), {"seeds": 2})
    assert str(caught.value).startswith(f"{tmp_path}: holds the experiment of {one}, not of {two}; rename")
    one.rename(tmp_path / "moved.yaml")
    ownership.check_origin(tmp_path, Origin(two), {"seeds": 2})


def test_a_damaged_note_of_the_file_is_an_error_with_a_remedy(files: tuple[Path, Path], tmp_path: Path):
    for damaged in (b"", b"[]", b"{}", b"\xff"):
        (tmp_path / "experiment.json").write_bytes(damaged)
        with pytest.raises(StorageError, match=r"experiment\.json: cannot be read .*; delete it, the runs are kept"):
            ownership.check_origin(tmp_path, Origin(files[0]), {})


def test_finished_runs_with_other_settings_are_counted_and_told(tmp_path: Path):
    for seed in range(3):
        run = run_of(seed=seed, steps=500)
        storage.write_run(tmp_path, run, Record(run.config, "failed" if seed == 2 else "finished", {}))
    ownership.check_runs(tmp_path, [run_of(seed=seed, steps=500) for seed in range(9)])
    with pytest.raises(StorageError) as caught:
        ownership.check_runs(tmp_path, [run_of(seed=seed, steps=2000) for seed in range(9)])
    assert f"{tmp_path}: 2 finished runs have other settings" in str(caught.value)
    assert "such as a/seed=0: run.steps: 500 → 2000. Nothing was changed." in str(caught.value)
    assert "--out" in str(caught.value)
    assert "--replace" in str(caught.value)


def test_names_that_differ_in_capitals_alone_are_refused(tmp_path: Path):
    ownership.check_names(tmp_path, [run_of("bn"), run_of("no_bn"), run_of("bn", seed=1)])
    with pytest.raises(StorageError, match="BN/seed=1 and bn would share a folder"):
        ownership.check_names(tmp_path, [run_of("bn"), run_of("BN", seed=1)])
    slash, dash = ({"dataset.name": name} for name in ("emnist/letters", "emnist-letters"))
    with pytest.raises(StorageError, match="a/name=emnist-letters/seed=0 and another run would share"):
        ownership.check_names(tmp_path, [run_of(grid=slash), run_of(grid=dash)])


@pytest.mark.parametrize("name", ["results.parquet", "index.html", "figures", "summary"])
def test_a_folder_with_files_of_our_names_that_we_did_not_write_is_refused(tmp_path: Path, name: str):
    (tmp_path / name).write_text("a user's")
    with pytest.raises(StorageError, match=rf"holds {name}, which no experiment wrote"), ownership.locked(tmp_path):
        pass
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "a user's")]


def test_a_folder_with_other_files_of_a_user_is_taken_and_they_stay(tmp_path: Path):
    (tmp_path / "notes.txt").touch()
    with ownership.locked(tmp_path):
        pass
    (tmp_path / "results.parquet").touch()
    with ownership.locked(tmp_path):
        assert (tmp_path / "notes.txt").exists()


def test_a_folder_is_held_by_one_sweep_and_let_go_at_its_end(tmp_path: Path):
    with ownership.locked(tmp_path):
        holder = ownership.holder(tmp_path)
        assert holder
        with pytest.raises(StorageError, match=r"another sweep .* is writing here"), ownership.locked(tmp_path):
            pass
        assert ownership.holder(tmp_path) == holder
    assert ownership.holder(tmp_path) == ""
    with ownership.locked(tmp_path):
        assert ownership.holder(tmp_path) not in ("", holder)
    assert ownership.holder(tmp_path / "nowhere") is None


def test_a_folder_is_free_again_when_its_holder_is_killed(tmp_path: Path):
    code = "import sys, time; from pathlib import Path; from experiments.records.ownership import locked\n"
    code += "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(300)"
    words = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        assert f"process {process.pid} on " in (ownership.holder(tmp_path) or "")
        with pytest.raises(StorageError, match=f"another sweep .process {process.pid} on"), ownership.locked(tmp_path):
            pass
        os.kill(process.pid, signal.SIGKILL)
    with ownership.locked(tmp_path):
        assert f"process {os.getpid()} on " in (ownership.holder(tmp_path) or "")


def test_a_file_system_without_locks_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(ownership.FileLock, "acquire", refuse)
    with pytest.raises(StorageError, match="cannot be written: FileSystem does not"), ownership.locked(tmp_path):
        pass
