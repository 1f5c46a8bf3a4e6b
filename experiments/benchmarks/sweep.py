"""What does a whole sweep cost: by us, by a loop of Keras's `fit`, plain and tuned, and by JAX, written by hand?

The same runs each, of `timed_sweeps`. Each contestant has processes of its own. `fit` does a sample of the runs, which
is scaled up. JAX is timed only if its runs are ours: the same losses.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.equal_training import check_equal, checked_losses, train_ours
from experiments.benchmarks.memory import copy_bandwidth
from experiments.benchmarks.timed_sweeps import ARMS, AT_ONCE, BATCH, EVERY, RUN_BY_RUN, SWEEPS

ROOT = Path(__file__).parent.parent.parent
ONE_THREAD = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}  # products are not handed to another one


@dataclass(frozen=True)
class Cost:
    """Seconds of the sweep: of the whole command, and in the steady state, when everything is loaded and compiled."""

    whole: float
    steady: float
    note: str


def measure_ours(model: str, workers: int) -> tuple[Cost, dict[str, float], dict[str, Any]]:
    """Run the sweep with `scripts/run.py`; return its cost, where a worker's seconds went, and on what it ran."""
    sweep = SWEEPS[model]
    with tempfile.TemporaryDirectory() as folder:
        config, out = Path(folder) / "timed.yaml", Path(folder) / "runs"
        config.write_text(json.dumps(sweep.experiment()), encoding="utf-8")  # which is YAML too
        started = time.perf_counter()
        command = [sys.executable, str(ROOT / "scripts/run.py"), str(config), "--out", str(out)]
        subprocess.run([*command, "--workers", str(workers)], check=True, capture_output=True)
        whole = time.perf_counter() - started
        records = [json.loads(path.read_bytes()) for path in out.rglob("run.json")]
    of_runs = sum(record["provenance"]["wall_seconds"] for record in records) / workers
    compiling = sum(record["provenance"]["compile_seconds"] for record in records) / workers
    in_steps = statistics.mean(_in_child("steps", model)) * sweep.steps * len(records) / workers
    parts = {
        "training steps, by one process at a time": in_steps,
        "evaluation, weights, data order, waiting for memory": of_runs - in_steps,
        "compiling": compiling,
        "starting, writing, tables, the rest": whole - of_runs - compiling,
    }
    about = {name: records[0]["provenance"][name] for name in ("threads", "processor", "onednn", "environment")}
    return Cost(whole, of_runs, f"{workers} workers, 1 thread each"), parts, about


def measure_fit(model: str, tuned: bool, sample: int) -> Cost:
    """Return what the sweep costs by `fit`, from `sample` runs in a fresh process."""
    runs = len(SWEEPS[model].runs())
    started = time.perf_counter()
    seconds = _in_child("fit", model, "tuned" if tuned else "plain", str(sample))
    before = time.perf_counter() - started - sum(seconds)
    steady = statistics.mean(seconds[1:]) * runs  # the first also warms up
    return Cost(before + seconds[0] + steady / runs * (runs - 1), steady, f"{sample} runs scaled")


