"""How do a number, a comparison and a verdict read?

One wording for figures, report and README, so that they cannot disagree.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from experiments.analysis.claims import ClaimResult, Row, Verdict, distinct_trainings
from experiments.configuration.claim import PartConfig

SYMBOLS: dict[Verdict, str] = {
    "supported": "✓",
    "no material difference": "≈",
    "reversed": "⇄",
    "depends": "◐",
    "unresolved": "?",
    "not tested": "–",
}
_PER_SEED = {
    "worst": "the worst ",
    "share_training": "share that trains, by ",
    "growth": "growth of ",
    "slope": "slope of ",
}


def verdict_words(verdict: Verdict) -> str:
    """Return symbol and word: '✓ supported'."""
    return f"{SYMBOLS[verdict]} {verdict}"


def claim_verdict(result: ClaimResult) -> str:
    """Return a claim's verdict, and on what it depends: '◐ depends on net and learning rate'."""
    if result.verdict != "depends" or not result.depends_on:
        return verdict_words(result.verdict)
    return f"{verdict_words(result.verdict)} on {_and(result.depends_on)}"


def format_value(value: float, part: PartConfig) -> str:
    """Return an effect with its unit: '2.3×', '+1.2 points', '97.2 %', '∞'."""
    return _with_unit(_signed(value, part), value, part)


def format_effect(row: Row) -> str:
    """Return estimate and interval: '2.3× [1.9, 2.8]', or a bound: '≥ 5.2×'; nothing without an effect.

    The interval of the order statistics that hold 95.9 % of medians; of an identity the smallest and the largest seed.
    """
    low, high = row.estimate
    if math.isnan(low) or math.isnan(high):
        return ""
    least, most = row.usual
    text = _bound(low, high, row.part)
    if math.isnan(least) or math.isnan(most) or least == most == low == high:
        return text
    ends = [_signed(end, row.part) for end in (least, most)]
    return f"{text} [{ends[0]}, {ends[1]}{' over seeds' if row.part.bound else ''}]"


def effect_or_reason(row: Row) -> str:
    """Return the effect with its interval or, where there is none, why."""
    return format_effect(row) or row.reason


def format_band(row: Row) -> str:
    """Return the effects that make no material difference, or the bound of an identity: '0.8 … 1.25×', '≤ 1e−5'."""
    bound = row.part.bound
    if bound is not None:
        sign, value = ("≥", bound.at_least) if bound.at_least is not None else ("≤", bound.at_most)
        return f"{sign} {plain_number(value or 0.0)}"
    if math.isnan(row.band.low):
        return ""
    return f"{_signed(row.band.low, row.part)} … {format_value(row.band.high, row.part)}"


def moderator_words(row: Row) -> str:
    """Return what is held in a row, in words: 'relu, learning rate 0.3'; the network by its name alone."""
    return ", ".join(_moderator(name, value) for name, value in row.moderators.items())


def row_words(row: Row) -> str:
    """Return a row's name with its moderators: 'at equal rates: cnn, learning rate 0.3'."""
    return ": ".join(filter(None, (row.part.name, moderator_words(row)))) or measure_words(row.part)


def finding(row: Row) -> str:
    """Return in words what happens in a row, and what would settle it where it is open."""
    match row.verdict:
        case "unresolved":
            needed = f"; about {row.resolved_by:,} seeds would decide" if row.resolved_by else ""
            return f"{row.reason}{needed}"
        case "supported" if row.remark:
            source = f" ({format_value(row.part.source_value, row.part)})" if row.part.source_value is not None else ""
            return f"{row.reason}; {row.remark}{source}"
        case _:
            return row.reason


def side_words(row: Row, side: Literal["baseline", "treatment"]) -> str:
    """Return what one side of a row comes to, the median over seeds, with its arm's rate: '143 at 0.3', '> 400'."""
    ends: tuple[float, float] | None = getattr(row.comparison, side)
    arm = getattr(row.part, side)
    if ends is None:
        return "–"
    low, high = ends
    text = _digits(abs(low)) if low >= 0 else f"−{_digits(abs(low))}"
    if math.isinf(high) and math.isfinite(low):
        text = f"> {text}"
    elif low != high:
        text += f" … {_digits(high)}"
    rate = row.comparison.rates.get(arm)
    shown = "learning rate" not in row.moderators and isinstance(rate, float | int)
    return f"{text} at {rate:g}" if shown else text


