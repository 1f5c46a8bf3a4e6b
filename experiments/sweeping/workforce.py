"""Who does the training, and what if a worker is lost?

Worker processes of this machine, started fresh by loky (which joblib brings), or those of a Dask cluster. Either way
pieces of work go out, what they return comes back, and after a loss a piece starts again elsewhere.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass
from multiprocessing import resource_tracker as tracker_of_multiprocessing
from pathlib import Path
from typing import Any, TypeVar

from experiments.records import ownership

SCHEDULER_TIMEOUT = "5s"
CLOSE_SECONDS = 1
LOOK_FOR_PARENT_SECONDS = 0.5
LOOK_UP_SECONDS = 0.2
IDLE_SECONDS = 600  # between two sweeps of one command
MOST_GROWTH = 2_000_000_000  # bytes of a worker's memory
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")

Piece = TypeVar("Piece")
Result = TypeVar("Result")

_compiled: dict[int, set[str]] = {}  # by this command's worker processes


class SweepError(Exception):
    """A sweep that cannot start or go on; the message says what to do. Finished runs are kept."""


class WorkerLostError(Exception):
    """A worker process ended in the middle of its work."""


@dataclass(frozen=True)
class Workforce:
    """`size` workers, and `do(work, pieces, programs_of)` that has them work on all pieces and returns their results.

    programs_of: what a piece needs compiled, which a worker keeps for the next. `do` raises what the work raises, and
    WorkerLostError where a worker was lost for good.
    """

    size: int
    do: Callable[[Callable[[Any], Any], Sequence[Any], Callable[[Any], Set[str]]], list[Any]]


@contextlib.contextmanager
def local_workers(count: int, threads: int) -> Iterator[Workforce]:
    """Have `count` processes on this machine; leaving with an exception, Ctrl-C too, ends them at once.

    threads: of NumPy's linear algebra in each, whose last bits may depend on it.
    """
    from joblib.externals.loky import get_reusable_executor

    start = functools.partial(
        get_reusable_executor,
        count,
        timeout=IDLE_SECONDS,
        env=dict.fromkeys(THREAD_VARIABLES, str(threads)),
        initializer=_begin_work,
        initargs=(os.getpid(),),
    )
    try:
        yield Workforce(count, functools.partial(_do_locally, start, count))
    except BaseException:
        with _interrupts_held_back():
            start().shutdown(wait=False, kill_workers=True)
        raise


def _do_locally(
    start: Callable[[], Any],
    count: int,
    work: Callable[[Piece], Result],
    pieces: Sequence[Piece],
    programs_of: Callable[[Piece], Set[str]],
) -> list[Result]:
    from joblib.externals.loky.process_executor import BrokenProcessPool

    # Straight to loky: a single job joblib would do in this very process, slow to hear Ctrl-C.
    _start_trackers()
    left = [(place, programs_of(piece)) for place, piece in enumerate(pieces)]
    underway: dict[Future[tuple[Result, int]], tuple[int, Set[str]]] = {}
    results: dict[int, Result] = {}

    def give(worker: int | None = None) -> None:
        """Hand out a piece. There are never more than workers: the one that is free takes it."""
        busy_with = [programs for _, programs in underway.values()]
        place, programs = left.pop(_choice(worker, [needed for _, needed in left], busy_with))
        with _interrupts_held_back():  # Ctrl-C is the parent's business: its workers are born deaf to it
            underway[executor.submit(_do_and_sign, work, pieces[place])] = place, programs

    try:
        with _interrupts_held_back():
            executor = start()  # once: a broken one is to be noticed, not replaced
        while left and len(underway) < count:
            give()
        # A worker that has grown too large is replaced, which is nobody else's concern.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given to the executor")
        while underway:  # looking up now and then: a signal that another thread was given does not wake this one
            done, _ = wait(underway, timeout=LOOK_UP_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                result, worker = future.result()
                place, programs = underway.pop(future)
                results[place] = result
                _compiled.setdefault(worker, set()).update(programs)
                if left:
                    give(worker)
    except BrokenProcessPool as error:
        raise WorkerLostError from error
    return [results[place] for place in range(len(pieces))]


def _do_and_sign(work: Callable[[Piece], Result], piece: Piece) -> tuple[Result, int]:
    return work(piece), os.getpid()


def _choice(worker: int | None, needs: Sequence[Set[str]], underway: Iterable[Set[str]]) -> int:
    """Which of the pieces, by the programs they need, a free worker is given; None: one that is not known yet.

    The first for which it has compiled something; else the first for which no other worker has; else the first.
    """
    own = _compiled.get(worker, set()) if worker is not None else set()
    others = set().union(*underway, *(programs for other, programs in _compiled.items() if other != worker))
    ranks = [0 if needed & own else 1 if not needed & others else 2 for needed in needs]
    return ranks.index(min(ranks))


def spread(work: Callable[[Piece], Result], pieces: Sequence[Piece], workers: int, threads: int = 1) -> list[Result]:
    """Return the results of `work` on each of the pieces, which `workers` processes of this machine share.

    One piece, or all pieces for one worker, are done in this process. Raises what the work raises.
    """
    workers = min(workers, len(pieces))
    if workers < 2:
        return list(map(work, pieces))
    with local_workers(workers, threads) as workforce:
        try:
            return workforce.do(work, pieces, lambda _: frozenset())
        except WorkerLostError as error:
            raise SweepError("a worker process was killed; give the same command again with fewer --workers") from error


def _start_trackers() -> None:
    """Start the processes that remove what killed processes leave behind; later they would let interrupts through.

    What they have to say is of no use to a user: at Ctrl-C a semaphore may be gone before they hear of it.
    """
    from joblib.externals.loky.backend import resource_tracker as tracker_of_loky

    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [before, "ignore:resource_tracker"]))
    try:
        for tracker in (tracker_of_loky, tracker_of_multiprocessing):
            tracker.ensure_running()
    finally:
        del os.environ["PYTHONWARNINGS"]
        if before is not None:
            os.environ["PYTHONWARNINGS"] = before


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Put SIGINT off for a moment; processes started meanwhile never see it.

    The mask keeps it from the children and this thread, the handler keeps note of one that another thread was given.
    Windows has no mask, and the handler alone has to do.
    """
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    masked = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masked else set()
    try:
        yield
    finally:
        if masked:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, handler)
        if came:
            raise KeyboardInterrupt


