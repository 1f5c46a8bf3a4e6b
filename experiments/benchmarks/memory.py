"""How fast is this machine's memory, by which all other figures are to be read?"""

from __future__ import annotations

import statistics
import time

import numpy as np

MEBIBYTES = 256  # beyond any cache


def copy_bandwidth(rounds: int = 7) -> float:
    """Return the GB/s that one thread copies at, bytes read and bytes written counted; the median of the rounds."""
    source = np.ones(MEBIBYTES * 2**20 // 8)
    target = np.zeros_like(source)  # touched, so that no page is missing
    figures = []
    for _ in range(rounds):
        started = time.perf_counter()
        np.copyto(target, source)
        figures.append(2e-9 * source.nbytes / (time.perf_counter() - started))
    return statistics.median(figures)
