"""The summary as a reader sees it on the console: the arms, network by network, and what comes of it in sentences.

Nothing is wider than 80 columns unless a name is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from experiments.analysis.claims import judge
from experiments.analysis.comparison import Results
from experiments.analysis.contrasts import POINTS, POINTS_ON_DIGITS, Contrast, Effect, contrasts
from experiments.analysis.statistics import FEWEST_SEEDS
from experiments.analysis.summary import ArmSummary, Estimate, Level, Network, summarize
from experiments.configuration.experiment import Experiment
from experiments.reporting.terminal import NO_BREAK, print_paragraph
from experiments.reporting.wording import SYMBOLS, comparison_words, effect_or_reason, verdict_words

NUMBERS = 60  # columns that the numbers of a line take


@dataclass(frozen=True)
class Described:
    """What came out of one network's arms: cells under a header, the level that steps are counted to, sentences."""

    header: list[str]
    rows: list[list[str]]
    level: str
    sentences: list[str]


def described(
    experiment: Experiment, table: pd.DataFrame, networks: Sequence[Network]
) -> tuple[list[Described], list[str]]:
    """Return what came out of every network, and remarks on all of it."""
    points = POINTS_ON_DIGITS if experiment.sources == {"digits"} else POINTS
    rows = [row for network in networks for row in network.arms]
    rated = any(row.best_rate is not None for row in rows)
    ranged = any(row.trains_to is not None for row in rows)
    of_images, found = "final_test_frechet" in table, []
    for network in networks:
        header, *cells = _cells(network, len(networks) > 1, rated, ranged, of_images)
        against = [] if of_images else contrasts(network, points)
        sentences = [words for of in against if (words := sentence(network, of, rated))]
        found.append(Described(header, cells, level_words(network.level) if network.level else "", sentences))
    return found, [*_remarks(rows, rated, of_images)]


def verdict_lines(experiment: Experiment, table: pd.DataFrame) -> list[str]:
    """Return the verdict on the experiment's own claim, then a line for each of its rows; nothing without a claim."""
    claim = experiment.config.claim
    if claim is None or not claim.parts:
        return []
    result = judge(experiment.name, claim, {experiment.name: Results(experiment.config, table)})
    rows = (
        f"{SYMBOLS[row.verdict]} {row.part.name or comparison_words(row.part)}: {effect_or_reason(row)}"
        for row in result.rows
    )
    return [f"{verdict_words(result.verdict)}: {claim.statement}", *rows]


