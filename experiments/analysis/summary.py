"""What came out, for a reader who has not seen the documentation: networks apart, one row an arm, at its best rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from experiments.analysis.hitting_times import hitting_time
from experiments.analysis.levels import SHORT_OF_THE_LOWER, Curves, sustained
from experiments.analysis.measures import ACCURACY, FRECHET
from experiments.analysis.statistics import USUAL, median, order_interval
from experiments.analysis.tuning import ResultRows, best_values, plain, tuned_rates
from experiments.configuration.experiment import LEARNING_RATE, Experiment, ExperimentConfig, Run

SHARE_THAT_TRAINS = 0.8  # of an arm's runs at a rate: 4 of 5
Key = tuple[object, ...]  # values of the grid's axes but the tuned one, then the seed


@dataclass(frozen=True)
class Estimate:
    """The median over seeds, and an interval about it.

    low, high: ends between which the median lies; different where runs that never reached a level leave it open.
    interval: the order statistics between which the true median lies in 95 % of cases at least; of fewer than 6 seeds,
    which have none, the range, and `is_range`.
    """

    low: float
    high: float
    interval: tuple[float, float]
    is_range: bool
    seeds: int


@dataclass(frozen=True)
class Outcome:
    """Of one run: validation accuracy every `every` steps, and test accuracy or generated images' Fréchet distance."""

    curve: Sequence[float]
    every: int
    steps: int
    diverged: bool
    test: float

    def steps_to(self, level: float) -> tuple[float, float]:
        """Return the ends between which the steps to a level lie: open above where it was never reached."""
        found = np.inf if self.diverged else hitting_time(self.curve, self.every, level)
        return (float(self.steps), np.inf) if np.isinf(found) else (found, found)


@dataclass(frozen=True)
class Level:
    """The accuracy that steps are counted to, and by which rule it was found."""

    accuracy: float
    rule: Literal["twice the error", "half a point below", "half way"]


@dataclass(frozen=True)
class ArmSummary:
    """One arm at its best learning rate, over its evaluation seeds and what else the grid varies.

    at_edge: whether a better rate may lie outside the grid. steps: to the network's level. accuracy: on the test split,
    at the end. trains_to: the largest learning rate at which the arm trains, None if at none or there is one rate only.
    diverged: of these runs. diverged_elsewhere: of the arm's runs at other rates and on tuning seeds.
    """

    arm: str
    best_rate: float | None
    at_edge: bool
    seeds: int
    steps: Estimate | None
    accuracy: Estimate | None
    trains_to: float | None
    trains_at_top: bool
    diverged: int
    runs: int
    diverged_elsewhere: int
    runs_elsewhere: int


@dataclass(frozen=True)
class Network:
    """The arms of one network, which are set against its first. level: None where no arm learns anything."""

    name: str
    level: Level | None
    arms: tuple[ArmSummary, ...]
    outcomes: Mapping[str, Mapping[Key, Outcome]] = field(repr=False)


def runs_at_best_rate(experiment: Experiment, table: pd.DataFrame, tuning_seeds: bool = False) -> list[Run]:
    """Return the evaluation runs of every arm at its best value of the tuned axis; the tuning runs if asked for.

    Without tuning, the best learning rate is that of the highest mean validation accuracy over the evaluation seeds, of
    generated images of the lowest mean Fréchet distance; without several rates, all evaluation runs are returned.
    """
    config = experiment.config
    tuning = config.tuning
    if tuning:
        best = best_values(tuned_rates(table, config))
        runs = experiment.tuning_runs() if tuning_seeds else experiment.evaluation_runs(best)
        return [r for r in runs if best.get((r.arm, tuple(r.grid[a] for a in tuning.per))) == r.grid[tuning.over]]
    runs = experiment.evaluation_runs({})
    if LEARNING_RATE not in config.grid:
        return runs
    if table.empty:
        return []
    evaluated = table[table["seed"].isin(config.seeds)]
    of_images = FRECHET in table
    score = "late_validation_frechet" if of_images else "final_validation_accuracy"
    means = evaluated.pivot_table(index="arm", columns=LEARNING_RATE, values=score, aggfunc="mean")
    best_of = (means.idxmin if of_images else means.idxmax)(axis="columns").to_dict()
    return [run for run in runs if best_of.get(run.arm) == run.grid[LEARNING_RATE]]


