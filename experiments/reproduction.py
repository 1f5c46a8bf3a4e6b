"""Every claim of a tier, judged from its results folder alone: verdicts, report and tables. No TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from experiments import storage
from experiments.claims import ClaimResult, judge, judge_table
from experiments.conduct import Study
from experiments.config import ExperimentConfig
from experiments.effect_figures import effect_figure
from experiments.figures import svg_file
from experiments.report import AACheck, Evidence, render_report, verdict_table_markdown
from experiments.statistics import false_support_share, interval_coverage
from experiments.summary import runs_at_best_rate
from experiments.tuning import best_values, tuned_rates

ABOUT = ("packages", "python", "processor", "system", "threads")
AA_CLAIM, AA_ARM, AA_MEASURE, AA_SEED = "accuracy_improves", "mlp_custom_bn", "final_test_accuracy", 0


@dataclass(frozen=True)
class Results:
    """One claim's experiment, resolved, and its table of runs."""

    config: ExperimentConfig
    table: pd.DataFrame


def judge_all(results: Mapping[str, Results]) -> list[ClaimResult]:
    """Judge the claims of a table together, adjusting p-values over all of them; claims over all claims come last."""
    ordered = sorted(results.items(), key=lambda item: _is_over_all(item[1].config))
    return judge_table([judge(name, result.config, result.table) for name, result in ordered])


def aa_check(results: Mapping[str, Results]) -> AACheck | None:
    """Put one arm's seeds against themselves, 1,000 times, and draws with a known effect through the same machinery.

    Rule 8 of the claims. None where the arm's claim was not run.
    """
    if AA_CLAIM not in results:
        return None
    config, table = results[AA_CLAIM].config, results[AA_CLAIM].table
    rate = best_values(tuned_rates(table, config)).get((AA_ARM, ()))
    chosen = (table["arm"] == AA_ARM) & (table["optimizer.learning_rate"] == rate) & table["seed"].isin(config.seeds)
    values = table.loc[chosen, AA_MEASURE].to_numpy(float)
    if not len(values):
        return None
    return AACheck(false_support_share(values, "difference", AA_SEED), 1000, interval_coverage(AA_SEED), 1000)


def evidence(study: Study, results: Results) -> Evidence:
    """Return what a claim's section of the report shows, with the curves of its evaluation runs at their best rates."""
    curves = study.curves(runs_at_best_rate(study.experiment, results.table), "accuracy/validation")
    return Evidence(results.config, results.table, curves)


def write_report(
    folder: Path,
    tier: str,
    judged: Sequence[ClaimResult],
    shown: Mapping[str, Evidence],
    provenance: Mapping[str, Any],
    check: AACheck | None,
) -> Path:
    """Write `report.html` into a tier's folder and return its path."""
    page = render_report(judged, shown, tier=tier, provenance=provenance, aa_check=check)
    storage.write_atomically(folder / "report.html", page.encode())
    return folder / "report.html"


def publish(
    documents: Path,
    tier: str,
    judged: Sequence[ClaimResult],
    provenance: Mapping[str, Any],
    results: Mapping[str, Results],
) -> None:
    """Write a tier's verdict table, figures, results tables and provenance, as they are kept with the project."""
    target = documents / tier
    target.mkdir(parents=True, exist_ok=True)
    title = (
        f"# Verdicts, {tier} tier\n\nWritten by `scripts/reproduce.py --tier {tier} --publish`; not edited by hand.\n\n"
    )
    lines = [f"* {name.replace('_', ' ')}: {_words(value)}" for name, value in provenance.items()]
    text = title + verdict_table_markdown(judged) + "\n\n## Provenance\n\n" + "\n".join(lines) + "\n"
    storage.write_atomically(target / "verdicts.md", text.encode())
    for result in judged:
        if any(part.effects for part in result.parts):
            name = f"{tier}-{result.id}"
            storage.write_atomically(target / f"{result.id}.svg", svg_file(effect_figure(result), name).encode())
    for name, of_claim in results.items():
        (target / "tables" / name).mkdir(parents=True, exist_ok=True)
        of_claim.table.to_parquet(target / "tables" / name / "results.parquet", index=False, compression="zstd")
        resolved = json.dumps(of_claim.config.model_dump(mode="json"), indent=1)
        (target / "tables" / name / "experiment.json").write_text(resolved + "\n", encoding="utf-8")


def gather_provenance(studies: Sequence[Study]) -> dict[str, Any]:
    """Return on what the runs of a tier were made, and how many seconds all of them took together."""
    runs, seconds = 0, 0.0
    about: dict[str, Any] = {}
    commits = set()
    for study in studies:
        for place in study.places():
            record = storage.read_provenance(place.experiment, place.run)
            if record is not None:
                runs += 1
                seconds += record.get("wall_seconds", 0.0)
                commits.add(f"{record.get('git_commit') or 'unknown'}{' (changed)' if record.get('git_dirty') else ''}")
                about = record
    kept = {name: about[name] for name in ABOUT if name in about}
    return {"runs": runs, "training_seconds": round(seconds), "git_commits": ", ".join(sorted(commits)), **kept}


def _is_over_all(config: ExperimentConfig) -> bool:
    return config.claim is not None and config.claim.kind == "over_all_claims"


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {version}" for name, version in value.items())
    return str(value)
