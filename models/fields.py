"""Which values may the fields of a configuration take, and what else is known of a field?

Imports no TensorFlow, so that configurations can be checked without it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic_core import CoreSchema, core_schema

FLOAT32 = 1e-37, 1e37  # what a network computes with; a decade inside the range of 32-bit numbers at either end
MOST_DIGITS = 30  # of a whole number; more than any bound, few enough to be shown


@dataclass(frozen=True)
class AtMost:
    """A field's upper bound with its reason, which the error gives: `must be at most 5, got 6: the reason`."""

    bound: int
    reason: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "maximum": self.bound}

    def _check(self, value: int) -> int:
        if value > self.bound:
            raise ValueError(f"must be at most {self.bound:,}, got {value:,}: {self.reason}")
        return value


@dataclass(frozen=True)
class UsedWith:
    """Marks a field that has an effect only where the field beside it is one of `values`, or lists one.

    field: its name, dotted where it stands in a section beside, from `run` on where it stands further off. values:
    none for all but its preset.
    """

    field: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Later:
    """Marks a field that came after runs had been made: as those had `value`, a run with it has their identity.

    `value` is not the preset, which may change, and has to change the identity of runs then.
    """

    value: Any


def _not_a_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"expected a number, but YAML reads yes/no/on/off as {value}; give a number")
    return value


def _whole(value: Any) -> Any:
    """Read 1e3, a text to YAML, as a whole number."""
    with contextlib.suppress(ValueError):
        if isinstance(value, str) and float(value).is_integer():
            value = int(float(value))
    is_long = len(value) > MOST_DIGITS if isinstance(value, str) and value.isdecimal() else False
    if is_long or (isinstance(value, int) and abs(value) >= 10**MOST_DIGITS):
        raise ValueError(f"expected a whole number of at most {MOST_DIGITS} digits")
    return _not_a_boolean(value)


def _in_32_bits(value: float) -> float:
    low, high = FLOAT32
    if not low <= value <= high:
        raise ValueError(f"must be from {low:g} to {high:g}, got {value:g}: networks compute in 32-bit numbers")
    return value


def _zero_or_in_32_bits(value: float) -> float:
    return _in_32_bits(value) if value else value


def _below_one_in_32_bits(value: float) -> float:
    if value > 1 - 2**-24:
        raise ValueError(
            f"must be at most 0.9999999, got {value!r}: networks compute in 32-bit numbers, where this is 1"
        )
    return value


# Bounds stand before the validators, or the JSON schema would lack them.
Number = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_not_a_boolean)]
Positive = Annotated[
    float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_not_a_boolean), AfterValidator(_in_32_bits)
]
NotNegative = Annotated[
    float, Field(ge=0, allow_inf_nan=False), BeforeValidator(_not_a_boolean), AfterValidator(_zero_or_in_32_bits)
]
Share = Annotated[
    float,
    Field(ge=0, lt=1, allow_inf_nan=False),
    BeforeValidator(_not_a_boolean),
    AfterValidator(_below_one_in_32_bits),
]
Natural = Annotated[int, Field(ge=0), BeforeValidator(_whole)]
Count = Annotated[int, Field(ge=1), BeforeValidator(_whole)]
BatchSize = Annotated[Count, AtMost(10**6, "a batch and what every layer makes of it lie in memory at once")]
Width = Annotated[Count, AtMost(10**5, "between two such layers there would be ten thousand million weights")]


class Strict(BaseModel):
    """A frozen part of the configuration that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)
