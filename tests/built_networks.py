"""Networks built as a configuration says, for the tests of them."""

from __future__ import annotations

from typing import Any

import keras

from models.config import ModelConfig
from models.networks import build_model

IMAGE = (8, 8, 1)


def model_config(**fields: Any) -> ModelConfig:
    return ModelConfig.model_validate(fields)


def build(shape: tuple[int, ...] = IMAGE, classes: int = 10, **fields: Any) -> keras.Model:
    return build_model(model_config(**fields), shape, classes)
