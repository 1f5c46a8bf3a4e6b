"""What came out of an experiment, as tables for Python: `load("runs/quickstart").runs` and `.curves`.

>>> results = load("runs/quickstart")                                              # doctest: +SKIP
>>> results.runs.groupby("arm")["final_test_accuracy"].median()                    # doctest: +SKIP
>>> results.curves.query("metric == 'accuracy/validation' and arm == 'relu_bn'")   # doctest: +SKIP
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from experiments.analysis.tuning import plain
from experiments.records import storage
from experiments.records.storage import StorageError
from experiments.records.tidying import NOTE, TABLE, run_directories


@dataclass(frozen=True)
class Results:
    """The results of one experiment, as its folder holds them.

    axes: the fields of the grid, dotted as in the file, such as `optimizer.learning_rate`: columns of both tables.
    runs: a row a run: arm, axes, seed, status (`finished`, `diverged` or `failed`), `diverged_at` in steps, and every
    measure: accuracies as shares of 1, `steps` in updates, seconds only of timed runs. Tuning seeds are among them.
    """

    folder: Path
    title: str
    axes: tuple[str, ...]
    runs: pd.DataFrame = field(repr=False)

    @functools.cached_property
    def curves(self) -> pd.DataFrame:
        """Every curve of every run, a row a value: arm, axes, seed, step (in updates), metric, value.

        Read at first use, some milliseconds a run. A run that failed has none. Raises StorageError where a run of
        the table cannot be read.
        """
        wanted = {key: i for i, key in enumerate(self._keys()) if self.runs["status"].iloc[i] != "failed"}
        found: dict[int, pa.Table] = {}
        for directory in run_directories(self.folder):
            about = storage.read_about(directory)
            key = _key(about["arm"], about["grid"].values(), about["config"]["seed"])
            if key in wanted:
                found[wanted.pop(key)] = storage.read_curves(directory)
        if wanted:
            missing = self.runs.iloc[min(wanted.values())]
            raise StorageError(
                f"{self.folder}: {len(wanted)} of the runs in {TABLE} have no folder, such as that of {missing['arm']} "
                f"with seed {missing['seed']}; the experiment's command trains them again"
            )
        if not found:
            return pd.DataFrame(columns=["arm", *self.axes, "seed", "step", "metric", "value"])
        rows = sorted(found)
        settings = self.runs.iloc[np.repeat(rows, [len(found[row]) for row in rows])]
        settings = settings[["arm", *self.axes, "seed"]].reset_index(drop=True).astype({"arm": "category"})
        return settings.join(pa.concat_tables(found[row] for row in rows).unify_dictionaries().to_pandas())

    def _keys(self) -> list[tuple[Any, ...]]:
        columns = (self.runs[name].tolist() for name in ("arm", *self.axes, "seed"))
        return [_key(arm, values, seed) for arm, *values, seed in zip(*columns, strict=True)]


def load(folder: str | Path) -> Results:
    """Return the results in an experiment's folder; raises StorageError, with what to do, where there are none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise StorageError(f"{folder}: is no folder; give that of an experiment, such as runs/quickstart")
    if not (folder / NOTE).is_file():
        inner = [path.parent for path in sorted(folder.glob(f"*/{NOTE}"))]
        remedy = (
            f"give that of one inside it, such as {inner[0]}" if inner else "give that of one, such as runs/quickstart"
        )
        raise StorageError(f"{folder}: is not an experiment's folder, which holds {NOTE}; {remedy}")
    if not (folder / TABLE).is_file():
        raise StorageError(
            f"{folder}: holds no {TABLE} yet, which comes last; the experiment's command goes on where it was"
        )
    try:
        settings = json.loads((folder / NOTE).read_bytes())["settings"]
        table = pd.read_parquet(folder / TABLE)
        title, axes = settings["title"], tuple(axis for axis in settings["grid"] if axis in table)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{folder}: cannot be read ({error}); the experiment's command writes {TABLE} anew"
        ) from error
    whole_curves = [name for name in table if table[name].map(lambda value: isinstance(value, np.ndarray)).any()]
    return Results(folder, title, axes, table.drop(columns=["trial", *(set(whole_curves) - set(axes))]))


def _key(arm: str, values: Any, seed: int) -> tuple[Any, ...]:
    return arm, tuple(map(plain, values)), int(seed)