def comparison_words(part: PartConfig) -> str:
    """Return what the effect is, in words: 'steps to level, no_bn / custom_bn'."""
    first, second = (part.treatment, part.baseline) if part.over == "baseline" else (part.baseline, part.treatment)
    match part.effect:
        case "ratio":
            arms = f"{first} / {second}"
        case "difference":
            arms = f"{first} − {second}"
        case "recovered":
            arms = f"({part.treatment} − {part.baseline}) / ({part.whole} − {part.baseline})"
        case "level":
            arms = part.treatment
    return f"{measure_words(part)}, {arms}"


def measure_words(part: PartConfig) -> str:
    """Return what is measured, in words: 'late value (accuracy/validation) within a quarter of the steps'."""
    words = part.measure.replace("_", " ")
    if part.step is not None:
        words += f" {part.step:,}" if part.measure == "value_at_step" else f" at step {part.step:,}"
    if part.metric:
        words += f" ({part.metric})"
    if part.budget < 1:
        words += f", first {100 * part.budget:g} % of the steps"
    if part.matched:
        words += ", at matched training loss"
    along = f" along {part.axis}" if part.axis else ""
    return _PER_SEED.get(part.per_seed, "") + words + along


def unit_words(part: PartConfig) -> str:
    """Return the unit of an effect, for an axis; nothing where it has none."""
    if part.effect in ("ratio", "recovered"):
        return ""
    return "%" if part.effect == "level" and part.unit == "points" else part.unit


def counts(results: Sequence[ClaimResult]) -> str:
    """Return how the claims came out, and on how many distinct sets of trainings that rests (rule 11)."""
    if not results:
        return "No claim has been evaluated yet."
    found = Counter(result.verdict for result in results)
    shown = ", ".join(f"{found[verdict]} {verdict_words(verdict)}" for verdict in SYMBOLS if found[verdict])
    sets = distinct_trainings(results)
    return f"By claim: {shown}; resting on {sets} distinct set{'s' if sets != 1 else ''} of trainings."


def format_times(ratio: float) -> str:
    """Return a ratio by itself: '0.29×', '1.24×', '∞'."""
    return "∞" if math.isinf(ratio) else f"{_digits(ratio)}×"


def plain_number(value: float) -> str:
    """Return a number as it is, without padding: '1.5', '3e−7', '∞'."""
    if math.isnan(value):
        return "no value"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    mantissa, e, exponent = f"{value:g}".partition("e")
    text = f"{mantissa}e{int(exponent)}" if e else mantissa
    return text.replace("-", "−")


def _bound(low: float, high: float, part: PartConfig) -> str:
    """An estimate, or what is known of it: '2.3×', '≥ 5.2×', '≤ 0.4×', '3.1 … 4.4×'."""
    if low == high:
        return format_value(low, part)
    if math.isinf(high):
        return f"≥ {format_value(low, part)}"
    if low <= 0 and part.effect == "ratio":
        return f"≤ {format_value(high, part)}"
    return f"{_signed(low, part)} … {format_value(high, part)}"


def _signed(value: float, part: PartConfig) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    in_points = part.unit == "points" and part.effect in ("difference", "level")
    text = f"{abs(value):,.1f}" if in_points else _digits(abs(value))
    sign = "−" if value < 0 else "+" if part.effect == "difference" and value > 0 else ""
    return sign + text


def _with_unit(text: str, value: float, part: PartConfig) -> str:
    if part.effect == "ratio":
        return f"{text}×" if math.isfinite(value) else text
    if part.unit == "points":
        return f"{text} %" if part.effect == "level" else f"{text} points"
    return f"{text} {part.unit}" if part.unit in ("steps", "seconds") else text


def _digits(value: float) -> str:
    """Two or three digits: '0.29', '1.24', '14', '1,200'; very small and very large ones in powers of ten."""
    if value == 0:
        return "0"
    if value < 1e-3 or value >= 1e5:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    if value < 0.995:
        return f"{value:.2g}"
    return f"{value:.2f}" if value < 1.995 else f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"


def _moderator(name: str, value: Any) -> str:
    shown = (
        f"{100 * value:.1f} %" if name == "level" else f"{value:g}" if isinstance(value, float | int) else str(value)
    )
    return shown if name == "net" else f"{name} {shown}"


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
