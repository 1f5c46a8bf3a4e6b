"""What does an experiment show as a whole? Its arms side by side, its verdict and its settings, in TensorBoard."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
import yaml

from experiments import wording
from experiments.claims import judge
from experiments.config import Experiment, Run
from experiments.figures import band, convergence_figure
from experiments.storage import Curve
from experiments.summary import runs_at_best_rate
from experiments.tensorboard import write_overview

METRICS = ("accuracy/validation", "loss/train")


def show_in_tensorboard(
    experiment: Experiment,
    folder: Path,
    table: pd.DataFrame,
    curves_of: Callable[[Iterable[Run], str], dict[str, list[Curve]]],
) -> None:
    """Write the run `summary`: bands over seeds of every arm, the verdict, the resolved settings and a figure.

    curves_of: (runs, metric) → arm → curves.
    """
    runs = runs_at_best_rate(experiment, table)
    curves = {metric: curves_of(runs, metric) for metric in METRICS}
    bands = {
        metric: {arm: band(of_arm) for arm, of_arm in by_arm.items()} for metric, by_arm in curves.items() if by_arm
    }
    resolved = yaml.safe_dump(experiment.config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    texts = {"settings": "\n".join(f"    {line}" for line in resolved.splitlines())}
    claim = experiment.config.claim
    if claim and claim.parts:
        result = judge(experiment.name, experiment.config, table)
        effects = "\n".join(
            f"* {wording.comparison_words(part.config)}: {wording.effect_or_reason(part)}" for part in result.parts
        )
        texts["verdict"] = f"**{wording.verdict_words(result.verdict)}**: {claim.statement}\n\n{effects}"
    images = {}
    if curves["accuracy/validation"]:
        picture = io.BytesIO()
        convergence_figure(curves["accuracy/validation"], target=claim.target if claim else None).savefig(
            picture, dpi=150
        )
        images["convergence"] = picture.getvalue()
    write_overview(folder, bands, texts, images)
