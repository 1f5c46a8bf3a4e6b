"""Put claims to the test under all settings that would have been as good, and draw how the effect changes with them."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent.parent))  # before another project's `models` on PYTHONPATH
from experiments.configuration.tiers import Claims, Tier, load_claims
from experiments.configuration.yaml_source import ConfigError
from experiments.reporting import terminal
from experiments.reporting.commands import PROJECT
from experiments.training.surroundings import unconfigure

INTERRUPTED = 130
PUBLISHED = PROJECT / "docs" / "results"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
errors = terminal.open_console(stderr=True)


@app.command()
def multiverse(
    claims: Annotated[
        list[str] | None, typer.Argument(metavar="CLAIM…", help="claims with specifications; all by default")
    ] = None,
    tier: Annotated[Tier, typer.Option(help="which data")] = Tier.embedded,
    out: Annotated[Path, typer.Option(help="folder for results")] = Path("runs"),
    workers: Annotated[int, typer.Option(min=1, max=1024, help="worker processes")] = os.cpu_count() or 1,
    data_dir: Annotated[
        Path | None, typer.Option(envvar="TFDS_DATA_DIR", help="where TensorFlow Datasets keeps its data")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="train runs with other settings again, in place")] = False,
    publish: Annotated[bool, typer.Option("--publish", help="also write docs/results")] = False,
) -> None:
    """Train what is missing for all specifications of CLAIM… and print what they come to. Interrupted, it goes on."""
    from experiments.records.storage import StorageError
    from experiments.sweeping.sweep import SweepError, SweepOptions

    options = SweepOptions(workers=workers, data_dir=data_dir)
    try:
        of_tier = load_claims(tier)
        asked = of_tier.of(claims or [name for name, file in of_tier.claims.items() if _has_specifications(file)])
        if faults := [
            f"{name}: has no section claim.specifications"
            for name in claims or ()
            if not _has_specifications(of_tier.claims[name])
        ]:
            raise ConfigError(faults)
        if not _multiverse(terminal.open_console(), of_tier, asked, tier, out / tier.value, options, replace, publish):
            raise typer.Exit(1)
    except KeyboardInterrupt:
        errors.print("Interrupted. Finished runs are kept; the same command goes on from there.")
        raise typer.Exit(INTERRUPTED) from None
    except ConfigError as error:
        errors.print("\n".join(error.faults), style="red", markup=False)
        raise typer.Exit(2) from None
    except (SweepError, StorageError) as error:
        errors.print(f"error: {error}", style="red")
        raise typer.Exit(1) from None


def _has_specifications(file: Any) -> bool:
    return bool(file.config.claim and file.config.claim.specifications)


def _multiverse(
    console: Console,
    of_tier: Claims,
    asked: Claims,
    tier: Tier,
    folder: Path,
    options: Any,
    replace: bool,
    publish: bool,
) -> bool:
    from experiments import multiverse, reproduction
    from experiments.conduct import conduct
    from experiments.reporting.specification_words import described_words
    from experiments.sweeping.progress import SweepProgress, fold_failures

    started = time.monotonic()
    universes = multiverse.universes_of(asked, folder / multiverse.FOLDER)
    with SweepProgress(console) as progress:
        tables = conduct(multiverse.studies_of(universes), options, progress.start, progress.update, replace=replace)
    if progress.failed:
        errors.print("\n".join(fold_failures(progress.failed)), style="red")
    verdicts = reproduction.verdicts_of(of_tier, folder)
    for universe in universes:
        table = multiverse.effects_of(universe, tables, options.workers_here)
        found = multiverse.described(universe, table, verdicts.get(universe.name))
        first, *others = described_words(universe.claim, table, found)
        for line in (f"{universe.name}: {first}", *(f"  {other}" for other in others)):
            terminal.print_paragraph(console, line)
        for path in multiverse.write(folder / multiverse.FOLDER, universe, table, found):
            console.print(f"  {path}", soft_wrap=True, markup=False)
        if publish and not progress.failed:
            multiverse.write(PUBLISHED / tier.value / multiverse.FOLDER, universe, table, found)
    if publish and progress.failed:
        errors.print("error: nothing is published while runs fail", style="red")
    console.print(f"({time.monotonic() - started:.0f} s in all)")
    return not progress.failed


if __name__ == "__main__":
    unconfigure()
    terminal.run(app)
