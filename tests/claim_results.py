"""Judged claims for the tests to show, and the report on them as a reader would find it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html.parser import HTMLParser

import numpy as np
import pandas as pd

from experiments.analysis.claims import ClaimResult, PartResult, Verdict
from experiments.configuration.claim import ClaimConfig, PartConfig
from experiments.configuration.experiment import ExperimentConfig
from experiments.records.storage import Curve
from experiments.reporting.commands import PROJECT
from experiments.reporting.report import (
    AACheck,
    Evidence,
    render_report,
)

RATIO = {"measure": "steps_to_target", "effect": "ratio", "over": "treatment", "margin": {"at_least": 1.5}}
POINTS = {"measure": "final_value", "effect": "difference", "over": "baseline", "unit": "points"} | {
    "margin": {"at_least": 0.5}
}
LEVEL = {"measure": "final_value", "effect": "level", "unit": "points", "margin": {"at_most": 30}}
HOSTILE = '<script>alert("1")</script> & [x](javascript:a) | `b` <img src=http://evil.example/x>'


def settings(**changes: object) -> PartConfig:
    return PartConfig.model_validate({**RATIO, "baseline": "no_bn", "treatment": "custom_bn", **changes})


def part(estimate: float, low: float, high: float, verdict: Verdict = "supported", **changes: object) -> PartResult:
    effects = {0: low, 1: estimate, 2: high}
    reason = "the interval lies wholly beyond the margin"
    config = settings(**changes)
    return PartResult(config, effects, estimate, low, high, 0.001, 0.012, 0.93, 300.0, 150.0, verdict, reason)


def claim(name: str, verdict: Verdict, *parts: PartResult, **changes: object) -> ClaimResult:
    config = ClaimConfig.model_validate({"statement": "BN helps", "source": "Ioffe & Szegedy 2015"} | changes)
    return ClaimResult(name, config, verdict, "as the numbers say", parts, {"no_bn": 3.0, "custom_bn": 0.1})


RESULTS = [
    claim("faster", "supported", part(2.34, 1.9, math.inf), literature="2.3×"),
    claim("better", "refuted", part(-0.21, -0.4, 0.2, "refuted", **POINTS), scale="an MLP here, Inception there"),
    claim(
        "trainable", "inconclusive", part(11.4, 10.8, 12.0, name="without", **LEVEL),
        part(1.2, 0.9, 1.6, "inconclusive", name="faster", decides=False),
    ),
    claim("missing", "inconclusive"),
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
    curves = {arm: [Curve(np.array([0, 50]), np.array([0.1, 0.9]))] for arm in ("no_bn", "custom_bn")}
    return Evidence(experiment(), table, curves)


def report(results: list[ClaimResult] | None = None) -> str:
    return render_report(
        RESULTS if results is None else results,
        {"faster": evidence()},
        tier="mnist",
        provenance={"git_commit": "abc", "git_dirty": False, "packages": {"keras": "3.15.0"}},
        aa_check=AACheck(0.031, 1000, 0.947, 2000),
        folder=PROJECT / "elsewhere" / "mnist",
    )


class Elements(HTMLParser):
    """Every opening tag with its attributes, and all text outside of style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._in_style = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._in_style = tag == "style"

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
