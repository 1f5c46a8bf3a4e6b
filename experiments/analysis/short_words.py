"""How does a reason quote an effect and its interval? To three digits, the interval in the effect's own direction."""

from __future__ import annotations

import math

from experiments.configuration.claim import PartConfig


def short_value(value: float, part: PartConfig) -> str:
    """Return an effect: '1.24', '0.5 points', '∞'."""
    return _three_digits(value) + _unit(part)


def short_interval(low: float, high: float, part: PartConfig) -> str:
    """Return an interval: '0.371 to 2.19 points', '∞ at both ends'."""
    if low == high:
        return f"{short_value(low, part)} at both ends"
    return f"{_three_digits(low)} to {short_value(high, part)}"


def _three_digits(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _unit(part: PartConfig) -> str:
    if part.unit != "points" or part.effect == "ratio":
        return ""
    return " %" if part.effect == "level" else " points"
