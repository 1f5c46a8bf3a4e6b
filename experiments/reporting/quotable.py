"""What can be said of batch normalization in a sentence? From results, so that each is true whatever they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from experiments.analysis.claims import ClaimResult, Row
from experiments.analysis.statistics import Band
from experiments.reporting.findings import ends_of
from experiments.reporting.headline_figures import (
    AT_EQUAL_RATE,
    CNN,
    LEVEL,
    NETS,
    RATE,
    WHEN_TUNED,
    rows_by,
)
from experiments.reporting.wording import digits, format_effect, has_effect, known_end

LARGEST_RATE, ACCURACY, COST = "higher_rates", "accuracy_improves", "costs_time"
OPPOSITE = {"≥": "≤", "≤": "≥", "": ""}
Rows = Sequence[Row]


def quotable(judged: Sequence[ClaimResult], data: str = "") -> list[str]:
    """Return five sentences, each to be read alone; none of what was not tested.

    On speed at equal and at the best learning rates, the largest rate, final accuracy, and the cost of a step. data:
    what was trained on.
    """
    made = [_at_equal_rates(judged), _when_tuned(judged), _largest_rates(judged), _accuracies(judged), _costs(judged)]
    on = f"On {data}, " if data else ""
    return [_begun(on + words) for words in made if words]


def times_fewer(rows: Rows) -> str:
    """Return ratios of steps, without BN over with it, in words: '1.3 to at least 6.2 times fewer steps'.

    What lies within the band of no material difference is called about as many.
    """
    (low, low_sign), (high, high_sign) = ends_of(rows)
    first, last = _fewer(low, low_sign, rows[0].band), _fewer(high, high_sign, rows[0].band)
    if first == last:
        return f"{first} steps"
    unit = " ".join(last.split()[-2:])
    if unit == "times fewer" and first.startswith("at least") and first.endswith(unit):
        return (
            f"{first.removesuffix(f' {unit}')} to {last if last.startswith('at least') else f'at least {last}'} steps"
        )
    if unit == "times fewer" and first.endswith(unit):
        return f"{first.removesuffix(f' {unit}')} to {last} steps"
    if first.endswith("times as many") and last.endswith("times as many"):
        return f"{last.removesuffix(' times as many')} to {first} steps"
    return f"from {first} to {last} steps"


def _fewer(ratio: float, sign: str, band: Band) -> str:
    """How one ratio of steps is said: '2.3 times fewer', 'at least 1.6 times as many', 'about as many'."""
    if ratio > band.high:
        return f"{_limit(sign)}{digits(ratio)} times fewer"
    if ratio < band.low:
        return f"{_limit(OPPOSITE[sign])}{digits(1 / ratio)} times as many"
    return "about as many" + {"≥": " or fewer", "≤": " or more", "": ""}[sign]


def _times_as(row: Row, word: str) -> str:
    """How a ratio is said: '3.2 times as large', '3.0 to 3.5 times as large'."""
    low, high = row.estimate
    value, sign = known_end(row)
    if sign == "≥" and math.isfinite(high):
        return f"{digits(low)} to {digits(high)} times as {word}"
    return f"{_limit(sign)}{digits(value)} times as {word}"


def _at_equal_rates(judged: Sequence[ClaimResult]) -> str:
    return _by_network("at the same learning rate", "rates", rows_by(judged, (AT_EQUAL_RATE, CNN), RATE))


def _when_tuned(judged: Sequence[ClaimResult]) -> str:
    return _by_network("with the best learning rate for each", "accuracies", rows_by(judged, (WHEN_TUNED, CNN), LEVEL))


def _largest_rates(judged: Sequence[ClaimResult]) -> str:
    rows = [row for row in _rows(judged, LARGEST_RATE) if row.moderators.get("definition") == "trains"]
    words = "the largest learning rate at which a network trains becomes, with batch normalization,"
    return _sentence(words, rows, lambda row: f"{_times_as(row, 'large')} in {_article(_net(row))}{_open([row])}")


def _accuracies(judged: Sequence[ClaimResult]) -> str:
    rows = _rows(judged, ACCURACY)
    longer = {_net(row): row for row in rows if row.moderators.get("budget") == "4T"}

    def said(row: Row) -> str:
        later = longer.get(_net(row))
        then = f", in four times the steps by {format_effect(later)}{_open([later])}" if later else ""
        return f"{format_effect(row)} in {_article(_net(row))}{_open([row])}{then}"

    words = "batch normalization changes test accuracy at the end of training by"
    return _sentence(words, [row for row in rows if row.moderators.get("budget") == "T"], said)


def _costs(judged: Sequence[ClaimResult]) -> str:
    words = "a training step with batch normalization takes, on the processor measured,"

    def said(row: Row) -> str:
        held = row.moderators
        layer = f"in {_article(str(held.get('net', '')).upper())} with the {held.get('layer')} layer"
        return f"{_times_as(row, 'long')} {layer}{_open([row])}"

    return _sentence(words, _rows(judged, COST), said)


def _by_network(words: str, over: str, found: Mapping[str, Rows]) -> str:
    said = []
    for net, rows in found.items():
        said.append(f"{times_fewer(rows)} in {_article(NETS[net])}{_open(rows, over)}")
    need = "batch normalization needs, to the same accuracy,"
    return f"{words}, {need} {'; '.join(said)}." if said else ""


def _sentence(words: str, rows: Rows, said: Callable[[Row], str]) -> str:
    return f"{words} {'; '.join(map(said, rows))}." if rows else ""


def _rows(judged: Iterable[ClaimResult], claim: str) -> list[Row]:
    found = [row for result in judged if result.id == claim for row in result.rows if row.decides and has_effect(row)]
    return [row for row in found if not math.isnan(known_end(row)[0])]


def _open(rows: Rows, over: str = "") -> str:
    """How many of the rows are undecided. over: what they are of, where there are several."""
    found = sum(row.verdict in ("unresolved", "not tested") for row in rows)
    if not found:
        return ""
    return " (undecided)" if len(rows) == 1 else f" (undecided at {found} of {len(rows)} {over})"


def _net(row: Row) -> str:
    return NETS.get(str(row.moderators.get("net")), str(row.moderators.get("net", "")))


def _limit(sign: str) -> str:
    return {"≥": "at least ", "≤": "at most ", "": ""}[sign]


def _article(noun: str) -> str:
    return f"an {noun}" if noun.startswith("MLP") else f"a {noun}"


def _begun(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
