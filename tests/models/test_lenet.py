"""LeNet as a user writes it, trained by the compiled program, with what may be set beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from programs import curves_of, program, run_config

LENET = {"kind": "cnn", "layers": [6, 16], "kernel_size": 3, "pooling": "average", "dense": [24, 24]}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"norm": {"kind": "custom"}, "dropout": 0.2, "dropout_place": "after_last_norm"},
        {"layers": [8, 8], "residual": True, "branch_scale": "learnt", "norm": {"kind": "group", "groups": 4}},
    ],
    ids=["plain", "custom", "residual"],
)
def test_the_program_trains_it_and_probes_see_its_dense_layers(more: dict[str, Any]):
    config = run_config(LENET | more, optimizer={"learning_rate": 0.2}, probes=["pre_activations", "gradients"])
    curves = curves_of(config)
    losses = [value for _, value in curves["loss/validation"]]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert {"pre_activation/4/p50", "gradient_norm/5"} <= curves.keys()
    assert {"pre_activation/5/p50", "gradient_norm/6"}.isdisjoint(curves)
    names = {layer.name for layer in program(config).network.layers}
    assert ({"sum_2", "sum_4"} <= names) == ("residual" in more)
    assert {"sum_1", "sum_3"}.isdisjoint(names)  # what the first of either takes is not of their width
