"""Where the tests find real images, and what they say without."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def prepared_data_dir() -> Path:
    """A TFDS directory with the real MNIST: TFDS_DATA_DIR, or one that lies beside the checkout."""
    beside = Path(__file__).parent.parent.parent / "shared/tensorflow_datasets"
    folder = Path(os.environ.get("TFDS_DATA_DIR", beside))
    if not (folder / "mnist").is_dir():
        pytest.skip(f"no prepared MNIST in {folder}; set TFDS_DATA_DIR to a directory that has it")
    return folder
