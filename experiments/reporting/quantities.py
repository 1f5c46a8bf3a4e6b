"""What does each arm come to in a claim, in the quantity that it is about, and over what?

A general rule, from what the parts declare: a part that reduces values along an axis is shown over that axis; rows that
differ in a number, such as a rate, a level or a batch, over that number; all others below each other, a lane a row.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from experiments.analysis.claims import ClaimResult, Row
from experiments.analysis.part_runs import Results
from experiments.analysis.statistics import median
from experiments.analysis.tuning import axis_words
from experiments.configuration.claim import LEVEL, PartConfig
from experiments.reporting.arm_styles import kinds_of
from experiments.reporting.quantity_words import quantity_scale, quantity_words
from experiments.reporting.wording import held, is_number, labels_of, row_words

SideName = Literal["baseline", "treatment", "whole"]
SIDES: tuple[SideName, ...] = ("baseline", "treatment", "whole")
RATE, LAYER = "learning rate", "layer, the output layer last"
OF_SEEDS = "median; band: quartiles over seeds"
LONGEST_LANE = 46  # letters
Point = tuple[float, Row, str]  # where an arm of a row stands


@dataclass(frozen=True)
class Series:
    """What one arm, or arms that differ only in what the panel runs over, come to.

    kind: of normalization, '' where that is not known. x: (n,), numbers or, in a panel of lanes, their places. low,
    middle, high: (n,), median and quartiles over seeds. open: (n,), whether the middle is only the least it can be, as
    the level was not reached. diverged: (n,), runs. seeds: (n, seeds). alone: rates at which no other arm trains.
    """

    label: str
    kind: str
    x: np.ndarray
    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    open: np.ndarray
    diverged: np.ndarray
    seeds: np.ndarray
    alone: tuple[float, ...] = ()


@dataclass(frozen=True)
class Panel:
    """One picture of a quantity.

    name: of the comparison. held: what else is held, in words. over: the number that series run over. lanes: what
    stands at the places 0, 1, … of the series, where they do not run over a number. spread: what lines and bands are.
    """

    name: str
    held: tuple[str, ...]
    over: str
    quantity: str
    series: tuple[Series, ...]
    logarithmic: bool
    lanes: tuple[str, ...] = ()
    spread: str = OF_SEEDS

    @property
    def title(self) -> str:
        """What is held; without anything, the comparison's name."""
        return ", ".join(self.held) or self.name


def panels_of(result: ClaimResult, results: Mapping[str, Results]) -> list[Panel]:
    """Return the panels of a claim's rows whose arms have values. results: of experiments, by name.

    Values that are held against a bound, or stand beside by themselves, have none: their effect is that value.
    """
    source = _Source(result.id, results)
    rows = [
        row for row in result.rows if row.comparison.sides and (row.part.baseline or (row.decides and row.part.axis))
    ]
    panels: list[Panel] = []
    for of_quantity in _grouped(rows, _quantity):
        names = dict.fromkeys(itertools.chain(*(row.moderators for row in of_quantity)))
        numeric = [name for name in names if all(_is_held(row, name) for row in of_quantity)]
        lanes: list[Row] = []
        for group in _grouped(of_quantity, lambda row: (row.part.name, row.part.role, _but(row, numeric))):  # noqa: B023
            over = _over(group, numeric)
            if group[0].part.axis:
                panels += [_along_axis(row, source) for row in group]
            elif over is None:
                lanes += group
            else:
                others = _grouped(group, functools.partial(_but, names=[over]))
                panels += [_over_number(of, over, source) for of in others]
        if lanes:
            panels.append(_below_each_other(lanes, source))
    return _none_twice(panels)


@dataclass(frozen=True)
class SideNumbers:
    """What one arm of a row is, in numbers: its rate, its accuracy at the end, and how many of its runs diverged.

    accuracy: nan of a network that makes images.
    """

    arm: str
    rate: float | None
    accuracy: float
    diverged: int
    runs: int


