import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from written_runs import CURVES, record_of, run_of, written

from experiments.configuration.experiment import Run
from experiments.configuration.run import RunConfig
from experiments.records import storage
from experiments.records.storage import Curve, StorageError


def test_a_record_comes_back_bit_for_bit(tmp_path: Path):
    run = written(tmp_path)
    found = storage.read_run(tmp_path, run)
    assert (found.config, found.status, found.diverged_at, found.error) == (run.config, "finished", None, "")
    assert found.provenance == {"threads": 1, "wall_seconds": 3.5}
    assert list(found.curves) == list(CURVES)
    for name, curve in {**found.curves, "seconds": found.seconds}.items():
        expected = CURVES.get(name) or Curve(np.array([0, 50, 100]), np.array([0.0, 1.5, 2.5]))
        assert curve.steps.tolist() == expected.steps.tolist()
        assert curve.values.tobytes() == expected.values.astype(np.float64).tobytes()


def test_a_record_without_curves_comes_back(tmp_path: Path):
    run = written(tmp_path, curves={}, status="diverged", diverged_at=3)
    found = storage.read_run(tmp_path, run)
    assert (dict(found.curves), found.status, found.diverged_at) == ({}, "diverged", 3)


def test_many_curves_come_back(tmp_path: Path):
    curves = {f"m/{i}": Curve(np.arange(3) * i, np.arange(3) / (i + 1)) for i in range(300)}
    run = written(tmp_path, curves=curves)
    found = storage.read_run(tmp_path, run).curves
    assert list(found) == list(curves)
    assert all(np.array_equal(found[name].values, curve.values) for name, curve in curves.items())


def test_a_run_lies_where_its_name_says_and_nothing_else_does(tmp_path: Path):
    written(tmp_path)
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["a/learning_rate=0.1/seed=4/curves.parquet", "a/learning_rate=0.1/seed=4/run.json"]
    about = json.loads((tmp_path / "a/learning_rate=0.1/seed=4/run.json").read_text())
    assert about["grid"] == {"optimizer.learning_rate": 0.1}
    assert RunConfig.model_validate(about["config"]).seed == 4
    table = pq.read_table(tmp_path / "a/learning_rate=0.1/seed=4/curves.parquet").to_pydict()
    assert table["metric"] == ["loss/train"] * 2 + ["accuracy/validation"] * 3
    assert table["step"] == [50, 100, 0, 50, 100]


@pytest.mark.parametrize(
    ("grid", "name"),
    [
        ({}, "a/seed=0"),
        ({"optimizer.learning_rate": 1.0, "steps": 50}, "a/learning_rate=1/steps=50/seed=0"),
        ({"model.layers": (100, 50)}, "a/layers=100x50/seed=0"),
        ({"optimizer.learning_rate": 1e-5}, "a/learning_rate=1e-05/seed=0"),
        ({"optimizer.learning_rate": 0.1234567}, "a/learning_rate=0.1234567/seed=0"),
        ({"optimizer.learning_rate": 1 / 3}, "a/learning_rate=0.3333333333333333/seed=0"),
        ({"dataset.name": "emnist/letters"}, "a/name=emnist-letters/seed=0"),
        ({"dataset.standardize": True}, "a/standardize=True/seed=0"),
    ],
)
def test_the_name_of_a_run(grid: dict[str, Any], name: str):
    assert storage.run_name(run_of(grid)) == name


def test_nearly_equal_values_are_different_runs():
    values = [0.1, 0.1000001, np.nextafter(0.1, 1), 0.1000002]
    assert len({storage.run_name(run_of({"x": float(value)})) for value in values}) == 4


def test_a_long_grid_value_ends_in_a_digest(tmp_path: Path):
    first, second = (run_of({"model.layers": (100,) * 79 + (last,)}) for last in (100, 101))
    names = [storage.run_name(run).split("/")[1] for run in (first, second)]
    assert [len(name) for name in names] == [len("layers=") + 80] * 2
    assert names[0].startswith("layers=100x100x100x")
    assert names[0] != names[1]
    assert storage.run_name(run_of({"model.layers": (100,) * 20})) == f"a/layers={'x'.join(['100'] * 20)}/seed=0"
    storage.write_run(tmp_path, first, record_of(first))
    assert storage.is_done(tmp_path, first)
    assert not storage.is_done(tmp_path, second)


def test_only_the_same_settings_are_done(tmp_path: Path):
    run = written(tmp_path)
    assert storage.is_done(tmp_path, run)
    changed = Run.model_construct(arm="a", grid=run.grid, config=run.config.model_copy(update={"steps": 50}))
    assert storage.run_name(changed) == storage.run_name(run)
    assert not storage.is_done(tmp_path, changed)
    assert not storage.is_done(tmp_path, run_of(seed=9))


