"""Stopped at any instant, a sweep goes on with the same command, and nobody can tell from the results."""

from __future__ import annotations

import functools
import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from sweeping import (
    CONFIG,
    GO_ON,
    HANGS,
    RUNS,
    curves,
    end,
    finish,
    finished,
    launch,
    session,
    start,
    wait_for,
    workers,
    write_config,
)

from experiments.records.ownership import locked

KILLS = 4


def kill_at_random(config: Path, out: Path, kills: int) -> int:
    """Kill the command `kills` times, at random runs and moments; return how many runs were left unfinished."""
    rng = random.Random(4)  # a test must do the same every time, as far as it lies with us
    left = RUNS
    for _ in range(kills):
        process = start(config, out, "--workers", 2)
        seen, more = len(finished(out)), rng.randrange(3)
        if more == 0:
            time.sleep(rng.uniform(0, 4))  # somewhere between start and first run
        else:
            wanted = min(seen + more, RUNS)
            wait_for(functools.partial(_holds, out, wanted))
            time.sleep(rng.uniform(0, 0.2))
        end(process, signal.SIGKILL)
        process.communicate()
        wait_for(functools.partial(_left_alone, process.pid))
        left = RUNS - len(finished(out))
        if left <= 3:
            for run in rng.sample(finished(out), 8):  # so that there is something to kill
                (run / "run.json").unlink()
    return left


def _holds(out: Path, runs: int) -> bool:
    return len(finished(out)) >= runs


def _left_alone(leader: int) -> bool:
    return not workers(leader)


def test_killed_at_random_instants_it_ends_with_the_same_curves(
    config: Path, undisturbed: dict[str, bytes], tmp_path: Path
):
    kill_at_random(config, tmp_path, KILLS)
    assert finish(config, tmp_path, "--workers", 1).returncode == 0
    assert curves(tmp_path) == undisturbed
    assert not list(tmp_path.rglob(".seed=*")), "something half-written was left"


@pytest.mark.parametrize("to", ["group", "parent"])
def test_ctrl_c_ends_the_command_with_one_line(config: Path, tmp_path: Path, to: str):
    process = start(config, tmp_path, "--workers", 2)
    wait_for(lambda: len(finished(tmp_path)) >= 2)
    before = set(finished(tmp_path))
    if to == "group":
        os.killpg(process.pid, signal.SIGINT)
    else:
        end(process, signal.SIGINT)
    printed, errors = process.communicate(timeout=HANGS)
    assert process.returncode == 130
    assert errors == f"Interrupted. Finished runs are kept; {GO_ON}.\n"
    assert "Traceback" not in printed
    wait_for(lambda: not session(process.pid))  # nothing is left behind
    assert before <= set(finished(tmp_path))
    assert len(finished(tmp_path)) < RUNS


def test_ctrl_c_does_not_wait_for_a_long_run(tmp_path: Path):
    """A run is a single call into compiled code, which nothing interrupts but the end of its process."""
    code = f"""
import ctypes
from pathlib import Path
from experiments.sweeping.workforce import local_workers

def run(name):
    (Path({str(tmp_path)!r}) / name).touch()
    ctypes.CDLL(None).sleep({2 * HANGS})

with local_workers(2, 1) as workforce:
    workforce.do(run, ["a", "b"], lambda _: set())
"""
    process = launch("-c", code)
    wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
    end(process, signal.SIGINT)
    _, errors = process.communicate(timeout=HANGS)
    assert errors.endswith("KeyboardInterrupt\n")
    wait_for(lambda: not session(process.pid))


def test_ctrl_c_while_the_workers_start_leaves_no_traceback(config: Path, tmp_path: Path):
    process = start(config, tmp_path, "--workers", 2)
    wait_for(lambda: workers(process.pid))
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=HANGS)
    assert errors == f"Interrupted. Finished runs are kept; {GO_ON}.\n"
    wait_for(lambda: not workers(process.pid))


def test_a_worker_that_was_never_given_work_ends_with_its_parent():
    code = "import time; from experiments.sweeping.workforce import local_workers\n"
    code += "with local_workers(2, 1) as workforce: workforce.do(time.sleep, [300], lambda _: set())"
    process = launch("-c", code)
    wait_for(lambda: len(workers(process.pid)) == 2)
    end(process, signal.SIGKILL)
    process.communicate()
    wait_for(functools.partial(_left_alone, process.pid))


def test_a_killed_worker_is_replaced_and_its_runs_done_again(
    config: Path, undisturbed: dict[str, bytes], tmp_path: Path
):
    process = start(config, tmp_path, "--workers", 2)
    wait_for(lambda: finished(tmp_path))
    os.kill(workers(process.pid)[0], signal.SIGKILL)
    printed, errors = process.communicate(timeout=HANGS)
    assert process.returncode == 0, errors
    assert "Traceback" not in printed + errors
    assert curves(tmp_path) == undisturbed


def test_a_changed_configuration_neither_takes_nor_costs_old_results(undisturbed_runs: Path, tmp_path: Path):
    for run in undisturbed_runs.rglob("seed=0"):
        shutil.copytree(run, tmp_path / run.relative_to(undisturbed_runs))
    old = curves(tmp_path)
    assert len(old) == RUNS / 4
    other = CONFIG.replace("train_examples: 400", "train_examples: 300").replace("seeds: 4", "seeds: 1")
    changed = write_config(tmp_path, other)
    refused = finish(changed, tmp_path)
    assert (refused.returncode, curves(tmp_path)) == (1, old)
    assert f"error: {tmp_path / 'small'}: {len(old)} finished runs have other settings" in refused.stderr
    assert "run.dataset.train_examples: 400 → 300. Nothing was changed." in refused.stderr
    done = finish(changed, tmp_path, "--workers", 1, "--replace")
    assert done.returncode == 0
    assert "done already" not in done.stdout
    assert f"{len(old)} runs with other settings are replaced" in done.stdout
    assert curves(tmp_path).keys() == old.keys()
    assert all(new != old[run] for run, new in curves(tmp_path).items())
    written = [json.loads((run / "run.json").read_text())["config"] for run in finished(tmp_path)]
    assert {config["dataset"]["train_examples"] for config in written} == {300}


def test_two_sweeps_on_one_folder_are_refused(config: Path, tmp_path: Path):
    with locked(tmp_path / "small"):
        done = finish(config, tmp_path)
    assert done.returncode == 1
    assert f"another sweep (process {os.getpid()} on " in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_that_cannot_be_written_is_one_clear_error(config: Path, tmp_path: Path):
    (tmp_path / "out").write_text("a file, not a folder")
    done = finish(config, tmp_path / "out")
    assert done.returncode == 1
    assert f"{tmp_path / 'out' / 'small'}: cannot be written: Not a directory" in done.stderr
    assert len(done.stderr.splitlines()) == 1