def measure_jax(model: str, how: str, processes: int, threads: int) -> tuple[Cost, dict[str, np.ndarray]]:
    """Return what the sweep costs in JAX, shared by processes, and the curves of all runs.

    threads: of each process.
    """
    surroundings = os.environ | {"NPROC": str(threads)} | (ONE_THREAD if threads == 1 else {})
    with tempfile.TemporaryDirectory() as folder, ExitStack() as children:
        files = [Path(folder) / f"{part}.npz" for part in range(processes)]
        started = time.perf_counter()
        running = [
            children.enter_context(
                subprocess.Popen(
                    _words("jax_by_hand", model, how, str(part), str(processes), str(file)),
                    env=surroundings,
                    cwd=ROOT,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for part, file in enumerate(files)
        ]
        said = [child.communicate()[0] for child in running]
        whole = time.perf_counter() - started
        for child in running:
            if child.returncode:
                raise subprocess.CalledProcessError(child.returncode, child.args)
        parts = [dict(np.load(file)) for file in files]
    curves = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    steady = sum(json.loads(text)[0] for text in said) / processes
    note = f"{processes} processes, 1 thread each" if threads == 1 else f"1 process, {threads} threads"
    return Cost(whole, steady, note), curves


def measure_fastest_jax(model: str, workers: int) -> dict[str, Cost]:
    """Return the cost of both ways to write the sweep in JAX, shared by processes or threads, as is faster.

    Raises DifferentTrainingError where one does not train what we do.
    """
    ours, costs = _in_child("losses", model), {}
    for how in (RUN_BY_RUN, AT_ONCE):
        found = [measure_jax(model, how, *shared) for shared in dict.fromkeys([(1, workers), (workers, 1)])]
        for _, curves in found:
            check_equal(ours, checked_losses(model, curves), f"JAX {how}")
        costs[how] = min((cost for cost, _ in found), key=lambda cost: cost.whole)
    return costs


def jax_is_installed() -> bool:
    """Tell whether there is a JAX to be timed."""
    return importlib.util.find_spec("jax") is not None


def measure_products(model: str, workers: int) -> float:
    """Return the seconds that an MLP's matrix products of all steps take alone, in XLA, on one thread a worker."""
    return _in_child("products", model)[0] * SWEEPS[model].steps * len(SWEEPS[model].runs()) / workers


def _words(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"experiments.benchmarks.{module}", *arguments]


def _in_child(*arguments: str) -> Any:
    done = subprocess.run(_words("sweep", *arguments), check=True, capture_output=True, text=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def _fit_runs(model: str, tuned: bool, sample: int) -> list[float]:
    """Train `sample` runs as one would by hand: build, compile, fit. Return the seconds of each.

    tuned: with XLA where the networks gain by it, and without Python between the steps.
    """
    from experiments.training.surroundings import start_tensorflow

    start_tensorflow(threads=None)  # as many as `fit` has by itself
    import keras
    import tensorflow as tf

    from experiments.training.datasets import batch_order, load_dataset, split_dataset
    from models.networks import build_model

    sweep, dataset = SWEEPS[model], load_dataset("digits")
    runs = {arm: [run for run in sweep.runs() if run.model.norm.kind == arm and not run.seed] for arm in ARMS}
    features = dataset.features / dataset.unit
    seconds = []
    for number in range(sample):
        started = time.perf_counter()
        of_arm = runs[ARMS[number % 2]]
        config = of_arm[number // 2 % len(of_arm)].model_copy(update={"seed": number})
        options = {"steps_per_execution": EVERY, "jit_compile": config.uses_xla} if tuned else {}
        split = split_dataset(dataset, config.dataset, config.seed)
        order = batch_order(split.train, BATCH, sweep.steps, config.seed).ravel()
        network = build_model(config.model, features.shape[1:], dataset.classes)
        optimizer = keras.optimizers.SGD(config.optimizer.learning_rate)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        network.compile(optimizer, loss, metrics=["accuracy"], **options)
        batches = tf.data.Dataset.from_tensor_slices((features[order], dataset.labels[order])).batch(BATCH).repeat()
        validation = (features[split.validation], dataset.labels[split.validation])
        network.fit(
            batches,
            steps_per_epoch=EVERY,
            epochs=sweep.steps // EVERY,
            validation_data=validation,
            shuffle=False,
            verbose=0,
        )
        network.evaluate(features[split.test], dataset.labels[split.test], verbose=0)
        seconds.append(time.perf_counter() - started)
    return seconds


def _step_seconds(model: str) -> list[float]:
    """Return the seconds of one of our training steps in each arm, on one thread."""
    from experiments.training.surroundings import start_tensorflow

    start_tensorflow(1)
    from experiments.benchmarks.step import in_turn, ours
    from experiments.training.datasets import load_dataset

    contestants = {}
    for arm in ARMS:
        config = next(run for run in SWEEPS[model].runs() if run.model.norm.kind == arm)
        contestants[arm] = ours(config, load_dataset("digits"), EVERY)
    return [1e-3 * milliseconds for milliseconds in in_turn(contestants, 30).values()]


def _product_seconds(model: str) -> float:
    """Return the seconds of the products of one step, forward and backward, without anything between them."""
    from experiments.training.surroundings import start_tensorflow

    start_tensorflow(1)
    import tensorflow as tf

    sweep = SWEEPS[model]
    widths = (64, *sweep.layers, 10)  # of the digits and their classes
    layers = range(len(widths) - 1)
    kernels = [tf.Variable(tf.random.normal(shape)) for shape in itertools.pairwise(widths)]
    gradients = [tf.Variable(tf.zeros_like(kernel)) for kernel in kernels]
    inputs, slopes = ([tf.Variable(tf.random.normal((BATCH, width))) for width in widths] for _ in range(2))

    @tf.function(jit_compile=True)
    def products() -> tf.Tensor:
        for _ in tf.range(sweep.steps):
            forward = [inputs[i] @ kernels[i] for i in layers]
            by_kernel = [tf.matmul(inputs[i], slopes[i + 1], transpose_a=True) for i in layers]
            by_input = [tf.matmul(slopes[i + 1], kernels[i], transpose_b=True) for i in layers[1:]]
            for i in layers:
                inputs[i + 1].assign(forward[i])
                gradients[i].assign(by_kernel[i])
            for i in layers[1:]:
                slopes[i].assign(by_input[i - 1])
        return tf.constant(0.0)

    times = []
    for _ in range(12):
        started = time.perf_counter()
        products().numpy()
        times.append((time.perf_counter() - started) / sweep.steps)
    return statistics.median(times[2:])


def figures(model: str, workers: int, sample: int) -> dict[str, Any]:
    """Return all costs, ready to be printed. Raises DifferentTrainingError before anything long is timed."""
    of_jax = measure_fastest_jax(model, workers) if jax_is_installed() else {}
    ours, parts, about = measure_ours(model, workers)
    costs = {f"{kind} fit": measure_fit(model, kind == "tuned", sample) for kind in ("plain", "tuned")}
    costs |= {f"JAX by hand, {how}": cost for how, cost in of_jax.items()} | {"ours": ours}
    return {
        "runs": len(SWEEPS[model].runs()),
        "steps": SWEEPS[model].steps,
        "costs": {name: asdict(cost) for name, cost in costs.items()},
        "parts of ours": parts,
        "matrix products": measure_products(model, workers) if model == "mlp" else None,
        "surroundings": about | {"copy_gigabytes_per_second": copy_bandwidth()},
    }


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["fit", model, kind, sample]:
            print(json.dumps(_fit_runs(model, kind == "tuned", int(sample))))
        case ["products", model]:
            print(json.dumps([_product_seconds(model)]))
        case ["steps", model]:
            print(json.dumps(_step_seconds(model)))
        case ["losses", model]:
            print(json.dumps(train_ours(model)))
