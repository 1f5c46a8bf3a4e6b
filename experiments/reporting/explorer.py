"""What can be seen by playing with the runs? One page, with sliders over step, learning rate and accuracy asked for.

Everything on it was measured: the curves of the runs lie in the page, and what no run holds has no chart. The template
and the page's scripts lie beside this module, its chart library in `vendored/uplot`. Nothing here reads a run by
itself, nor writes a file.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from experiments.analysis.measures import ACCURACY, TRAIN_LOSS, evaluations
from experiments.analysis.summary import arms_by_network, runs_at_best_rate, summarize
from experiments.analysis.tuning import ResultRows, axis_words, plain
from experiments.configuration.experiment import LEARNING_RATE, Experiment, Run
from experiments.configuration.run import RunConfig
from experiments.records.storage import Record
from experiments.reporting.arm_styles import COLOURS
from experiments.reporting.wording import is_number
from models.config import ModelConfig
from models.norm_config import BATCH_NORMS

OF_LAYERS = {"pre_activations", "unit_percentiles", "gradients", "saturation"}  # probes whose curves are shown
# What changes no training: runs that differ in nothing else are the same training, looked at in several ways.
LOOKED_AT = {"evaluate_every", "moving_averages", "test_every_evaluation", "probes", "probe_examples", "timed", "seed"}
DIGITS = 5  # significant ones of each value; at most three are shown
_OF_LAYER = re.compile(r"pre_activation/\d+/p\d+|gradient_norm/\d+|saturation/\d+")
_OF_UNIT = re.compile(r"(pre_activation/\d+)/(unit_\d+)/(p\d+)")
_FIRST_UNIT = "unit_000"
_HERE = Path(__file__).parent

Values = Sequence[float]  # (evaluations,), the first at step 0
Metrics = dict[str, tuple[int, Values]]  # name → steps from one evaluation to the next, and the values
Key = tuple[tuple[str, str], ...]  # of each arm its name, and what makes its training


@dataclass(frozen=True)
class Explored:
    """An experiment with its results table. record: reads a run; None where only the table is at hand."""

    experiment: Experiment
    table: pd.DataFrame
    record: Callable[[Run], Record | None]


@dataclass
class Seen:
    """What is known of one run."""

    diverged_at: int | None
    metrics: Metrics


@dataclass
class Cells:
    """An arm's runs, by seed. grid: at each value of the slider. at_best: on evaluation seeds at the arm's best value
    `best`, where they were trained at that alone and the grid's are tuning seeds.
    """

    grid: dict[Any, dict[int, Seen]] = field(default_factory=dict)
    at_best: dict[int, Seen] = field(default_factory=dict)
    best: Any = None


@dataclass
class Network:
    """Arms that are set against each other. axis: what its slider goes over. level: accuracy to begin with."""

    name: str
    sources: list[str]
    configs: Mapping[str, RunConfig]
    axis: str
    level: float | None
    tuning_seeds: tuple[int, ...]
    arms: dict[str, Cells]


def render_explorer(explored: Sequence[Explored], title: str) -> str | None:
    """Return explorer.html: self-contained, without any request. None where there is no run to show.

    Trainings that several experiments share make one network, with all that any of them has measured.
    """
    networks = _networks(explored)
    if not networks:
        return None
    data = json.dumps([_json(network) for network in networks], separators=(",", ":"), allow_nan=False)
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )

    def content(name: str) -> Markup:
        return Markup((_HERE / name).read_text(encoding="utf-8"))

    page = environment.get_template("explorer.html.jinja")
    return page.render(
        title=title,
        data=Markup(data.replace("<", "\\u003c")),
        content=content,
        colours=(COLOURS["none"], COLOURS["custom"]),
    )


def network_words(model: ModelConfig) -> str:
    """Return a network in words: 'MLP 3×100, sigmoid, Glorot weights × 4'."""
    layers = [*model.layers] * model.depth
    size = f"{len(layers)}×{layers[0]}" if len({*layers}) == 1 else "-".join(map(str, layers))
    weights = f"{model.initialization.partition('_')[0].capitalize()} weights"
    return f"{model.kind.upper()} {size}, {model.activation}, {weights}" + (
        f" × {model.init_scale:g}" if model.init_scale != 1 else ""
    )


def _networks(explored: Sequence[Explored]) -> list[Network]:
    """All networks that have a run, in the order of the experiments, under names of their own."""
    found: dict[Key, Network] = {}
    for source in explored:
        for key, network in _networks_of(source):
            if any(runs for cells in network.arms.values() for runs in cells.grid.values()):
                _merge(found.setdefault(key, network), network)
    names = Counter(network.name for network in found.values())
    for network in found.values():
        if names[network.name] > 1:
            network.name += f" ({network.sources[0]})"
    return list(found.values())


def _networks_of(source: Explored) -> Iterator[tuple[Key, Network]]:
    """Yield the networks of one experiment, each with what tells its trainings from others."""
    experiment, config = source.experiment, source.experiment.config
    tuning = config.tuning
    over = tuning.over if tuning else LEARNING_RATE if LEARNING_RATE in config.grid else None
    others = [axis for axis in config.grid if axis != over]
    rows = ResultRows(source.table, config)
    levels = {network.name: network.level for network in summarize(experiment, source.table)}

    def held_in(grid: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(plain(grid[axis]) for axis in others)

    at_best = runs_at_best_rate(experiment, source.table)
    best = {(run.arm, held_in(run.grid)): plain(run.grid[over]) for run in at_best if over}
    only_best = tuning is not None and tuning.evaluate == "best"
    cells = [*experiment.cells()]
    for name, arms in arms_by_network(experiment).items():
        for held in dict.fromkeys(held_in(grid) for _, grid in cells):
            found = {arm: Cells(best=best.get((arm, held))) for arm in arms}
            configs: dict[str, RunConfig] = {}
            for arm, grid in cells:
                if arm not in found or held_in(grid) != held:
                    continue
                configs.setdefault(arm, experiment.run(arm, grid, 0).config)
                at, seeds = plain(grid[over]) if over else None, tuning.seeds if tuning and only_best else config.seeds
                found[arm].grid[at] = dict(_seen(source, rows, [experiment.run(arm, grid, seed) for seed in seeds]))
                if only_best and at == found[arm].best:
                    runs = [experiment.run(arm, grid, seed) for seed in config.seeds]
                    found[arm].at_best = dict(_seen(source, rows, runs))
            words = {network_words(of_arm.model) for of_arm in configs.values()}
            said = [*words, *(f"{axis_words(axis)} {_value(value)}" for axis, value in zip(others, held, strict=True))]
            level = levels.get(name)
            yield (
                tuple((arm, _identity(of_arm, over)) for arm, of_arm in configs.items()),
                Network(
                    ", ".join(said if len(words) == 1 else [name, *said[len(words) :]]),
                    [experiment.name],
                    configs,
                    axis_words(over) if over else "",
                    level.accuracy if level else None,
                    tuning.seeds if tuning else (),
                    found,
                ),
            )


def _seen(source: Explored, rows: ResultRows, runs: Sequence[Run]) -> Iterator[tuple[int, Seen]]:
    """Yield seed and what is known of each run that is there and has not failed."""
    for run in runs:
        row = rows.row(run.arm, tuple(map(plain, run.grid.values())), run.config.seed)
        if row is None:
            continue
        every = run.config.evaluate_every
        table = {name: rows.column(name)[row] for name in (ACCURACY, TRAIN_LOSS) if rows.column(name)}
        record = source.record(run) if OF_LAYERS & {*run.config.probes} else None
        measured = table | (_layers(record) if record else {})
        diverged = rows.column("diverged_at")[row]
        yield (
            run.config.seed,
            Seen(
                None if math.isnan(diverged) else int(diverged),
                {name: (every, values) for name, values in measured.items() if len(values)},
            ),
        )


def _layers(record: Record) -> dict[str, Values]:
    """Curves by layer: as they were written or, of single units, the first unit's and the mean over all."""
    found: dict[str, Values] = {}
    units: dict[str, list[Values]] = {}
    for name in record.curves:
        if _OF_LAYER.fullmatch(name):
            found[name] = evaluations(record, name)
        elif of_unit := _OF_UNIT.fullmatch(name):
            layer, unit, percentile = of_unit.groups()
            units.setdefault(f"{layer}/{percentile}", []).append(evaluations(record, name))
            if unit == _FIRST_UNIT:
                found[name] = units[f"{layer}/{percentile}"][-1]
    return {name: list(np.mean(curves, axis=0)) for name, curves in units.items()} | found


