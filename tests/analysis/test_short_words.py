from math import inf

import pytest

from experiments.analysis.short_words import short_interval, short_value
from experiments.configuration.claim import PartConfig


def part(effect: str, unit: str = "") -> PartConfig:
    settings = {"measure": "final_value", "effect": effect, "unit": unit, "treatment": "bn", "margin": {"above": 1}}
    return PartConfig.model_validate(settings)


@pytest.mark.parametrize(
    ("low", "high", "effect", "unit", "expected"),
    [
        (0.5714, 1.2, "ratio", "", "0.571 to 1.2"),
        (1.331, inf, "ratio", "", "1.33 to ∞"),
        (inf, inf, "ratio", "", "∞ at both ends"),
        (30419.6, 34715.2, "ratio", "", "30,420 to 34,715"),
        (-inf, 2.0, "difference", "steps", "-∞ to 2"),
        (0.371, 2.19, "difference", "points", "0.371 to 2.19 points"),
        (11.35, 11.35, "level", "points", "11.3 % at both ends"),
    ],
)
def test_an_interval_is_quoted_with_its_unit_once(
    low: float, high: float, effect: str, unit: str, expected: str
) -> None:
    assert short_interval(low, high, part(effect, unit)) == expected


def test_a_value_is_quoted_to_three_digits() -> None:
    assert [short_value(value, part("ratio")) for value in (1.2345, 0.5, inf)] == ["1.23", "0.5", "∞"]
