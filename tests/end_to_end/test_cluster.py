"""The same sweep on a Dask cluster: a scheduler and workers on this machine, reached as any other would be."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweeping import CONFIG, ROOT, RUNS, SECONDS_TO_END, curves, finish, finished, start, wait_for, write_config

pytest.importorskip("distributed", reason="needs Dask: pip install --editable '.[cluster]'")

SECONDS_TO_SAY_SO = 15  # of a clear error, starting the command on a busy machine included


def dask(*arguments: object, log: Path, folder: Path | None = None) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "dask", *map(str, arguments)]
    with log.open("wb") as file:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__ADMIN__LOG_LENGTH": "0"}
        return subprocess.Popen(words, stdout=file, stderr=file, cwd=folder or log.parent, env=environment)


def worker(address: str, log: Path, *arguments: object) -> subprocess.Popen[bytes]:
    options = ("--host", "127.0.0.1", "--nworkers", 1, "--no-dashboard", "--local-directory", log.parent)
    return dask("worker", address, *options, *arguments, log=log)


def end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """The address of a scheduler without workers."""
    port, log = free_port(), tmp_path / "scheduler.log"
    process = dask("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard", "--no-show", log=log)
    try:
        wait_for(lambda: b"Scheduler at" in log.read_bytes() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield f"tcp://127.0.0.1:{port}"
    finally:
        end([process])


@pytest.fixture
def two_workers(scheduler: str, tmp_path: Path) -> Iterator[list[Path]]:
    """Two worker processes, the first without a nanny to replace it; returns their logs."""
    logs = [tmp_path / "worker-0.log", tmp_path / "worker-1.log"]
    processes = [worker(scheduler, log, "--nthreads", 1, "--no-nanny" if log == logs[0] else "--nanny") for log in logs]
    try:
        for log in logs:
            wait_for(lambda log=log: b"Registered to" in log.read_bytes())
        yield logs
    finally:
        end(processes)


def process_of(log: Path) -> int:
    """The process that wrote a log, as Linux knows it."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "fd/1").resolve() == log.resolve() and "worker" in (path / "cmdline").read_text():
                return int(path.name)
        except OSError:
            continue
    raise AssertionError(f"nobody writes {log}")


def test_a_worker_lost_in_the_middle_changes_no_bit(scheduler: str, two_workers: list[Path], tmp_path: Path):
    config, alone, together = write_config(tmp_path), tmp_path / "alone", tmp_path / "together"
    assert finish(config, alone, "--workers", 1).returncode == 0
    relative = Path(os.path.relpath(together, ROOT))  # the workers have another working directory
    process = start(config, relative, "--scheduler", scheduler)
    wait_for(lambda: len(finished(together)) >= 2)
    os.kill(process_of(two_workers[0]), signal.SIGKILL)
    lost_at = len(finished(together))
    printed, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert not re.search("Traceback|Error", printed + errors), errors
    assert lost_at < RUNS, "the worker was lost too late to matter"
    assert curves(together) == curves(alone)


def test_four_pieces_in_threads_of_one_worker_take_turns(scheduler: str, tmp_path: Path):
    config = write_config(tmp_path, CONFIG.replace("steps: 1000", "steps: 100"))
    process = worker(scheduler, tmp_path / "worker.log", "--nthreads", 4, "--no-nanny")
    try:
        wait_for(lambda: b"Registered to" in (tmp_path / "worker.log").read_bytes())
        done = finish(config, tmp_path / "threads", "--scheduler", scheduler)
    finally:
        end([process])
    assert done.returncode == 0, done.stderr
    assert finish(config, tmp_path / "alone", "--workers", 1).returncode == 0
    assert len(curves(tmp_path / "threads")) == RUNS
    assert curves(tmp_path / "threads") == curves(tmp_path / "alone")


def test_no_scheduler_at_the_address_is_said_in_seconds(tmp_path: Path):
    address, started = f"tcp://127.0.0.1:{free_port()}", time.monotonic()
    done = finish(write_config(tmp_path), tmp_path / "out", "--scheduler", address)
    assert time.monotonic() - started < SECONDS_TO_SAY_SO
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: --scheduler {address}: cannot be reached")
    assert len(done.stderr.splitlines()) == 1


def test_an_address_that_is_none_is_refused(tmp_path: Path):
    done = finish(write_config(tmp_path), tmp_path / "out", "--scheduler", "here")
    assert done.returncode == 1
    assert done.stderr == "error: --scheduler: must be tcp://host:port, got 'here'\n"


def test_a_scheduler_without_workers_is_said_in_seconds(scheduler: str, tmp_path: Path):
    started = time.monotonic()
    done = finish(write_config(tmp_path), tmp_path / "out", "--scheduler", scheduler)
    assert time.monotonic() - started < SECONDS_TO_SAY_SO
    assert done.returncode == 1
    remedy = f"start some with `dask worker {scheduler} --nthreads 1`"
    assert done.stderr == f"error: --scheduler {scheduler}: has no workers; {remedy}\n"


def test_a_worker_that_does_not_see_the_folder_is_named(scheduler: str, two_workers: list[Path], tmp_path: Path):
    assert len(two_workers) == 2
    script = (
        "import sys; from pathlib import Path; from experiments.sweeping.workforce import SweepError, cluster_workers\n"
        "try:\n"
        "    with cluster_workers(sys.argv[1], {Path(sys.argv[2]): 'a sweep on another machine'}): pass\n"
        "except SweepError as error: print(error)"
    )
    words = [sys.executable, "-c", script, scheduler, str(tmp_path / "not-here")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    assert re.fullmatch(
        rf"--scheduler {scheduler}: worker tcp://127\.0\.0\.1:\d+ does not see {tmp_path}/not-here; "
        "give with --out a folder on a file system that all workers share\n",
        done.stdout,
    ), done.stdout + done.stderr


def test_ctrl_c_ends_a_sweep_on_a_cluster_within_seconds(scheduler: str, two_workers: list[Path], tmp_path: Path):
    assert len(two_workers) == 2
    config, out = write_config(tmp_path), tmp_path / "out"
    process = start(config, out, "--scheduler", scheduler)
    wait_for(lambda: len(finished(out)) >= 2)
    started = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert time.monotonic() - started < SECONDS_TO_END
    assert errors == "Interrupted. Finished runs are kept; the same command goes on from there.\n"
    time.sleep(1)  # the run in hand at that moment is no longer wanted
    before = len(finished(out))
    time.sleep(2)
    assert len(finished(out)) == before < RUNS
