"""What runs that make images come to: no accuracy, but a Fréchet distance, of which the lowest is the best."""

from __future__ import annotations

import io
from math import inf, nan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from experiments.analysis.measures import lower_is_better, worst_outcome
from experiments.analysis.results_table import results_table
from experiments.analysis.summary import summarize
from experiments.analysis.tuning import Tuned, tuned_rates
from experiments.configuration.claim import PartConfig
from experiments.configuration.experiment import Experiment
from experiments.configuration.loading import load_experiment
from experiments.configuration.run import RunConfig
from experiments.records.ownership import Origin, write_origin
from experiments.records.storage import Curve, Record, write_run
from experiments.records.tensorboard import write_run_events
from experiments.reporting import terminal
from experiments.reporting.index_page import render_index
from experiments.reporting.live_table import LiveArms
from experiments.reporting.pictures import draw, pictures
from experiments.reporting.quantity_words import quantity_words
from experiments.reporting.report import settings_words
from experiments.reporting.summary_table import print_summary
from experiments.reporting.tensorboard_summary import show_in_tensorboard
from experiments.reporting.trials import best_trials, trials
from experiments.study import Study

RATES = (0.001, 0.01, 0.1)


def record(distance: float, seed: int = 0, diverged_at: int | None = None) -> Record:
    """A run whose images come to a distance; of test images, twice that."""
    config = RunConfig.model_validate({"gan": {"latent": 4}, "steps": 100, "seed": seed})
    curves = {
        "frechet/validation": Curve(np.array([0, 50, 100]), np.array([90.0, distance, distance])),
        "classes_generated": Curve(np.array([0, 50, 100]), np.array([1.0, 8.0, 9.0])),
    }
    if diverged_at is None:
        curves["frechet/test"] = Curve(np.array([100]), np.array([2 * distance]))
    return Record(config, "finished" if diverged_at is None else "diverged", curves, diverged_at)


def experiment(folder: Path, tuning: str = "tuning: {seeds: [100, 101, 102]}") -> Experiment:
    text = f"title: t\nrun: {{gan: {{latent: 4}}, steps: 100}}\narms: {{a: {{}}}}\nseeds: 2\n{tuning}\n"
    (folder / "x.yaml").write_text(f"{text}grid: {{optimizer.learning_rate: {list(RATES)}}}\n")
    return load_experiment(folder / "x.yaml")


def table(found: dict[float, list[Record]]) -> pd.DataFrame:
    return results_table(
        [("a", {"optimizer.learning_rate": rate}, run) for rate, runs in found.items() for run in runs]
    )


def test_a_row_holds_distances_and_no_accuracy():
    rows = table({0.01: [record(3.0), record(5.0, seed=1, diverged_at=75)]})
    assert rows["late_validation_frechet"].tolist() == [3.0, inf]
    assert rows["final_test_frechet"].tolist() == [6.0, inf]
    assert rows["frechet/validation"].tolist() == [[90.0, 3.0, 3.0], [90.0, 5.0]]
    np.testing.assert_array_equal(rows["final_test_accuracy"], [nan, nan])
    assert "accuracy/validation" not in rows


def test_other_runs_have_no_distance():
    rows = results_table([("a", {}, Record(RunConfig(), "finished", {}))])
    assert not [name for name in rows if "frechet" in name]


def test_the_lowest_distance_is_the_best_rate_and_divergence_the_worst(tmp_path: Path):
    seeds = (100, 101, 102)
    of_rate = {
        0.001: [record(30.0, seed) for seed in seeds],
        0.01: [record(distance, seed) for distance, seed in zip((4.0, 5.0, 50.0), seeds, strict=True)],
        0.1: [record(1.0, seed, diverged_at=75) for seed in seeds],
    }
    assert tuned_rates(table(of_rate), experiment(tmp_path).config) == {("a", ()): Tuned(0.01, False, 0)}
    without = table(of_rate | {0.01: of_rate[0.01][:2]})
    assert tuned_rates(without, experiment(tmp_path).config)["a", ()].missing == 1


