"""Small files of data and the experiments that name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from experiments.configuration.run import DatasetConfig

Y = np.tile([0, 1, 2], 10)
X = np.arange(60.0).reshape(30, 2)
IMAGES = np.arange(30 * 32 * 32 * 3, dtype=np.uint32).astype(np.uint8).reshape(30, 32, 32, 3)
ROWS = [f"{a:g},{b:g},{['wolf', 'cat', 'dog'][y]}" for (a, b), y in zip(X, Y, strict=True)]
CSV = "\n".join(["a,b,kind", *ROWS]) + "\n"


def npz(folder: Path, **arrays: Any) -> DatasetConfig:
    np.savez(folder / "my.npz", **arrays)
    return DatasetConfig(file=str(folder / "my.npz"))


def csv(folder: Path, text: str, label: str = "kind") -> DatasetConfig:
    (folder / "my.csv").write_text(text, encoding="utf-8")
    return DatasetConfig(file=str(folder / "my.csv"), label=label)


def experiment_file(folder: Path, dataset: str, **more: str) -> Path:
    folder.mkdir(exist_ok=True)
    text = f"title: t\nrun:\n  dataset: {{{dataset}, batch_size: 10}}\narms: {more.get('arms', '{a: {}}')}\n"
    (folder / "x.yaml").write_text(text)
    return folder / "x.yaml"
