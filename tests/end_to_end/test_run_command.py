"""`scripts/run.py` as a reader gives it, in a process of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from running import TINY, command
from sweeping import ROOT

EVALUATED = ["no_bn", "custom_bn"]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of the results and what the command printed."""
    out = tmp_path_factory.mktemp("first")
    done = command(TINY, "--out", out, "--workers", 1, "--explorer")
    assert done.returncode == 0, done.stdout + done.stderr
    return out / "tiny", done.stdout


def run_folders(folder: Path) -> list[str]:
    return sorted(str(path.parent.relative_to(folder)) for path in folder.rglob("run.json"))


def times(folder: Path) -> dict[str, int]:
    return {name: (folder / name / "run.json").stat().st_mtime_ns for name in run_folders(folder)}


def test_tuning_runs_at_every_rate_and_evaluation_at_the_best(first: tuple[Path, str]):
    folders = run_folders(first[0])
    tuning = [f"{arm}/learning_rate={rate}/seed=100" for arm in sorted(EVALUATED) for rate in ("0.1", "1")]
    assert [name for name in folders if "seed=100" in name] == tuning
    evaluation = [name for name in folders if "seed=100" not in name]
    assert sorted(name.split("/")[0] + name[-1] for name in evaluation) == ["custom_bn0", "custom_bn1", "no_bn0", "no_bn1"]  # fmt: skip  # noqa: E501
    for arm in EVALUATED:
        scores = {}
        for name in tuning:
            if name.startswith(arm):
                table = pq.read_table(first[0] / name / "curves.parquet").to_pandas()
                scores[name.split("/")[1]] = table[table["metric"] == "accuracy/validation"]["value"].iloc[-1]
        best = max(scores, key=lambda rate: scores[rate])
        assert {name.split("/")[1] for name in evaluation if name.startswith(arm)} == {best}


def test_the_table_is_printed_with_what_to_do_next(first: tuple[Path, str]):
    folder, printed = first
    assert "Tiny" in printed
    lines = {arm: next(line for line in printed.splitlines() if arm in line) for arm in EVALUATED}
    table = pd.read_parquet(folder / "results.parquet")
    for arm in EVALUATED:
        found = table[(table["arm"] == arm) & (table["seed"] < 100)]
        assert f"{found['optimizer.learning_rate'].iloc[0]:g} *" in lines[arm]  # of two rates the best is at the edge
        low, high = sorted(found["final_test_accuracy"])
        assert f"[{100 * low:.1f}, {100 * high:.1f}]" in lines[arm]
    assert "custom_bn against no_bn" in printed or "custom_bn needs" in printed or "custom_bn comes to" in printed
    assert f"{folder}/results.parquet" in printed
    assert f"scripts/curves.py --logdir {folder}\n" in printed
    assert f"{folder}/index.html" in printed


def test_it_leaves_a_page_with_its_pictures_and_sentences(first: tuple[Path, str]):
    folder, _ = first
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "Tiny" in page
    assert not re.search(r'(src|href)="(?!data:)[^"#]*:', page)  # no request, and nothing of this machine's paths
    linked = re.findall(r'href="([^"#:]+)"', page)
    assert {"results.parquet", "experiment.json", "figures/convergence.svg", "figures/sensitivity.svg"} <= {*linked}
    assert all((folder / name).is_file() for name in linked)
    assert page.count("<svg") == 2
    for arm in EVALUATED:
        assert f"<td>{arm}</td>" in page


def test_the_page_to_play_with_holds_what_was_measured(first: tuple[Path, str]):
    folder, printed = first
    assert f"Explorer:    {folder}/explorer.html" in printed
    page = (folder / "explorer.html").read_text(encoding="utf-8")
    assert all(f'"{name}":' in page for name in ("accuracy/validation", "pre_activation/1/p50", "gradient_norm/2"))
    assert '"saturation/1"' not in page  # a probe that was not asked for


