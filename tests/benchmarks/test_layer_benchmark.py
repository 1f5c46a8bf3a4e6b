"""The layer's benchmark measures what it says, and its one bar that does not depend on the clock holds."""

import pytest

from experiments.benchmarks import layer as layer_benchmark
from experiments.benchmarks.layer import Row


def test_ratios_are_stock_over_ours_and_ours_over_kernel():
    row = Row((60, 100), "graph", "training", ours=2.0, stock=6.0, kernel=1.0, floor=0.5)
    figures = row.figures()
    assert figures["stock_over_ours"] == 3
    assert figures["ours_over_kernel"] == 2
    assert figures["shape"] == (60, 100)


def test_every_way_to_run_a_shape_has_its_row(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(layer_benchmark, "ELEMENTS_PER_MEASUREMENT", {"training": 1, "inference": 1})
    rows = layer_benchmark.measure_layer((8, 4), rounds=1)
    assert [(row.mode, row.phase) for row in rows] == [
        ("graph", "training"),
        ("graph", "inference"),
        ("XLA", "training"),
        ("XLA", "inference"),
    ]
    assert all(min(row.ours, row.stock, row.kernel, row.floor) > 0 for row in rows)


def test_training_step_needs_no_more_memory_than_with_the_stock_layer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(layer_benchmark, "KINDS", ("ours", "stock"))
    mebibytes = layer_benchmark.measure_peak_memory((64, 32, 32, 64), threads=1)
    assert mebibytes["ours"] < 0.7 * mebibytes["stock"]
    assert mebibytes["ours"] > 32  # the output and the gradient by x, of 16 MiB each
