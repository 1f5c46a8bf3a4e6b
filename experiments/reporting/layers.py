"""What did the layers of a claim's runs look like: gradients from the first to the last, inputs over training?

Read from the runs themselves, since the results table has one number a run of it; nothing where they are not at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from experiments.analysis.claims import ClaimResult, Row
from experiments.analysis.measures import gradient_norms, unit_drifts
from experiments.analysis.part_runs import Results, Side
from experiments.analysis.tuning import axis_words
from experiments.records.storage import Record
from experiments.reporting.arm_styles import kinds_of
from experiments.reporting.quantities import LAYER, RATE, SIDES, Panel, Series, common_name, series_of
from experiments.reporting.wording import held

Reader = Callable[[int], Record | None]  # of the run of a row of an experiment's results table
OF_PERCENTILES = "band: 15 to 85 % of the examples; line: 50 %"


def layer_panels(result: ClaimResult, results: Mapping[str, Results], readers: Mapping[str, Reader]) -> Iterator[Panel]:
    """Yield the panels of a claim on gradients or on the drift of a layer's inputs, from runs that were measured so.

    Gradients: the norm at every layer, median and quartiles over seeds; of a part along an axis at its last value.
    Drift: as in Ioffe & Szegedy 2015, figures 1b and 1c, the percentiles of one unit's input, of each arm the unit of
    median drift in the run of the first seed; of several rates the one in the middle. results, readers: of experiments,
    by name.
    """
    rows = _shown(result.rows)
    for row in rows:
        name = row.part.runs or result.id
        if name not in results or name not in readers:
            continue
        kinds, make = kinds_of(results[name].config), _percentiles if row.part.measure == "drift" else _gradients
        series = []
        for side in SIDES:
            if arm := getattr(row.part, side):
                label = common_name([getattr(other.part, side) or arm for other in rows])
                found = make(row, row.comparison.sides[arm], readers[name])
                series += [replace(of, label=label, kind=kinds.get(arm, "")) for of in found]
        if series:
            yield _panel(row, tuple(series))


def _shown(rows: Sequence[Row]) -> list[Row]:
    """The rows that compare arms in what layers look like, one of those that differ in the rate alone."""
    groups: dict[object, list[Row]] = {}
    for row in rows:
        of_gradients = row.part.measure == "gradient_ratio" or (row.part.metric or "").startswith("gradient_norm/")
        if row.part.baseline and row.comparison.sides and (row.part.measure == "drift" or of_gradients):
            others = tuple(item for item in row.moderators.items() if item[0] != RATE)
            groups.setdefault((row.part.name, others), []).append(row)
    return [group[len(group) // 2] for group in groups.values()]


def _panel(row: Row, series: tuple[Series, ...]) -> Panel:
    part, words = row.part, [held(*item) for item in row.moderators.items()]
    if part.measure == "drift":
        return Panel(part.name, tuple(words), "step", "input of a unit of the last hidden layer", series, False,
                     spread=OF_PERCENTILES)  # fmt: skip
    if part.axis:
        words.append(held(axis_words(part.axis), next(iter(row.comparison.sides.values())).places[-1]))
    if part.step is not None and "step" not in row.moderators:
        words.append(f"step {part.step:,}")
    logarithmic = all((of.middle[np.isfinite(of.middle)] > 0).all() for of in series)
    return Panel(part.name, tuple(words), LAYER, "gradient norm", series, logarithmic)


def _gradients(row: Row, side: Side, read: Reader) -> list[Series]:
    """The norms of the gradients by each layer's weights, at the part's step; nothing where not measured."""
    assert row.part.step is not None
    records = [record for run in side.runs[-1].tolist() if (record := read(run)) is not None]
    found = [gradient_norms(record, row.part.step) for record in records]
    if not found or not found[0]:
        return []
    norms = np.array(found).T  # (layers, seeds)
    return [series_of("", "", np.arange(1.0, len(norms) + 1), norms, norms, np.zeros(len(norms), int))]


def _percentiles(_: Row, side: Side, read: Reader) -> list[Series]:
    """The percentiles of one unit in one run; nothing where not measured."""
    record = read(int(side.runs[0, 0])) if side.runs.size else None
    drifts, percentiles = unit_drifts(record) if record is not None else (np.zeros((0, 0)), np.zeros((0, 3, 0)))
    if record is None or not drifts.size:
        return []
    unit = np.argsort(drifts[:, -1], kind="stable")[len(drifts) // 2]
    low, middle, high = percentiles[unit]
    steps = record.config.evaluate_every * np.arange(len(middle), dtype=float)
    none = np.zeros(len(steps))
    return [Series("", "", steps, low, middle, high, none.astype(bool), none.astype(int), middle[:, None])]
