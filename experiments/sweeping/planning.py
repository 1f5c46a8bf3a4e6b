"""What is there to train, and in which pieces?

What is done is read from the disk alone. Runs that share a program stay together, so that it is compiled seldom.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.configuration.experiment import Run
from experiments.configuration.facts import Facts
from experiments.configuration.run import DatasetConfig, RunConfig
from experiments.records import storage
from experiments.training.dataset_facts import DatasetError

PIECES_PER_WORKER = 3  # small enough to balance, large enough to compile seldom
COMPILE_COST, OF_LAYERS = 2e10, 3  # in units of `relative_cost`, about 1.3 s; of a network of so many hidden layers
MOST_COMPILING = 0.1  # of a piece
PASSES_OF_GAN = 5  # of a step: the generator's, and the discriminator's by either kind of images for either network
ENOUGH_KNOWN = 50  # finished runs, to estimate one more of their kind


@dataclass(frozen=True)
class Place:
    """Where a run's results go: an experiment's folder and the run as that experiment names it."""

    experiment: Path
    run: Run


@dataclass(frozen=True)
class Task:
    """One training and all the places that want its results."""

    config: RunConfig
    places: tuple[Place, ...]


@dataclass(frozen=True)
class SweepPlan:
    """What is done, what can be copied from a run with the same configuration, and what is to be trained.

    outdated: places, of those that are pending, that hold a run with other settings; it stays until its successor is
    done.
    """

    done: list[Place]
    copies: list[tuple[Place, Place]]
    tasks: list[Task]
    outdated: list[Place]

    @property
    def pending(self) -> list[Place]:
        """The places that have no results yet."""
        return [target for _, target in self.copies] + [place for task in self.tasks for place in task.places]


def plan_sweep(places: Iterable[Place], elsewhere: Iterable[Place] = ()) -> SweepPlan:
    """Sort runs into done, to be copied and to be trained; equal configurations are trained once.

    elsewhere: places that are no part of the sweep, from which a finished run may be copied.
    """
    by_digest, others = _by_digest(places), _by_digest(elsewhere)
    done, copies, tasks, outdated = [], [], [], []
    for digest, equal in by_digest.items():
        finished = [place for place in equal if storage.is_done(place.experiment, place.run)]
        missing = [place for place in equal if place not in finished]
        sources = finished or [place for place in others[digest] if storage.is_done(place.experiment, place.run)]
        done += finished
        outdated += [place for place in missing if storage.is_outdated(place.experiment, place.run)]
        if sources:
            copies += [(sources[0], place) for place in missing]
        else:
            tasks.append(Task(equal[0].run.config, tuple(equal)))
    return SweepPlan(done, copies, tasks, outdated)


def _by_digest(places: Iterable[Place]) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        found[place.run.config.digest()].append(place)
    return found


def estimate_seconds(plan: SweepPlan, workers: int) -> float | None:
    """Estimate the time a plan takes from finished runs of the same kind and length; None where none is known."""
    wanted = {_kind(task.config) for task in plan.tasks}
    known: dict[tuple[str, int], list[float]] = defaultdict(list)
    for place in plan.done if wanted else ():
        kind = _kind(place.run.config)
        if kind in wanted and len(known[kind]) < ENOUGH_KNOWN:
            seconds = (storage.read_provenance(place.experiment, place.run) or {}).get("wall_seconds")
            known[kind] += [seconds] if seconds else []
    if not all(known[_kind(task.config)] for task in plan.tasks):
        return None
    estimates = [(np.median(known[_kind(task.config)]), task.config.timed) for task in plan.tasks]
    return float(sum(seconds if alone else seconds / workers for seconds, alone in estimates))


def _kind(config: RunConfig) -> tuple[str, int]:
    return config.program_key(), config.steps


def examples_seen(configs: Iterable[RunConfig], known: Mapping[str | DatasetConfig, Facts | DatasetError]) -> list[str]:
    """Return how many examples each batch size sees where they differ at equal steps, a line for each number of steps.

    known: what is known of each data set, without which nothing is said of epochs.
    """
    sizes: dict[tuple[str | DatasetConfig, str, float | None, int | None, int], set[int]] = defaultdict(set)
    for config in configs:
        of = config.dataset
        sizes[of.source, of.name, of.validation_share, of.train_examples, config.steps].add(of.batch_size)
    lines = []
    for (source, name, share, asked, steps), of_steps in sizes.items():
        facts = known.get(source)
        parts = facts.split_sizes(share) if isinstance(facts, Facts) else None
        train = asked or (parts[0] if parts else None)
        seen = [
            f"batch {size}: {steps * size:,}" + (f" ({steps * size / train:.1f} epochs)" if train else "")
            for size in sorted(of_steps)
        ]
        if steps and len(seen) > 1:
            lines.append(f"examples of {name} seen in {steps:,} steps by {', '.join(seen)}; epochs make them equal")
    return lines


def cut_into_pieces(tasks: list[Task], workers: int) -> list[list[Task]]:
    """Group tasks by program and cut the groups so that the workers end together; longest piece first.

    Small pieces balance well, but every piece may cost a compilation: it is cut only where that is a small part.
    """
    groups: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        groups[task.config.program_key()].append(task)
    total = sum(relative_cost(task.config) for task in tasks)
    most = min(total / workers, max(total / (workers * PIECES_PER_WORKER), COMPILE_COST / MOST_COMPILING))
    pieces = []
    for group in groups.values():
        cost = sum(relative_cost(task.config) for task in group)
        parts = min(len(group), max(1, round(cost / most))) if most else 1
        pieces += [group[i::parts] for i in range(parts)]
    return sorted(pieces, key=_cost_of_piece, reverse=True)


def _cost_of_piece(piece: list[Task]) -> float:
    """What a piece costs a worker that has to compile it; tracing takes the longer the deeper a network is."""
    model = piece[0].config.model
    deep = len(model.layers) * model.depth / OF_LAYERS
    return sum(relative_cost(task.config) for task in piece) + COMPILE_COST * deep


def programs_of(piece: list[Task]) -> set[str]:
    """Return what has to be compiled for a piece."""
    return {task.config.program_key() for task in piece}


def relative_cost(config: RunConfig) -> float:
    """Estimate the work of a run, in multiply-adds of its hidden layers and a fixed cost a step; only ratios count."""
    widths = config.model.layers * config.model.depth
    pairs = list(zip((64, *widths), widths, strict=False))
    match config.model.kind:
        case "mlp" | "keras":  # whose layers are not known
            size = sum(a * b for a, b in pairs)
        case "rnn":
            size = 20 * sum(2 * b * b for _, b in pairs)
        case "cnn":
            positions = config.model.kernel_size**2
            size = sum(
                positions * min(a, 64) * b * 400 // 4**i for i, (a, b) in enumerate([(1, widths[0]), *pairs[1:]])
            )
    networks = 1 if config.gan is None else PASSES_OF_GAN
    return (config.steps + 100) * networks * (1e6 + config.dataset.batch_size * size)