def side_numbers(row: Row, side: SideName, claim: str, results: Mapping[str, Results]) -> SideNumbers | None:
    """Return the numbers of one arm of a claim's row; None where it has no runs of its own, or none at hand."""
    arm = getattr(row.part, side)
    found = row.comparison.sides.get(arm or "")
    source = results.get(row.part.runs or claim)
    if found is None or source is None or not found.runs.size:
        return None
    runs = found.runs.ravel()
    accuracy = 100 * float(np.median(source.table["late_validation_accuracy"].to_numpy(float)[runs]))
    diverged = int((source.table["status"].to_numpy()[runs] == "diverged").sum())
    rate = found.rate if is_number(found.rate) else None
    return SideNumbers(arm, rate, accuracy, diverged, len(runs))


def _grouped(rows: Iterable[Row], key: Callable[[Row], Any]) -> list[list[Row]]:
    """Rows of equal key together, in the order in which they come first."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return list(groups.values())


def _quantity(row: Row) -> tuple[Any, ...]:
    """What rows share that can stand in one panel: the quantity, of metrics of one family."""
    part = row.part
    family = (part.metric or "").partition("/")[0]
    return part.measure, family, quantity_scale(part), part.budget, part.step, part.matched


def _is_held(row: Row, name: str) -> bool:
    return is_number(row.moderators.get(name, 0.0))


def _but(row: Row, names: Sequence[str]) -> tuple[tuple[str, Any], ...]:
    """What a row holds beside these moderators."""
    return tuple((name, value) for name, value in row.moderators.items() if name not in names)


def _over(rows: Sequence[Row], numeric: Iterable[str]) -> str | None:
    """The number that most rows differ in; None where they differ in none."""
    values = {name: len({row.moderators.get(name) for row in rows}) for name in numeric}
    best = max(values, key=values.__getitem__, default=None)
    return best if best is not None and values[best] > 1 else None


def _none_twice(panels: Iterable[Panel]) -> list[Panel]:
    """Panels of the same values as one, which holds what they all hold."""
    found: dict[Any, Panel] = {}
    for panel in panels:
        values = tuple((of.label, of.x.tobytes(), of.seeds.tobytes()) for of in panel.series)
        key = panel.quantity, panel.over, panel.lanes, values
        first = found.setdefault(key, panel)
        both = tuple(words for words in first.held if words in panel.held)
        found[key] = replace(first, name=first.name if first.name == panel.name else "", held=both)
    return list(found.values())


def _along_axis(row: Row, source: _Source) -> Panel:
    """A part that reduces an axis: its values before that."""
    part, series = row.part, []
    for arm, side in row.comparison.sides.items():
        values = quantity_scale(part) * side.values  # (places, seeds)
        x = np.array(side.places, float)
        series.append(series_of(arm, source.kind(row, arm), x, values, values, source.diverged(row, arm)))
    held_words = tuple(held(name, value) for name, value in row.moderators.items())
    return Panel(part.name, held_words, axis_words(part.axis or ""), quantity_words(part), *_drawn(part, series))


def _over_number(rows: Sequence[Row], over: str, source: _Source) -> Panel:
    """Rows that differ in one number, in its order."""
    rows = sorted(rows, key=lambda row: row.moderators[over])
    part, series = rows[0].part, []
    scale, words = (100.0, "level (%)") if over == LEVEL else (1.0, over)
    of_loss = part.measure == "gap_at_training_loss" and over == "training loss"
    for side in SIDES:
        points = [(scale * row.moderators[over], row, getattr(row.part, side)) for row in rows]
        if points[0][2] is not None:
            alone = rows[0].comparison.alone.get(points[0][2], ()) if over == RATE else ()
            series.append(_of_rows(points, source, tuple(map(float, alone)), times_x=of_loss))
    held_words = tuple(held(name, value) for name, value in rows[0].moderators.items() if name != over)
    return Panel(part.name, held_words, words, "test loss" if of_loss else quantity_words(part), *_drawn(part, series))


def _below_each_other(rows: Sequence[Row], source: _Source) -> Panel:
    """Rows that differ in words: a lane each, an arm a mark in it."""
    found: dict[tuple[str, str, str], list[Point]] = {}
    for side in SIDES:
        for place, row in enumerate(rows):
            if arm := getattr(row.part, side):
                found.setdefault((row.part.name, side, source.kind(row, arm)), []).append((float(place), row, arm))
    named: dict[str, list[Point]] = {}
    for points in found.values():
        named.setdefault(common_name([arm for *_, arm in points]), []).extend(points)
    series = [replace(_of_rows(points, source), label=label) for label, points in named.items()]
    names = list(dict.fromkeys(row.part.name for row in rows))
    words = labels_of(rows, LONGEST_LANE) if len(names) == 1 else [""] * len(rows)
    lanes = tuple(label or row_words(row) for label, row in zip(words, rows, strict=True))
    part = rows[0].part
    quantity = quantity_words(part, family=len({row.part.metric for row in rows}) > 1)
    return Panel(names[0] if len(names) == 1 and len(rows) > 1 else "", (), "", quantity, *_drawn(part, series), lanes)


@dataclass(frozen=True)
class _Source:
    """Where the runs of a claim's rows stand."""

    claim: str
    results: Mapping[str, Results]

    def _of(self, row: Row) -> Results | None:
        return self.results.get(row.part.runs or self.claim)

    def kind(self, row: Row, arm: str) -> str:
        found = self._of(row)
        return kinds_of(found.config).get(arm, "") if found else ""

    def diverged(self, row: Row, arm: str) -> np.ndarray:
        """How many runs of an arm diverged, in each of its cells. (cells,)"""
        side, found = row.comparison.sides[arm], self._of(row)
        if found is None or not side.runs.size:
            return np.zeros(max(1, len(side.places)), int)
        return (found.table["status"].to_numpy()[side.runs] == "diverged").sum(axis=1)


