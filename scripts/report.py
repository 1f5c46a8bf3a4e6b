"""Judge finished claims again from their `results.parquet` and YAML alone: no training, no TensorFlow."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).parent.parent))  # before another project's `models` on PYTHONPATH
from experiments.command_line import CORES, PUBLISHED, ending_in_words
from experiments.configuration.tiers import Tier, load_claims
from experiments.reporting import terminal
from experiments.training.surroundings import unconfigure

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def report(
    tier: Annotated[Tier, typer.Option(help="which data the claims were tested on")] = Tier.embedded,
    results: Annotated[
        Path | None, typer.Option(help="folder of the tier's results; runs/<tier> by default, or docs/results/<tier>")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="processes that draw figures")] = CORES,
) -> None:
    """Print the verdicts of a tier's finished claims and write its report.html."""
    with ending_in_words():
        from experiments import reproduction
        from experiments.reporting.printed_verdicts import print_agreement, print_verdicts

        folder, claims = results or Path("runs") / tier.value, load_claims(tier)
        finished = reproduction.read_tables(reproduction.studies_of(claims, folder))
        judged = reproduction.judge_all(finished, claims.claims)
        console = terminal.open_console()
        print_verdicts(console, judged)
        compared = reproduction.compare_with_published(PUBLISHED, tier.value, folder, claims, judged)
        written = reproduction.write_report(folder, tier.value, claims, finished, judged, workers)
        print_agreement(console, compared)
        console.print(f"Report: {written}", soft_wrap=True)


if __name__ == "__main__":
    unconfigure()
    terminal.run(app)
