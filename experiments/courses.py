"""The exercises of courses: which there are, what their runs come to, and the page that is published of them.

A course is a folder with an experiment a file, of which those with a claim are its exercises, and `introduction.md`.
The claims are judged as all others are, and counted with none.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments import reproduction
from experiments.analysis.claims import ClaimResult
from experiments.configuration.tiers import CONFIGS, Claims, read_claims
from experiments.configuration.yaml_source import ConfigError
from experiments.records import storage
from experiments.records.tidying import TABLE
from experiments.reporting.courses_page import Course, Exercise, courses_page
from experiments.reporting.effect_figures import effect_figure
from experiments.reporting.figures import svg_file
from experiments.study import Study

COURSES = CONFIGS / "courses"
FIGURE = "effects.svg"  # of an exercise
LEFT_OUT = ("runs", "training_seconds")  # of the provenance


def read_courses(names: Sequence[str] = (), folder: Path = COURSES) -> dict[str, Claims]:
    """Return course → its exercises and what is trained for them; raises ConfigError with every fault found.

    names: of the courses asked for; none: all. folder: that has a folder a course.
    """
    there = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if unknown := [name for name in names if name not in there]:
        raise ConfigError([f"{name}: no such course; there are: {', '.join(there)}" for name in unknown])
    return {name: read_claims(sorted((folder / name).glob("*.yaml"))) for name in there if not names or name in names}


def studies_of(courses: Mapping[str, Claims], folder: Path) -> dict[str, list[Study]]:
    """Return course → what is trained for it, each in `<folder>/<course>/<experiment>`."""
    return {name: reproduction.studies_of(claims, folder / name) for name, claims in courses.items()}


def judge(claims: Claims, studies: Sequence[Study]) -> list[ClaimResult]:
    """Return what the exercises of a course come to, in the order of their sources; StorageError without any table."""
    judged = reproduction.judge_all(reproduction.read_tables(studies), claims.claims)
    return sorted(judged, key=lambda result: result.config.source)


def publish(documents: Path, courses: Mapping[str, Claims], folder: Path) -> None:
    """Write tables, figures and provenance of courses to `<documents>/<course>`, and `<documents>.md` of them.

    folder: of the runs. The page is of all courses whose tables are there.
    """
    for name, studies in studies_of(courses, folder).items():
        for result in judge(courses[name], studies):
            (documents / name / result.id).mkdir(parents=True, exist_ok=True)
            figure = svg_file(effect_figure(result), f"{name}-{result.id}")
            storage.write_atomically(documents / name / result.id / FIGURE, figure.encode())
        for study in studies:
            (documents / name / study.experiment.name).mkdir(parents=True, exist_ok=True)
            table = storage.read_table(study.folder / TABLE)
            path = documents / name / study.experiment.name / TABLE
            table.to_parquet(path, index=False, compression="zstd")
        about = reproduction.provenance_of(folder / name, studies)
        storage.write_atomically(documents / name / "provenance.json", (json.dumps(about, indent=1) + "\n").encode())
    storage.write_atomically(documents.with_suffix(".md"), page(documents).encode())


def page(documents: Path, folder: Path = COURSES) -> str:
    """Return the page of the courses whose tables are published; nothing where none are.

    folder: that has a folder a course.
    """
    courses = []
    for name, claims in read_courses(folder=folder).items():
        studies = reproduction.studies_of(claims, documents / name)
        with contextlib.suppress(storage.StorageError):
            exercises = [_exercise(claims, result, f"{documents.name}/{name}") for result in judge(claims, studies)]
            about = reproduction.provenance_of(documents / name, studies)
            words = {
                key.replace("_", " "): reproduction.provenance_words(value)
                for key, value in about.items()
                if key not in LEFT_OUT
            }
            introduction = (folder / name / "introduction.md").read_text(encoding="utf-8")
            courses.append(Course(introduction, exercises, words))
    return courses_page(courses)


def _exercise(claims: Claims, result: ClaimResult, folder: str) -> Exercise:
    file = claims.files[result.id]
    seen = f"../../configs/courses/{file.parent.name}/{file.name}"
    return Exercise(claims.claims[result.id].config.title, seen, f"{folder}/{result.id}/{FIGURE}", result)
