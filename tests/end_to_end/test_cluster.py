"""The same sweep on a Dask cluster: a scheduler and workers on this machine, reached as any other would be."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweeping import HANGS, ROOT, RUNS, curves, finish, finished, start, wait_for

pytest.importorskip("distributed", reason="needs Dask: pip install --editable '.[cluster]'")


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


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler without workers."""
    port, log = free_port(), tmp_path_factory.mktemp("scheduler") / "scheduler.log"
    process = dask("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard", "--no-show", log=log)
    try:
        wait_for(lambda: b"Scheduler at" in log.read_bytes() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield f"tcp://127.0.0.1:{port}"
    finally:
        end([process])


@pytest.fixture(scope="module")
def two_workers(scheduler: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """Two worker processes, the first without a nanny to replace it; returns their logs."""
    logs = [tmp_path_factory.mktemp("workers") / f"worker-{number}.log" for number in range(2)]
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


def test_no_scheduler_at_the_address_is_said(config: Path, tmp_path: Path):
    address = f"tcp://127.0.0.1:{free_port()}"
    done = finish(config, tmp_path / "out", "--scheduler", address)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: --scheduler {address}: cannot be reached")
    assert len(done.stderr.splitlines()) == 1


def test_an_address_that_is_none_is_refused(config: Path, tmp_path: Path):
    done = finish(config, tmp_path / "out", "--scheduler", "here")
    assert done.returncode == 1
    assert done.stderr == "error: --scheduler: must be tcp://host:port, got 'here'\n"


def test_a_scheduler_without_workers_is_said(config: Path, scheduler: str, tmp_path: Path):
    done = finish(config, tmp_path / "out", "--scheduler", scheduler)
    assert done.returncode == 1
    remedy = f"start some with `dask worker {scheduler} --nthreads 1`"
    assert done.stderr == f"error: --scheduler {scheduler}: has no workers; {remedy}\n"


def test_four_pieces_in_threads_of_one_worker_take_turns(
    config: Path, undisturbed: dict[str, bytes], scheduler: str, tmp_path: Path
):
    process = worker(scheduler, tmp_path / "worker.log", "--nthreads", 4, "--no-nanny")
    try:
        wait_for(lambda: b"Registered to" in (tmp_path / "worker.log").read_bytes())
        done = finish(config, tmp_path / "threads", "--scheduler", scheduler)
    finally:
        end([process])
    assert done.returncode == 0, done.stderr
    assert curves(tmp_path / "threads") == undisturbed


def test_a_worker_that_does_not_see_the_folder_is_named(scheduler: str, two_workers: list[Path], tmp_path: Path):
    assert len(two_workers) == 2
    script = (
        "import sys; from pathlib import Path; from experiments.sweeping.workforce import SweepError, cluster_workers\n"
        "try:\n"
        "    with cluster_workers(sys.argv[1], {Path(sys.argv[2]): 'a sweep on another machine'}): pass\n"
        "except SweepError as error: print(error)"
    )
    words = [sys.executable, "-c", script, scheduler, str(tmp_path / "not-here")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=HANGS, check=True)
    assert re.fullmatch(
        rf"--scheduler {scheduler}: worker tcp://127\.0\.0\.1:\d+ does not see {tmp_path}/not-here; "
        "give with --out a folder on a file system that all workers share\n",
        done.stdout,
    ), done.stdout + done.stderr


def wait_until_idle(scheduler: str) -> None:
    """Wait until no worker is at work any more, not even on what nobody wants."""
    script = (
        "import sys, time; from distributed import Client\n"
        "with Client(sys.argv[1]) as client:\n"
        "    while any(client.run(lambda dask_worker: len(dask_worker.state.all_running_tasks)).values()):\n"
        "        time.sleep(0.05)"
    )
    subprocess.run([sys.executable, "-c", script, scheduler], timeout=HANGS, check=True)


def test_ctrl_c_ends_a_sweep_on_a_cluster(config: Path, scheduler: str, two_workers: list[Path], tmp_path: Path):
    assert len(two_workers) == 2
    out = tmp_path / "out"
    process = start(config, out, "--scheduler", scheduler)
    wait_for(lambda: len(finished(out)) >= 2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=HANGS)
    assert errors == "Interrupted. Finished runs are kept; the same command goes on from there.\n"
    wait_until_idle(scheduler)
    assert len(finished(out)) < RUNS


def test_a_worker_lost_in_the_middle_changes_no_bit(
    config: Path, undisturbed: dict[str, bytes], scheduler: str, two_workers: list[Path], tmp_path: Path
):
    together = tmp_path / "together"
    relative = Path(os.path.relpath(together, ROOT))  # the workers have another working directory
    process = start(config, relative, "--scheduler", scheduler)
    wait_for(lambda: len(finished(together)) >= 2)
    os.kill(process_of(two_workers[0]), signal.SIGKILL)
    lost_at = len(finished(together))
    printed, errors = process.communicate(timeout=HANGS)
    assert process.returncode == 0, errors
    assert not re.search("Traceback|Error", printed + errors), errors
    assert lost_at < RUNS, "the worker was lost too late to matter"
    assert curves(together) == undisturbed
