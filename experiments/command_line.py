"""What do the commands have in common: their options, and with which words and exit code they end when stopped?"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from experiments.configuration.yaml_source import ConfigError
from experiments.reporting import terminal
from experiments.reporting.commands import PROJECT

FAILED, FAULTY, INTERRUPTED = 1, 2, 130  # exit codes
PUBLISHED = PROJECT / "docs" / "results"
CORES = os.cpu_count() or 1

OutOption = Annotated[Path, typer.Option(help="folder for results")]
WorkersOption = Annotated[int, typer.Option(min=1, max=1024, help="worker processes")]
DataDirOption = Annotated[
    Path | None, typer.Option(envvar="TFDS_DATA_DIR", help="where TensorFlow Datasets keeps its data")
]
SchedulerOption = Annotated[str | None, typer.Option(help="Dask scheduler, tcp://host:port, instead of workers")]
ReplaceOption = Annotated[bool, typer.Option("--replace", help="train runs with other settings again, in place")]

errors = terminal.open_console(stderr=True)


@contextlib.contextmanager
def ending_in_words() -> Iterator[None]:
    """End a command that trains in a sentence on stderr, without traceback.

    Exit codes: 130 where it was interrupted, 2 where a file is wrong or runs do not fit their data, 1 where results
    cannot be written or read or the sweep cannot go on.
    """
    from experiments.records.storage import StorageError
    from experiments.sweeping.workforce import SweepError

    try:
        yield
    except KeyboardInterrupt:
        errors.print("Interrupted. Finished runs are kept; the same command goes on from there.")
        sys.stderr.flush()
        raise typer.Exit(INTERRUPTED) from None
    except ConfigError as error:
        errors.print("\n".join(error.faults), style="red")
        raise typer.Exit(FAULTY) from None
    except (SweepError, StorageError) as error:
        errors.print(f"error: {error}", style="red")
        raise typer.Exit(FAILED) from None
