"""In which colour, line and shape is an arm drawn? The same in every figure, README's among them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.configuration.experiment import ExperimentConfig

# None of them means a verdict. The first three stay apart for every kind of colour blindness, and stand out, 3 to 1,
# on white and on the dark page.
COLOURS = {
    "none": "#C77700",
    "custom": "#5F55CF",
    "stock": "#1A9BB8",
    "noisy": "#B8386A",
    "group": "#6B7A1F",
    "layer": "#8A8A8A",
}
OTHERS = tuple(COLOURS.values())[3:]  # of arms of which nothing is known, one after the other
LINES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (6, 1, 1, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")
# What arms are called where nothing says how they normalize.
NAMED = {"no_bn": "none", "bn": "custom", "custom_bn": "custom", "stock_bn": "stock"}


@dataclass(frozen=True)
class ArmStyle:
    """colour: of what the arm normalizes with. line, marker: which of the arms that have it."""

    colour: str
    line: Any
    marker: str


def arm_styles(arms: Iterable[str], kinds: Mapping[str, str] | None = None) -> dict[str, ArmStyle]:
    """Return arm → how it is drawn; six of a kind can be told apart, and 18 of none known.

    kinds: arm → its kind of normalization, as `kinds_of` has it.
    """
    found: dict[str, ArmStyle] = {}
    unknown = itertools.cycle(OTHERS)
    used: Counter[str] = Counter()
    for arm in arms:
        kind = (kinds or {}).get(arm) or NAMED.get(arm, "")
        colour = COLOURS.get(kind) or next(unknown)
        found[arm] = ArmStyle(colour, LINES[used[colour] % len(LINES)], MARKERS[used[colour] % len(MARKERS)])
        used[colour] += 1
    return found


def kinds_of(experiment: ExperimentConfig) -> dict[str, str]:
    """Return arm → its kind of normalization: 'none', 'custom', 'stock', …"""
    base = experiment.run.model.norm.kind
    return {arm: _kind(changes, base) for arm, changes in experiment.arms.items()}


def _kind(changes: Mapping[str, Any], base: str) -> str:
    norm = changes.get("model.norm")
    return str(changes.get("model.norm.kind") or (norm.get("kind") if isinstance(norm, Mapping) else None) or base)