def test_the_results_table_has_a_row_a_run(first: tuple[Path, str]):
    table = pd.read_parquet(first[0] / "results.parquet")
    assert len(table) == 8
    assert sorted(table["seed"]) == [0, 0, 1, 1, 100, 100, 100, 100]
    assert set(table["optimizer.learning_rate"]) <= {0.1, 1.0}
    assert set(table["status"]) == {"finished"}
    assert table["accuracy/validation"].map(len).eq(3).all()
    assert table["final_test_accuracy"].between(0, 1).all()
    for row in table.itertuples():
        rate = f"{row[2]:g}"
        curves = pq.read_table(first[0] / f"{row.arm}/learning_rate={rate}/seed={row.seed}/curves.parquet").to_pandas()
        final = curves[curves["metric"] == "accuracy/test"]["value"]
        assert row.final_test_accuracy == final.iloc[-1]


def test_a_run_says_all_about_itself(first: tuple[Path, str]):
    name = run_folders(first[0])[0]
    about = json.loads((first[0] / name / "run.json").read_text())
    assert about["status"] == "finished"
    assert about["config"]["model"]["norm"]["momentum"] == 0.99  # defaults are resolved
    assert about["config"]["dataset"]["train_examples"] == 200
    assert {"git_commit", "git_dirty", "packages", "python", "processor", "threads", "wall_seconds"} <= set(about["provenance"])  # fmt: skip  # noqa: E501
    metrics = set(pq.read_table(first[0] / name / "curves.parquet")["metric"].to_pylist())
    assert {"loss/train", "gradient_norm/2", "pre_activation/1/p85", "accuracy/test"} <= metrics
    assert len(list((first[0] / name).glob("events.out.tfevents.*"))) == 1


def test_one_and_two_workers_give_bit_identical_curves(first: tuple[Path, str], tmp_path: Path):
    done = command(TINY, "--out", tmp_path, "--workers", 2)
    assert done.returncode == 0
    assert run_folders(tmp_path / "tiny") == run_folders(first[0])
    for name in run_folders(first[0]):
        one, two = (pq.read_table(folder / name / "curves.parquet") for folder in (first[0], tmp_path / "tiny"))
        assert one["metric"].to_pylist() == two["metric"].to_pylist()
        assert one["step"].to_pylist() == two["step"].to_pylist()
        assert one["value"].to_numpy().tobytes() == two["value"].to_numpy().tobytes()
    # one arm is changed: that is another experiment, and the first is as it was
    before = times(tmp_path / "tiny")
    change = "arms.no_bn.steps=20"
    done = command(TINY, "--out", tmp_path, "--set", change, "--set", "seeds=1", "--workers", 1)
    assert done.returncode == 0
    assert times(tmp_path / "tiny") == before
    other = tmp_path / f"tiny,{change}"
    assert f"Results:     {other}/results.parquet" in done.stdout
    table = pd.read_parquet(other / "results.parquet")
    assert len(table) == 6
    curves = pq.read_table(other / "no_bn/learning_rate=1/seed=100/curves.parquet")
    assert max(curves["step"].to_pylist()) == 20
    about = json.loads((other / "experiment.json").read_text())
    assert (about["file"], about["overrides"]) == (str(TINY), [change, "seeds=1"])
    assert about["settings"]["seeds"] == [0]


def test_a_second_start_trains_nothing(first: tuple[Path, str]):
    folder, printed = first
    before, content = times(folder), (folder / "results.parquet").read_bytes()
    done = command(TINY, "--out", folder.parent)
    assert done.returncode == 0
    assert times(folder) == before
    assert (folder / "results.parquet").read_bytes() == content
    assert "8 runs are done already and kept" in done.stdout
    assert [line for line in printed.splitlines() if "_bn " in line] == [
        line for line in done.stdout.splitlines() if "_bn " in line
    ]


def test_a_dry_run_says_what_is_done(first: tuple[Path, str]):
    done = command(TINY, "--out", first[0].parent, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "tiny: Tiny",
        "  8 runs of 2 arms, 8 done already",
        "  0 to train, 0 programs to compile",
        "  estimated time: 0 s",
    ]


