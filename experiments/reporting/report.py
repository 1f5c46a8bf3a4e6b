"""What did the experiments find, in one page?

Self-contained HTML. Nothing here reads or writes a file of results; the template lies beside this module.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from experiments.analysis.claims import ClaimResult, Row
from experiments.analysis.measures import FRECHET
from experiments.analysis.part_runs import Results
from experiments.analysis.statistics import FEWEST_SEEDS, AACheck, decisive_count
from experiments.analysis.tuning import plain
from experiments.configuration.epochs import EVALUATIONS
from experiments.configuration.experiment import LEARNING_RATE, ExperimentConfig
from experiments.configuration.gan import GanConfig
from experiments.configuration.run import RunConfig
from experiments.records.storage import Curve
from experiments.reporting import wording
from experiments.reporting.arm_styles import kinds_of
from experiments.reporting.commands import PROJECT, from_folder, shell_command
from experiments.reporting.compact_svg import share_styles
from experiments.reporting.effect_figures import effect_figure
from experiments.reporting.figures import Convergence, convergence_figure, inline_file, inline_svg, rate_figure
from experiments.reporting.findings import finding, interval_words, main_effect, most_seeds
from experiments.reporting.layers import Reader, layer_panels
from experiments.reporting.overview_figure import verdict_overview
from experiments.reporting.pages import DATA
from experiments.reporting.quantities import Panel, SideName, panels_of, side_numbers
from experiments.reporting.quantity_figures import quantity_figure
from experiments.reporting.quantity_words import topic_of
from experiments.reporting.quotable import quotable
from models.config import ModelConfig


@dataclass(frozen=True)
class Evidence:
    """An experiment that claims rest on, for its section of the report.

    table: one row a run, tuning and evaluation seeds, as `results_table` makes it. curves: arm → validation accuracy
    of its evaluation runs, none where only the table is at hand.
    """

    experiment: ExperimentConfig
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    curves: Mapping[str, Sequence[Curve]] = field(default_factory=dict)


def render_report(
    results: Sequence[ClaimResult],
    evidence: Mapping[str, Evidence],
    *,
    tier: str,
    provenance: Mapping[str, Any],
    aa_check: AACheck | None,
    headlines: Sequence[tuple[str, Figure]] = (),
    curves: Mapping[str, str] | None = None,
    readers: Mapping[str, Reader] | None = None,
    folder: Path | None = None,
    spread: Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]] = map,
) -> str:
    """Return report.html.

    evidence: experiment → its runs; several claims may read one. headlines: captions and figures that come first.
    curves: claim → its specification curve, as a file of SVG, where one was made. readers: experiment → what reads the
    run of a row of its table, where runs are at hand.
    folder: where the results lie if not where `scripts/report.py` looks for them. spread: draws the other figures, by
    several processes perhaps.
    """
    tables = {name: Results(found.experiment, found.table) for name, found in evidence.items()}
    names = [result.id for result in results]
    looks = [list(layer_panels(result, tables, readers or {})) for result in results]
    layers = [(f"l{place}", result.id, look) for place, (result, look) in enumerate(zip(results, looks, strict=True))]
    panels = [(f"q{place}", result.id, panels_of(result, tables)) for place, result in enumerate(results)]
    numbered = [(f"e{place}", result) for place, result in enumerate(results)]
    page = _environment().get_template("report.html.jinja").render(
        results=results,
        counts=wording.counts(results),
        sentences=quotable(results, DATA.get(tier, tier)),
        tier=tier,
        headlines=[_headline(f"headline-{i}", *of) for i, of in enumerate(headlines)],
        overview=_svg(verdict_overview(results), "overview", wording.counts(results)) if results else "",
        topics={result.id: topic_of(result.config) for result in results},
        layers=dict(zip(names, spread(_quantities, layers), strict=True)),
        quantities=dict(zip(names, spread(_quantities, panels), strict=True)),
        effects=dict(zip(names, spread(_effects, numbered), strict=True)),
        curves={name: _specification_curve(name, (curves or {}).get(name)) for name in names},
        experiments=list(spread(_experiment, [(f"r{place}", *of) for place, of in enumerate(evidence.items())])),
        shown=evidence.keys(),
        aa_check=aa_check,
        provenance={name.replace("_", " "): _flat(value) for name, value in provenance.items()},
        words=wording,
        finding=finding,
        side_numbers=functools.partial(_side_numbers, tables),
        sort_value=_sort_value,
        main_effect=main_effect,
        sure=interval_words([row for result in results for row in result.rows]),
        fewest=2 * FEWEST_SEEDS,
        decisive=_decisive(results),
        command=functools.partial(shell_command, PROJECT),
        from_results=("--results", from_folder(PROJECT, folder)) if folder else (),
    )  # fmt: skip
    return share_styles(page)


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _decisive(results: Sequence[ClaimResult]) -> str:
    """In how many of the seeds an effect has to lie beyond a bound, in words."""
    seeds = most_seeds(row for result in results for row in result.rows)
    count = decisive_count(seeds)
    if count is None:
        return "nearly all seeds"
    return f"all {seeds} seeds" if count == seeds else f"at least {count} of {seeds} seeds"


def _headline(name: str, words: str, figure: Figure) -> tuple[str, str, Markup]:
    """A figure's title, its note and the figure without them, which on a phone would reach beyond the screen."""
    title, note = figure.get_suptitle(), figure.get_supxlabel()
    figure.suptitle("")
    figure.supxlabel("")
    return title or words, note, _svg(figure, name, words)


