"""Measure what the suite costs, and what it saves, on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich import box
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))  # before another project's `models` on PYTHONPATH
from experiments.reporting import terminal
from experiments.training.surroundings import ONEDNN, start_tensorflow, surroundings, unconfigure

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
CORES = os.cpu_count() or 1
Json = Annotated[bool, typer.Option("--json", help="print the figures as JSON")]
OneDnn = Annotated[
    Literal["on", "off", "both"] | None,
    typer.Option("--onednn", help="TensorFlow's oneDNN; both: one after the other; by default on, as in a sweep"),
]


@app.command()
def layer(
    rounds: Annotated[int, typer.Option(min=1, help="measurements of each contestant, taken in turn")] = 15,
    threads: Annotated[int, typer.Option(min=1, help="threads, as many as a sweep's worker has")] = 1,
    onednn: OneDnn = None,
    as_json: Json = False,
) -> None:
    """Time our batch normalization beside the stock layer, the bare fused kernel and the memory's streaming floor."""
    _set_onednn(onednn)
    start_tensorflow(threads)
    from experiments.benchmarks import layer as layer_benchmark

    rows = [row for shape in layer_benchmark.SHAPES for row in layer_benchmark.measure_layer(shape, rounds)]
    cnn = layer_benchmark.measure_cnn_step(rounds)
    memory = {str(shape): layer_benchmark.measure_peak_memory(shape, threads) for shape in layer_benchmark.LARGE_SHAPES}
    if as_json:
        figures = {"microseconds_per_step": [row.figures() for row in rows], "cnn_milliseconds_per_step": cnn}
        print(json.dumps(figures | {"peak_mebibytes": memory} | _about(threads), indent=2))
        return
    console = terminal.open_console()
    console.print(_header(_about(threads)))
    title = f"Microseconds of a step, {threads} thread{'s' * (threads > 1)}"
    columns = ("shape", "mode", "phase", "ours", "stock", "kernel", "floor", "stock\n/ours", "ours\n/kernel")
    table = Table(*columns, title=title, box=box.SIMPLE, padding=0, pad_edge=False)
    for row in rows:
        times = [f"{value:.{1 if value < 100 else 0}f}" for value in (row.ours, row.stock, row.kernel, row.floor)]
        ratios = [f"{row.stock / row.ours:.2f}", f"{row.ours / row.kernel:.2f}"]
        table.add_row("×".join(map(str, row.shape)), row.mode, row.phase, *times, *ratios)
    console.print(table)
    ratio = cnn["stock"] / cnn["ours"]
    console.print(
        f"CNN training step: {cnn['ours']:.2f} ms with ours, {cnn['stock']:.2f} with stock, ratio {ratio:.2f}."
    )
    for shape, peaks in memory.items():
        text = ", ".join(f"{name} {mebibytes:.0f}" for name, mebibytes in peaks.items())
        console.print(f"Peak MiB of a training step on {shape}: {text}.")


@app.command()
def step(
    rounds: Annotated[int, typer.Option(min=1, help="measurements of each contestant, taken in turn")] = 15,
    threads: Annotated[int, typer.Option(min=1, help="threads, as many as a sweep's worker has")] = 1,
    only: Annotated[str, typer.Option(help="cases whose name contains this")] = "",
    onednn: OneDnn = None,
    as_json: Json = False,
) -> None:
    """Time a training step by kind of network: with XLA, without, under `model.fit` and in a loop by hand."""
    _set_onednn(onednn)
    start_tensorflow(threads)
    from experiments.benchmarks import step as step_benchmark

    figures: dict[str, dict[str, float]] = {}
    for case in step_benchmark.CASES:
        if only in case.name:
            figures[case.name] = step_benchmark.measure_case(case, rounds)
    extras = step_benchmark.measure_extras(rounds) if only in "probes" else {}
    if as_json:
        print(json.dumps({"milliseconds_per_step": figures, "seconds_per_run": extras} | _about(threads), indent=2))
        return
    console = terminal.open_console()
    console.print(_header(_about(threads)))
    for name, milliseconds in figures.items():
        table = Table("contestant", "ms a step", "× ours with XLA", title=name)
        for contestant, value in milliseconds.items():
            table.add_row(contestant, f"{value:.3f}", f"{value / milliseconds['ours with XLA']:.2f}")
        console.print(table)
    if extras:
        bare, probed = extras.values()
        console.print(f"Probes and TensorBoard cost {100 * (probed / bare - 1):.1f} % of a run ({bare:.3f} s bare).")


