"""Who is given which piece of work, what comes back, and what users are spared of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from experiments.sweeping import workforce
from experiments.sweeping.workforce import SweepError

ROOT = Path(__file__).parent.parent.parent


def test_a_free_worker_is_given_what_it_has_compiled_for_else_what_no_other_has(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workforce, "_compiled", {1: {"a", "b"}, 2: {"c"}})

    def choice(worker: int | None, *needs: set[str], underway: tuple[set[str], ...] = ()) -> int:
        return workforce._choice(worker, needs, underway)

    assert choice(1, {"c"}, {"d"}, {"b"}) == 2
    assert choice(2, {"a"}, {"d"}, {"b"}) == 1
    assert choice(2, {"a"}, {"d"}, {"e"}, underway=({"d"},)) == 2
    assert choice(2, {"a"}, {"b"}) == 0
    assert choice(None, {"a"}, {"d"}) == 1  # before it is known who will take it
    assert choice(3, {"c", "d"}, {"d"}) == 1


def test_every_piece_is_done_once_and_by_a_worker_that_has_its_program(monkeypatch: pytest.MonkeyPatch):
    workers = ThreadPoolExecutor(2)  # threads for processes
    monkeypatch.setattr(workforce, "_compiled", {})
    monkeypatch.setattr(workforce, "_start_trackers", lambda: None)
    monkeypatch.setattr("os.getpid", threading.get_ident)
    done: list[tuple[str, int]] = []
    begun = {piece: threading.Event() for piece in ("a1", "a2", "b1", "b2", "a3")}
    ends_after = {"a1": "b1", "b1": "a2", "a2": "b2", "b2": "a3"}  # has begun: never two workers are free together

    def work(piece: str) -> str:
        begun[piece].set()
        if piece in ends_after:
            assert begun[ends_after[piece]].wait(600)
        done.append((piece, threading.get_ident()))
        return piece.upper()

    pieces = list(begun)
    results = workforce._do_locally(lambda: workers, 2, work, pieces, lambda piece: {piece[0]})
    assert results == ["A1", "A2", "B1", "B2", "A3"]
    assert sorted(piece for piece, _ in done) == sorted(pieces)
    by_program = [{worker for piece, worker in done if piece[0] == program} for program in "ab"]
    assert [len(workers) for workers in by_program] == [1, 1]


def test_work_is_spread_over_processes_and_its_results_and_errors_come_back():
    assert workforce.spread(os.path.basename, ["a/b", "c/d", "e/f"], workers=2) == ["b", "d", "f"]
    with pytest.raises(FileNotFoundError):
        workforce.spread(os.stat, ["/nowhere/1", "/nowhere/2"], workers=2)
    with pytest.raises(SweepError, match=r"a worker process was killed; .* fewer --workers"):
        workforce.spread(os._exit, [3, 4], workers=2)


@pytest.mark.parametrize(("pieces", "workers"), [([1, 2], 1), ([1], 2), ([], 2)])
def test_what_one_process_can_do_is_done_in_this_one(pieces: list[int], workers: int):
    here: list[int] = []
    assert workforce.spread(here.append, pieces, workers) == [None] * len(pieces)
    assert here == pieces


def test_an_address_without_a_port_is_refused():
    with (
        pytest.raises(SweepError, match="--scheduler: must be tcp://host:port, got 'tcp://here'"),
        workforce.cluster_workers("tcp://here", {}),
    ):
        pass


def test_a_scheduler_that_does_not_answer_is_given_five_seconds(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("distributed", reason="needs Dask: pip install --editable '.[cluster]'")
    asked: list[dict[str, object]] = []

    def client(_: str, **options: object) -> None:
        asked.append(options)
        raise TimeoutError

    monkeypatch.setattr("distributed.Client", client)
    with (
        pytest.raises(SweepError, match=r"--scheduler tcp://10.0.0.1:8786: cannot be reached \(TimeoutError\)"),
        workforce.cluster_workers("tcp://10.0.0.1:8786", {}),
    ):
        pass
    assert [options["timeout"] for options in asked] == ["5s"]


def test_compiled_programs_are_no_leak_to_loky(monkeypatch: pytest.MonkeyPatch) -> None:
    from joblib.externals.loky import process_executor

    assert process_executor._MAX_MEMORY_LEAK_SIZE < workforce.MOST_GROWTH  # its name is not public: it must be there
    monkeypatch.setattr(process_executor, "_MAX_MEMORY_LEAK_SIZE", process_executor._MAX_MEMORY_LEAK_SIZE)
    workforce._keep_programs()
    assert process_executor._MAX_MEMORY_LEAK_SIZE == workforce.MOST_GROWTH


def test_a_semaphore_that_is_gone_at_ctrl_c_is_not_the_users_concern():
    forgets_one = (
        "from experiments.sweeping.workforce import _start_trackers\n"
        "_start_trackers()\n"
        "from joblib.externals.loky.backend import resource_tracker\n"
        "resource_tracker.register('/loky-gone', 'semlock')\n"
    )
    process = [sys.executable, "-c", forgets_one]
    assert subprocess.run(process, capture_output=True, text=True, check=True, cwd=ROOT).stderr == ""
