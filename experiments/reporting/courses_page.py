"""What do the exercises of courses come to, and what would one seed alone have said? The page, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.analysis.claims import ClaimResult, Row
from experiments.reporting.findings import finding
from experiments.reporting.pages import cell
from experiments.reporting.wording import (
    claim_verdict,
    format_effect,
    format_value,
    has_effect,
    notes,
    row_words,
    side_words,
    signed,
    verdict_words,
)

INTRODUCTION = """# Exercises of two courses, over ten seeds

A student answers an exercise with one seed, mostly. Here are the same exercises over ten (40–49), each with its own
split of the images, order and initial weights, which both sides of a comparison share; the test split is read once.
Written by `.venv/bin/python scripts/courses.py --publish` from the tables in [courses](courses), not by hand. An
exercise is run by `.venv/bin/python scripts/run.py` and its file, all of them by `.venv/bin/python scripts/courses.py`.
They are not among [the claims](../results.md), and no verdict there counts them.

* **Effect**: the median of the ten seeds; in brackets the second smallest and the second largest of them, a 97.9 %
  interval of the median. Networks are read with population statistics ([protocol](../protocol.md), rule 5).
* **Figures**: the median and, thick, the same interval; thin, and in brackets beside, that of all ten, which decides;
  below them a dot a seed. Blue is no material difference.
* **First, second**: medians of the two sides, in the order in which the comparison names them, at their learning rates.
* **One seed alone**: the smallest and the largest effect among the ten, one of which a student would have seen.
  **The opposite**: how many of the ten lie on the other side of no difference than the median.
* **Answer**: ✓ the effect lies beyond the band of no material difference in all ten seeds, ≈ within it in all ten,
  ⇄ beyond it on the other side, ◐ it depends on what is named, ? the ten do not agree, – not tested, and why. The band
  is half a point of accuracy, a factor of 1.25, a tenth of a share. Were the median at its end, all ten would lie
  beyond it once in 1,024 times. Rows marked "beside" have no part in the answer."""
HEAD = (
    "comparison",
    "effect [97.9 % interval]",
    "first",
    "second",
    "one seed alone",
    "the opposite",
    "answer",
    "in words",
)


@dataclass(frozen=True)
class Exercise:
    """title: the question. file: of its configuration; figure: of every seed's effects; both seen from the page.

    result: what its runs come to.
    """

    title: str
    file: str
    figure: str
    result: ClaimResult


@dataclass(frozen=True)
class Course:
    """introduction: Markdown, with its heading. exercises: in order. provenance: of the published runs, in words."""

    introduction: str
    exercises: Sequence[Exercise]
    provenance: Mapping[str, str]


@dataclass(frozen=True)
class SingleSeeds:
    """What each seed of a row would have said by itself.

    smallest, largest: of the seeds' effects. more, less: how many lie above and below no difference; the others are on
    it, or not known closely enough. opposite: how many lie on the other side of it than the median; None where the
    median lies on neither.
    """

    smallest: float
    largest: float
    more: int
    less: int
    opposite: int | None


def single_seeds(row: Row) -> SingleSeeds:
    """Return what single seeds say of a row that has an effect."""
    low, high = row.comparison.low, row.comparison.high
    neutral = 1.0 if row.part.effect == "ratio" else 0.0
    more, less = int(np.sum(low > neutral)), int(np.sum(high < neutral))
    opposite = less if row.estimate[0] > neutral else more if row.estimate[1] < neutral else None
    return SingleSeeds(float(low.min()), float(high.max()), more, less, opposite)


def courses_page(courses: Sequence[Course]) -> str:
    """Return the page of all courses; nothing without any."""
    return "\n\n".join([INTRODUCTION, *map(_course, courses)]) + "\n" if courses else ""


def _course(course: Course) -> str:
    about = [f"* {cell([f'{name}: {words}'])}" for name, words in course.provenance.items()]
    provenance = ["### Provenance", "\n".join(about)] if about else []
    return "\n\n".join([course.introduction.strip(), *map(_exercise, course.exercises), *provenance])


def _exercise(exercise: Exercise) -> str:
    result, config = exercise.result, exercise.result.config
    points = [f"{row_words(row)}: {_answer(row)}" for row in result.rows if row.decides]
    points += [f"Expected: {config.source_says}"] if config.source_says else []
    points += [f"Settings: {config.scale}"] if config.scale else []
    points += notes(result.rows)
    return "\n".join(
        [
            f"### {cell([exercise.title])}",
            "",
            f"Put to the test: *{cell([config.statement])}* **{claim_verdict(result)}** ([file]({exercise.file}))",
            "",
            *(f"* {cell([point])}" for point in points),
            "",
            f"![What each of the seeds says, a dot a seed: {cell([exercise.title])}]({exercise.figure})",
            "",
            f"| {' | '.join(HEAD)} |",
            f"|{'---|' * len(HEAD)}",
            *(f"| {' | '.join(cell([words]) for words in _cells(row))} |" for row in result.rows),
        ]
    )


def _answer(row: Row) -> str:
    """An effect, and what one seed alone would have said, in a sentence."""
    if not has_effect(row):
        return f"{row.reason}."
    smallest, largest, opposite = _alone(row)
    return f"{_effect(row)}. One seed alone would have said anything from {smallest} to {largest}, {opposite}."


def _cells(row: Row) -> tuple[str, ...]:
    smallest, largest, opposite = _alone(row) if has_effect(row) else ("", "", "")
    alone = " … ".join(filter(None, (smallest, largest))) or "–", opposite or "–"
    name = row_words(row) + ("" if row.decides else f" ({row.part.role})")
    sides = side_words(row, "treatment"), side_words(row, "baseline")
    return name, _effect(row) or "–", *sides, *alone, verdict_words(row.verdict), finding(row)


def _effect(row: Row) -> str:
    """The median with the interval of the order statistics x₍₂₎ … x₍₉₎, of ten seeds; those that decide are all ten."""
    return format_effect(replace(row, decided=row.usual))


def _alone(row: Row) -> tuple[str, str, str]:
    """The smallest and the largest effect among the seeds, and how many say the opposite of the median."""
    found = single_seeds(row)
    ends = signed(found.smallest, row.part), format_value(found.largest, row.part)
    if found.opposite is None:
        return *ends, f"{found.more} more and {found.less} less, the median neither"
    return *ends, f"{found.opposite} of {row.comparison.low.size} the opposite"
