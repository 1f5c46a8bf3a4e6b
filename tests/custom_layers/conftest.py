"""Lets Keras's own tests be collected: they carry a mark that Keras registers in its repository, not in its wheel."""

from pathlib import Path

import pytest


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> None:  # noqa: ARG001
    parent.config.addinivalue_line("markers", "requires_trainable_backend: of Keras's own tests")
