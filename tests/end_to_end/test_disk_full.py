"""A disk that fills up is one clear error, and once there is room the same command goes on."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweeping import GO_ON, RUNS, curves, finish, finished


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory with room for some runs, but not for all."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting a small disk is not allowed here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_one_clear_error_and_loses_nothing(
    config: Path, undisturbed: dict[str, bytes], small_disk: Path
):
    full = finish(config, small_disk, "--workers", 2)
    assert full.returncode == 1
    assert full.stderr.startswith("error: results could not be written: No space left on device")
    assert full.stderr.strip().endswith(GO_ON)
    assert len(full.stderr.splitlines()) == 1
    kept = curves(small_disk)
    assert 0 < len(kept) < RUNS
    modified = {run: (run / "run.json").stat().st_mtime_ns for run in finished(small_disk)}

    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    done = finish(config, small_disk, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert f"{len(kept)} runs are done already and kept" in done.stdout
    assert {run: (run / "run.json").stat().st_mtime_ns for run in modified} == modified

    assert curves(small_disk) == undisturbed


def test_a_disk_without_room_for_anything_is_the_same_error(config: Path, small_disk: Path):
    with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(bytes(4096)):
            pass
    done = finish(config, small_disk)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1