def result_markdown(experiment: Experiment, table: pd.DataFrame, summary: Sequence[Network]) -> str:
    """Return what `print_summary` prints, in Markdown."""
    networks, remarks = described(experiment, table, summary)
    parts = [f"**{experiment.config.title}**"]
    for network in networks:
        lines = [network.header, ["---", *["---:"] * (len(network.header) - 1)], *network.rows]
        parts.append("\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines))
        parts += [network.level, *network.sentences]
    parts += [*remarks]
    verdict, *rows = verdict_lines(experiment, table) or [""]
    parts += [f"**{verdict}**" if verdict else "", "\n".join(f"* {row}" for row in rows)]
    return "\n\n".join(filter(None, parts)).replace(NO_BREAK, " ")


def print_summary(console: Console, experiment: Experiment, table: pd.DataFrame) -> None:
    """Print a row an arm, what sets it apart from the first of its network and, where there is a claim, the verdict."""
    networks, remarks = described(experiment, table, summarize(experiment, table))
    print_paragraph(console, experiment.config.title, style="bold")
    for network in networks:
        console.print()
        console.print(_table(console, network))
        console.print()
        if network.level:
            print_paragraph(console, network.level, style="dim")
        for words in network.sentences:
            print_paragraph(console, words)
    console.print()
    for line in remarks:
        print_paragraph(console, line, style="dim")
    verdict, *rows = verdict_lines(experiment, table) or [""]
    if verdict:
        console.print()
        print_paragraph(console, verdict, style="bold")
        for line in rows:
            print_paragraph(console, line, indent=2)
    console.print()


def level_words(level: Level) -> str:
    """Return what steps are counted to: 'Steps to 93.1 % validation accuracy: twice the error that …'."""
    match level.rule:
        case "twice the error":
            why = "twice the error that the weakest arm that trains ends with"
        case "half a point below":
            why = "half a point below what the weakest arm that trains comes to"
        case "half way":
            why = "half way from the first guess to the best arm"
    return f"Steps to {_percent(level.accuracy)} validation accuracy: {why}."


def sentence(network: Network, contrast: Contrast, rated: bool) -> str:
    """Return in plain words what sets an arm apart from the first of its network; nothing without pairs.

    rated: whether each arm stands at a best learning rate of its own.
    """
    first, arm = network.arms[0].arm, contrast.arm
    accuracy = _accuracy_words(contrast.accuracy)
    if not accuracy:
        return ""
    if network.level is None or contrast.speed_up is None:
        return f"{arm} against {first}: {accuracy}."
    own = ", each at its own best rate" if rated else ""
    open_still = (
        f" (not settled by {_seeds(contrast.speed_up.estimate.seeds)})" if contrast.speed_up.side == "open" else ""
    )
    return f"{arm} {_speed_words(contrast.speed_up, network.level, first)}{own}{open_still}; {accuracy}."


def _speed_words(effect: Effect, level: Level, first: str) -> str:
    to, found = f"to {_percent(level.accuracy)}", effect.estimate
    if found.low < 1 < found.high and found.low != found.high:
        return f"comes {to} too seldom to be compared with {first}"
    if effect.side == "same":
        return f"needs about as many steps {to} as {first} (ratio {_ratio(found)}{_ratio_interval(found)})"
    faster = found.low >= 1
    found = found if faster else _turned_round(found)
    return (
        f"needs {_ratio(found)} times {'fewer' if faster else 'more'} steps{_ratio_interval(found)} {to} than {first}"
    )


def _accuracy_words(effect: Effect | None) -> str:
    if effect is None:
        return ""
    interval = f" [{', '.join(map(_points, effect.estimate.interval))}]" if effect.estimate.seeds > 1 else ""
    found = f"({_points(effect.estimate.low)} points{interval})"
    match effect.side:
        case "same":
            return f"both end at about the same accuracy {found}"
        case "more":
            return f"it ends at a higher accuracy {found}"
        case "less":
            return f"it ends at a lower accuracy {found}"
        case "open" if effect.estimate.is_range:
            what = "its accuracy was higher" if effect.estimate.low > 0 else "its accuracy was lower"
            what = "the accuracies were the same" if effect.estimate.low == 0 else what
            seeds = effect.estimate.seeds
            return f"{what} at the end {found}, though {_seeds(seeds)} {'does' if seeds == 1 else 'do'} not settle it"
        case "open":
            return f"whether it ends higher or lower is not settled {found}"


def _turned_round(found: Estimate) -> Estimate:
    """A ratio and its ends as they read from the other side; 0 and ∞ are each other's."""
    low, high, *interval = (1 / ratio if ratio else math.inf for ratio in (found.high, found.low, *found.interval))
    return Estimate(low, high, (interval[1], interval[0]), found.is_range, found.seeds)


def _cells(network: Network, named: bool, rated: bool, ranged: bool, of_images: bool) -> Iterator[list[str]]:
    """Yield the header, then a row an arm."""
    level = [f"steps to {_percent(network.level.accuracy)}"] if network.level else []
    outcome = f"Fréchet distance to{NO_BREAK}test{NO_BREAK}images" if of_images else "test accuracy (%)"
    columns = [*["learning rate"] * rated, *level, outcome, *[f"trains up{NO_BREAK}to"] * ranged]
    yield [network.name if named else "arm", *columns]
    for row in network.arms:
        rate = "–" if row.best_rate is None else f"{row.best_rate:g}{' *' if row.at_edge else ''}"
        steps = _steps_cell(row.steps, max((run.steps for run in network.outcomes[row.arm].values()), default=0))
        largest = "–" if row.trains_to is None else f"{'≥ ' * row.trains_at_top}{row.trains_to:g}"
        yield [
            row.arm,
            *([rate] if rated else []),
            *([steps] if level else []),
            _accuracy_cell(row.accuracy, 1 if of_images else 100),
            *([largest] if ranged else []),
        ]


def _table(console: Console, network: Described) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    first, *others = network.header
    table.add_column(first, overflow="fold", vertical="bottom")
    for header in others:
        words, _, last = header.rpartition(" ")  # in two lines
        table.add_column(f"{words}\n{last}".replace(NO_BREAK, " "), justify="right", no_wrap=True, vertical="bottom")
    for arm, *cells in network.rows:
        table.add_row(_in_lines(arm, console.width - NUMBERS), *cells)
    return table


def _remarks(rows: Sequence[ArmSummary], rated: bool, of_images: bool) -> Iterator[str]:
    seeds = max((row.seeds for row in rows), default=0)
    score = "Fréchet distance to validation images" if of_images else "validation accuracy"
    best = f"Each arm at the learning rate of its best {score}; median" if rated else "Median"
    found = [estimate for row in rows for estimate in (row.steps, row.accuracy) if estimate]
    if seeds > 1:
        kind = "the range" if any(of.is_range for of in found) else "95 % interval from order statistics"
        yield f"{best} over {_seeds(seeds)}, in brackets {kind}; arms are compared seed by seed."
    else:
        yield f"{best} over {_seeds(seeds)}."
    if 0 < seeds < FEWEST_SEEDS:
        yield f"With fewer than {FEWEST_SEEDS} seeds chance may have made any of these differences."
    if censored := [row.arm for row in rows if row.steps and math.isinf(row.steps.interval[1])]:
        yield f"> in steps: not reached by the last step in some runs ({', '.join(censored)})."
    if any(row.trains_at_top for row in rows):
        yield "≥: the largest learning rate tried; the arm may train at larger ones."
    if lost := [row for row in rows if row.diverged]:
        yield f"Diverged: {', '.join(f'{row.arm} {row.diverged} of {row.runs}' for row in lost)}."
    if lost := [row for row in rows if row.diverged_elsewhere]:
        listed = ", ".join(f"{row.arm} {row.diverged_elsewhere} of {row.runs_elsewhere}" for row in lost)
        yield f"Diverged at other learning rates or on tuning seeds: {listed}."
    if any(row.at_edge for row in rows):
        yield "* At the edge of the learning rates tried: a better one may lie outside."


def _steps_cell(found: Estimate | None, last: int) -> str:
    """Return steps with their interval: '210 [190, 230]'; '> 400 [310, > 400]' where runs end before the level."""
    if found is None:
        return "–"
    middle = f"> {found.low:,.0f}" if math.isinf(found.high) else f"{found.high:,.0f}"
    low, high = (f"> {last:,}" if math.isinf(end) or end >= last else f"{end:,.0f}" for end in found.interval)
    return middle if found.seeds < 2 or low == f"> {last:,}" else f"{middle} [{low}, {high}]"


def _accuracy_cell(found: Estimate | None, scale: float) -> str:
    if found is None:
        return "–"
    low, high = (f"{scale * end:.1f}" for end in found.interval)
    return f"{scale * found.low:.1f}" + (f" [{low}, {high}]" if found.seeds > 1 else "")


def _ratio(found: Estimate) -> str:
    """Return a median ratio: '2.3', 'at least 2.3' where it is only known that far."""
    if math.isinf(found.high):
        return f"at least {_number(found.low)}"
    if found.low == 0:
        return f"at most {_number(found.high)}"
    ends = dict.fromkeys(map(_number, (found.low, found.high)))
    return " to ".join(ends)


def _ratio_interval(found: Estimate) -> str:
    low, high = found.interval
    if found.seeds < 2 or (low == 0 and math.isinf(high)):
        return ""
    if math.isinf(high):
        return f" [≥{NO_BREAK}{_number(low)}]"
    return f" [≤{NO_BREAK}{_number(high)}]" if low == 0 else f" [{_number(low)},{NO_BREAK}{_number(high)}]"


def _in_lines(name: str, width: int) -> str:
    """Return a name in lines of at most `width` characters where its underscores, hyphens and spaces allow it."""
    lines = [""]
    for piece in re.split(r"(?<=[_\-. ])", name):
        if lines[-1] and len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)


def _number(ratio: float) -> str:
    return f"{ratio:,.{2 if ratio < 1.5 else 1 if ratio < 10 else 0}f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}{NO_BREAK}%"


def _points(value: float) -> str:
    return f"{round(value, 1) + 0.0:+.1f}".replace("-", "−")  # and no −0.0


def _seeds(count: int) -> str:
    return f"{count} seed{'s' * (count != 1)}"
