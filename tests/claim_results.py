"""Judged claims for the tests to show, and the report on them as a reader would find it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd

from experiments.analysis.claims import ClaimResult, Row, Verdict
from experiments.analysis.comparison import Comparison
from experiments.analysis.part_runs import Side
from experiments.analysis.statistics import (
    USUAL,
    AACheck,
    band_of,
    decide,
    median,
    order_interval,
    seeds_to_resolve,
)
from experiments.configuration.claim import ClaimConfig, PartConfig
from experiments.configuration.experiment import ExperimentConfig
from experiments.records.storage import Curve
from experiments.reporting.commands import PROJECT
from experiments.reporting.report import Evidence, render_report

ARMS = {"baseline": "no_bn", "treatment": "custom_bn"}
STEPS = {
    "measure": "steps_to_level",
    "level": "common",
    "effect": "ratio",
    "over": "treatment",
    "unit": "steps",
    **ARMS,
}
POINTS = {"measure": "final_value", "effect": "difference", "unit": "points", **ARMS}
COST = {"measure": "seconds_per_step", "effect": "ratio", **ARMS}
IDENTITY = {"measure": "worst_value", "metric": "error", "effect": "level", "treatment": "custom_bn"} | {
    "bound": {"at_most": 1e-5}
}
HOSTILE = '<script>alert("1")</script> & [x](javascript:a) | `b` <img src=http://evil.example/x>'
CLAIM = ClaimConfig(statement="s", source="s")


def row(
    effects: Sequence[float] | Sequence[tuple[float, float]],
    part: Mapping[str, Any] = STEPS,
    *,
    held: Mapping[str, Any] | None = None,
    verdict: Verdict | None = None,
    reason: str = "as the seeds say",
    remark: str = "",
    of: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Row:
    """A row as the judge would make it. effects: of each seed, numbers or (low, high). held: moderators. of: more of
    the comparison, such as its rates.
    """
    config = PartConfig.model_validate({**part, **changes})
    low, high = (
        np.array([seed if isinstance(seed, tuple) else (seed, seed) for seed in effects], float).reshape(-1, 2).T
    )
    seeds = tuple(range(20, 20 + len(low)))
    comparison = Comparison(config, held or {}, seeds, low, high, **(of or {}))
    if not len(low):
        return Row(comparison, "not tested", reason)
    is_ratio = config.effect == "ratio"
    estimate = median(low, is_ratio), median(high, is_ratio)
    if config.bound:
        ends = float(low.min()), float(high.max())
        kept = all(map(config.bound.kept_by, low))
        return Row(comparison, "supported" if kept else "reversed", reason, estimate, ends, ends)
    band = band_of(CLAIM.band_of(config), is_ratio)
    found = verdict or decide(low, high, band, config.expect)
    needed = seeds_to_resolve(low, high, band) if found == "unresolved" else None
    decided, usual = order_interval(low, high), order_interval(low, high, USUAL)
    return Row(comparison, found, reason, estimate, decided, usual, needed, remark, band)


def around(middle: float, spread: float = 0.1, seeds: int = 20) -> list[float]:
    """Effects of seeds, evenly from the middle less the share `spread` to as much more."""
    return [middle * (1 + spread * at) for at in np.linspace(-1, 1, seeds)]


def claim(name: str, verdict: Verdict, *rows: Row, **changes: Any) -> ClaimResult:
    named = {key: changes.pop(key) for key in ("reason", "depends_on", "experiments") if key in changes}
    config = ClaimConfig.model_validate({"statement": "BN helps", "source": "Ioffe & Szegedy 2015"} | changes)
    return ClaimResult(name, config, verdict, rows=rows, **({"reason": "as the rows say"} | named))


FASTER = row(around(2.3), runs="relu", remark="smaller than the source says", source_value=14, of={
    "baseline": (300.0, 300.0)} | {
    "treatment": (130.0, 130.0), "rates": {"no_bn": 0.3, "custom_bn": 1.0}} | {
    "sides": {"no_bn": Side(*[np.full(20, 300.0)] * 2, runs=np.array([[0, 1, 0]])),
              "custom_bn": Side(*[np.full(20, 130.0)] * 2)}})  # fmt: skip
RESULTS = [
    claim("faster", "supported", FASTER, source_says="31 M → 2.1 M steps (14×)", experiments=("relu",)),
    claim("better", "reversed", row(around(-1.2), POINTS), scale="an MLP here, Inception there", experiments=("relu",)),
    claim(
        "by_net", "depends", row(around(3.0), held={"net": "relu"}), row(around(1.0), held={"net": "cnn"}),
        depends_on=("net",), experiments=("relu", "cnn"),
    ),
    claim("missing", "not tested", reason="relu has no results"),
]  # fmt: skip


def experiment() -> ExperimentConfig:
    return ExperimentConfig.model_validate(
        {
            "title": "BN needs fewer steps",
            "run": {"steps": 2000, "dataset": {"standardize": True, "train_examples": 1200}},
            "arms": {"no_bn": {}, "custom_bn": {"model.norm.kind": "custom"}},
            "grid": {"optimizer.learning_rate": (0.1, 1.0)},
            "tuning": {},
            "seeds": (0, 1, 2, 7),
        }
    )


def evidence() -> Evidence:
    table = pd.DataFrame(
        [
            {"arm": arm, "optimizer.learning_rate": rate, "seed": seed, "status": "finished"}
            | {"final_validation_accuracy": 0.9, "late_validation_accuracy": 0.9}
            for arm in ("no_bn", "custom_bn")
            for rate in (0.1, 1.0)
            for seed in (0, 100)
        ]
    )
    table.loc[1, ["status", "late_validation_accuracy"]] = "diverged", 0.0
    curves = {arm: [Curve(np.array([0, 50]), np.array([0.1, 0.9]))] for arm in ("no_bn", "custom_bn")}
    return Evidence(experiment(), table, curves)


def report(results: list[ClaimResult] | None = None) -> str:
    return render_report(
        RESULTS if results is None else results,
        {"relu": evidence()},
        tier="mnist",
        provenance={"git_commit": "abc", "git_dirty": False, "packages": {"keras": "3.15.0"}},
        aa_check=AACheck(0.004, 0.62, 1000, 0.951, 2000),
        folder=PROJECT / "elsewhere" / "mnist",
    )


class Elements(HTMLParser):
    """Every opening tag with its attributes, and all text outside of style and script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._in_style = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._in_style = tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._in_style:
            self.text += f" {data}"

    def values(self, *attributes: str) -> Iterator[tuple[str, str]]:
        for tag, found in self.found:
            for name in attributes:
                if found.get(name):
                    yield tag, str(found[name])


def words(page: str) -> str:
    return " ".join(Elements(page).text.replace("\u200b", "").split()).replace(" .", ".")
