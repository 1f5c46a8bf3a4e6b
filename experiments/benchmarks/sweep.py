"""What does a whole sweep cost, beside a loop of Keras's `fit`, plain and tuned, and beside the bare matrix products?

The same 160 runs each: two arms, eight learning rates, ten seeds, 500 steps with an evaluation every 50. Each
contestant has a process of its own. `fit` does a sample of the runs, which is scaled up.
"""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.configuration.run import RunConfig

EXPERIMENT = """
title: The sweep that is timed
run: {dataset: {name: digits, batch_size: 60}, model: {kind: mlp, layers: [100, 100, 100]}, steps: 500}
arms: {no_bn: {}, custom_bn: {model.norm.kind: custom}}
grid: {optimizer.learning_rate: [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]}
seeds: 10
"""
ARMS, RATES = ("none", "custom"), (0.1, 0.3, 1.0, 3.0)
RUNS, STEPS, EVERY, BATCH = 160, 500, 50, 60
WIDTHS = (64, 100, 100, 100, 10)
ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Cost:
    """Seconds of the sweep: of the whole command, and in the steady state, when everything is loaded and compiled."""

    whole: float
    steady: float
    measured_runs: int


def measure_ours(workers: int) -> tuple[Cost, dict[str, float], dict[str, Any]]:
    """Run the sweep with `scripts/run.py`; return its cost, where a worker's seconds went, and its surroundings."""
    with tempfile.TemporaryDirectory() as folder:
        config, out = Path(folder) / "timed.yaml", Path(folder) / "runs"
        config.write_text(EXPERIMENT, encoding="utf-8")
        started = time.perf_counter()
        command = [sys.executable, str(ROOT / "scripts/run.py"), str(config), "--out", str(out)]
        subprocess.run([*command, "--workers", str(workers)], check=True, capture_output=True)
        whole = time.perf_counter() - started
        records = [json.loads(path.read_bytes()) for path in out.rglob("run.json")]
    of_runs = sum(record["provenance"]["wall_seconds"] for record in records) / workers
    compiling = sum(record["provenance"]["compile_seconds"] for record in records) / workers
    in_steps = statistics.mean(_in_child("steps")) * STEPS * RUNS / workers
    parts = {
        "training steps, by one process at a time": in_steps,
        "evaluation, weights, data order, waiting for memory": of_runs - in_steps,
        "compiling": compiling,
        "starting, writing, tables, the rest": whole - of_runs - compiling,
    }
    about = {name: records[0]["provenance"][name] for name in ("threads", "processor", "onednn", "environment")}
    return Cost(whole, of_runs, RUNS), parts, about


def measure_fit(tuned: bool, sample: int) -> Cost:
    """Return what the sweep costs by `fit`, from `sample` runs in a fresh process."""
    started = time.perf_counter()
    seconds = _in_child("fit", "tuned" if tuned else "plain", str(sample))
    before = time.perf_counter() - started - sum(seconds)
    steady = statistics.mean(seconds[1:]) * RUNS  # the first also warms up
    return Cost(before + seconds[0] + steady / RUNS * (RUNS - 1), steady, sample)


def measure_products(workers: int) -> float:
    """Return the seconds that the matrix products of all steps take by themselves, in XLA, on one thread a worker."""
    return _in_child("products")[0] * STEPS * RUNS / workers


def _in_child(*arguments: str) -> list[float]:
    words = [sys.executable, "-m", "experiments.benchmarks.sweep", *arguments]
    done = subprocess.run(words, check=True, capture_output=True, text=True, cwd=ROOT)
    seconds: list[float] = json.loads(done.stdout.splitlines()[-1])
    return seconds


def _fit_runs(tuned: bool, sample: int) -> list[float]:
    """Train `sample` runs as one would by hand: build, compile, fit. Return the seconds of each."""
    from experiments.training.surroundings import start_tensorflow

    start_tensorflow(threads=None)  # as many as `fit` has by itself
    import keras
    import tensorflow as tf

    from experiments.training.datasets import batch_order, load_dataset, split_dataset
    from models.networks import build_model

    dataset = load_dataset("digits")
    features = dataset.features / dataset.unit
    options = {"steps_per_execution": EVERY, "jit_compile": True} if tuned else {}
    seconds = []
    for number in range(sample):
        started = time.perf_counter()
        config = RunConfig.model_validate({"model": {"norm": {"kind": ARMS[number % 2]}}, "seed": number})
        split = split_dataset(dataset, config.dataset, config.seed)
        order = batch_order(split.train, BATCH, STEPS, config.seed).ravel()
        network = build_model(config.model, features.shape[1:], dataset.classes)
        optimizer = keras.optimizers.SGD(RATES[number // 2 % len(RATES)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        network.compile(optimizer, loss, metrics=["accuracy"], **options)
        batches = tf.data.Dataset.from_tensor_slices((features[order], dataset.labels[order])).batch(BATCH).repeat()
        validation = (features[split.validation], dataset.labels[split.validation])
        network.fit(
            batches, steps_per_epoch=EVERY, epochs=STEPS // EVERY, validation_data=validation, shuffle=False, verbose=0
        )
        network.evaluate(features[split.test], dataset.labels[split.test], verbose=0)
        seconds.append(time.perf_counter() - started)
    return seconds


def _step_seconds() -> list[float]:
    """Return the seconds of one of our training steps in each arm, on one thread."""
    from experiments.training.surroundings import start_tensorflow

    start_tensorflow(1)
    from experiments.benchmarks.step import in_turn, ours
    from experiments.training.datasets import load_dataset

    contestants = {}
    for arm in ARMS:
        config = RunConfig.model_validate({"model": {"norm": {"kind": arm}}, "evaluate_every": EVERY})
        contestants[arm] = ours(config, load_dataset("digits"), EVERY)
    return [1e-3 * milliseconds for milliseconds in in_turn(contestants, 30).values()]


def _product_seconds() -> float:
    """Return the seconds of the products of one step, forward and backward, without anything between them."""
    from experiments.training.surroundings import start_tensorflow

    start_tensorflow(1)
    import tensorflow as tf

    layers = range(len(WIDTHS) - 1)
    kernels = [tf.Variable(tf.random.normal(shape)) for shape in itertools.pairwise(WIDTHS)]
    gradients = [tf.Variable(tf.zeros_like(kernel)) for kernel in kernels]
    inputs, slopes = ([tf.Variable(tf.random.normal((BATCH, width))) for width in WIDTHS] for _ in range(2))

    @tf.function(jit_compile=True)
    def products() -> tf.Tensor:
        for _ in tf.range(STEPS):
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
        times.append((time.perf_counter() - started) / STEPS)
    return statistics.median(times[2:])


def figures(workers: int, sample: int) -> dict[str, Any]:
    """Return all costs, ready to be printed."""
    ours, parts, about = measure_ours(workers)
    return {
        "plain fit": asdict(measure_fit(tuned=False, sample=sample)),
        "tuned fit": asdict(measure_fit(tuned=True, sample=sample)),
        "ours": asdict(ours),
        "parts of ours": parts,
        "matrix products": measure_products(workers),
        "workers": workers,
        "surroundings": about,
    }


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["fit", kind, sample]:
            print(json.dumps(_fit_runs(kind == "tuned", int(sample))))
        case ["products"]:
            print(json.dumps([_product_seconds()]))
        case ["steps"]:
            print(json.dumps(_step_seconds()))
