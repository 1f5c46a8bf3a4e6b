"""How do a number, a comparison and a verdict read?

One wording for figures, report and README, so that they cannot disagree.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from experiments.analysis.claims import ClaimResult, PartResult, Verdict, adjusted_p
from experiments.analysis.short_words import short_interval, short_value
from experiments.analysis.statistics import bounds, satisfies
from experiments.configuration.claim import Margin, PartConfig

SYMBOLS: dict[Verdict, str] = {"supported": "✓", "refuted": "✗", "inconclusive": "?"}

# The measure's own words where its name alone does not say what the number is.
_PER_SEED = {
    "median": "median over the grid of ",
    "largest_stable_rate": "largest learning rate that stays stable, by ",
    "share_reaching": "share of runs that get there, by ",
}


def format_value(value: float, part: PartConfig) -> str:
    """Return an effect with its unit: '2.3×', '+1.2 points', '97.2 %', '∞'."""
    return _with_unit(_signed(_numeral(value, part), value, part), value, part)


def format_effect(part: PartResult, explained: bool = False) -> str:
    """Return estimate and interval: '2.3× [1.9, 2.8]'; without interval where the effect is one exact number.

    Of a plain bound, which has no p, the worst seed and the range: '1.3e−6 [5.5e−7, 1.3e−6 over seeds]'; explained:
    a legend says so already.
    """
    text = format_value(part.estimate, part.config)
    if math.isnan(part.low) or math.isnan(part.high) or part.low == part.high == part.estimate:
        return text
    low, high = (_signed(_numeral(v, part.config), v, part.config) for v in (part.low, part.high))
    return f"{text} [{low}, {high}{' over seeds' if part.p is None and not explained else ''}]"


def effect_or_reason(part: PartResult, with_probability: bool = True) -> str:
    """Return estimate, interval and P(improvement), and why no verdict may be given: '2.3× [1.9, 2.8], P = 0.98'."""
    if math.isnan(part.estimate) and part.reason:
        return part.reason
    shown = with_probability and part.probability_of_improvement is not None
    probability = f", P = {format_probability(part.probability_of_improvement)}" if shown else ""
    return format_effect(part) + probability + (f"; {part.blocked}" if part.blocked else "")


def format_margin(part: PartConfig) -> str:
    """Return the bound that decides: '≥ 1.5×', '0.8 … 1.25×', '≤ 30 %'."""
    sign = {"at_least": "≥", "at_most": "≤", "above": ">", "below": "<"}
    for form, symbol in sign.items():
        if (bound := getattr(part.margin, form)) is not None:
            return f"{symbol} {_with_unit(_signed(plain_number(bound), bound, part), bound, part)}"
    low, high = margin_bounds(part.margin)
    return (
        f"{_signed(plain_number(low), low, part)} … {_with_unit(_signed(plain_number(high), high, part), high, part)}"
    )


def format_p(p: float | None) -> str:
    """Return an adjusted p; a dash where the claim is exact and has none."""
    if p is None:
        return "–"
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def format_probability(probability: float | None) -> str:
    """Return a probability of improvement, or a dash."""
    return "–" if probability is None else f"{probability:.2f}"


def format_times(ratio: float) -> str:
    """Return a ratio by itself: '0.29×', '1.24×', '∞'."""
    return "∞" if math.isinf(ratio) else f"{ratio:,.{_digits_after_point(ratio)}f}×"


def margin_bounds(margin: Margin) -> tuple[float, float]:
    """Return (lower, upper) ends of the supported side, infinite where it is open."""
    lower, upper = bounds(margin)
    return -math.inf if lower is None else lower, math.inf if upper is None else upper


def plain_number(value: float) -> str:
    """Return a number as it is, without padding: '1.5', '3e−7', '∞'."""
    if math.isnan(value):
        return "no value"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    mantissa, e, exponent = f"{value:g}".partition("e")
    text = f"{mantissa}e{int(exponent)}" if e else mantissa
    return text.replace("-", "−")


def comparison_words(part: PartConfig) -> str:
    """Return what the effect is, in words: 'steps to target, no_bn / custom_bn'."""
    treatment = _arms(part.treatment)
    baseline = _arms(part.baseline) if part.baseline is not None else ""
    first, second = (treatment, baseline) if part.over == "baseline" else (baseline, treatment)
    match part.effect:
        case "ratio":
            arms = f"{_term(first)} / {_term(second)}"
        case "difference":
            arms = f"{first} − {_term(second)}"
        case "largest_difference":
            arms = f"largest |{first} − {_term(second)}|"
        case "level":
            arms = treatment
    return f"{measure_words(part)}, {arms}"


def measure_words(part: PartConfig) -> str:
    """Return what is measured, in words: 'final value (accuracy/test)'."""
    words = part.measure.replace("_", " ")
    if part.step is not None:
        words += f" {part.step:,}" if part.measure == "value_at_step" else f" at step {part.step:,}"
    if part.metric:
        words += f" ({part.metric})"
    if part.per_seed in ("rank_correlation", "slope"):
        return f"{part.per_seed.replace('_', ' ')} of {words} with {part.axis}"
    return _PER_SEED.get(part.per_seed, "") + words


def unit_words(part: PartConfig) -> str:
    """Return the unit of an effect, for an axis; nothing where it has none."""
    if part.effect == "ratio":
        return ""
    return "%" if part.effect == "level" and part.unit == "points" else part.unit


def headline(results: Sequence[ClaimResult]) -> str:
    """Return how the claims came out, in one sentence."""
    if not results:
        return "No claim has been evaluated yet."
    counts = Counter(result.verdict for result in results)
    if len(results) == 1:
        return f"The one claim tested is {results[0].verdict}."
    verb = "is" if counts["supported"] == 1 else "are"
    return (
        f"Of {len(results)} claims, {counts['supported']} {verb} supported, {counts['refuted']} refuted and "
        f"{counts['inconclusive']} inconclusive."
    )


def verdict_words(verdict: Verdict) -> str:
    """Return symbol and word: '✓ supported'."""
    return f"{SYMBOLS[verdict]} {verdict}"


def judged_alone(result: ClaimResult) -> str:
    """Return what has to be said of a verdict that other claims had no part in; nothing where it has no p."""
    return " (p not adjusted for other claims)" if any(part.p is not None for part in result.parts) else ""


def what_would_change(part: PartResult) -> str:
    """Return in one sentence what would have brought another verdict."""
    if part.blocked:
        return f"No verdict before this is mended: {part.blocked}."
    lower, upper = bounds(part.config.margin)
    margin = " to ".join(short_value(bound, part.config) for bound in (lower, upper) if bound is not None)
    interval = f"interval, {short_interval(part.low, part.high, part.config)},"
    if part.p is None:
        outcome = "refuted" if part.verdict == "supported" else "supported"
        return f"It would be {outcome} if {'one' if outcome == 'refuted' else 'no'} seed broke the bound of {margin}."
    inside = "inside" if part.config.margin.within else "above" if upper is None else "below"
    outside = {"inside": "outside", "above": "below", "below": "above"}[inside]
    if part.verdict == "supported":
        return f"It would be inconclusive if the {interval} reached past {margin}."
    if part.verdict == "refuted":
        return f"It would be inconclusive if the {interval} reached {margin}."
    if satisfies(part.low, part.config.margin) and satisfies(part.high, part.config.margin):
        return f"It would be supported if the adjusted p, {adjusted_p(part):.2g}, were below 0.05: with more seeds."
    return (
        f"It would be supported if the whole {interval} lay {inside} {margin}, and refuted if all of it lay {outside}."
    )


def _arms(arms: str | Mapping[str, float]) -> str:
    if isinstance(arms, str):
        return arms
    return " + ".join(name if weight == 1 else f"{weight:g} {name}" for name, weight in arms.items())


def _term(arms: str) -> str:
    return f"({arms})" if " + " in arms else arms


def _numeral(value: float, part: PartConfig) -> str:
    """Return the digits of an effect: enough to see on which side of the margin it lies."""
    if not math.isfinite(value):
        return plain_number(value)
    if value != 0 and abs(value) < 1e-3:
        return plain_number(float(f"{value:.1e}"))
    decimals = _decimals(value, part)
    ends = [bound for bound in bounds(part.margin) if bound is not None]
    for extra in range(4):
        shown = round(value, decimals + extra)
        if all((shown > b) == (value > b) and (shown < b) == (value < b) for b in ends):
            decimals += extra
            break
    return f"{value:,.{decimals}f}".replace("-", "−")


def _decimals(value: float, part: PartConfig) -> int:
    if part.effect in ("difference", "level") and part.unit in ("points", "steps"):
        return 0 if part.unit == "steps" else 1
    return _digits_after_point(abs(value))


def _digits_after_point(size: float) -> int:
    """Digits after the point of a number of two significant digits, of three between 1 and 2."""
    if size == 0:
        return 0
    digits = 3 if 1 <= size < 2 else 2
    return max(0, digits - 1 - math.floor(math.log10(size)))


def _signed(numeral: str, value: float, part: PartConfig) -> str:
    return f"+{numeral}" if part.effect == "difference" and value > 0 else numeral


def _with_unit(numeral: str, value: float, part: PartConfig) -> str:
    if math.isnan(value):
        return numeral
    if part.effect == "ratio":
        return numeral if math.isinf(value) else f"{numeral}×"
    if part.unit == "points":
        unit = "%" if part.effect == "level" else "point" if abs(value) == 1 else "points"
        return f"{numeral} {unit}"
    return f"{numeral} {part.unit}" if part.unit else numeral