@app.command()
def sweep(
    model: Annotated[
        Literal["mlp", "cnn", "both"], typer.Option(help="160 runs of an MLP, 80 of a CNN; some 5 minutes each")
    ] = "both",
    workers: Annotated[int, typer.Option(min=1, help="processes or threads; all cores by default")] = CORES,
    sample: Annotated[int, typer.Option(min=2, help="runs that `fit` really does")] = 8,
    onednn: OneDnn = None,
    as_json: Json = False,
) -> None:
    """Time a sweep of small runs: by ours, in JAX by hand, by `model.fit`, plain and tuned (a sample, scaled up)."""
    _set_onednn(onednn)
    from experiments.benchmarks import sweep as sweep_benchmark
    from experiments.benchmarks.equal_training import DifferentTrainingError

    if not sweep_benchmark.jax_is_installed():
        typer.echo("JAX by hand is left out: JAX is not installed; pip install --editable '.[benchmark]'", err=True)
    models = ("mlp", "cnn") if model == "both" else (model,)
    try:
        found = {name: sweep_benchmark.figures(name, workers, sample) for name in models}
    except DifferentTrainingError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for name, figures in found.items():
        _print_sweep(name, figures)


def _print_sweep(model: str, found: dict[str, Any]) -> None:
    costs, ours = found["costs"], found["costs"]["ours"]
    title = f"{found['runs']} runs of {found['steps']} steps, {model}"
    table = Table("by", "whole command s", "× ours", "steady state s", "× ours", title=title)
    for name, cost in costs.items():
        ratios = [f"{cost[state] / ours[state]:.2f}" for state in ("whole", "steady")]
        table.add_row(f"{name}, {cost['note']}", f"{cost['whole']:.1f}", ratios[0], f"{cost['steady']:.1f}", ratios[1])
    console = terminal.open_console()
    console.print(_header(found["surroundings"]))
    console.print(table)
    for part, seconds in found["parts of ours"].items():
        console.print(f"  {part}: {seconds:.1f} s")
    if products := found["matrix products"]:
        ratio = ours["steady"] / products
        console.print(f"The bare matrix products take {products:.1f} s; our steady state takes {ratio:.2f} times that.")


def _set_onednn(setting: str | None) -> None:
    """Set oneDNN before TensorFlow loads; for both, give this command once with each, and end."""
    if setting == "both":
        for one in ("on", "off"):
            subprocess.run([sys.executable, *sys.argv, "--onednn", one], check=True)  # the last of an option counts
        raise typer.Exit
    if setting:
        os.environ[ONEDNN] = "1" if setting == "on" else "0"


def _about(threads: int) -> dict[str, Any]:
    from experiments.benchmarks.memory import copy_bandwidth

    return {"threads": threads, "copy_gigabytes_per_second": copy_bandwidth()} | surroundings()


def _header(about: Mapping[str, Any]) -> str:
    """Say on one line on what was measured."""
    variables = "".join(f", {name}={value}" for name, value in about["environment"].items())
    threads = f"{about['threads']} thread{'s' * (about['threads'] > 1)}"
    copy = f"copies {about['copy_gigabytes_per_second']:.1f} GB/s"
    return f"{about['processor']}, {threads}, oneDNN {'on' if about['onednn'] else 'off'}{variables}, {copy}"


if __name__ == "__main__":
    unconfigure()
    terminal.run(app)
