"""The sweep that the others are compared with, trained once for all files that are tested by one process."""

from __future__ import annotations

from pathlib import Path

import pytest
from sweeping import RUNS, curves, finish, write_config


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The experiment file."""
    return write_config(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="session")
def undisturbed_runs(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sweep that nobody disturbed, by a single worker; to be read only."""
    out = tmp_path_factory.mktemp("undisturbed")
    done = finish(config, out, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert len(curves(out)) == RUNS
    return out


@pytest.fixture(scope="session")
def undisturbed(undisturbed_runs: Path) -> dict[str, bytes]:
    """Its curves."""
    return curves(undisturbed_runs)
