"""Put the claims about batch normalization to the test: train what is missing, print verdicts, write a report."""

from __future__ import annotations

import os
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from experiments.config import Experiment
from experiments.loading import load_experiment
from experiments.yaml_source import ConfigError

INTERRUPTED = 130
PROJECT = Path(__file__).resolve().parent.parent


class Tier(StrEnum):
    """embedded: data that come with a package, in minutes. mnist: MNIST through TensorFlow Datasets."""

    embedded = "embedded"
    mnist = "mnist"


FOLDERS = {Tier.embedded: PROJECT / "configs" / "claims", Tier.mnist: PROJECT / "configs" / "mnist"}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


@app.command()
def reproduce(
    claims: Annotated[list[str] | None, typer.Argument(metavar="CLAIM…", help="claims to test; all by default")] = None,
    tier: Annotated[Tier, typer.Option(help="which data")] = Tier.embedded,
    out: Annotated[Path, typer.Option(help="folder for results")] = Path("runs"),
    workers: Annotated[int, typer.Option(min=1, help="worker processes")] = os.cpu_count() or 1,
    data_dir: Annotated[
        Path | None, typer.Option(envvar="TFDS_DATA_DIR", help="where TensorFlow Datasets keeps its data")
    ] = None,
    scheduler: Annotated[str | None, typer.Option(help="Dask scheduler, tcp://host:port, instead of workers")] = None,
    tune: Annotated[bool, typer.Option("--tune", help="only the tuning seeds; print best rates and targets")] = False,
    publish: Annotated[bool, typer.Option("--publish", help="also write docs/results and the README's table")] = False,
) -> None:
    """Test CLAIM… and print a verdict for each: supported, refuted or inconclusive. Interrupted, it goes on."""
    from experiments.storage import StorageError
    from experiments.sweep import SweepError, SweepOptions

    experiments = _load(claims or [], tier)
    options = SweepOptions(workers=workers, scheduler=scheduler, data_dir=data_dir)
    console = Console(highlight=False)
    try:
        if not _reproduce(console, experiments, tier, out / tier.value, options, tune, publish):
            raise typer.Exit(1)
    except KeyboardInterrupt:
        errors.print("Interrupted. Finished runs are kept; the same command goes on from there.")
        raise typer.Exit(INTERRUPTED) from None
    except (SweepError, StorageError) as error:
        errors.print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(1) from None


def _load(claims: list[str], tier: Tier) -> dict[str, Experiment]:
    known = sorted(
        path.stem for path in FOLDERS[tier].glob("*.yaml") if "claim:" in path.read_text() or tier == Tier.mnist
    )
    if unknown := [claim for claim in claims if claim not in known]:
        errors.print(f"no such claim: {', '.join(unknown)}; there are: {', '.join(known)}", style="red", markup=False)
        raise typer.Exit(2)
    experiments, faults = {}, []
    for name in claims or known:
        try:
            experiment = load_experiment(FOLDERS[tier] / f"{name}.yaml")
        except ConfigError as error:
            faults += error.faults
            continue
        experiments[name] = experiment
    if faults:
        errors.print("\n".join(faults), style="red", markup=False)
        raise typer.Exit(2)
    return experiments


def _reproduce(
    console: Console,
    experiments: dict[str, Experiment],
    tier: Tier,
    folder: Path,
    options: Any,
    tune: bool,
    publish: bool,
) -> bool:
    from experiments.conduct import Study, conduct
    from experiments.progress import SweepProgress

    started = time.monotonic()
    studies = [
        Study(experiment, folder / name)
        for name, experiment in experiments.items()
        if experiment.config.claim and experiment.config.claim.kind != "over_all_claims"
    ]
    with SweepProgress(console) as progress:
        tables = conduct(studies, options, progress.start, progress.update, only_tuning=tune)
    if tune:
        _print_tuning(console, experiments, tables)
        return not progress.failed

    import pandas as pd

    from experiments import reproduction

    results = {
        name: reproduction.Results(experiment.config, tables.get(name, pd.DataFrame()))
        for name, experiment in experiments.items()
    }
    judged = reproduction.judge_all(results)
    provenance = reproduction.gather_provenance(studies)
    shown = {study.experiment.name: reproduction.evidence(study, results[study.experiment.name]) for study in studies}
    check = reproduction.aa_check(results)
    report = reproduction.write_report(folder, tier.value, judged, shown, provenance, check)
    _print_verdicts(console, judged)
    console.print(f"Report: {report}   ({time.monotonic() - started:.0f} s in all)", soft_wrap=True)
    if publish:
        reproduction.publish(PROJECT / "docs" / "results", tier.value, judged, provenance, results)
    return not progress.failed


def _print_verdicts(console: Console, judged: list[Any]) -> None:
    from experiments import wording

    table = Table(title=wording.headline(judged), title_justify="left", title_style="bold")
    table.add_column("claim", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("effect [95 % interval]")
    table.add_column("margin", no_wrap=True)
    colours = {"supported": "green", "refuted": "red", "inconclusive": "yellow"}
    for result in judged:
        parts = [part for part in result.parts if part.config.decides]
        effects = [wording.effect_or_reason(part) for part in parts] or [result.reason]
        margins = [wording.format_margin(part.config) for part in parts]
        verdict = f"[{colours[result.verdict]}]{wording.verdict_words(result.verdict)}[/]"
        table.add_row(result.id, verdict, "\n".join(effects), "\n".join(margins))
    console.print(table)


def _print_tuning(console: Console, experiments: dict[str, Experiment], tables: Any) -> None:
    from experiments.tuning import target_from_tuning, tuned_rates

    for name, table in tables.items():
        config = experiments[name].config
        for (arm, per), tuned in tuned_rates(table, config).items():
            edge = ", at the edge of the grid" if tuned.at_edge else ""
            where = f" at {', '.join(f'{v:g}' for v in per)}" if per else ""
            target = target_from_tuning(table, config, arm)
            console.print(
                f"{name}: {arm}{where}: best rate {tuned.value}{edge}; best accuracy less a point {target:.4f}"
            )


if __name__ == "__main__":
    app()