def test_a_damaged_result_is_told_with_its_remedy(first: tuple[Path, str]):
    folder = first[0] / run_folders(first[0])[0]
    for name, remedy in (
        ("run.json", "delete the folder and run again"),
        ("curves.parquet", "delete it and run again"),
    ):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:30])
        done = command(TINY, "--out", first[0].parent)
        (folder / name).write_bytes(whole)
        assert done.returncode == 1
        assert f"error: {folder}" in done.stderr
        assert remedy in done.stderr


def test_a_dry_run_says_what_each_batch_size_sees(tmp_path: Path):
    smaller = "arms.small={dataset.batch_size: 8}"
    done = command(ROOT / "configs/quickstart.yaml", "--set", smaller, "--out", tmp_path, "--dry-run")
    assert (
        "seen in 800 steps by batch 8: 6,400 (5.9 epochs), batch 60: 48,000 (44.5 epochs); epochs make them equal\n"
        in done.stdout
    )


def test_a_dry_run_loads_no_tensorflow(tmp_path: Path):
    done = command(ROOT / "configs/quickstart.yaml", "--out", tmp_path, "--dry-run", python=("-X", "importtime"))
    assert done.returncode == 0
    assert "done already" in done.stdout
    assert list(tmp_path.iterdir()) == []
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "pydantic" in loaded
    assert loaded.isdisjoint({"tensorflow", "keras", "sklearn", "matplotlib"})


@pytest.mark.parametrize("option", ["--help", "--schema", "--reference"])
def test_help_schema_and_reference_load_no_tensorflow(option: str):
    done = command(option, python=("-X", "importtime"))
    assert done.returncode == 0
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "pydantic" in loaded
    assert loaded.isdisjoint({"tensorflow", "keras", "sklearn", "pandas", "tensorboard"})
    if option == "--help":
        for name in ("--set", "--out", "--workers", "--dry-run", "--schema", "--replace", "--fail-fast"):
            assert name in done.stdout
    elif option == "--reference":
        assert done.stdout.startswith("# Configuration\n")
    else:
        assert json.loads(done.stdout)["title"] == "ExperimentConfig"


def test_faults_of_all_files_end_with_status_2(tmp_path: Path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("title: t\nrun: {model: {activation: sigmod}}\narms: {a: {}}\nseeds: 0\n")
    done = command(bad, tmp_path / "missing.yaml", TINY, "--out", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"{bad}:2: run.model.activation: 'sigmod' is not one of relu, sigmoid, tanh, gelu, leaky_relu, elu, selu, "
        "linear; did you mean 'sigmoid'?",
        f"{bad}:4: seeds: expected how many seeds, such as 20, the first and the last, such as 20-39, or a list "
        "of them, such as [0, 1, 2], got 0",
        f"{tmp_path}/missing.yaml: no such file",
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([TINY, "--set", "run.stepss=3"], "--set run.stepss=3: run.stepss: no such field; 'stepss' is not one of"),
        ([TINY, TINY], "tiny: two files of this name would share a folder"),
        ([], "give at least one experiment file, such as configs/quickstart.yaml"),
        ([TINY, "--workers", "0"], "Invalid value for '--workers'"),
        ([TINY, "--frobnicate"], "No such option: --frobnicate"),
    ],
)
def test_wrong_arguments_end_with_status_2(arguments: list[object], message: str, tmp_path: Path):
    done = command(*arguments, "--out", tmp_path / "out", "--dry-run")
    assert done.returncode == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_what_lies_in_the_home_folder_and_a_notebook_change_nothing(first: tuple[Path, str], tmp_path: Path):
    (tmp_path / "keras.json").write_text('{"image_data_format": "channels_first", "floatx": "float64"}')
    notebook = "module://matplotlib_inline.not_installed"
    done = command(
        *(TINY, "--out", tmp_path, "--workers", 1), KERAS_HOME=str(tmp_path), KERAS_BACKEND="torch", MPLBACKEND=notebook
    )
    assert (done.returncode, done.stderr) == (0, "")
    for name in run_folders(first[0]):
        one, other = ((folder / name / "curves.parquet").read_bytes() for folder in (first[0], tmp_path / "tiny"))
        assert one == other
