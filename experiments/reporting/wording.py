"""How do a number, a comparison and a verdict read?

One wording for figures, report and README, so that they cannot disagree.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, TypeGuard

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
    return f"{verdict_words(result.verdict)} on {listed(result.depends_on)}"


def format_value(value: float, part: PartConfig) -> str:
    """Return an effect with its unit: '2.3×', '+1.2 points', '97.2 %', '∞'."""
    return _with_unit(signed(value, part), value, part)


def has_effect(row: Row) -> bool:
    """Whether anything is known of a row's effect."""
    return not (math.isnan(row.estimate[0]) or math.isnan(row.estimate[1]))


def known_end(row: Row) -> tuple[float, str]:
    """Return what is known of a row's effect: (2.3, ''), at least (5.2, '≥'), at most (0.4, '≤'), nothing (nan, '').

    An effect known to lie between two numbers is the lower one, (3.1, '≥').
    """
    low, high = row.estimate
    if low == high:
        return low, ""
    if _has_end(low, row.part):
        return low, "≥"
    return (high, "≤") if math.isfinite(high) else (math.nan, "")


def format_effect(row: Row) -> str:
    """Return estimate and interval: '2.3× [1.9, 2.8]', '2.3× [≥ 1.9]', '≥ 5.2× [≥ 3.9]'; nothing without an effect.

    The interval of the order statistics that decide, 99.7 % of 20 seeds. Of an identity the worst
    seed and its bound: 'worst seed 1.2e−7, bound ≤ 1e−5'.
    """
    if not has_effect(row):
        return ""
    if row.part.bound:
        worst = row.usual[0] if row.part.bound.at_least is not None else row.usual[1]
        return f"worst seed {format_value(worst, row.part)}, bound {format_band(row)}"
    text = _estimate(row)
    least, most = row.decided
    if math.isnan(least) or math.isnan(most) or row.decided == row.estimate:
        return text
    ends = [signed(end, row.part) if _has_end(end, row.part) else "" for end in (least, most)]
    match ends:
        case ["", ""]:
            return text
        case [first, ""]:
            return f"{text} [≥ {first}]"
        case ["", second]:
            return f"{text} [≤ {second}]"
    return f"{text} [{ends[0]}, {ends[1]}]"


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
    return f"{format_edge(row.band.low, row.part, unit=False)} … {format_edge(row.band.high, row.part)}"


def format_edge(value: float, part: PartConfig, unit: bool = True) -> str:
    """Return an end of the band, to three digits: '1.25×', '−0.5 points', of 1/1.1 '0.909×'."""
    text = plain_number(float(f"{value:.3g}"))
    text = f"+{text}" if part.effect == "difference" and value > 0 else text
    return _with_unit(text, value, part) if unit else text


def side_words(row: Row, side: Literal["baseline", "treatment"]) -> str:
    """Return what one side of a row comes to, as a median, and its arm's rate: '143 steps at 0.3', '> 400'."""
    ends = row.comparison.baseline if side == "baseline" else row.comparison.treatment
    arm = row.part.baseline if side == "baseline" else row.part.treatment
    if ends is None:
        return "–"
    low, high = ends
    text = digits(low) if low == high else f"> {digits(low)}" if math.isinf(high) else f"{digits(low)} … {digits(high)}"
    unit = "%" if row.part.unit == "points" else row.part.unit
    rate = row.comparison.rates.get(arm or "")
    at = f"at {plain_number(rate)}" if is_number(rate) and "learning rate" not in row.moderators else ""
    return " ".join(filter(None, (text, unit, at)))


def moderator_words(row: Row, brief: bool = False) -> str:
    """Return what is held in a row, in words: 'relu, learning rate 0.3'; the network by its name alone."""
    return ", ".join(held(name, value, brief) for name, value in row.moderators.items())


def labels_of(rows: Sequence[Row], letters: int) -> list[str]:
    """Return what is held in rows, all of them briefly where one would have more letters, and cut at last."""
    brief = any(len(moderator_words(row)) > letters for row in rows)
    return [cut(moderator_words(row, brief), letters) for row in rows]


def held(name: str, value: Any, brief: bool = False) -> str:
    """Return a moderator and its value, in words: 'learning rate 0.3', 'level 93.0 %', of a network its name alone.

    brief: as short as can be understood: 'rate 0.3', of any that is a word the word alone.
    """
    shown = f"{100 * value:.1f} %" if name == "level" else plain_number(value) if is_number(value) else str(value)
    if name == "net" or (brief and not is_number(value)):
        return shown
    return f"{name.rpartition(' ')[2] if brief else name} {shown}"