def arms_by_network(experiment: Experiment) -> dict[str, list[str]]:
    """Return network → its arms, in the file's order: MLPs and CNNs apart, and of a kind those that start alike.

    Activation and initial weights tell networks of a kind apart where each has two arms at least: where one would stand
    alone, it is these that are compared.
    """
    kinds: dict[str, set[str]] = {}
    starts: dict[str, set[tuple[str, ...]]] = {}
    for arm, grid in experiment.cells():
        model = experiment.run(arm, grid, 0).config.model
        kinds.setdefault(arm, set()).add(model.kind.upper())
        starts.setdefault(arm, set()).add(
            (model.activation, model.initialization.partition("_")[0], f"× {model.init_scale:g}")
        )
    by_kind: dict[str, list[str]] = {}
    for arm in experiment.config.arms:
        by_kind.setdefault(", ".join(sorted(kinds[arm])), []).append(arm)
    found: dict[str, list[str]] = {}
    for kind, arms in by_kind.items():
        by_start: dict[tuple[tuple[str, ...], ...], list[str]] = {}
        for arm in arms:
            by_start.setdefault(tuple(sorted(starts[arm])), []).append(arm)
        if len(by_start) == 1 or any(len(start) > 1 or len(alike) < 2 for start, alike in by_start.items()):
            found[kind] = arms
            continue
        places = [0, 1, 2]
        for place in (1, 2, 0):  # what need not be said to tell them apart
            others = [other for other in places if other != place]
            if len({tuple(start[other] for other in others) for (start,) in by_start}) == len(by_start):
                places = others
        for (start,), alike in by_start.items():
            found[" ".join([kind, *(start[place] for place in places)])] = alike
    return found


def summarize(experiment: Experiment, table: pd.DataFrame) -> list[Network]:
    """Return every network with a row per arm, over its evaluation runs at its best rate."""
    rows, config = ResultRows(table, experiment.config), experiment.config
    best = runs_at_best_rate(experiment, table)
    outcomes = _outcomes(best, rows, config)
    chosen_on = _outcomes(runs_at_best_rate(experiment, table, tuning_seeds=True), rows, config)
    edges = {arm for (arm, _), tuned in tuned_rates(table, config).items() if tuned.at_edge}
    networks = []
    for name, arms in arms_by_network(experiment).items():
        start = _start(table, arms)
        level = shown_level([[run.curve for run in chosen_on[arm].values()] for arm in arms], start)
        firsts = [
            run.curve[0] for of in (chosen_on, outcomes) for arm in arms for run in of[arm].values() if len(run.curve)
        ]
        if level and max(firsts) >= level.accuracy:  # noise before the first step
            level = None
        training = _training_rates(table, config, arms, start)
        summaries = tuple(
            _arm(arm, table, config, [run for run in best if run.arm == arm], outcomes[arm], level, training, edges)
            for arm in arms
        )
        networks.append(Network(name, level, summaries, {arm: outcomes[arm] for arm in arms}))
    return networks


def shown_level(curves: Sequence[Curves], start: float) -> Level | None:
    """Return the accuracy to count steps to: never the ceiling, where all meet, and past half way from the start.

    curves: of each arm at its best rate. start: accuracy before the first step. With the error e₀ of the weaker of the
    arms that train, 1 − 2 e₀, as on the ladder of protocol 2; half a point below what that arm comes to, at the most;
    half way from the start to the best arm, at the least. None where no arm learns anything: an arm that does not get
    half way sets no level.
    """
    ends = [sustained(of_arm) for of_arm in curves if len(of_arm)]
    half = half_way(start, max(ends, default=np.nan))
    trained = [end for end in ends if end > half]
    if not trained:
        return None
    weakest = min(trained)
    level = Level(2 * weakest - 1, "twice the error")
    if level.accuracy > weakest - SHORT_OF_THE_LOWER:
        level = Level(weakest - SHORT_OF_THE_LOWER, "half a point below")
    if level.accuracy < half:
        level = Level(half, "half way")
    return level


def half_way(start: float, best: float) -> float:
    """Return the accuracy past which a run counts as training: half way from the start to the best."""
    return start + (best - start) / 2


def estimate(low: Sequence[float], high: Sequence[float], is_ratio: bool = False) -> Estimate | None:
    """Return the median of values known to lie between `low` and `high`, (seeds,) each; None without any."""
    lows, highs = np.asarray(low, float), np.asarray(high, float)
    if not len(lows):
        return None
    interval = order_interval(lows, highs, USUAL)
    is_range = bool(np.isnan(interval).any())
    if is_range:
        interval = float(lows.min()), float(highs.max())
    return Estimate(median(lows, is_ratio), median(highs, is_ratio), interval, is_range, len(lows))


