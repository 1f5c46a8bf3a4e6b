"""What does a network consist of? The part of the experiment schema that describes networks.

Imports no TensorFlow, so that configurations can be checked without it.
"""

from __future__ import annotations

import contextlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _not_a_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"expected a number, but YAML reads yes/no/on/off as {value}; give a number")
    return value


def _whole(value: Any) -> Any:
    """Read 1e3, a text to YAML, as a whole number."""
    with contextlib.suppress(ValueError):
        if isinstance(value, str) and float(value).is_integer():
            return int(float(value))
    return _not_a_boolean(value)


Number = Annotated[float, BeforeValidator(_not_a_boolean), Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_whole)]
Positive = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(ge=0, lt=1)]
Count = Annotated[Whole, Field(ge=1)]


class Strict(BaseModel):
    """A frozen part of the configuration that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NormConfig(Strict):
    """Which normalization, where, and its constants."""

    kind: Literal["none", "custom", "stock", "noisy", "layer", "group"] = "none"
    placement: Literal["before", "after"] = Field("before", description="before or after the activation")
    on_input: bool = Field(False, description="normalize the network's input too")
    momentum: Share = 0.99
    epsilon: Positive = 1e-3
    center: bool = True
    scale: bool = True
    renorm: bool = Field(False, description="batch renormalization, Ioffe 2017 (custom only)")
    virtual_batch_size: Count | None = Field(None, description="ghost batches (custom only)")
    groups: Count = Field(10, description="channel groups (group only)")

    @model_validator(mode="after")
    def _fits_the_kind(self) -> NormConfig:
        if self.kind != "custom" and (self.renorm or self.virtual_batch_size):
            raise ValueError("renorm and virtual_batch_size need kind: custom")
        return self


class ModelConfig(Strict):
    """A network of `depth` times `layers` hidden layers and a linear output layer."""

    kind: Literal["mlp", "cnn", "rnn"] = "mlp"
    layers: tuple[Count, ...] = Field((100, 100, 100), min_length=1, description="units, filters or recurrent units")
    depth: Count = Field(1, description="how often the list of layers is repeated")
    activation: Literal["relu", "sigmoid", "tanh"] = "sigmoid"
    norm: NormConfig = NormConfig()
    dropout: Share = Field(0.0, description="share of hidden outputs dropped after each activation")
    initialization: Literal["glorot_uniform", "he_normal", "gaussian"] = "glorot_uniform"
    init_scale: Positive = Field(1.0, description="factor on the initial weights; for gaussian their deviation")