@pytest.mark.parametrize("tuning", ["tuning: {seeds: [100, 101, 102]}", ""])
def test_the_summary_shows_the_distance_to_test_images_at_the_best_rate(tmp_path: Path, tuning: str):
    tried = experiment(tmp_path, tuning)
    runs = tried.tuning_runs() + tried.evaluation_runs({("a", ()): 0.01})
    found: dict[float, list[Record]] = {}
    for run in runs:
        rate = run.grid["optimizer.learning_rate"]
        found.setdefault(rate, []).append(record(2.0 if rate == 0.01 else 20.0, run.config.seed))
    console, text = terminal.open_console(), io.StringIO()
    console.file, console.width = text, 80
    print_summary(console, tried, table(found))
    lines = [line.split() for line in text.getvalue().splitlines()]
    assert ["arm", "rate", "to", "test", "images"] in lines
    assert ["a", "0.01", "4.0", "[4.0,", "4.0]"] in lines


def done(folder: Path) -> tuple[Study, pd.DataFrame]:
    """Two runs at each rate, on disk and summed up as any others: nearest at 0.01, and all diverged at 0.1."""
    tried = experiment(folder, "")
    study = Study(tried, folder / "runs" / "x", Origin(folder / "x.yaml"))
    for place in study.places():
        rate = place.run.config.optimizer.learning_rate
        made = record(2.0 if rate == 0.01 else 20.0, diverged_at=75 if rate == 0.1 else None)
        written = Record(place.run.config, made.status, made.curves, made.diverged_at)
        write_run(place.experiment, place.run, written, write_run_events)
    assert study.origin
    write_origin(study.folder, study.origin, study.settings())
    return study, study.write_results()


def test_a_terminal_shows_the_lowest_median_distance_so_far(tmp_path: Path):
    study, _ = done(tmp_path)
    table, printed = LiveArms(study.experiment), io.StringIO()
    table.update((place.experiment, place.run) for place in study.places())
    Console(file=printed, width=100, height=30).print(table)
    head, _, row = (line.split() for line in printed.getvalue().splitlines() if line.strip())
    assert (head[3:5], row) == (["Fréchet", "distance"], ["a", "6", "2", "2.0", "learning", "rate", "0.01"])


def test_tensorboard_has_distances_and_no_accuracies_of_such_runs(tmp_path: Path):
    study, rows = done(tmp_path)
    summary = summarize(study.experiment, rows)
    (best,) = best_trials(study.experiment, rows, summary)
    assert {tag.rpartition("/")[2]: value for tag, value in best.measures.items()} == {
        "test_frechet": 4.0,
        "validation_frechet": 2.0,
        "share_diverged": 0.0,
        "runs": 2.0,
    }
    assert {metric: of.median.tolist() for metric, of in best.bands.items()} == {"frechet/validation": [90.0, 2.0, 2.0]}
    assert len(trials(study.experiment, rows, summary)) == 3
    shown = pictures(study.experiment, rows, summary, study.curves)
    show_in_tensorboard(study.experiment, study.folder, rows, summary, shown)
    assert "4.0" in render_index(study.experiment, study.folder, rows, summary, draw("x", shown))


def test_the_quantity_is_called_a_distance_to_images():
    fields = {
        "measure": "late_value",
        "metric": "frechet/validation",
        "effect": "level",
        "role": "beside",
        "treatment": "bn",
    }
    part = PartConfig.model_validate(fields)
    assert quantity_words(part) == "Fréchet distance to validation images at the end"


def test_a_diverged_run_has_made_nothing():
    assert (worst_outcome("frechet/validation"), worst_outcome("classes_generated")) == (inf, 0)
    assert [lower_is_better(name) for name in ("loss/train", "frechet/test", "accuracy/test")] == [True, True, False]


def test_the_report_says_what_the_generator_is_set_against(tmp_path: Path):
    words = dict(settings_words(experiment(tmp_path).config))
    assert words["against"] == "discriminator 100-100-100, sigmoid, the network makes images from 4 latents"