def _begin_work(parent: int) -> None:
    """What a worker does before all else, even before it is given work, which may never come."""
    _end_with_parent(parent)
    _keep_programs()


def _end_with_parent(parent: int) -> None:
    """End this process soon after its parent, which may have had no time to say so (SIGKILL).

    On Windows a process keeps its parent's number, and this one ends after its piece, when it has been idle.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_FOR_PARENT_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _keep_programs() -> None:
    """Have loky not take compiled programs for a leak: from 300 MB on it would replace this process by a fresh one."""
    from joblib.externals.loky import process_executor

    process_executor._MAX_MEMORY_LEAK_SIZE = MOST_GROWTH


@contextlib.contextmanager
def cluster_workers(address: str, holders: Mapping[Path, str | None]) -> Iterator[Workforce]:
    """Have the workers of a Dask scheduler; raises SweepError within seconds where they cannot be had.

    holders: the output folders, which every worker must see, with their holders as seen from here.
    """
    try:
        from distributed import Client
    except ImportError:
        raise SweepError(
            "--scheduler needs Dask: in the project's folder, pip install --editable '.[cluster]'"
        ) from None
    if not re.fullmatch(r"(tcp|tls|ucx)://[^/]+:\d+", address):
        raise SweepError(f"--scheduler: must be tcp://host:port, got {address!r}")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what it has to say, we say
    try:
        client = Client(address, timeout=SCHEDULER_TIMEOUT, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise SweepError(f"--scheduler {address}: cannot be reached ({type(error).__name__}); is it running?") from None
    try:
        threads = sum(client.nthreads().values())
        if not threads:
            raise SweepError(
                f"--scheduler {address}: has no workers; start some with `dask worker {address} --nthreads 1`"
            )
        _check_folders(client, address, holders)
        yield Workforce(threads, functools.partial(_do_on_cluster, client, address))
    finally:
        with contextlib.suppress(Exception):
            client.close(timeout=CLOSE_SECONDS)


def _check_folders(client: Any, address: str, holders: Mapping[Path, str | None]) -> None:
    try:
        seen = client.run(_holders, list(holders))
    except Exception as error:  # whatever a worker's interpreter makes of a missing package
        raise SweepError(
            f"--scheduler {address}: a worker cannot run this package ({error}); install the same one everywhere"
        ) from None
    for worker, found in seen.items():
        for (folder, expected), holder in zip(holders.items(), found, strict=True):
            if holder != expected:
                raise SweepError(
                    f"--scheduler {address}: worker {worker} does not see {folder}; "
                    "give with --out a folder on a file system that all workers share"
                )


def _holders(folders: list[Path]) -> list[str | None]:
    return [ownership.holder(folder) for folder in folders]


def _do_on_cluster(
    client: Any,
    address: str,
    work: Callable[[Piece], Result],
    pieces: Sequence[Piece],
    programs_of: Callable[[Piece], Set[str]],  # noqa: ARG001  Dask chooses who works
) -> list[Result]:
    import distributed

    # Straight to Dask: joblib's Dask backend does not return when a piece has lost its worker too often.
    futures = [client.submit(work, piece, pure=False, priority=-i) for i, piece in enumerate(pieces)]
    try:
        results = {future.key: future.result() for future in distributed.as_completed(futures, loop=client.loop)}
        return [results[future.key] for future in futures]
    except distributed.KilledWorker as error:
        raise WorkerLostError from error
    except (CancelledError, OSError, TimeoutError) as error:
        raise SweepError(
            f"--scheduler {address}: the connection was lost ({type(error).__name__}); finished runs are kept, "
            "the same command goes on from there"
        ) from None
    finally:
        with contextlib.suppress(Exception):
            client.cancel(futures)
