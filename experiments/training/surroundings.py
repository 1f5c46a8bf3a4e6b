"""In which surroundings does TensorFlow start? Its threads, and what it may say on the screen."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
from collections.abc import Iterator


class ThreadsFixedError(Exception):
    """TensorFlow has started in this process with another number of threads, which cannot be changed."""


@functools.cache
def start_tensorflow(threads: int) -> None:
    """Fix the number of threads and start TensorFlow, keeping what it says of absent GPUs off the screen.

    Raises ThreadsFixedError in a process in which TensorFlow has started with another number.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _quiet_stderr():
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # each program's evaluation is traced anew, as it must be
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError:
            raise ThreadsFixedError(f"TensorFlow has started with another number of threads than {threads}") from None
        tf.constant(0)
    gc.freeze()  # TensorFlow itself stays: to collect a program's graph, its million objects need not be looked at


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Close file descriptor 2 to C++ code for a while; Python's exceptions pass through unharmed."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
