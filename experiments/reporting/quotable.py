"""What may a student quote? One sentence a question, true of the results whatever they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from experiments.analysis.claims import ClaimResult, Row
from experiments.reporting.headline_figures import AT_EQUAL_RATE, CNN, LEVEL, NETS, RATE, WHEN_TUNED, rows_by
from experiments.reporting.wording import SYMBOLS, format_times, format_value

SHORT = {
    "sigmoid_x1": "sigmoid MLP, Glorot weights",
    "sigmoid_x4": "sigmoid MLP, Glorot weights × 4",
    "relu": "ReLU MLP",
    "cnn": "ReLU CNN",
}


def quotable(results: Sequence[ClaimResult]) -> list[str]:
    """Return up to five sentences: speed at equal and at best rates, the largest rate, accuracy, the cost of a step."""
    by_id = {result.id: result for result in results}
    equal, tuned = rows_by(results, (AT_EQUAL_RATE, CNN), RATE), rows_by(results, (WHEN_TUNED, CNN), LEVEL)
    return [*_speed("At the same learning rate", equal), *_speed("With the best rate for each", tuned), *_others(by_id)]


def _speed(setting: str, found: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    parts = []
    for net, rows in found.items():
        values = sorted(row.estimate[0] if row.estimate[0] > 0 else row.estimate[1] for row in rows)
        ends = " to ".join(dict.fromkeys(format_times(value) for value in (values[0], values[-1])))
        decided = "".join(
            f", {SYMBOLS[verdict]} in {count} of {len(rows)}"
            for verdict in ("supported", "no material difference", "reversed")
            if (count := sum(row.verdict == verdict for row in rows))
        )
        parts.append(f"{SHORT.get(net, net)} {ends}{decided}")
    if parts:
        yield f"{setting}, how many times fewer steps with BN (medians over seeds): {'; '.join(parts)}."


def _others(by_id: Mapping[str, ClaimResult]) -> Iterator[str]:
    if rows := _rows(by_id, "higher_rates", definition="trains"):
        shown = "; ".join(f"{_net(row)} {_times(row)}" for row in rows)
        yield f"The largest learning rate that trains, with BN over without: {shown}."
    if rows := _rows(by_id, "accuracy_improves", budget="T"):
        shown = "; ".join(
            f"{_net(row)} {format_value(row.estimate[0], row.part)} ({SYMBOLS[row.verdict]})" for row in rows
        )
        yield f"Test accuracy at the end, each at its best rate, with BN less without: {shown}."
    if rows := _rows(by_id, "costs_time"):
        shown = "; ".join(
            f"{str(row.moderators.get('net')).upper()} with the {row.moderators.get('layer')} layer {_times(row)}"
            for row in rows
        )
        yield f"A training step on this processor takes, with BN over without: {shown}."


def _rows(by_id: Mapping[str, ClaimResult], claim: str, **held: str) -> list[Row]:
    rows = by_id[claim].rows if claim in by_id else ()
    return [row for row in rows if row.comparison.seeds and held.items() <= row.moderators.items()]


def _net(row: Row) -> str:
    net = str(row.moderators.get("net"))
    return SHORT.get(net, NETS.get(net, net))


def _times(row: Row) -> str:
    low, high = row.estimate
    ends = dict.fromkeys(format_times(value) for value in (low, high))
    return " to ".join(ends)