@pytest.mark.parametrize(("status", "done"), [("finished", True), ("diverged", True), ("failed", False)])
def test_divergence_is_a_result_and_a_failure_is_not(tmp_path: Path, status: str, done: bool):
    run = written(tmp_path, status=status, error="Traceback …" if status == "failed" else "")
    assert storage.is_done(tmp_path, run) == done
    assert storage.failure(tmp_path, run) == (None if done else "Traceback …")


def test_the_first_setting_that_differs_is_told(tmp_path: Path):
    run = written(tmp_path)
    assert storage.difference(tmp_path, run) is None
    assert storage.difference(tmp_path, run_of()) is None
    deeper = run.config.model.model_copy(update={"layers": (7,)})
    changed = run.config.model_copy(update={"steps": 2000, "model": deeper})
    other = Run.model_construct(arm="a", grid=run.grid, config=changed)
    assert storage.difference(tmp_path, other) == "run.model.layers: [100, 100, 100] → [7]"
    about = tmp_path / storage.run_name(run) / "run.json"
    without = json.loads(about.read_text())
    del without["config"]["xla"]
    about.write_text(json.dumps(without | {"digest": "older"}))
    assert storage.difference(tmp_path, run) == "run.xla: not a setting → auto"
    longer = Run.model_construct(arm="a", grid=run.grid, config=run.config.model_copy(update={"timed": True}))
    assert storage.difference(tmp_path, longer) == "run.timed: False → True"  # though xla stands before it


def test_a_run_that_may_not_be_read_is_not_to_be_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    run = written(tmp_path)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(StorageError, match=r"cannot be read \(Permission denied\); give yourself the right to$"):
        storage.is_done(tmp_path, run)


def test_a_copy_is_a_run_of_its_own(tmp_path: Path):
    run = written(tmp_path / "one")
    twin = Run.model_construct(arm="b", grid={}, config=run.config)
    storage.copy_run(tmp_path / "one", run, tmp_path / "two", twin)
    assert storage.is_done(tmp_path / "two", twin)
    assert storage.read_run(tmp_path / "two", twin).curves["loss/train"].values[0] == 0.1


def damaged(about: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / "run.json").write_bytes(about)


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (damaged(b""), "run.json: cannot be read (Expecting value"),
        (damaged(b'{"status": "fini'), "run.json: cannot be read (Unterminated string"),
        (damaged(b"\xff\xfe\x00"), "run.json: cannot be read ("),
        (damaged(b"[]"), "run.json: cannot be read (parts are missing)"),
        (damaged(b'{"status": "finished"}'), "run.json: cannot be read (parts are missing)"),
    ],
)
def test_a_damaged_run_json_is_an_error_with_a_remedy(tmp_path: Path, damage: Callable[[Path], object], fault: str):
    run = written(tmp_path)
    folder = tmp_path / storage.run_name(run)
    damage(folder)
    for read in (storage.read_run, storage.is_done, storage.failure):
        with pytest.raises(StorageError) as caught:
            read(tmp_path, run)
        assert str(caught.value).startswith(f"{folder}/{fault}")
        assert str(caught.value).endswith("delete the folder and run again")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def other_table(path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), path)


@pytest.mark.parametrize("damage", [cut, other_table, Path.unlink, lambda path: path.write_bytes(b"")])
def test_damaged_curves_are_an_error_with_a_remedy(tmp_path: Path, damage: Callable[[Path], object]):
    run = written(tmp_path)
    folder = tmp_path / storage.run_name(run)
    damage(folder / "curves.parquet")
    with pytest.raises(StorageError) as caught:
        storage.read_run(tmp_path, run)
    assert str(caught.value).startswith(f"{folder}: cannot be read (")
    assert str(caught.value).endswith("; delete it and run again")


def test_a_run_that_is_not_there_is_an_error_when_read(tmp_path: Path):
    with pytest.raises(StorageError, match=r"no run\.json"):
        storage.read_run(tmp_path, run_of())
    assert not storage.is_done(tmp_path, run_of())
    assert storage.failure(tmp_path, run_of()) is None


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "results.parquet"
    storage.write_atomically(path, b"old")
    storage.write_atomically(path, b"new")
    assert path.read_bytes() == b"new"

    def crash(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "_sync", crash)
    with pytest.raises(OSError, match="No space left"):
        storage.write_atomically(path, b"newer")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("results.parquet", b"new")]
