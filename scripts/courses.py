"""Train the exercises of courses, say what they come to, and publish a page of them."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).parent.parent))  # before another project's `models` on PYTHONPATH
from experiments.command_line import (
    CORES,
    FAILED,
    FAULTY,
    PUBLISHED,
    DataDirOption,
    OutOption,
    ReplaceOption,
    SchedulerOption,
    WorkersOption,
    ending_in_words,
    errors,
)
from experiments.reporting import terminal
from experiments.training.surroundings import unconfigure

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def courses(
    names: Annotated[list[str] | None, typer.Argument(metavar="COURSE…", help="courses; all by default")] = None,
    out: OutOption = Path("runs") / "courses",
    workers: WorkersOption = CORES,
    data_dir: DataDirOption = None,
    scheduler: SchedulerOption = None,
    tune: Annotated[bool, typer.Option("--tune", help="only the tuning seeds; print best learning rates")] = False,
    replace: ReplaceOption = False,
    publish: Annotated[bool, typer.Option("--publish", help="also write docs/results/courses and its page")] = False,
) -> None:
    """Train the exercises of COURSE… and print what each comes to. Interrupted, the same command goes on."""
    if publish and tune:
        errors.print("error: --publish takes all runs; leave --tune out", style="red")
        raise typer.Exit(FAULTY)
    started, console = time.monotonic(), terminal.open_console()
    with ending_in_words():
        from experiments import courses
        from experiments.conduct import conduct
        from experiments.reporting.printed_verdicts import print_tuning, print_verdicts
        from experiments.sweeping.progress import SweepProgress, fold_failures
        from experiments.sweeping.sweep import SweepOptions

        asked = courses.read_courses(names or [])
        options = SweepOptions(workers=workers, scheduler=scheduler, data_dir=data_dir)
        for name, studies in courses.studies_of(asked, out).items():
            with SweepProgress(console) as progress:
                tables = conduct(studies, options, progress.start, progress.update, only_tuning=tune, replace=replace)
            if progress.failed:
                errors.print("\n".join(fold_failures(progress.failed)), style="red")
                raise typer.Exit(FAILED)
            if tune:
                print_tuning(console, asked[name], tables)
            else:
                print_verdicts(console, courses.judge(asked[name], studies))
        if publish:
            courses.publish(PUBLISHED / "courses", asked, out)
            console.print(f"Page: {PUBLISHED / 'courses.md'}", soft_wrap=True)
    console.print(f"{time.monotonic() - started:.0f} s in all.")


if __name__ == "__main__":
    unconfigure()
    terminal.run(app)
