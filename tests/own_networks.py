"""Modules of the user's own with a network, and configurations that name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.configuration.run import RunConfig

HEAD = "import keras\ndef build(input_shape, classes, normalization):\n    i = keras.Input(input_shape)\n"
MLP = """
    x = keras.layers.Flatten()(i)
    for units in (5, 4):
        x = keras.layers.Dense(units, use_bias=False)(x)
        x = keras.layers.Activation("sigmoid")(normalization()(x))
    return keras.Model(i, keras.layers.Dense(classes)(x))
"""


def own_network(folder: Path, body: str = MLP, norm: str = "none", module: str = "nets", **fields: Any) -> RunConfig:
    """The run of a network whose module, with `body` as the function after its input, is written."""
    folder.mkdir(exist_ok=True)
    (folder / f"{module}.py").write_text(body if body.startswith("import") or "def " in body else HEAD + body)
    model = {"kind": "keras", "build": f"{folder}/{module}:build", "norm": {"kind": norm}}
    return RunConfig.model_validate({"model": model, "xla": False} | fields)