def _identity(config: RunConfig, over: str | None) -> str:
    """What makes a training, at whatever value of the slider."""
    settings = config.model_dump(mode="json", exclude=LOOKED_AT)
    if over:
        section, _, name = over.partition(".")
        (settings[section] if name else settings).pop(name or section)
    return json.dumps(settings, sort_keys=True)


def _merge(into: Network, network: Network) -> None:
    """Add what another experiment has measured of the same trainings."""
    if network is into:
        return
    into.sources += network.sources
    for arm, cells in network.arms.items():
        for at, runs in cells.grid.items():
            known = into.arms[arm].grid.setdefault(at, {})
            for seed, run in runs.items():
                known.setdefault(seed, run).metrics = run.metrics | known[seed].metrics


def _json(network: Network) -> dict[str, Any]:
    first = next(iter(network.configs.values()))
    values = sorted(
        dict.fromkeys(at for cells in network.arms.values() for at in cells.grid),
        key=lambda at: at if is_number(at) else math.inf,
    )
    data, optimizer = first.dataset, first.optimizer.kind.upper()
    without = [arm for arm, config in network.configs.items() if config.model.norm.kind == "none"]
    with_bn = [arm for arm, config in network.configs.items() if config.model.norm.kind in BATCH_NORMS]
    labels = dict(zip(without, ["without BN"], strict=False)) if len(without) == 1 else {}
    labels |= dict(zip(with_bn, ["with BN"], strict=False)) if len(with_bn) == 1 else {}
    order = list(network.arms)
    pair = [without[0], with_bn[0]] if without and with_bn else order[:2]
    return {
        "name": network.name,
        "about": f"{data.name}, batches of {data.batch_size}, {optimizer}, {first.steps:,} steps",
        "sources": network.sources,
        "axis": network.axis,
        "values": [_value(value) for value in values],
        "steps": first.steps,
        "activation": first.model.activation,
        "level": network.level,
        "tuning": network.tuning_seeds,
        "pair": [order.index(arm) for arm in pair],
        "arms": [
            {
                "label": labels.get(arm, arm),
                "best": values.index(cells.best) if cells.best in values else None,
                "cells": [_cell_json(cells.grid.get(value, {})) for value in values],
                "at_best": _cell_json(cells.at_best) if cells.at_best else None,
            }
            for arm, cells in network.arms.items()
        ],
    }


def _cell_json(runs: Mapping[int, Seen]) -> dict[str, Any]:
    """Seeds, where each diverged, and metric → steps between evaluations and values, a list a seed."""
    names = dict.fromkeys(name for run in runs.values() for name in run.metrics)
    return {
        "seeds": list(runs),
        "diverged": [run.diverged_at for run in runs.values()],
        "curves": {
            name: {
                "every": next(run.metrics[name][0] for run in runs.values() if name in run.metrics),
                "values": [_rounded(run.metrics[name][1]) if name in run.metrics else [] for run in runs.values()],
            }
            for name in names
        },
    }


def _rounded(values: Values) -> list[float | None]:
    return [float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in values]


def _value(value: Any) -> str:
    return f"{value:g}" if is_number(value) else str(value)
