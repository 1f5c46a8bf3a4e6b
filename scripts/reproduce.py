"""Put the claims about batch normalization to the test: train what is missing, print verdicts, write a report."""

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
from experiments.configuration.tiers import Claims, Tier, load_claims
from experiments.reporting import terminal
from experiments.reporting.commands import PROJECT
from experiments.training.surroundings import unconfigure

QUICK = (
    "This was with {} seeds{}. Without --quick, the command goes on to all seeds and finds every learning rate itself."
)
PUBLISHED_RATES = " and, in {} of {} experiments, the published learning rates"
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def reproduce(
    claims: Annotated[list[str] | None, typer.Argument(metavar="CLAIM…", help="claims to test; all by default")] = None,
    tier: Annotated[Tier, typer.Option(help="which data")] = Tier.embedded,
    out: OutOption = Path("runs"),
    workers: WorkersOption = CORES,
    data_dir: DataDirOption = None,
    scheduler: SchedulerOption = None,
    tune: Annotated[bool, typer.Option("--tune", help="only the tuning seeds; print best learning rates")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="the first 10 seeds, at the published learning rates")] = False,
    replace: ReplaceOption = False,
    publish: Annotated[bool, typer.Option("--publish", help="also write docs/results, README's figures")] = False,
) -> None:
    """Test CLAIM… and print for each what happens here to the effect that is claimed. Interrupted, it goes on.

    What --quick has trained, the command without it goes on from: all seeds, and each arm's learning rates found anew.
    """
    if publish and (claims or tune or quick):
        errors.print(
            "error: --publish takes all claims of a tier and all their runs; leave names, --tune and --quick out",
            style="red",
        )
        raise typer.Exit(FAULTY)
    if tune and quick:
        errors.print("error: --quick takes learning rates as published, --tune finds them; leave one out", style="red")
        raise typer.Exit(FAULTY)
    with ending_in_words():
        from experiments.sweeping.sweep import SweepOptions

        of_tier = load_claims(tier)
        asked = of_tier.of(claims) if claims else of_tier
        options = SweepOptions(workers=workers, scheduler=scheduler, data_dir=data_dir)
        console, folder = terminal.open_console(), out / tier.value
        if not _reproduce(console, of_tier, asked, tier, folder, options, tune, replace, publish, quick):
            raise typer.Exit(FAILED)


def _reproduce(
    console: Console,
    of_tier: Claims,
    asked: Claims,
    tier: Tier,
    folder: Path,
    options: Any,
    tune: bool,
    replace: bool,
    publish: bool,
    quick: bool,
) -> bool:
    from experiments import exploration, reproduction
    from experiments.analysis.statistics import FEWEST_SEEDS
    from experiments.conduct import conduct, none_finished
    from experiments.sweeping.progress import SweepProgress, fold_failures

    started = time.monotonic()
    studies = reproduction.studies_of(asked, folder, PUBLISHED / tier.value if quick else None)
    if quick:
        studies = [study.on_first_seeds(FEWEST_SEEDS) for study in studies]
    with SweepProgress(console) as progress:
        tables = conduct(studies, options, progress.start, progress.update, only_tuning=tune, replace=replace)
    if progress.failed:
        errors.print("\n".join(fold_failures(progress.failed)), style="red")
    if tables and all(map(none_finished, tables.values())):
        console.print("No run finished, so there is nothing to judge.")
        return False
    from experiments.reporting.printed_verdicts import print_agreement, print_tuning, print_verdicts

    if tune:
        print_tuning(console, asked, tables)
        return not progress.failed

    results = reproduction.read_tables(reproduction.studies_of(of_tier, folder))  # of earlier commands, too
    judged = reproduction.judge_all(results, of_tier.claims)
    shown = [result for result in judged if result.id in asked.claims]
    print_verdicts(console, shown)
    report = reproduction.write_report(folder, tier.value, of_tier, results, judged, options.workers_here)
    there = {name: of.table for name, of in results.items()}
    page = exploration.write_tier_explorer(folder, tier, reproduction.studies_of(of_tier, folder), there)
    print_agreement(console, reproduction.compare_with_published(PUBLISHED, tier.value, folder, of_tier, shown))
    if any(study.partial for study in studies):
        tuned = sum(study.tuned is not None for study in studies)
        rates = PUBLISHED_RATES.format(tuned, len(studies)) if tuned else ""
        terminal.print_paragraph(console, QUICK.format(FEWEST_SEEDS, rates))
    console.print(f"Report: {report}   ({time.monotonic() - started:.0f} s in all)", soft_wrap=True)
    if page:
        console.print(f"Explorer: {page}", soft_wrap=True)
    if publish and progress.failed:
        errors.print("error: nothing is published while runs fail", style="red")
    elif publish:
        reproduction.publish(PUBLISHED, tier.value, folder, of_tier, results, judged)
        reproduction.renew_pages(PUBLISHED, PROJECT / "README.md")
    return not progress.failed


if __name__ == "__main__":
    unconfigure()
    terminal.run(app)
