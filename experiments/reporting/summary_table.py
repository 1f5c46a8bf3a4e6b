"""The summary as a reader sees it on the console: a table and one sentence a comparison."""

from __future__ import annotations

import math

import pandas as pd
from rich.console import Console
from rich.table import Table

from experiments.analysis.claims import FEWEST_SEEDS, PartResult, judge
from experiments.analysis.summary import ArmSummary, summarize, target_of
from experiments.configuration.claim import PartConfig
from experiments.configuration.experiment import Experiment
from experiments.reporting.wording import comparison_words, effect_or_reason, plain_number


def print_summary(console: Console, experiment: Experiment, table: pd.DataFrame) -> None:
    """Print one row an arm and, where the experiment makes a claim, what it comes to."""
    rows = summarize(experiment, table)
    target = target_of(experiment.config)
    shown = Table(title=experiment.config.title, title_justify="left", title_style="bold")
    shown.add_column("arm", no_wrap=True)
    rated = any(row.best_rate is not None for row in rows)
    if rated:
        shown.add_column("rate", justify="right", no_wrap=True)
    if target:
        shown.add_column(f"steps to {target:.0%}\naccuracy", justify="right", no_wrap=True)
    shown.add_column("test accuracy\n(%)", justify="right", no_wrap=True)
    shown.add_column("diverged", justify="right", no_wrap=True)
    for row in rows:
        edge = " *" if row.at_edge else ""
        rate = ["–" if row.best_rate is None else f"{row.best_rate:g}{edge}"] if rated else []
        steps = ["–" if row.steps_to_target is None else _spread(row.steps_to_target, _steps)] if target else []
        shown.add_row(
            row.arm,
            *rate,
            *steps,
            _spread(row.test_accuracy, lambda share: f"{100 * share:.1f}"),
            f"{row.diverged} of {row.runs}",
        )
    console.print(shown)
    console.print(_caption(rows), style="dim")
    if experiment.config.claim and experiment.config.claim.parts:
        for part in judge(experiment.name, experiment.config, table).parts:
            console.print(speed_up_sentence(part) if _is_speed_up(part.config) else _effect(part))
    console.print()


def speed_up_sentence(part: PartResult) -> str:
    """Return what the steps to target come to, in one plain sentence with its interval."""
    treatment, baseline, seeds = part.config.treatment, part.config.baseline, len(part.effects)
    if not part.effects:
        return f"{treatment} against {baseline}: {part.blocked or 'no pairs to compare'}."
    interval = f"95 % interval {plain_number(_round(part.low))} to {plain_number(_round(part.high))}, {seeds} seeds"
    if math.isinf(part.estimate):
        alone = sum(math.isinf(effect) for effect in part.effects.values())
        return f"In {alone} of {seeds} seeds {treatment} reached the target and {baseline} did not.{_caveat(part)}"
    if part.estimate == 0:
        alone = sum(effect == 0 for effect in part.effects.values())
        return f"In {alone} of {seeds} seeds {baseline} reached the target and {treatment} did not.{_caveat(part)}"
    if part.estimate == 1 and part.baseline_median == part.treatment_median == math.inf:
        return f"At the median over seeds neither {treatment} nor {baseline} reached the target (ratio: {interval})."
    if part.estimate == 1:
        return f"{treatment} took as many steps as {baseline} to the same accuracy (ratio: {interval})."
    word, factor = ("fewer", part.estimate) if part.estimate > 1 else ("more", 1 / part.estimate)
    return f"{treatment} took {_round(factor):g} times {word} steps than {baseline} (ratio: {interval}).{_caveat(part)}"


def _caveat(part: PartResult) -> str:
    if len(part.effects) < FEWEST_SEEDS:
        return f" Chance may have made the difference: a verdict takes {FEWEST_SEEDS} seeds."
    if part.low <= 1 <= part.high:
        return " Chance may have made the difference: the interval of the ratio includes 1."
    return ""


def _is_speed_up(part: PartConfig) -> bool:
    """Whether above 1 means fewer steps of one arm than of another, each at its own rate."""
    arms = isinstance(part.baseline, str) and isinstance(part.treatment, str)
    ratio = part.effect == "ratio" and part.over == "treatment"
    return part.measure == "steps_to_target" and ratio and arms and part.rate == "tuned"


def _effect(part: PartResult) -> str:
    return f"{comparison_words(part.config)}: {effect_or_reason(part)}"


def _caption(rows: list[ArmSummary]) -> str:
    seeds = max((row.seeds for row in rows), default=0)
    best = "each arm at its best learning rate; " if any(row.best_rate is not None for row in rows) else ""
    lines = [f"{best}median over {seeds} seeds, quartiles in brackets"]
    if any(row.diverged and row.runs > row.seeds for row in rows):
        lines.append("diverged: of all runs of an arm, whatever their rate and seed")
    if any(row.at_edge for row in rows):
        lines.append("* at the edge of the rates tried: a better one may lie outside")
    return "\n".join(lines)


def _spread(quartiles: tuple[float, float, float], show: object) -> str:
    middle, low, high = (show(value) if not math.isnan(value) else "–" for value in quartiles)  # type: ignore[operator]
    return f"{middle} [{low}, {high}]"


def _steps(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:,.0f}"


def _round(value: float) -> float:
    return float(f"{value:.2g}") if math.isfinite(value) else value
