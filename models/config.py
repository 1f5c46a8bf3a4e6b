"""What does a network consist of? The part of the experiment schema that describes networks.

Imports no TensorFlow, so that configurations can be checked without it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

FLOAT32 = 1e-37, 1e37  # what a network computes with; a decade inside the range of 32-bit numbers at either end
MOST_LAYERS, MOST_WEIGHTS = 1000, 10**9
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

    field: its name, dotted where it stands in a section beside.
    """

    field: str
    values: tuple[str, ...]


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


def added(preset: Any, **about: Any) -> Any:
    """A field that came when runs were there already; its preset is what they did, and never changes.

    At its preset it is not written, so that these runs keep their identity.
    """
    return Field(preset, exclude_if=lambda value: value == preset, **about)


BATCH_NORMS = ("custom", "stock", "noisy")
_ANY_NORM = UsedWith("kind", (*BATCH_NORMS, "layer", "group"))


class NormConfig(Strict):
    """Which normalization, where, and its constants."""

    kind: Literal["none", "custom", "stock", "noisy", "layer", "group"] = Field(
        "none",
        description="custom: this project's batch normalization; stock: Keras's; noisy: custom with noise after it, "
        "whose mean and deviation are drawn anew for each unit at every step; layer and group: Keras's "
        "normalizations of those names",
    )
    placement: Annotated[Literal["before", "after"], _ANY_NORM] = Field(
        "before", description="before or after the activation"
    )
    on_input: Annotated[bool, _ANY_NORM] = Field(False, description="normalize the network's input too")
    momentum: Annotated[Share, UsedWith("kind", BATCH_NORMS)] = Field(
        0.99, description="share of the moving mean and variance that is kept at each step"
    )
    epsilon: Annotated[Positive, _ANY_NORM] = Field(
        1e-3, description="added to the variance before its square root is taken"
    )
    center: Annotated[bool, _ANY_NORM] = Field(True, description="add a learnt shift β to each unit or channel")
    scale: Annotated[bool, _ANY_NORM] = Field(True, description="multiply each unit or channel by a learnt scale γ")
    noise: Annotated[Positive, UsedWith("kind", ("noisy",))] = Field(
        1.0, description="factor on the mean and the deviation of the noise"
    )
    initial_scale: Annotated[Positive, _ANY_NORM] = Field(1.0, description="what γ starts from")
    recurrent: Annotated[bool, UsedWith("kind", ("custom",))] = Field(
        False,
        description="in an rnn, normalize what comes from the last time step, too, and every time step by statistics "
        "of its own (Cooijmans et al. 2016); otherwise the inputs alone, over all time steps (Laurent et al. 2016)",
    )
    renorm: bool = Field(
        False, description="batch renormalization (Ioffe 2017); with kind custom only, without virtual_batch_size"
    )
    renorm_relaxed_by: Count | None = Field(
        None, description="steps over which renorm takes the place of plain batch normalization; null: no limits"
    )
    virtual_batch_size: BatchSize | None = Field(
        None,
        description="ghost batches (Hoffer et al. 2017): so many examples are normalized by their own statistics; "
        "with kind custom only, and at most batch_size",
    )
    groups: Annotated[Width, UsedWith("kind", ("group",))] = Field(
        10, description="groups that the units or channels of every layer are divided into; divides each of the layers"
    )

    @model_validator(mode="after")
    def _fits_the_kind(self) -> NormConfig:
        if self.kind != "custom" and (self.renorm or self.virtual_batch_size):
            raise ValueError("renorm and virtual_batch_size need kind: custom")
        if self.renorm_relaxed_by and not self.renorm:
            raise ValueError("renorm_relaxed_by needs renorm: true")
        if self.recurrent and self.placement == "after":
            raise ValueError("recurrent stands before the activation; leave placement out")
        if self.renorm and self.virtual_batch_size:
            raise ValueError("renorm and virtual_batch_size exclude each other; keep one")
        return self


class ModelConfig(Strict):
    """A network of `depth` times `layers` hidden layers and a linear output layer."""

    kind: Literal["mlp", "cnn", "rnn"] = Field(
        "mlp",
        description="mlp: dense layers; cnn: 3×3 convolutions, each with 2×2 max pooling; rnn: simple recurrent layers "
        "that read an image row by row",
    )
    layers: tuple[Width, ...] = Field(
        (100, 100, 100),
        min_length=1,
        description="units (mlp), filters (cnn) or recurrent units (rnn) of each hidden layer; "
        "the output layer is added by itself",
    )
    depth: Count = Field(1, description="how often the list of layers is repeated; at most 1,000 layers in all")
    activation: Literal["relu", "sigmoid", "tanh"] = Field("sigmoid", description="of every hidden layer")
    norm: NormConfig = Field(
        NormConfig(), description="normalization of every hidden layer", examples=[{"kind": "custom"}]
    )
    dropout: Share = Field(
        0.0, description="share of hidden outputs dropped at random after each activation, in training"
    )
    initialization: Literal["glorot_uniform", "he_normal", "gaussian"] = Field(
        "glorot_uniform",
        description="distribution of the initial weights: Glorot & Bengio 2010, He et al. 2015, or normal with the "
        "deviation init_scale whatever the layer's size",
    )
    init_scale: Positive = Field(
        1.0, description="factor on the initial weights; for gaussian their standard deviation"
    )

    @model_validator(mode="after")
    def _can_be_built(self) -> ModelConfig:
        if (layers := len(self.layers) * self.depth) > MOST_LAYERS:
            raise ValueError(
                f"layers, {self.depth:,} times {len(self.layers):,}, must be at most {MOST_LAYERS:,}, got {layers:,}: "
                "each is compiled into the program"
            )
        if (weights := self._hidden_weights()) > MOST_WEIGHTS:
            raise ValueError(
                f"must have at most {MOST_WEIGHTS:,} weights between its layers, got {weights:,}: "
                "they and their gradients lie in memory; give fewer or narrower layers"
            )
        if self.norm.recurrent and self.kind != "rnn":
            raise ValueError(f"norm.recurrent needs kind: rnn, got {self.kind}")
        uneven = [units for units in self.layers if units % self.norm.groups]
        if self.norm.kind == "group" and uneven:
            raise ValueError(
                f"norm.groups ({self.norm.groups}) must divide every layer, but not {uneven[0]}; "
                "give a number that divides all of them"
            )
        return self

    def _hidden_weights(self) -> int:
        """Weights between hidden layers and, in an rnn, between time steps; those of input and output left out."""
        once = sum(a * b for a, b in zip(self.layers, self.layers[1:], strict=False))
        again = self.layers[-1] * self.layers[0]
        count = once * self.depth + again * (self.depth - 1)
        match self.kind:
            case "mlp":
                return count
            case "cnn":
                return 9 * count
            case "rnn":
                return count + self.depth * sum(units**2 for units in self.layers)
