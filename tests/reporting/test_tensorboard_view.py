"""What is written for TensorBoard to show at first sight, and which folder it is given."""

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import metadata
from tensorboard_server import summed_up

from experiments.analysis.results_table import results_table
from experiments.configuration.loading import load_experiment
from experiments.records.storage import Curve, Record, StorageError
from experiments.reporting import tensorboard_view
from experiments.reporting.tensorboard_view import Show, view
from experiments.reporting.trials import best_trials, trials


def read(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()


def runs(folder: Path) -> list[str]:
    return sorted({str(file.parent.relative_to(folder)) for file in folder.rglob("events.*")})


def last(folder: Path) -> dict[str, float]:
    events = read(folder)
    return {tag: pytest.approx(events.Scalars(tag)[-1].value) for tag in events.Tags()["scalars"]}


def test_an_arm_is_one_line_the_median_over_seeds_at_its_best_rate(tmp_path: Path):
    folder = summed_up(tmp_path, "x", {"no_bn": 0.7, "bn": 0.9}).folder / "summary/arms"
    assert runs(folder) == [".", "bn", "level", "no_bn"]
    found = last(folder / "bn")
    assert {tag: found[tag] for tag in found if not tag.startswith("~")} == {
        "accuracy/validation": 0.91,  # between the seeds' 0.90 and 0.92
        "loss/train": pytest.approx(1 - 0.91),
    }
    low, high = (found[f"~quartiles/accuracy/validation/{end}"] for end in ("low", "high"))
    assert (low, high) == (0.905, 0.915)


def test_a_trial_is_a_row_with_its_rate_as_a_logarithm_its_measures_and_its_status(tmp_path: Path):
    folder = summed_up(tmp_path, "x", {"no_bn": 0.7, "bn": 0.9}).folder / "summary/trials"
    assert [name for name in runs(folder) if name.startswith("bn")] == ["bn/learning_rate=0.1", "bn/learning_rate=1"]
    content = read(folder / "bn/learning_rate=0.1").SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    settings = metadata.parse_session_start_info_plugin_data(content).hparams
    assert {name: value.number_value for name, value in settings.items() if value.HasField("number_value")} == {
        "learning_rate": 0.1,
        "log10 learning_rate": -1.0,
    }
    assert {name: settings[name].string_value for name in ("arm", "status")} == {"arm": "bn", "status": "finished"}
    found = last(folder / "bn/learning_rate=0.1")
    assert {tag: found[tag] for tag in found if tag.startswith("~result")} == {
        "~result/test_accuracy": 0.46,  # of seeds 0.45 and 0.47
        "~result/validation_accuracy": 0.46,
        "~result/share_diverged": 0.0,
        "~result/runs": 2.0,
    }  # and no steps to a level that it never reaches


def test_measures_of_a_trial_count_a_diverged_run_as_the_worst(tmp_path: Path):
    (tmp_path / "x.yaml").write_text("title: t\nrun: {steps: 100, evaluate_every: 50}\narms: {a: {}}\nseeds: 3\n")
    tried = load_experiment(tmp_path / "x.yaml")
    records = []
    for run, status in zip(tried.evaluation_runs({}), ("finished", "diverged", "diverged"), strict=True):
        curve = Curve(np.array([0, 50, 100]), np.array([0.1, 0.9, 0.9]))
        about = {"accuracy/validation": curve, "accuracy/test": Curve(np.array([100]), np.array([0.8]))}
        records.append((run.arm, run.grid, Record(run.config, status, about, 50 if status == "diverged" else None)))
    (trial,) = trials(tried, results_table(records), [])
    assert trial.settings == {"arm": "a", "status": "diverged in part"}
    assert trial.measures["~result/share_diverged"] == pytest.approx(2 / 3)
    assert trial.measures["~result/test_accuracy"] == 0.0  # the middle of 0, 0 and 0.8
    assert "~result/steps_to_level" not in trial.measures  # the middle of 50, never and never
    assert math.isnan(trial.bands["accuracy/validation"].median[-1])
    (best,) = best_trials(tried, results_table(records), [])
    assert (best.name, best.measures) == ("a", trial.measures)
    assert trials(tried, results_table([]), []) == best_trials(tried, pd.DataFrame(results_table([])), []) == []


def test_several_experiments_are_one_view_with_a_group_each_and_a_run_for_every_name_of_an_arm(tmp_path: Path):
    summed_up(tmp_path, "first", {"no_bn": 0.7, "bn": 0.9})
    summed_up(tmp_path, "second", {"no_bn": 0.6, "other": 0.8})
    (tmp_path / "runs/of_a_user").mkdir()
    shown = view(tmp_path / "runs", Show.ARMS, tmp_path / "scratch")
    assert (shown.folder, shown.told) == (tmp_path / "scratch", (".",))
    assert runs(shown.folder) == [".", "bn", "level", "no_bn", "other"]
    found = last(shown.folder / "no_bn")
    assert {tag: value for tag, value in found.items() if "accuracy/validation" in tag and "quart" not in tag} == {
        "first/accuracy/validation": 0.71,
        "second/accuracy/validation": 0.61,
    }
    groups = sorted({tag.partition("/")[0] for run in runs(shown.folder) for tag in last(shown.folder / run)})
    assert groups == ["first", "second", "~quartiles"]  # in TensorBoard's order: what bands are drawn from comes last
    about = read(shown.folder)
    told = [tag for tag in about.Tags()["tensors"] if not tag.startswith("custom_scalars")]
    pictures = [
        f"~pictures/{name}/{picture}" for name in ("first", "second") for picture in ("convergence", "sensitivity")
    ]
    assert sorted(told) == ["result/first", "result/second", "settings/first", "settings/second", *pictures]
    layout = layout_pb2.Layout.FromString(about.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0])
    assert [category.title.partition(":")[0] for category in layout.category] == ["first", "second"]
    (series,) = layout.category[1].chart[0].margin.series
    assert series.lower == "~quartiles/second/accuracy/validation/low"
    assert series.lower in last(shown.folder / "other")