def by_seed(values: Mapping[Key, float], is_ratio: bool = False) -> list[float]:
    """Return one value a seed: of several, their median."""
    found: dict[object, list[float]] = {}
    for key, value in values.items():
        found.setdefault(key[-1], []).append(value)
    return [median(np.array(of_seed), is_ratio) for of_seed in found.values()]


def _outcomes(runs: Sequence[Run], rows: ResultRows, config: ExperimentConfig) -> dict[str, dict[Key, Outcome]]:
    over = config.tuning.over if config.tuning else LEARNING_RATE
    curves, tests = rows.column(ACCURACY), rows.column("final_test_frechet") or rows.column("final_test_accuracy")
    found: dict[str, dict[Key, Outcome]] = {arm: {} for arm in config.arms}
    for run in runs:
        row = rows.row(run.arm, tuple(plain(value) for value in run.grid.values()), run.config.seed)
        if row is not None:
            others = tuple(plain(value) for axis, value in run.grid.items() if axis != over)
            curve, diverged = curves[row] if curves else (), rows.column("status")[row] == "diverged"
            outcome = Outcome(curve, run.config.evaluate_every, run.config.steps, diverged, tests[row])
            found[run.arm][*others, run.config.seed] = outcome
    return found


def _arm(
    arm: str,
    table: pd.DataFrame,
    config: ExperimentConfig,
    best: Sequence[Run],
    outcomes: Mapping[Key, Outcome],
    level: Level | None,
    training: Mapping[str, Sequence[float]],
    edges: set[str],
) -> ArmSummary:
    rates = {run.grid[LEARNING_RATE] for run in best} if LEARNING_RATE in config.grid else set()
    of_arm = table[table["arm"] == arm]
    diverged = sum(run.diverged for run in outcomes.values())
    accuracy = by_seed({key: run.test for key, run in outcomes.items() if not np.isnan(run.test)})
    steps = {key: run.steps_to(level.accuracy) for key, run in outcomes.items()} if level else {}
    low, high = (by_seed({key: of_run[end] for key, of_run in steps.items()}) for end in (0, 1))
    trains_to = max(training.get(arm, ()), default=None)
    return ArmSummary(
        arm,
        rates.pop() if len(rates) == 1 else None,
        arm in edges,
        len({key[-1] for key in outcomes}),
        estimate(low, high),
        estimate(accuracy, accuracy),
        trains_to,
        trains_to is not None and trains_to == max(map(plain, config.grid[LEARNING_RATE])),
        diverged,
        len(outcomes),
        int((of_arm["status"] == "diverged").sum()) - diverged,
        len(of_arm) - len(outcomes),
    )


def _start(table: pd.DataFrame, arms: Sequence[str]) -> float:
    """Accuracy before the first step, as good as chance: the median over all runs of these arms."""
    if ACCURACY not in table:
        return np.nan
    first = [curve[0] for curve in table[table["arm"].isin(arms)][ACCURACY] if len(curve)]
    return median(np.array(first, float))


def _training_rates(
    table: pd.DataFrame, config: ExperimentConfig, arms: Sequence[str], start: float
) -> Mapping[str, list[Any]]:
    """Arm → the learning rates of the grid at which it trains (protocol 2, rule 4); on tuning seeds where there are."""
    if LEARNING_RATE not in config.grid or table.empty or "late_validation_accuracy" not in table:
        return {}
    seeds = config.tuning.seeds if config.tuning else config.seeds
    runs = table[table["seed"].isin(seeds) & (table["status"] != "failed")]
    late = {
        (arm, rate): values.to_numpy()
        for (arm, rate), values in runs.groupby(["arm", LEARNING_RATE])["late_validation_accuracy"]
        if arm in arms and rate in map(plain, config.grid[LEARNING_RATE])
    }
    level = half_way(start, max((median(values) for values in late.values() if len(values)), default=np.nan))
    shares = {at: float(np.mean(values > level)) for at, values in late.items() if len(values)}
    return {
        arm: [rate for (of, rate), share in shares.items() if of == arm and share >= SHARE_THAT_TRAINS] for arm in arms
    }
