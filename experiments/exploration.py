"""The runs of an experiment, or of a tier, as a page to play with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from experiments.configuration.tiers import Tier
from experiments.records import storage
from experiments.reporting.explorer import Explored, render_explorer
from experiments.reporting.pages import DATA
from experiments.study import Study

# Of a tier: the core grids, what happens inside the same trainings, and eight layers with their gradients.
SHOWN = (
    "sigmoid_x1",
    "sigmoid_x4",
    "relu",
    "cnn",
    "mechanisms_sigmoid_x1",
    "mechanisms_sigmoid_x4",
    "mechanisms_relu",
    "deep",
)


def write_explorer(
    folder: Path, studies: Sequence[Study], tables: Mapping[str, pd.DataFrame], title: str
) -> Path | None:
    """Write `explorer.html` into a folder and return its path; None where there is no run to show.

    tables: the results tables by the names of the studies, some of which may have none. Raises StorageError where a
    run cannot be read or the page not be written.
    """
    there = [study for study in studies if study.experiment.name in tables]
    page = render_explorer([Explored(s.experiment, tables[s.experiment.name], s.record) for s in there], title)
    if page is None:
        return None
    path = folder / "explorer.html"
    try:
        storage.write_atomically(path, page.encode())
    except OSError as error:
        raise storage.StorageError(f"{path}: {error.strerror or error}") from error
    return path


def write_tier_explorer(
    folder: Path, tier: Tier, studies: Sequence[Study], tables: Mapping[str, pd.DataFrame]
) -> Path | None:
    """Write `explorer.html` of a tier into its folder, as `write_explorer` does, from those of its studies it shows."""
    shown = sorted((s for s in studies if s.experiment.name in SHOWN), key=lambda s: SHOWN.index(s.experiment.name))
    return write_explorer(folder, shown, tables, f"BatchNorm Lab, {DATA[tier.value]}")
