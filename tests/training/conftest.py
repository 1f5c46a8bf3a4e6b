"""What tests of compiled programs share."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from experiments.training.program import Program


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each time that a program is traced anew, from here on."""
    traced, examples = [], Program.examples

    @tf.autograph.experimental.do_not_convert
    def counted(self: Program, *inputs: tf.Tensor) -> Any:
        traced.append("examples")
        return examples(self, *inputs)

    monkeypatch.setattr(Program, "examples", counted)
    return traced
