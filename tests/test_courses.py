"""The exercises of courses: every file fits the others, and what is published is what the published tables say."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import courses
from experiments.configuration.experiment import LEARNING_RATE, Experiment
from experiments.configuration.tiers import CONFIGS, Claims
from experiments.configuration.yaml_source import ConfigError
from experiments.records.storage import StorageError
from experiments.reporting.commands import PROJECT

PUBLISHED = PROJECT / "docs" / "results" / "courses"
PAGE = PUBLISHED.with_suffix(".md")
D2L, CS231N = "d2l_batch_norm", "cs231n_batch_norm"
SCALES = "model.init_scale"


@functools.cache
def read() -> dict[str, Claims]:
    return courses.read_courses()


def experiments_of(*names: str) -> dict[str, Experiment]:
    return {name: experiment for course in names for name, experiment in read()[course].experiments.items()}


def table_of(experiment: Experiment, effect: float) -> pd.DataFrame:
    """Invented results: 80 % everywhere, `effect` points more in bn, and at one rate of the grid still a bit more."""
    cells = [(arm, grid, seed) for arm, grid in experiment.cells() for seed in (*range(40, 50), 100, 101)]
    rows = []
    for arm, grid, seed in cells:
        best = grid and list(experiment.config.grid[LEARNING_RATE])[1]
        value = 0.8 + (effect / 100 if arm == "bn" else 0) + (0.001 if grid and grid[LEARNING_RATE] == best else 0)
        rows.append(
            {"arm": arm, **grid, "seed": seed, "status": "finished", "late_validation_accuracy": value}
            | {"steps": 430, "evaluate_every": 86}
            | {"trial": experiment.run(arm, grid, 0).config.trial(), "final(accuracy/test)": value}
        )
    return pd.DataFrame(rows)


def published_bias(documents: Path, effect: float) -> None:
    for name in ("bias", "lesson"):
        folder = documents / D2L / name
        folder.mkdir(parents=True)
        table_of(read()[D2L].experiments[name], effect).to_parquet(folder / "results.parquet")


def test_the_published_page_is_what_the_published_tables_say():
    assert (PAGE.read_text(encoding="utf-8") if PAGE.exists() else "") == courses.page(PUBLISHED)


def test_every_exercise_has_ten_seeds_a_rate_of_its_own_for_each_arm_and_a_question():
    assert list(read()) == [CS231N, D2L]
    for claims in read().values():
        for name, experiment in claims.experiments.items():
            config = experiment.config
            assert config.seeds == tuple(range(40, 50)), name
            if config.claim:
                assert config.tuning, name
                assert config.tuning.seeds == (100, 101), name
                assert re.match(r"(Exercise \d|Inline question \d|Beside the exercises): .+\?$", config.title), name
                assert config.claim.scale, name


def test_the_names_of_exercises_are_those_of_no_claim():
    assert experiments_of(D2L, CS231N).keys().isdisjoint(path.stem for path in CONFIGS.glob("claims/**/*.yaml"))


def test_the_scales_of_the_initial_weights_are_those_of_the_notebook():
    of_course = experiments_of(CS231N)
    for name in ("weight_scales", "weight_scales_at_the_notebooks_rate"):
        np.testing.assert_allclose(of_course[name].config.grid[SCALES], np.logspace(-4, 0, 20), rtol=5e-4)


def test_batches_of_a_size_train_for_ten_epochs_of_1000_images_but_where_they_train_longer():
    experiment = experiments_of(CS231N)["batch_sizes"]
    for arm, grid in experiment.cells():
        run = experiment.run(arm, grid, 0).config
        epochs = run.steps * run.dataset.batch_size / 1000
        assert epochs == (100 if arm.endswith("longer") else 10), arm


def test_rows_at_the_courses_rate_read_the_same_training_but_for_the_rate():
    of = experiments_of(D2L, CS231N)
    pairs = [("bias", "lesson"), ("layers", "lesson"), ("gamma_and_beta", "lesson"), ("mean_or_variance", "lesson")]
    for name, fixed in [*pairs, ("batch_sizes", "batch_sizes_at_the_notebooks_rate")]:
        for arm, grid in of[name].cells():
            tuned, at = of[name].run(arm, grid, 0).config, of[fixed].run(arm, {}, 0).config
            assert tuned.model_copy(update={"optimizer": at.optimizer}).digest() == at.digest(), (name, arm)


def test_a_page_is_made_of_tables_and_in_the_order_of_the_exercises(tmp_path: Path):
    assert courses.page(tmp_path) == ""
    published_bias(tmp_path, effect=2.0)
    page = courses.page(tmp_path)
    titles = re.findall(r"^### (\w+ \d)", page, re.MULTILINE)
    assert titles == sorted(titles)
    assert titles[0] == "Exercise 1"
    assert "## Dive into Deep Learning" in page
    assert "## CS231n" not in page
    assert (
        "* test accuracy with the bias, less without, at the lesson's rate: +2.0 points. One seed alone would have "
        "said anything from +2.0 to +2.0 points, 0 of 10 the opposite."
    ) in page
    assert "| the same at the best rate of each (beside) | +2.0 points | 82 % at 0.3 | 80 % at 0.3 |" in page


def test_every_link_of_the_page_leads_to_a_file():
    links = re.findall(r"\]\((?!https:)([^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert {"../../configs/courses/d2l_batch_norm/bias.yaml", "courses/d2l_batch_norm/bias/effects.svg"} <= set(links)
    assert [link for link in links if not (PAGE.parent / link).exists()] == []


def test_an_unknown_course_is_answered_with_the_known_ones_and_one_without_tables_is_said_to_have_none(tmp_path: Path):
    with pytest.raises(ConfigError, match="d2l: no such course; there are: cs231n_batch_norm, d2l_batch_norm"):
        courses.read_courses(["d2l"])
    with pytest.raises(StorageError, match="holds no results"):
        courses.judge(read()[D2L], courses.studies_of(read(), tmp_path)[D2L])
