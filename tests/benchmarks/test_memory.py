from __future__ import annotations

import numpy as np
import pytest

from experiments.benchmarks import memory


def test_the_bandwidth_counts_what_is_read_and_what_is_written(monkeypatch: pytest.MonkeyPatch):
    clock = iter(np.arange(0, 100, 0.5).tolist())  # half a second a copy
    monkeypatch.setattr(memory.time, "perf_counter", lambda: next(clock))
    assert memory.copy_bandwidth(rounds=3) == pytest.approx(2 * 256 * 2**20 / 0.5 / 1e9)