def notes(rows: Sequence[Row]) -> list[str]:
    """Return what else is to be known of rows, each note once, after what all rows with it hold: 'relu: neither …'."""
    noted: dict[str, list[Row]] = {}
    for row in rows:
        if row.comparison.note:
            noted.setdefault(row.comparison.note, []).append(row)
    found = []
    for note, with_it in noted.items():
        shared = set.intersection(*(set(row.moderators.items()) for row in with_it))
        names = [held(*item) for item in with_it[0].moderators.items() if item in shared]
        found.append(": ".join(filter(None, (", ".join(names), note))))
    return found


def row_words(row: Row) -> str:
    """Return a row's name with its moderators: 'at equal rates: cnn, learning rate 0.3'."""
    return ": ".join(filter(None, (row.part.name, moderator_words(row)))) or measure_words(row.part)


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
        case "largest_difference":
            arms = f"{part.treatment} against {part.baseline}, largest difference"
        case "level":
            arms = part.treatment
    return f"{measure_words(part)}, {arms}"


def measure_words(part: PartConfig) -> str:
    """Return what is measured, in words: 'late value (accuracy/validation), first 25 % of the steps'."""
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
    return f"By claim: {shown}; resting on {sets} distinct set{'' if sets == 1 else 's'} of trainings."


def format_times(ratio: float) -> str:
    """Return a ratio by itself: '0.29×', '1.24×', '∞'."""
    return "∞" if math.isinf(ratio) else f"{digits(ratio)}×"


def plain_number(value: float) -> str:
    """Return a number as it is, without padding: '1.5', '3e−7', '∞'."""
    if math.isnan(value):
        return "no value"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    mantissa, e, exponent = f"{value:g}".partition("e")
    text = f"{mantissa}e{int(exponent)}" if e else mantissa
    return text.replace("-", "−")


def digits(value: float) -> str:
    """Two digits, three from 1 to 2: '0.29', '1.24', '6.2', '14', '1,234'; the very small in powers of ten."""
    size = abs(value)
    if not math.isfinite(size):
        return plain_number(value)
    if size != 0 and not 1e-3 <= size < 1e5:
        return plain_number(float(f"{value:.1e}"))
    figures = 3 if 0.995 <= size < 1.995 else 2
    rounded = float(f"{size:.1e}")  # 9.96 has as many digits before the point as 10
    places = max(0, figures - 1 - math.floor(math.log10(rounded))) if size else 0
    text = f"{size:,.{places}f}"
    return f"−{text}" if value < 0 else text


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a moderator's values can be put in order."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def listed(words: Sequence[str]) -> str:
    """Return words as one would say them: 'a', 'a and b', 'a, b and c'."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def cut(text: str, letters: int = 40) -> str:
    """Return a label short enough to leave room for what is beside it."""
    return text if len(text) <= letters else f"{text[: letters - 1].rstrip(' ,')}…"


def signed(value: float, part: PartConfig) -> str:
    """Return an effect without its unit; a difference with its sign."""
    if part.unit == "points" and part.effect in ("difference", "level") and math.isfinite(value):
        text = f"{abs(value):,.1f}"
        sign = "" if text == "0.0" else "−" if value < 0 else "+" if part.effect == "difference" else ""
        return sign + text
    return f"+{digits(value)}" if part.effect == "difference" and 0 < value < math.inf else digits(value)


def _estimate(row: Row) -> str:
    """What is known of an effect: '2.3×', '≥ 5.2×', '≤ 0.4×', '3.1 … 4.4×'."""
    low, high = row.estimate
    value, sign = known_end(row)
    if math.isnan(value):
        return "no bound known"
    if sign == "≥" and math.isfinite(high):
        return f"{signed(low, row.part)} … {format_value(high, row.part)}"
    return " ".join(filter(None, (sign, format_value(value, row.part))))


def _has_end(value: float, part: PartConfig) -> bool:
    """Whether the end of an interval says anything: no infinite one does, nor 0 of a ratio."""
    return math.isfinite(value) and not (part.effect == "ratio" and value == 0)


def _with_unit(text: str, value: float, part: PartConfig) -> str:
    if part.effect == "ratio":
        return f"{text}×" if math.isfinite(value) else text
    if part.effect == "recovered":
        return text
    if part.unit == "points":
        return f"{text} %" if part.effect == "level" else f"{text} points"
    return f"{text} {part.unit}" if part.unit in ("steps", "seconds") else text
