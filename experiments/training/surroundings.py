"""In which surroundings does TensorFlow start, and what of them could reach a result?

What libraries would read from the user's home and environment is kept from them or, where it is the user's to decide,
recorded with every run: docs/decisions/0007-surroundings.md.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

from threadpoolctl import threadpool_limits

from experiments.records.provenance import processor

# An empty file for a home leaves Keras without a file to read or write, and Matplotlib with one that says nothing.
UNCONFIGURED = {
    "KERAS_HOME": os.devnull,
    "KERAS_BACKEND": "tensorflow",
    "MATPLOTLIBRC": os.devnull,
    "MPLBACKEND": "agg",  # a notebook's is inherited by its commands, and unknown in their virtual environment
}
# What can change the last bits of a number, or more. Not all of TF_: Terraform keeps its passwords there.
TELLING = re.compile(
    r"(TF_(CONV|CUBLAS|CUDNN|DETERMINISTIC|DISABLE|ENABLE|FUNCTION|JIT|MKL|ONEDNN|USE|XLA)|XLA_|ONEDNN_|DNNL_|MKL_|"
    r"OPENBLAS_|NPY_|CUDA_|NVIDIA_TF32_|GLIBC_TUNABLES$|LD_PRELOAD$).*"
)
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


class StartError(Exception):
    """TensorFlow or Keras has started in this process otherwise than is needed, which cannot be changed."""


class ThreadsFixedError(StartError):
    """TensorFlow has started in this process with another number of threads."""


def unconfigure() -> dict[str, str]:
    """Have Keras and Matplotlib start, in this process and those it starts, as if nobody had configured them.

    Return the environment variables that stood in the way.
    """
    configured = {name: os.environ.pop(name) for name in set(os.environ) if _configures(name)}
    os.environ.update(UNCONFIGURED)
    return configured


def _configures(name: str) -> bool:
    return name.startswith("KERAS_") or name in UNCONFIGURED


@functools.cache
def start_tensorflow(threads: int | None) -> None:
    """Fix the number of threads, if any, and start TensorFlow and Keras, unconfigured and silent about absent GPUs.

    oneDNN is on unless the user has decided, or TensorFlow was loaded before: by itself, it turns it on for some
    processors only.

    Raises StartError in a process in which TensorFlow has started with another number, or Keras on another backend.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault(ONEDNN, "1")
    with _quiet_stderr():
        try:
            with _unconfigured(), _without("matplotlib"):
                import keras
                import tensorflow as tf
        except (ImportError, MemoryError) as error:
            reason = str(error) or "no room in memory"
            raise StartError(f"TensorFlow does not start ({reason}); is all installed, and memory enough?") from error
        if keras.config.backend() != "tensorflow":
            raise StartError(f"Keras has started on {keras.config.backend()} instead of TensorFlow")
        _set_defaults(keras)  # where something else has imported Keras before
        tf.get_logger().setLevel("ERROR")  # each program's evaluation is traced anew, as it must be
        if threads is not None:
            _fix_threads(tf, threads)
        tf.constant(0)
    gc.freeze()  # TensorFlow itself stays: to collect a program's graph, its million objects need not be looked at


def _set_defaults(keras: Any) -> None:
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)


def _fix_threads(tf: Any, threads: int) -> None:
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        raise ThreadsFixedError(f"TensorFlow has started with another number of threads than {threads}") from None
    # NumPy's linear algebra, too: the last bits of a large orthogonal matrix depend on its threads.
    threadpool_limits(threads, user_api="blas")


def onednn_is_on() -> bool:
    """Whether TensorFlow computes with oneDNN in this process, as TensorFlow itself says."""
    from custom_layers import kernels

    return kernels.onednn_is_on()


def surroundings() -> dict[str, Any]:
    """Return what of this process belongs to a result's provenance: processor, oneDNN, telling variables that are set.

    Left out are the variables that say no more than `threads` and `onednn` do.
    """
    told = {name: value for name, value in sorted(os.environ.items()) if TELLING.fullmatch(name)}
    said = {name for name in told if name.endswith("_NUM_THREADS") or name == ONEDNN}
    return {
        "processor": processor(),
        "onednn": onednn_is_on(),
        "environment": {name: value for name, value in told.items() if name not in said},
    }


@contextlib.contextmanager
def _unconfigured() -> Iterator[None]:
    """Unconfigure Keras and Matplotlib while they are imported, and leave other programs of the user their settings."""
    configured = unconfigure()
    try:
        yield
    finally:
        for name in UNCONFIGURED:
            del os.environ[name]
        os.environ.update(configured)


@contextlib.contextmanager
def _without(package: str) -> Iterator[None]:
    """Have a package be missing for a while, unless it is loaded or the process, a Dask worker, is not ours alone.

    Keras imports Matplotlib where it is installed, for its own plots, which takes an eighth of a worker's start.
    """
    if package in sys.modules or "distributed" in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # as Python marks what is missing
    try:
        yield
    finally:
        del sys.modules[package]


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
