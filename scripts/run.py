"""Train the experiments of one or more YAML files and print what came out."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

sys.path.insert(0, str(Path(__file__).parent.parent))  # before another project's `models` on PYTHONPATH
from experiments.command_line import (
    CORES,
    FAILED,
    DataDirOption,
    OutOption,
    ReplaceOption,
    SchedulerOption,
    WorkersOption,
    ending_in_words,
    errors,
)
from experiments.configuration.experiment import json_schema
from experiments.configuration.loading import load_experiment
from experiments.configuration.reference import reference
from experiments.configuration.yaml_source import ConfigError
from experiments.reporting import terminal
from experiments.training.surroundings import unconfigure

if TYPE_CHECKING:
    from experiments.configuration.run import RunConfig
    from experiments.study import Study
    from experiments.sweeping.planning import Place, SweepPlan
    from experiments.sweeping.sweep import SweepOptions

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def run(
    configs: Annotated[list[Path] | None, typer.Argument(metavar="CONFIG…", help="experiment files")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="override a field, such as run.steps=500")
    ] = None,
    out: OutOption = Path("runs"),
    workers: WorkersOption = CORES,
    threads: Annotated[int, typer.Option(min=1, max=1024, help="threads of each worker")] = 1,
    data_dir: DataDirOption = None,
    scheduler: SchedulerOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would run, and stop")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="print the JSON schema of experiment files")] = False,
    reference_page: Annotated[
        bool, typer.Option("--reference", help="print docs/configuration.md, the page on every field")
    ] = False,
    replace: ReplaceOption = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="stop at the first failure")] = False,
    explorer: Annotated[
        bool, typer.Option("--explorer", help="also write explorer.html, the runs to play with")
    ] = False,
) -> None:
    """Train the experiments of CONFIG… and print what came out. Interrupted, the same command goes on."""
    if schema:
        print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
        return
    if reference_page:
        print(reference(), end="")
        return
    if not configs:
        raise typer.BadParameter("give at least one experiment file, such as configs/quickstart.yaml")
    with ending_in_words():
        from experiments.sweeping.sweep import SweepOptions

        studies = _load(configs, overrides or [], out, data_dir)
        options = SweepOptions(
            workers=workers,
            threads=threads,
            scheduler=scheduler,
            data_dir=data_dir,
            fail_fast=fail_fast,
        )
        if dry_run:
            _print_plan(studies, options, replace)
        elif not _train(studies, options, replace, explorer):
            raise typer.Exit(FAILED)


def _load(configs: list[Path], overrides: list[str], out: Path, data_dir: Path | None) -> list[Study]:
    from experiments.records.ownership import Origin
    from experiments.study import Study
    from experiments.training.datasets import known_in

    studies, faults, known = [], [], known_in(data_dir)
    for path in configs:
        try:
            origin = Origin(path, tuple(overrides))
            studies.append(Study(load_experiment(path, overrides, known), out / origin.folder_name(), origin))
        except ConfigError as error:
            faults += error.faults
    names = [study.experiment.name for study in studies]
    faults += [f"{name}: two files of this name would share a folder" for name in set(names) if names.count(name) > 1]
    if faults:
        raise ConfigError(faults)
    return studies


def _print_plan(studies: list[Study], options: SweepOptions, replace: bool) -> None:
    from experiments.conduct import check_data
    from experiments.sweeping.planning import estimate_seconds, examples_seen, plan_sweep

    console = terminal.open_console()
    facts = check_data(studies, options)
    for study in studies:
        experiment = study.experiment
        waits = study.waits_for_tuning()
        plan = plan_sweep(study.tuning() if waits else study.places())
        later, between = len(study.evaluation_ahead()) if waits else 0, len(study.edges_ahead())
        total = len(plan.done) + len(plan.pending) + later
        console.print(f"{experiment.name}: {experiment.config.title}")
        console.print(f"  {total} runs of {len(experiment.config.arms)} arms, {len(plan.done)} done already")
        if plan.outdated and replace:
            console.print(f"  {len(plan.outdated)} runs with other settings would be replaced")
        programs = {task.config.program_key() for task in plan.tasks}
        console.print(f"  {total - len(plan.done)} to train, {len(programs)} programs to compile")
        if later:
            console.print(f"  {later} of them at learning rates that the tuning runs will choose")
        if between:
            console.print(f"  up to {between} more, between values of the grid, which the results will choose")
        for line in examples_seen((run.config for run in study.possible()), facts):
            console.print(f"  {line}", soft_wrap=True)
        seconds = estimate_seconds(plan, options.workers)
        known = seconds is not None and not later
        rest = ", without those between" if between else ""
        console.print(f"  estimated time: {f'{seconds:.0f} s{rest}' if known else 'not known before the first runs'}")
    for study in studies:
        study.check(replace)


def _train(studies: list[Study], options: SweepOptions, replace: bool, explorer: bool) -> bool:
    from experiments.conduct import conduct, none_finished
    from experiments.exploration import write_explorer
    from experiments.reporting.commands import shell_command
    from experiments.reporting.live_table import LiveArms
    from experiments.reporting.summary_table import print_summary
    from experiments.sweeping.progress import SweepProgress, fold_failures

    console = terminal.open_console()
    started = time.monotonic()
    arms = LiveArms(studies[0].experiment) if len(studies) == 1 and console.is_terminal else None
    with SweepProgress(console, above=arms) as progress:

        def start(stage: str, plan: SweepPlan, later: list[RunConfig]) -> None:
            if arms:
                arms.update((place.experiment, place.run) for place in plan.done)
            progress.start(stage, plan, later)

        def update(done: list[Place], failed: list[Place]) -> None:
            if arms:
                arms.update((place.experiment, place.run) for place in done)
            progress.update(done, failed)

        tables = conduct(studies, options, start, update, replace=replace)
    for study in studies:
        if none_finished(tables[study.experiment.name]):
            console.print(f"{study.experiment.config.title}: no run finished, so there is nothing to show.")
            continue
        print_summary(console, study.experiment, tables[study.experiment.name])
        console.print(f"Results:     {study.folder}/results.parquet", soft_wrap=True)
        console.print(f"Page:        {study.folder}/index.html", soft_wrap=True)
        if explorer and (page := write_explorer(study.folder, [study], tables, study.experiment.config.title)):
            console.print(f"Explorer:    {page}", soft_wrap=True)
        curves = shell_command(Path.cwd(), "curves.py", "--logdir", study.folder)
        console.print(f"TensorBoard: {curves}", soft_wrap=True)
        console.print("             (a line an arm; --show trials: every rate; --show runs: every run)")
        if strays := study.strays():
            console.print(
                f"{len(strays)} runs in {study.folder} are no part of the experiment as it is now, "
                f"such as {strays[0].relative_to(study.folder)}; they are kept, and --replace removes them",
                soft_wrap=True,
            )
        console.print()
    console.print(f"{time.monotonic() - started:.0f} s in all.")
    if progress.failed:
        errors.print("\n".join(fold_failures(progress.failed)), style="red")
    return not progress.failed


if __name__ == "__main__":
    unconfigure()
    terminal.run(app)
