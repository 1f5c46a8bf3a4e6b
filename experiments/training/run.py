"""How does one run go, from its first weights to what it shows after the last step?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from experiments.configuration.run import RunConfig
from experiments.training.changed_images import attacked, corrupted
from experiments.training.datasets import Split, split_dataset
from experiments.training.evaluation import (
    EVALUATION_BATCH,
    LookedAt,
    evaluated_parts,
    in_calls,
    in_rows,
    looked_at,
    means_of_parts,
)
from experiments.training.optimizers import learning_rates
from experiments.training.orders import order_of
from experiments.training.program import DIVERGED, Program
from experiments.training.suitability import require_fit

FIRST_STEPS = 100  # whose losses the probe step_loss keeps


@dataclass(frozen=True)
class Evaluated:
    """What a run shows at one step.

    seconds: of training so far, an even share of the run's with its evaluations and probes; in a timed run, of the
    steps alone, as they passed.
    """

    step: int
    metrics: dict[str, float]
    seconds: float


class Diverged(Exception):  # noqa: N818  an outcome, not an error
    """The loss was not finite or exceeded 1,000 times its start. `step`: the update whose batch showed it."""

    def __init__(self, step: int):
        super().__init__(f"diverged at step {step}")
        self.step = step


@dataclass(frozen=True)
class _Stretch:
    """The steps from one evaluation to the next: losses, what was seen and measured after them, and seconds."""

    losses: np.ndarray
    seen: tuple[np.ndarray, np.ndarray]
    measured: dict[str, np.ndarray]
    seconds: float


def train(program: Program, config: RunConfig) -> Iterator[Evaluated]:
    """Train one run of a program, yielding what it shows before the first step and at each evaluation.

    Raises Diverged, after all that could still be measured; DatasetError when the run does not fit the data.
    """
    if config.steps and not config.timed and not program.stretches:
        raise ValueError(f"steps: must be 0, as the program was compiled for runs of none, got {config.steps}")
    require_fit(config, program.dataset.facts)
    split = split_dataset(program.dataset, config.dataset, config.seed)
    order = order_of(config, program.dataset.labels, split.train)
    order = order.reshape(-1, config.evaluate_every, config.dataset.batch_size)
    rates = learning_rates(config).reshape(-1, config.evaluate_every)
    program.reset(config, split)
    parts, seen_by = evaluated_parts(config, split), looked_at(config, split)
    examples = in_rows(*parts.values())
    seconds, first_loss = 0.0, np.inf
    for number, stretch in enumerate(_stretches(program, order, rates, examples, seen_by, config.timed)):
        step, metrics, before = number * config.evaluate_every, {}, seconds
        if number:
            seconds += stretch.seconds
            first_loss = stretch.losses[0] if number == 1 else first_loss
            good = np.isfinite(stretch.losses) & (stretch.losses <= DIVERGED * first_loss)
            sound = int(np.argmin(np.append(good, False)))  # up to the first that shows divergence
            if "step_loss" in config.probes:
                pace = stretch.seconds / config.evaluate_every
                yield from _step_losses(stretch.losses[:sound], step - config.evaluate_every, before, pace)
            if sound < config.evaluate_every:
                raise Diverged(step - config.evaluate_every + sound + 1)
            metrics["loss/train"] = float(stretch.losses.mean())
        metrics |= _read(program, parts, *stretch.seen)
        if not np.isfinite(metrics["loss/validation"]):
            raise Diverged(step)
        if step == config.steps:
            if len(parts.get("test", ())) < len(split.test):
                metrics |= _tested(program, split, examples.shape, seen_by)
            if "corruptions" in config.probes:
                metrics |= corrupted(program, split, seen_by.population)
            if "held_out_standardization" in config.probes:
                metrics |= _held_out(program, split, seen_by)
            if "attack" in config.probes:
                metrics |= attacked(program, config.seed, split, seen_by.population)
        metrics |= program.probes.metrics(stretch.measured)
        yield Evaluated(step, metrics, seconds)


def _stretches(
    program: Program,
    order: np.ndarray,
    rates: np.ndarray,
    examples: np.ndarray,
    seen_by: LookedAt,
    timed: bool = False,
) -> Iterator[_Stretch]:
    """Train on `order`, (stretches, steps, batch), at `rates`, and yield one of no steps, then each stretch.

    As many as fit into one call; where `timed`, steps and evaluations each in their own.
    """
    if timed:
        for number in range(len(order) + 1):
            started = time.perf_counter()
            losses = program.take_steps(order[number - 1], rates[number - 1]) if number else np.zeros(0)
            took = time.perf_counter() - started
            seen = next(_stretches(program, order[:0], rates[:0], examples, seen_by))
            yield replace(seen, losses=losses, seconds=took)
        return
    first_loss = None
    for at in range(0, max(len(order), 1), max(program.stretches, 1)):
        started = time.perf_counter()
        done, losses, of_examples, hits, measured = program.advance(
            order[at : at + program.stretches], rates[at : at + program.stretches], examples, seen_by, first_loss
        )
        share = (time.perf_counter() - started) / max(done, 1)
        for row in range(0 if first_loss is None else 1, done + 1):
            of_probes = {name: values[row] for name, values in measured.items()}
            yield _Stretch(losses[row], (of_examples[row], hits[row]), of_probes, share)
        if first_loss is None and done:
            first_loss = losses[1][0]


def _step_losses(losses: np.ndarray, start: int, seconds: float, of_a_step: float) -> Iterator[Evaluated]:
    """The losses of single steps, as far as they are kept, with even shares of the seconds."""
    for number, loss in enumerate(losses[: max(FIRST_STEPS - start, 0)], 1):
        yield Evaluated(start + number, {"loss/step": float(loss)}, seconds + number * of_a_step)


def _read(program: Program, parts: Mapping[str, np.ndarray], losses: np.ndarray, hits: np.ndarray) -> dict[str, float]:
    """Loss and accuracy of each part at each reading: `accuracy/validation`, `accuracy/validation/moving_0.9`."""
    return {
        f"{metric}/{name}" if name else metric: value
        for name, of_losses, of_hits in zip(program.readings.names, losses, hits, strict=True)
        for metric, value in means_of_parts(parts, of_losses, of_hits).items()
    }


def _held_out(program: Program, split: Split, seen_by: LookedAt) -> dict[str, float]:
    """What normalized values look like on validation examples, by the statistics of the run."""
    if not program.probes.batch_norms:
        return {}
    state = program.readings.state(program.statistics(seen_by.population)[0])
    found = program.probes.held_out(program.examples(split.validation[:EVALUATION_BATCH])[0], state)
    return {name: float(value) for name, value in found.items()}


def _tested(program: Program, split: Split, shape: tuple[int, ...], seen_by: LookedAt) -> dict[str, float]:
    """Loss and accuracy on the test split. shape: of all other evaluations, for which it is compiled."""
    no_steps = np.zeros((0, 1, 1), np.int32), np.zeros((0, 1), np.float32)
    calls = [next(_stretches(program, *no_steps, rows, seen_by)).seen for rows in in_calls(split.test, shape)]
    losses, hits = (np.concatenate(found, axis=1) for found in zip(*calls, strict=True))
    return _read(program, {"test": split.test}, losses, hits)
