"""What happens in a claim's rows: in one of them, and in many at once?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.analysis.claims import ClaimResult, Row
from experiments.analysis.statistics import DECISIVE, coverage, decisive_count
from experiments.reporting.wording import (
    SYMBOLS,
    effect_or_reason,
    format_band,
    format_edge,
    format_value,
    has_effect,
    held,
    is_number,
    known_end,
    listed,
    measure_words,
    signed,
)


def most_seeds(rows: Iterable[Row]) -> int:
    """How many seeds the row has that has most."""
    return max((len(row.comparison.seeds) for row in rows), default=0)


def interval_words(rows: Iterable[Row], p: float = DECISIVE) -> str:
    """How sure the interval of these rows' order statistics is: '99.7 %', of 20 seeds; of the most that a row has."""
    sure = coverage(most_seeds(rows), p)
    return "–" if math.isnan(sure) else f"{100 * sure:.1f} %"


@dataclass(frozen=True)
class Fold:
    """Rows of one comparison that differ only in numbers, such as rates, to be read in one line."""

    rows: tuple[Row, ...]

    @property
    def words(self) -> str:
        """What is compared, and over which values: 'relu, learning rate 0.01 … 0.3'."""
        first = self.rows[0]
        names = dict.fromkeys(name for row in self.rows for name in row.moderators)
        return ": ".join(filter(None, (first.part.name, ", ".join(map(self._held, names))))) or measure_words(
            first.part
        )

    def _held(self, name: str) -> str:
        values = [row.moderators[name] for row in self.rows if name in row.moderators]
        if not is_number(values[0]) or min(values) == max(values):
            return held(name, values[0])
        ends = [held(name, value).removeprefix(f"{name} ") for value in (min(values), max(values))]
        return f"{name} {ends[0].removesuffix(' %')} … {ends[1]}"


def folds(rows: Iterable[Row]) -> list[Fold]:
    """Put rows together whose comparisons, and moderators that are words, are the same."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        words = sorted((name, value) for name, value in row.moderators.items() if not is_number(value))
        found.setdefault((row.part.name, row.part.role, row.part.measure, row.part.treatment, *words), []).append(row)
    return [Fold(tuple(of)) for of in found.values()]


def row_counts(rows: Sequence[Row]) -> str:
    """Return how rows came out, by symbol: '✓ 6, ≈ 2'; of one row its symbol."""
    found = Counter(row.verdict for row in rows)
    if len(rows) == 1:
        return SYMBOLS[rows[0].verdict]
    return ", ".join(f"{SYMBOLS[verdict]} {found[verdict]}" for verdict in SYMBOLS if found[verdict])


def effects_of(rows: Sequence[Row]) -> str:
    """Return the effects of rows of one kind, smallest to largest: '0.9 … ≥ 6.2×'; without any, why.

    Of one row also its interval, of identities only the row with the worst seed.
    """
    if len(rows) == 1:
        return effect_or_reason(rows[0])
    if (bound := rows[0].part.bound) is not None and any(map(has_effect, rows)):
        known_rows = [row for row in rows if has_effect(row)]
        at_least = bound.at_least is not None
        worst = min(known_rows, key=_least) if at_least else max(known_rows, key=_most)
        return effect_or_reason(worst)
    known = [row for row in rows if has_effect(row) and not math.isnan(known_end(row)[0])]
    if not known:
        return "; ".join(dict.fromkeys(row.reason for row in rows))
    if len(known) == 1:
        return effect_or_reason(known[0])
    part, ((low, low_sign), (high, high_sign)) = known[0].part, ends_of(known)
    last = f"{high_sign} {format_value(high, part)}".strip()
    if (low_sign, signed(low, part)) == (high_sign, signed(high, part)):
        return last
    return f"{low_sign} {signed(low, part)} … {last}".strip()


def ends_of(rows: Sequence[Row]) -> tuple[tuple[float, str], tuple[float, str]]:
    """Return the smallest and the largest effect of rows of which something is known, each with its sign.

    ((0.9, ''), (6.2, '≥')): the smallest is 0.9, the largest at least 6.2.
    """
    lowest, highest = [], []
    for row in rows:
        value, sign = known_end(row)
        between = sign == "≥" and math.isfinite(row.estimate[1])
        lowest.append((value, "" if between else sign))
        highest.append((row.estimate[1], "") if between else (value, sign))
    (low, low_sign), (high, high_sign) = min(lowest), max(highest)
    low_sign = "≤" if any(sign == "≤" for _, sign in lowest) else low_sign
    high_sign = "≥" if any(sign == "≥" for _, sign in highest) else high_sign
    return (low, low_sign), (high, high_sign)


def main_effect(result: ClaimResult) -> str:
    """Return a claim's effects, by the kinds of its rows that decide: '1.1 … 6.2× in 14 rows'; without any, why."""
    tested = [row for row in result.rows if row.decides and has_effect(row)]
    if not tested:
        return result.reason.partition(": ")[0] if result.config.kind == "over_all_claims" else result.reason
    kinds: dict[tuple[Any, ...], list[Row]] = {}
    for row in tested:
        kinds.setdefault((row.part.effect, row.part.unit, str(row.part.bound)), []).append(row)
    return "; ".join(effects_of(rows) + (f" in {len(rows)} rows" if len(rows) > 1 else "") for rows in kinds.values())


def finding(row: Row) -> str:
    """Return in words what happens in a row: in how many seeds, and what would settle it where it is open.

    'more than 1.25× in 18 of 20 seeds; smaller than the source says (14×)'.
    """
    low, high, band = row.comparison.low, row.comparison.high, row.band
    if row.part.bound or not low.size or math.isnan(band.low) or row.verdict == "not tested":
        return row.reason
    least, most, of = format_edge(band.low, row.part), format_edge(band.high, row.part), f"of {low.size} seeds"
    match row.verdict:
        case "supported" if row.part.expect == "not_less":
            return f"not below {least} in {int(np.sum(low >= band.low))} {of}"
        case "supported":
            source = f" ({format_value(row.part.source_value, row.part)})" if row.part.source_value is not None else ""
            remark = f"; {row.remark}{source}" if row.remark else ""
            return f"more than {most} in {int(np.sum(low > band.high))} {of}{remark}"
        case "reversed":
            return f"the other way round: less than {least} in {int(np.sum(high < band.low))} {of}"
        case "no material difference":
            above, below = int(np.sum(low >= band.low)), int(np.sum(high <= band.high))
            return f"not below {least} in {above} and not above {most} in {below} {of}"
    counted = [
        (int(np.sum(low > band.high)), f"more than {most}"),
        (int(np.sum((low >= band.low) & (high <= band.high))), f"within {format_band(row)}"),
        (int(np.sum(high < band.low)), f"less than {least}"),
    ]
    shown = [f"{words} in {count}" for count, words in counted if count]
    if bounds := low.size - sum(count for count, _ in counted):
        shown.append(f"not known that closely in {bounds}")
    needed = f"; about {row.resolved_by:,} seeds would decide it" if row.resolved_by else ""
    return f"{listed(shown)} {of}, where {decisive_count(low.size)} decide{needed}"


def _least(row: Row) -> float:
    return row.decided[0]


def _most(row: Row) -> float:
    return row.decided[1]
