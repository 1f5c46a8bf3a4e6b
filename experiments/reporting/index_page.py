"""What came out of one experiment, for a reader who opens its folder? One page without a request or a script."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from experiments.analysis.summary import Network
from experiments.configuration.experiment import Experiment
from experiments.records.storage import write_atomically
from experiments.reporting.commands import PROJECT, from_folder, shell_command
from experiments.reporting.figures import inline_file
from experiments.reporting.pictures import CAPTIONS, FIGURES
from experiments.reporting.summary_table import described, verdict_lines

INDEX = "index.html"


def write_index(
    experiment: Experiment, folder: Path, table: pd.DataFrame, summary: Sequence[Network], drawn: Mapping[str, str]
) -> None:
    """Write an experiment's `index.html` into its folder; its pictures stand inside. Raises OSError."""
    write_atomically(folder / INDEX, render_index(experiment, folder, table, summary, drawn).encode())


def render_index(
    experiment: Experiment, folder: Path, table: pd.DataFrame, summary: Sequence[Network], drawn: Mapping[str, str]
) -> str:
    """Return the page: what came out in sentences, curves, rates, the arms side by side, where to go on.

    summary: what came out of each network. drawn: the pictures as files, by name.
    """
    networks, remarks = described(experiment, table, summary)
    shown = from_folder(PROJECT, folder)
    return _template().render(
        title=experiment.config.title,
        verdict=verdict_lines(experiment, table),
        sentences=[words for network in networks for words in network.sentences],
        figures=[
            {
                "file": f"{FIGURES}/{name}.svg",
                "caption": CAPTIONS[name],
                "svg": Markup(inline_file(svg, name, CAPTIONS[name])),
            }
            for name, svg in drawn.items()
        ],
        networks=networks,
        remarks=remarks,
        commands=[
            shell_command(PROJECT, "curves.py", "--logdir", shown, *options)
            for options in ((), ("--show", "trials"), ("--show", "runs"))
        ],
        python=f"from experiments.results import load\n\nload({str(shown)!r}).runs",
    )


@functools.cache
def _template() -> Template:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    ).get_template("index.html.jinja")