def _of_rows(points: Sequence[Point], source: _Source, alone: tuple[float, ...] = (), times_x: bool = False) -> Series:
    (_, row, arm), arms = points[0], [arm for *_, arm in points]
    sides = [row.comparison.sides[arm] for _, row, arm in points]
    x = np.array([x for x, *_ in points])
    scale = x[:, None] if times_x else quantity_scale(row.part)
    low, high = (scale * np.array(ends) for ends in zip(*(side.ends for side in sides), strict=True))  # (n, seeds)
    lost = np.array([source.diverged(row, arm).sum() for _, row, arm in points], int)
    return series_of(common_name(arms), source.kind(row, arm), x, low, high, lost, alone)


def series_of(
    label: str,
    kind: str,
    x: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    diverged: np.ndarray,
    alone: tuple[float, ...] = (),
) -> Series:
    """Return what an arm comes to. low, high: (n, seeds), the ends of every seed's value. diverged: (n,), runs."""
    quartiles = [np.quantile(low, share, axis=1, method="inverted_cdf") for share in (0.25, 0.75)]
    middles = np.array([median(of) for of in low])
    is_open = np.array([np.isinf(median(of)) for of in high]) & np.isfinite(middles)
    return Series(label, kind, x, quartiles[0], middles, quartiles[1], is_open, diverged, low, alone)


def _drawn(part: PartConfig, series: Sequence[Series]) -> tuple[tuple[Series, ...], bool]:
    return tuple(series), _is_logarithmic(part, series)


def _is_logarithmic(part: PartConfig, series: Sequence[Series]) -> bool:
    values = np.concatenate([of.middle for of in series]) if series else np.zeros(0)
    values = values[np.isfinite(values)]
    if not values.size or (values <= 0).any():
        return False
    is_ratio = part.effect == "ratio" or part.per_seed in ("growth", "slope")
    return bool(is_ratio or values.max() / values.min() > 100)


def common_name(names: Sequence[str]) -> str:
    """What arms that differ along a panel are called together: 'mlp_bn_16' and 'mlp_bn_2' are 'mlp_bn_…'."""
    if len(set(names)) == 1:
        return names[0]
    start, end = _shared_start(names), _shared_start([name[::-1] for name in names])[::-1]
    return f"{start}…{end}"


def _shared_start(names: Sequence[str]) -> str:
    same = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in same)