def test_an_image_is_as_wide_as_it_can_be_read_and_says_so(tmp_path: Path):
    folder = summed_up(tmp_path, "x", {"no_bn": 0.7, "bn": 0.9}).folder / "summary/arms"
    events = read(folder)
    images = [tag for tag in events.Tags()["tensors"] if tag.startswith("~pictures/x/")]
    assert len(images) == 2
    for tag in images:
        width, _, png = events.Tensors(tag)[0].tensor_proto.string_val
        assert (width, png[:4]) == (b"880", b"\x89PNG")


def test_what_cannot_be_read_is_refused_with_what_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    study = summed_up(tmp_path, "x", {"no_bn": 0.7, "bn": 0.9})
    every, one = tmp_path / "runs", study.folder
    assert view(one, Show.ARMS, tmp_path).folder == one / "summary/arms"
    assert view(one, Show.TRIALS, tmp_path).folder == one / "summary/trials"
    assert view(one, Show.RUNS, tmp_path).folder == one
    with pytest.raises(StorageError, match=re.escape(f"takes the folder of one experiment, such as {one}")):
        view(every, Show.TRIALS, tmp_path)
    with pytest.raises(StorageError, match="no folder; train something first"):
        view(tmp_path / "nowhere", Show.ARMS, tmp_path)
    monkeypatch.setattr(tensorboard_view, "MOST_RUNS", 7)
    with pytest.raises(StorageError, match="has 8 runs, and of more than 7 TensorBoard shows none"):
        view(one, Show.RUNS, tmp_path)
    assert view(one / "bn", Show.RUNS, tmp_path).folder == one / "bn"  # an arm alone
    for file in (one / "summary").rglob("events.*"):
        file.unlink()
    with pytest.raises(StorageError, match=r"is not summed up yet.*--show runs"):
        view(one, Show.ARMS, tmp_path)
    with pytest.raises(StorageError, match=r"no experiment in it is summed up yet.*--show runs"):
        view(every, Show.ARMS, tmp_path)


def test_a_folder_that_is_none_of_ours_is_served_as_it_is(tmp_path: Path):
    shown = view(tmp_path, Show.ARMS, tmp_path / "scratch")
    assert (shown.folder, [*shown.links("http://x/")]) == (tmp_path, [])
