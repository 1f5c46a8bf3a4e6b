"""The results of an experiment as tables, read from its folder alone."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from tensorboard_server import summed_up

from experiments.records.storage import StorageError
from experiments.results import load


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return summed_up(tmp_path_factory.mktemp("results"), "x", {"no_bn": 0.7, "bn": 0.9}).folder


def copied(done: Path, folder: Path) -> Path:
    return Path(shutil.copytree(done, folder / "x"))


def test_runs_are_a_row_a_run_with_axes_and_measures(done: Path):
    results = load(str(done))
    assert (results.title, results.axes) == ("t", ("optimizer.learning_rate",))
    assert list(results.runs)[:5] == ["arm", "optimizer.learning_rate", "seed", "status", "diverged_at"]
    assert len(results.runs) == 8
    chosen = results.runs[(results.runs["arm"] == "bn") & (results.runs["optimizer.learning_rate"] == 1)]
    assert chosen["final_test_accuracy"].tolist() == pytest.approx([0.9, 0.92])
    assert not [name for name in results.runs if "/" in name]  # curves are a table of their own


def test_curves_are_a_row_a_value_in_the_order_of_the_runs(done: Path):
    results = load(done)
    curves = results.curves
    assert list(curves) == ["arm", "optimizer.learning_rate", "seed", "step", "metric", "value"]
    assert len(curves) == 8 * (3 + 2 + 1)
    assert curves["seed"].dtype == curves["step"].dtype == "int64"
    of_one = curves.query("arm == 'bn' and seed == 1 and `optimizer.learning_rate` == 1")
    accuracy = of_one[of_one["metric"] == "accuracy/validation"]
    assert accuracy["step"].tolist() == [0, 50, 100]
    assert accuracy["value"].tolist() == pytest.approx([0.1, 0.46, 0.92])
    runs = curves[["arm", "optimizer.learning_rate", "seed"]].drop_duplicates().reset_index(drop=True)
    pd.testing.assert_frame_equal(runs, results.runs[list(runs)], check_dtype=False, check_categorical=False)


def test_a_run_that_is_no_part_of_the_table_has_no_curves_there(done: Path, tmp_path: Path):
    folder = copied(done, tmp_path)
    table = pd.read_parquet(folder / "results.parquet")
    table[table["arm"] == "bn"].to_parquet(folder / "results.parquet", index=False)
    assert set(load(folder).curves["arm"]) == {"bn"}


def test_what_is_missing_is_said_with_what_to_do(done: Path, tmp_path: Path):
    with pytest.raises(StorageError, match="nowhere: is no folder; give that of an experiment"):
        load(tmp_path / "nowhere")
    folder = copied(done, tmp_path)
    with pytest.raises(StorageError, match=re.escape(f"give that of one inside it, such as {folder}")):
        load(tmp_path)
    lost = folder / "bn/learning_rate=1/seed=1"
    (lost / "curves.parquet").write_bytes(b"")
    with pytest.raises(StorageError, match="seed=1: cannot be read"):
        _ = load(folder).curves
    shutil.rmtree(lost)
    with pytest.raises(StorageError, match=r"1 of the runs in results.parquet have no folder, such as that of bn"):
        _ = load(folder).curves
    (folder / "results.parquet").write_bytes(b"PAR1")
    with pytest.raises(StorageError, match=r"cannot be read .* writes results.parquet anew"):
        load(folder)
    (folder / "results.parquet").unlink()
    with pytest.raises(StorageError, match=r"holds no results.parquet yet"):
        load(folder)


def test_tables_are_read_without_tensorflow(done: Path):
    read = f"from experiments.results import load; load({str(done)!r}).curves"
    script = f"import sys; {read}; print('tensorflow' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"
