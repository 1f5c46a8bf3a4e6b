"""The summary as a reader sees it on the console: the arms, by what each differs, and what the claim comes to.

Arms of one kind of network stand together; nothing is wider than 80 columns unless a name is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from experiments.analysis.claims import FEWEST_SEEDS, PartResult, judge
from experiments.analysis.contrasts import Contrasts, CurvesOf, Effect, contrasts, inverse, network_kinds
from experiments.analysis.summary import ArmSummary, summarize, target_of
from experiments.configuration.claim import PartConfig
from experiments.configuration.experiment import Experiment
from experiments.reporting.terminal import print_paragraph
from experiments.reporting.wording import (
    SYMBOLS,
    comparison_words,
    effect_or_reason,
    format_times,
    judged_alone,
    verdict_words,
)

NUMBERS = 56  # columns that the numbers of a line take


def print_summary(
    console: Console, experiment: Experiment, table: pd.DataFrame, curves_of: CurvesOf = lambda *_: {}
) -> None:
    """Print one row an arm, its difference from the first arm and, where the experiment makes a claim, the verdict.

    curves_of: (runs, metric) → arm → curves, for the steps to a common target.
    """
    rows, target = summarize(experiment, table), target_of(experiment.config)
    against = contrasts(experiment, table, curves_of)
    kinds = network_kinds(experiment)
    rated = any(row.best_rate is not None for row in rows)
    print_paragraph(console, experiment.config.title, style="bold")
    for kind, arms in kinds.items():
        console.print()
        heading = kind.upper() if len(kinds) > 1 else "arm"
        console.print(_arms_table(console, heading, [row for row in rows if row.arm in arms], target, rated))
        if kind in against:
            console.print()
            console.print(_contrasts_table(console, against[kind]))
    console.print()
    for line in [*_remarks(rows, rated), *_contrast_remarks(against, target)]:
        print_paragraph(console, line, style="dim")
    if experiment.config.claim and experiment.config.claim.parts:
        result = judge(experiment.name, experiment.config, table)
        console.print()
        verdict = verdict_words(result.verdict) + judged_alone(result)
        print_paragraph(console, f"{verdict}: {result.config.statement}", style="bold")
        for part in result.parts:
            name = f"{part.config.name}: " if part.config.name else ""
            text = speed_up_sentence(part) if _is_speed_up(part.config) else _effect_words(part)
            print_paragraph(console, f"{SYMBOLS[part.verdict]} {name}{text}", indent=2)
    console.print()


def speed_up_sentence(part: PartResult) -> str:
    """Return what the steps to target come to, in one plain sentence: a ratio, and the interval of the same ratio."""
    treatment, baseline, seeds = part.config.treatment, part.config.baseline, len(part.effects)
    if not part.effects:
        return f"{treatment} against {baseline}: {part.blocked or 'no pairs to compare'}."
    ratio, low, high = inverse(part.estimate), inverse(part.high), inverse(part.low)  # treatment / baseline
    ends = f"{format_times(low)} to {format_times(high)}" if low < high else f"{format_times(low)} at both ends"
    interval = f"95 % interval {ends}, {seeds} seeds"
    caveat = _caveat(part, low, high)
    if ratio in (0, math.inf):
        alone = sum(effect == part.estimate for effect in part.effects.values())
        one, other = (treatment, baseline) if ratio == 0 else (baseline, treatment)
        return f"In {alone} of {seeds} seeds {one} reached the target and {other} did not.{caveat}"
    if ratio == 1 and part.baseline_median == part.treatment_median == math.inf:
        return f"At the median over seeds neither {treatment} nor {baseline} reached the target ({interval})."
    if ratio == 1:
        return f"{treatment} needs as many steps as {baseline} ({interval})."
    return f"{treatment} needs {format_times(ratio)} the steps of {baseline} ({interval}).{caveat}"


def _caveat(part: PartResult, low: float, high: float) -> str:
    if len(part.effects) < FEWEST_SEEDS:
        return f" Chance may have made the difference: a verdict takes {FEWEST_SEEDS} seeds."
    if low <= 1 <= high:
        return " Chance may have made the difference: the interval includes 1."
    return f" No verdict: {part.reason}." if part.verdict == "inconclusive" else ""


def _is_speed_up(part: PartConfig) -> bool:
    """Whether above 1 means fewer steps of one arm than of another, each at its own rate."""
    arms = isinstance(part.baseline, str) and isinstance(part.treatment, str)
    ratio = part.effect == "ratio" and part.over == "treatment"
    return part.measure == "steps_to_target" and ratio and arms and part.rate == "tuned"


def _effect_words(part: PartResult) -> str:
    return f"{comparison_words(part.config)}: {effect_or_reason(part)}"


def _arms_table(console: Console, heading: str, rows: Sequence[ArmSummary], target: float | None, rated: bool) -> Table:
    columns = [*(["learning\nrate"] if rated else []), *([f"steps to\n{_percent(target)}"] if target else [])]
    table = _table(heading, *columns, "test accuracy\n(%)", "diverged")
    for row in rows:
        rate = "–" if row.best_rate is None else f"{row.best_rate:g}{' *' if row.at_edge else ''}"
        steps = "–" if row.steps_to_target is None else _spread(row.steps_to_target, _steps)
        numbers = [*([rate] if rated else []), *([steps] if target else []), _spread(row.test_accuracy, _share)]
        table.add_row(_in_lines(row.arm, console.width - NUMBERS), *numbers, f"{row.diverged} of {row.runs}")
    return table


def _contrasts_table(console: Console, against: Contrasts) -> Table:
    columns = [f"steps to\n{_percent(against.target)}"] if against.target else []
    width = console.width - NUMBERS
    table = _table(_in_lines(f"against {against.first}", width), *columns, "test accuracy\n(points)", "seeds")
    for arm in against.arms:
        steps = [_interval(arm.steps, format_times)] if against.target else []
        seeds = arm.accuracy.seeds if arm.accuracy else 0
        table.add_row(_in_lines(arm.arm, width), *steps, _interval(arm.accuracy, _points), str(seeds))
    return table


def _table(first: str, *columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    table.add_column(first, overflow="fold", vertical="bottom")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True, vertical="bottom")
    return table


def _remarks(rows: Sequence[ArmSummary], rated: bool) -> list[str]:
    seeds = max((row.seeds for row in rows), default=0)
    best = "Each arm at its best learning rate; median" if rated else "Median"
    lines = [f"{best} over {seeds} seed{'s' * (seeds != 1)}, quartiles in brackets."]
    if elsewhere := [row for row in rows if row.diverged_elsewhere]:
        listed = ", ".join(f"{row.arm} {row.diverged_elsewhere} of {row.runs_elsewhere}" for row in elsewhere)
        lines.append(f"Diverged besides, at other learning rates or on tuning seeds: {listed}.")
    if any(row.at_edge for row in rows):
        lines.append("* At the edge of the learning rates tried: a better one may lie outside.")
    return lines


def _contrast_remarks(against: dict[str, Contrasts], target: float | None) -> list[str]:
    if not against:
        return []
    stepped = any(of_kind.target for of_kind in against.values())
    seeds = min((arm.accuracy.seeds for of_kind in against.values() for arm in of_kind.arms if arm.accuracy), default=0)
    lines = [
        f"Against the first arm, seed by seed: {'ratio of steps, ' * stepped}difference of test accuracies; "
        "median and 95 % interval."
    ]
    if stepped and target is None:
        lines.append("Steps to a validation accuracy one point below what the arms come to.")
    if seeds < FEWEST_SEEDS:
        lines.append(f"With fewer than {FEWEST_SEEDS} seeds, chance may have made any of these differences.")
    return lines


def _spread(quartiles: tuple[float, float, float], show: Callable[[float], str]) -> str:
    middle, low, high = (show(value) if not math.isnan(value) else "–" for value in quartiles)
    return f"{middle} [{low}, {high}]"


def _interval(effect: Effect | None, show: Callable[[float], str]) -> str:
    if effect is None:
        return "–"
    return show(effect.median) + (f" [{show(effect.low)}, {show(effect.high)}]" if effect.seeds > 1 else "")


def _in_lines(name: str, width: int) -> str:
    """Return a name in lines of at most `width` characters where its underscores, hyphens and spaces allow it."""
    lines = [""]
    for piece in re.split(r"(?<=[_\-. ])", name):
        if lines[-1] and len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} % accuracy"


def _share(value: float) -> str:
    return f"{100 * value:.1f}"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")


def _steps(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:,.0f}"
