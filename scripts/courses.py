"""Train the exercises of courses, say what they come to, and publish a page of them."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).parent.parent))  # before another project's `models` on PYTHONPATH
from experiments.configuration.yaml_source import ConfigError
from experiments.reporting import terminal
from experiments.reporting.commands import PROJECT
from experiments.training.surroundings import unconfigure

INTERRUPTED = 130
PUBLISHED = PROJECT / "docs" / "results" / "courses"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
errors = terminal.open_console(stderr=True)


@app.command()
def courses(
    names: Annotated[list[str] | None, typer.Argument(metavar="COURSE…", help="courses; all by default")] = None,
    out: Annotated[Path, typer.Option(help="folder for results")] = Path("runs") / "courses",
    workers: Annotated[int, typer.Option(min=1, max=1024, help="worker processes")] = os.cpu_count() or 1,
    data_dir: Annotated[
        Path | None, typer.Option(envvar="TFDS_DATA_DIR", help="where TensorFlow Datasets keeps its data")
    ] = None,
    scheduler: Annotated[str | None, typer.Option(help="Dask scheduler, tcp://host:port, instead of workers")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="train runs with other settings again, in place")] = False,
    publish: Annotated[bool, typer.Option("--publish", help="also write docs/results/courses and its page")] = False,
) -> None:
    """Train the exercises of COURSE… and print what each comes to. Interrupted, the same command goes on."""
    from experiments import courses
    from experiments.conduct import conduct
    from experiments.records.storage import StorageError
    from experiments.reporting.printed_verdicts import print_verdicts
    from experiments.sweeping.progress import SweepProgress, fold_failures
    from experiments.sweeping.sweep import SweepError, SweepOptions

    console, started = terminal.open_console(), time.monotonic()
    options = SweepOptions(workers=workers, scheduler=scheduler, data_dir=data_dir)
    try:
        asked = courses.read_courses(names or [])
        studies = courses.studies_of(asked, out)
        for name, of_course in studies.items():
            with SweepProgress(console) as progress:
                conduct(of_course, options, progress.start, progress.update, replace=replace)
            if progress.failed:
                errors.print("\n".join(fold_failures(progress.failed)), style="red")
                raise typer.Exit(1)
            print_verdicts(console, courses.judge(asked[name], of_course))
        if publish:
            courses.publish(PUBLISHED, asked, out)
            console.print(f"Page: {PUBLISHED.with_suffix('.md')}", soft_wrap=True)
        console.print(f"{time.monotonic() - started:.0f} s in all.")
    except KeyboardInterrupt:
        errors.print("Interrupted. Finished runs are kept; the same command goes on from there.")
        raise typer.Exit(INTERRUPTED) from None
    except ConfigError as error:
        errors.print("\n".join(error.faults), style="red", markup=False)
        raise typer.Exit(2) from None
    except (SweepError, StorageError) as error:
        errors.print(f"error: {error}", style="red")
        raise typer.Exit(1) from None


if __name__ == "__main__":
    unconfigure()
    terminal.run(app)
