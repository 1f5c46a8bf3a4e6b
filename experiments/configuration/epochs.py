"""How many steps do so many epochs come to? Asked where a file is read: a run is known by its steps alone."""

from __future__ import annotations

from collections.abc import Callable

from experiments.configuration.dataset import DatasetConfig
from experiments.configuration.facts import EMBEDDED, Facts
from experiments.configuration.faults import Fault, validate
from experiments.configuration.run import RunConfig

EVALUATIONS = 20  # where a file with epochs does not say

Known = Callable[[DatasetConfig], Facts | Fault | None]  # of a data set: what is known, or why it cannot be had


def known_by_name(dataset: DatasetConfig) -> Facts | None:
    """Return what is known of data without looking at a disk: of the embedded ones, with all their classes."""
    return EMBEDDED.get(dataset.source) if isinstance(dataset.source, str) else None


def in_steps(run: RunConfig, known: Known) -> tuple[RunConfig, list[Fault]]:
    """Return a run with `epochs` and `evaluations` as `steps` and `evaluate_every`, and what is wrong with these.

    Both are whole: evaluate_every is the nearest to the evaluations asked for, and steps the multiple of it that is
    nearest to epochs × training examples / batch_size, so that no run is off by more than half an evaluate_every.
    """
    if run.epochs is None:
        return run, []
    data = run.dataset
    facts = None if data.train_examples else known(data)
    if isinstance(facts, tuple):
        return run, [facts]
    sizes = facts and facts.split_sizes(data.validation_share)
    train = data.train_examples or (sizes[0] if sizes else None)
    if train is None:
        text = f"how many examples of {data.name} are for training is not known before they are loaded"
        return run, [(("epochs",), f"{text}; give dataset.train_examples too, or steps")]
    exact = run.epochs * train / data.batch_size
    every = max(1, round(exact / (run.evaluations or EVALUATIONS)))
    steps = every * max(1, round(exact / every))
    counted = {"epochs": None, "evaluations": None, "steps": steps, "evaluate_every": every}
    resolved = run.model_copy(update=counted)
    return resolved, validate(RunConfig, resolved.model_dump())[1]
