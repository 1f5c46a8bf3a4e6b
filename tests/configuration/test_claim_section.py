import pytest
from pydantic import ValidationError

from experiments.configuration.claim import Margin, PartConfig


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measure": "value_at_step"}, "value_at_step needs a step"),
        ({"measure": "gradient_ratio"}, "gradient_ratio needs a step"),
        ({"per_seed": "slope"}, "per_seed: slope needs an axis"),
        ({"measure": "first_values"}, "first_values and effect: largest_difference need each other"),
        ({"effect": "largest_difference"}, "first_values and effect: largest_difference need each other"),
    ],
)
def test_a_part_needs_what_its_measure_needs(changes: dict[str, str], message: str):
    part = {"measure": "drift", "effect": "level", "treatment": "a", "margin": Margin(above=1)}
    with pytest.raises(ValidationError, match=message):
        PartConfig.model_validate(part | changes)
