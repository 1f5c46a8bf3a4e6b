"""Train the experiments of one or more YAML files and print what came out."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from experiments.configuration.experiment import json_schema
from experiments.configuration.loading import load_experiment
from experiments.configuration.yaml_source import ConfigError

if TYPE_CHECKING:
    from experiments.conduct import Study
    from experiments.sweeping.sweep import SweepOptions

INTERRUPTED = 130

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


@app.command()
def run(
    configs: Annotated[list[Path] | None, typer.Argument(metavar="CONFIG…", help="experiment files")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="override a field, such as run.steps=500")
    ] = None,
    out: Annotated[Path, typer.Option(help="folder for results")] = Path("runs"),
    workers: Annotated[int, typer.Option(min=1, help="worker processes")] = os.cpu_count() or 1,
    threads: Annotated[int, typer.Option(min=1, help="threads of each worker")] = 1,
    data_dir: Annotated[
        Path | None, typer.Option(envvar="TFDS_DATA_DIR", help="where TensorFlow Datasets keeps its data")
    ] = None,
    scheduler: Annotated[str | None, typer.Option(help="Dask scheduler, tcp://host:port, instead of workers")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would run, and stop")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="print the JSON schema of experiment files")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="train runs with other settings again, in place")] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="stop at the first failure")] = False,
) -> None:
    """Train the experiments of CONFIG… and print what came out. Interrupted, the same command goes on."""
    if schema:
        print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
        return
    if not configs:
        raise typer.BadParameter("give at least one experiment file, such as configs/quickstart.yaml")
    from experiments.records.storage import StorageError
    from experiments.sweeping.sweep import SweepError, SweepOptions

    studies = _load(configs, overrides or [], out)
    options = SweepOptions(
        workers=workers,
        threads=threads,
        scheduler=scheduler,
        data_dir=data_dir,
        fail_fast=fail_fast,
    )
    try:
        if dry_run:
            _print_plan(studies, options.workers, replace)
        elif not _train(studies, options, replace):
            raise typer.Exit(1)
    except KeyboardInterrupt:
        errors.print("Interrupted. Finished runs are kept; the same command goes on from there.")
        sys.stderr.flush()
        raise typer.Exit(INTERRUPTED) from None
    except (SweepError, StorageError) as error:
        errors.print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(1) from None


def _load(configs: list[Path], overrides: list[str], out: Path) -> list[Study]:
    from experiments.conduct import Study
    from experiments.records.ownership import Origin

    studies, faults = [], []
    for path in configs:
        try:
            origin = Origin(path, tuple(overrides))
            studies.append(Study(load_experiment(path, overrides), out / origin.folder_name(), origin))
        except ConfigError as error:
            faults += error.faults
    names = [study.experiment.name for study in studies]
    faults += [f"{name}: two files of this name would share a folder" for name in set(names) if names.count(name) > 1]
    if faults:
        errors.print("\n".join(faults), style="red", markup=False)
        raise typer.Exit(2)
    return studies


def _print_plan(studies: list[Study], workers: int, replace: bool) -> None:
    from experiments.sweeping.planning import estimate_seconds, plan_sweep

    console = Console(highlight=False, soft_wrap=True)
    for study in studies:
        experiment = study.experiment
        waits = study.waits_for_tuning()
        plan = plan_sweep([*study.tuning(), *([] if waits else study.evaluation())])
        later = len(study.evaluation_ahead()) if waits else 0
        total = len(plan.done) + len(plan.pending) + later
        console.print(f"{experiment.name}: {experiment.config.title}", markup=False)
        console.print(f"  {total} runs of {len(experiment.config.arms)} arms, {len(plan.done)} done already")
        if plan.outdated and replace:
            console.print(f"  {len(plan.outdated)} runs with other settings would be replaced")
        programs = {task.config.program_key() for task in plan.tasks}
        console.print(f"  {total - len(plan.done)} to train, {len(programs)} programs to compile")
        if later:
            console.print(f"  {later} of them at learning rates that the tuning runs will choose")
        seconds = estimate_seconds(plan, workers)
        known = seconds is not None and not later
        console.print(f"  estimated time: {f'{seconds:.0f} s' if known else 'not known before the first runs'}")
    for study in studies:
        study.check(replace)


def _train(studies: list[Study], options: SweepOptions, replace: bool) -> bool:
    from experiments.conduct import conduct
    from experiments.reporting.summary_table import print_summary
    from experiments.sweeping.progress import SweepProgress

    console = Console(highlight=False)
    started = time.monotonic()
    with SweepProgress(console) as progress:
        tables = conduct(studies, options, progress.start, progress.update, replace=replace)
    for study in studies:
        print_summary(console, study.experiment, tables[study.experiment.name])
        console.print(f"Results:     {study.folder}/results.parquet", soft_wrap=True)
        console.print(f"TensorBoard: {_tensorboard()} --logdir {study.folder}/summary", soft_wrap=True)
        console.print(f"             (the arms side by side; --logdir {study.folder} for every run)", soft_wrap=True)
        if strays := study.strays():
            console.print(
                f"{len(strays)} runs in {study.folder} are no part of the experiment as it is now, "
                f"such as {strays[0].relative_to(study.folder)}; they are kept, and --replace removes them",
                soft_wrap=True,
            )
        console.print()
    console.print(f"{time.monotonic() - started:.0f} s in all.")
    if progress.failed:
        errors.print(f"{len(progress.failed)} runs failed; the tracebacks stand in their run.json.", style="red")
    return not progress.failed


def _tensorboard() -> str:
    """The command as it can be pasted: from the same virtual environment."""
    beside = Path(sys.executable).parent / "tensorboard"
    with contextlib.suppress(ValueError):
        return str(beside.relative_to(Path.cwd()))
    return str(beside) if beside.exists() else "tensorboard"


if __name__ == "__main__":
    app()
