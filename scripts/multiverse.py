"""Put claims to the test under all settings that would have been as good, and draw how the effect changes with them."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent.parent))  # before another project's `models` on PYTHONPATH
from experiments.command_line import (
    CORES,
    FAILED,
    PUBLISHED,
    DataDirOption,
    OutOption,
    ReplaceOption,
    WorkersOption,
    ending_in_words,
    errors,
)
from experiments.configuration.tiers import Claims, Tier, load_claims
from experiments.configuration.yaml_source import ConfigError
from experiments.reporting import terminal
from experiments.training.surroundings import unconfigure

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def multiverse(
    claims: Annotated[
        list[str] | None, typer.Argument(metavar="CLAIM…", help="claims with specifications; all by default")
    ] = None,
    tier: Annotated[Tier, typer.Option(help="which data")] = Tier.embedded,
    out: OutOption = Path("runs"),
    workers: WorkersOption = CORES,
    data_dir: DataDirOption = None,
    replace: ReplaceOption = False,
    publish: Annotated[bool, typer.Option("--publish", help="also write docs/results")] = False,
) -> None:
    """Train what is missing for all specifications of CLAIM… and print what they come to. Interrupted, it goes on."""
    with ending_in_words():
        from experiments.sweeping.sweep import SweepOptions

        options = SweepOptions(workers=workers, data_dir=data_dir)
        of_tier = load_claims(tier)
        asked = of_tier.of(claims or [name for name, file in of_tier.claims.items() if _has_specifications(file)])
        if faults := [
            f"{name}: has no section claim.specifications"
            for name in claims or ()
            if not _has_specifications(of_tier.claims[name])
        ]:
            raise ConfigError(faults)
        if not _multiverse(terminal.open_console(), of_tier, asked, tier, out / tier.value, options, replace, publish):
            raise typer.Exit(FAILED)


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