# The short name of a figure is a part of every mark in it, ten thousands in a report.
def _effects(found: tuple[str, ClaimResult]) -> Markup:
    """The figure of a claim's rows; nothing where none has an effect."""
    short, result = found
    if not any(map(wording.has_effect, result.rows)):
        return Markup()
    return _svg(effect_figure(result), short, f"{result.id}: every row's effect")


def _quantities(found: tuple[str, str, Sequence[Panel]]) -> Markup:
    """The figure of what a claim's arms come to; nothing where there is nothing to draw."""
    short, name, panels = found
    return _svg(quantity_figure(panels), short, f"{name}: what the arms come to") if panels else Markup()


def _specification_curve(name: str, svg: str | None) -> Markup:
    if svg is None:
        return Markup()
    return Markup(inline_file(svg, f"{name}-curve", f"{name}: its effect under every specification"))


def _experiment(found: tuple[str, str, Evidence]) -> dict[str, Any]:
    """What the report shows of an experiment: its figures and settings."""
    short, name, evidence = found
    figures: list[tuple[str, Markup]] = []

    def add(caption: str, figure: Figure) -> None:
        figures.append((caption, _svg(figure, f"{short}-{len(figures)}", f"{name}: {caption}")))

    if any(evidence.curves.values()):
        add(
            "Validation accuracy over training",
            convergence_figure(Convergence(evidence.curves), kinds=kinds_of(evidence.experiment)),
        )
    if (rates := _rate_runs(evidence)) is not None:
        runs, seeds = rates
        add(f"Accuracy against the learning rate, {seeds}", rate_figure(runs, kinds_of(evidence.experiment)))
    resolved = yaml.safe_dump(evidence.experiment.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    title, settings = evidence.experiment.title, settings_words(evidence.experiment)
    return {"name": name, "title": title, "figures": figures, "settings": settings, "resolved": resolved}


def _rate_runs(evidence: Evidence) -> tuple[pd.DataFrame, str] | None:
    """Return the runs at the grid's learning rates, whose they are; None of a single rate or without accuracies."""
    table, tuning = evidence.table, evidence.experiment.tuning
    if LEARNING_RATE not in table.columns or FRECHET in table.columns:
        return None
    seeds, words = evidence.experiment.seeds, "evaluation seeds"
    if tuning and tuning.evaluate == "best":
        seeds, words = tuning.seeds, "tuning seeds"
    rates = [plain(rate) for rate in evidence.experiment.grid[LEARNING_RATE]]  # between these only some seeds train
    runs = table[table["seed"].isin(seeds) & table[LEARNING_RATE].isin(rates)]
    others = [axis for axis in evidence.experiment.grid if axis != LEARNING_RATE]
    pooled = f", over all values of {_list(others)}" if others else ""
    return (runs, f"{words} {_ranges(seeds)}{pooled}") if runs[LEARNING_RATE].nunique() > 1 else None


def settings_words(experiment: ExperimentConfig) -> list[tuple[str, str]]:
    """Return what was trained, as (subject, words): what arms and grid leave as it is, then what they change."""
    run, tuning = experiment.run, experiment.tuning
    data, model, optimizer = run.dataset, run.model, run.optimizer
    scaling = [word for word in ("standardize", "binarize") if getattr(data, word)]
    subset = [f"first {data.train_examples:,} training examples"] if data.train_examples else []
    layers = _layers(model)
    initialization = model.initialization + (
        f" × {wording.plain_number(model.init_scale)}" if model.init_scale != 1 else ""
    )
    constants = [f"momentum {wording.plain_number(optimizer.momentum)}"] if optimizer.momentum else []
    if LEARNING_RATE not in experiment.grid:
        constants.append(f"learning rate {wording.plain_number(optimizer.learning_rate)}")
    words = [
        ("data", _list([data.name, f"batches of {data.batch_size}", *subset, *scaling])),
        ("network", model.build or _list([f"{model.kind} {layers}", model.activation, initialization])),
        *([("against", _against(run.gan))] if run.gan else []),
        ("optimizer", _list([optimizer.kind, *constants])),
        ("training", _length(run)),
        *[(f"arm {arm}", _list(f"{k} = {_flat(v)}" for k, v in changes.items()) or "the base run") for arm, changes in
          experiment.arms.items()],
        *[(axis, _list(map(_flat, values))) for axis, values in experiment.grid.items()],
        ("evaluation seeds", _ranges(experiment.seeds)),
    ]  # fmt: skip
    if tuning:
        words.append(("tuning", f"{tuning.over} of each arm, on seeds {_ranges(tuning.seeds)}"))
    return words


def _length(run: RunConfig) -> str:
    if run.epochs is None:
        return f"{run.steps:,} steps, evaluated every {run.evaluate_every}"
    return f"{wording.plain_number(run.epochs)} epochs, evaluated about {run.evaluations or EVALUATIONS} times"


def _against(gan: GanConfig) -> str:
    """The discriminator of a generator, which is the network of such a run."""
    latents = f"the network makes images from {gan.latent} latents"
    return _list([f"discriminator {_layers(gan.discriminator)}", gan.discriminator.activation, latents])


def _layers(model: ModelConfig) -> str:
    layers = "-".join(map(str, model.layers)) + (f" × {model.depth}" if model.depth > 1 else "")
    return layers + (f", dense {'-'.join(map(str, model.dense))}" if model.dense else "")


def _side_numbers(tables: Mapping[str, Results], claim: str, row: Row, side: SideName) -> str:
    """Return what else is to be known of one arm of a row: 'no_bn, accuracy 96.1 %, 2 of 20 diverged'."""
    found = side_numbers(row, side, claim, tables)
    if found is None:
        return ""
    accuracy = "" if math.isnan(found.accuracy) else f", accuracy {found.accuracy:.1f} %"
    return f"{found.arm}{accuracy}, {found.diverged} of {found.runs} diverged"


def _sort_value(row: Row) -> float | str:
    """By what rows are put in order: what is known of the effect; at the end where nothing is."""
    value = wording.known_end(row)[0]
    return "-Infinity" if math.isnan(value) else value


def _svg(figure: Figure, name: str, description: str) -> Markup:
    return Markup(inline_svg(figure, name, description))


def _list(words: Iterable[str]) -> str:
    return ", ".join(words)


def _flat(value: Any) -> str:
    """Return a value of a configuration or of provenance on one line."""
    match value:
        case Mapping():
            return _list(f"{name} {_flat(inner)}" for name, inner in value.items())
        case list() | tuple():
            return _list(map(_flat, value))
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float() if math.isfinite(value):
            return wording.plain_number(value)
        case _:
            return str(value)


def _ranges(seeds: Sequence[int]) -> str:
    """Return seeds with runs of neighbours joined: '0–19'."""
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return _list(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)
