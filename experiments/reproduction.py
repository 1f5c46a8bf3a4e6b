"""Every claim of a tier, judged from its results folder alone: verdicts, report and tables. No TensorFlow."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments import multiverse
from experiments.analysis.claims import ClaimResult, judge, judge_over_all
from experiments.analysis.comparison import Results
from experiments.analysis.statistics import FEWEST_SEEDS, AACheck, Verdict, aa_check
from experiments.analysis.tuning import best_values, tuned_rates
from experiments.configuration.claim import RATIO
from experiments.configuration.experiment import LEARNING_RATE, Experiment
from experiments.configuration.tiers import README_TIER, Claims, Tier, load_claims
from experiments.records import storage
from experiments.records.ownership import Origin
from experiments.records.tidying import TABLE
from experiments.reporting.agreement import SURROUNDINGS, agreement
from experiments.reporting.commands import PROJECT
from experiments.reporting.figures import svg_file
from experiments.reporting.headline_figures import AT_A_GLANCE, at_a_glance_figure, headlines
from experiments.reporting.overview_figure import verdict_overview
from experiments.reporting.pages import DATA, first_look, replace_between_markers, verdict_page
from experiments.reporting.report import Evidence, render_report
from experiments.study import Study
from experiments.sweeping.workforce import spread

ABOUT = ("packages", *SURROUNDINGS)
INTRODUCTION = """Written by `scripts/reproduce.py --publish` from the tables beside it, not by hand;
`.venv/bin/python scripts/report.py --results docs/results/<tier> --tier <tier>` judges them again. What the verdicts
mean stands in [the protocol](protocol.md): ✓ the effect claimed lies beyond the band of no material difference in at
least 17 of 20 seeds, ≈ within it, ⇄ beyond it on the other side, ◐ declared moderators decide which, ? the seeds do not
tell, – not tested."""
AA_RUNS, AA_ARM, AA_MEASURE = "relu", "custom_bn", "final_test_accuracy"


def judge_all(results: Mapping[str, Results], claims: Mapping[str, Experiment]) -> list[ClaimResult]:
    """Judge the claims of which some runs are at hand; claims over all claims by the others, and last.

    results: of experiments, by name. claims: claim → its file.
    """
    judged = []
    for name, file in claims.items():
        claim = file.config.claim
        if claim and (claim.kind == "over_all_claims" or any(found in results for found in (name, *file.config.reads))):
            judged.append(judge(name, claim, results))
    return sorted(judge_over_all(judged), key=lambda result: result.config.kind == "over_all_claims")


def compare_with_published(
    documents: Path, tier: str, folder: Path, claims: Claims, judged: Sequence[ClaimResult]
) -> list[str]:
    """Return in sentences whether verdicts are those of the published tables, judged again by the code as it is.

    documents: as `publish` writes it; nothing is compared where it holds no tables. folder: the tier's results, judged.
    claims: all of the tier, with all their seeds.
    """
    kept = documents / tier
    try:
        results = read_tables(studies_of(claims, kept))
    except storage.StorageError:
        return []
    published = judge_all({name: of for name, of in results.items() if not of.table.empty}, claims.claims)

    def provenance() -> tuple[dict[str, Any], dict[str, Any]]:
        return provenance_of(folder, studies_of(claims, folder, folder)), _published_provenance(kept)

    return agreement(judged, {result.id: result for result in published}, provenance)


def studies_of(claims: Claims, folder: Path, tuned: Path | None = None) -> list[Study]:
    """Return what is trained for the claims, with its folder in the tier's.

    tuned: a folder of results tables of the tier, such as the published ones, from which the tuning runs are taken of
    each experiment that has none of its own, where all of them are there, with the same settings.
    """
    studies = [
        Study(experiment, folder / name, Origin(claims.files[name])) for name, experiment in claims.experiments.items()
    ]
    return studies if tuned is None else [study.tuned_as(tuned / study.experiment.name) for study in studies]


def check_on_itself(results: Mapping[str, Results]) -> AACheck | None:
    """Put one arm's seeds against themselves (rule 9): its accuracies at its best rate; None with too few of them."""
    if AA_RUNS not in results:
        return None
    config, table = results[AA_RUNS].config, results[AA_RUNS].table
    rate = best_values(tuned_rates(table, config)).get((AA_ARM, ()))
    chosen = (table["arm"] == AA_ARM) & (table[LEARNING_RATE] == rate) & table["seed"].isin(config.seeds)
    values = 1 - table.loc[chosen, AA_MEASURE].to_numpy(float)  # errors, of which ratios say something
    return aa_check(values, RATIO) if len(values) >= 2 * FEWEST_SEEDS and (values > 0).all() else None


def read_tables(studies: Sequence[Study]) -> dict[str, Results]:
    """Read the results tables of the experiments that have one; raises StorageError where none has.

    Rows of runs with other settings than the experiment's are left out: such a run is missing. Where none is there of
    more than the first seeds, as after `--quick`, it is these that count.
    """
    results = {}
    for study in studies:
        if (table := study.read_results(study.folder)) is not None:
            few, there = study.experiment.on_first_seeds(FEWEST_SEEDS), {*table["seed"]}
            done = (
                few
                if there.isdisjoint(set(study.experiment.config.seeds) - set(few.config.seeds))
                else study.experiment
            )
            results[study.experiment.name] = Results(done.config, table)
    if not results:
        raise storage.StorageError(f"{studies[0].folder.parent}: holds no results; run scripts/reproduce.py first")
    return results


def verdicts_of(claims: Claims, folder: Path) -> dict[str, Verdict]:
    """Return the verdicts on a tier's claims from the results in its folder, as far as there are any."""
    try:
        results = read_tables(studies_of(claims, folder))
    except storage.StorageError:
        return {}
    return {result.id: result.verdict for result in judge_all(results, claims.claims)}


@contextlib.contextmanager
def _telling_of_files() -> Iterator[None]:
    """Raise StorageError for a file that cannot be written, or read, such as on a full disk."""
    try:
        yield
    except OSError as error:
        raise storage.StorageError(f"{error.filename or 'a file'}: {error.strerror or error}") from error


@_telling_of_files()
def write_report(
    folder: Path,
    tier: str,
    claims: Claims,
    results: Mapping[str, Results],
    judged: Sequence[ClaimResult],
    workers: int,
) -> Path:
    """Write `report.html` into a tier's folder and return its path."""
    studies = studies_of(claims, folder, folder)
    shown = {name: Evidence(of.config, of.table) for name, of in results.items()}
    there = [study for study in studies if study.experiment.name in results]
    page = render_report(
        judged,
        shown,
        tier=tier,
        provenance=provenance_of(folder, studies),
        aa_check=check_on_itself(results),
        headlines=[(words, figure) for words, _, figure in headlines(judged, results, DATA[tier])],
        curves=multiverse.curves_of(folder / multiverse.FOLDER, judged),
        readers={of.experiment.name: of.reader(results[of.experiment.name].table) for of in there},
        folder=None if folder.resolve() == PROJECT / "runs" / tier else folder,
        spread=functools.partial(spread, workers=workers),
    )
    storage.write_atomically(folder / "report.html", page.encode())
    return folder / "report.html"


@_telling_of_files()
def publish(
    documents: Path,
    tier: str,
    folder: Path,
    claims: Claims,
    results: Mapping[str, Results],
    judged: Sequence[ClaimResult],
) -> None:
    """Write a tier's figures, results tables and provenance as they are kept with the project.

    documents: the folder that holds `<tier>/`, from which `scripts/report.py` can judge again. folder: of the runs.
    """
    target = documents / tier
    target.mkdir(parents=True, exist_ok=True)
    about = provenance_of(folder, studies_of(claims, folder))
    storage.write_atomically(target / "provenance.json", (json.dumps(about, indent=1) + "\n").encode())
    for name, of_experiment in results.items():
        if not of_experiment.table.empty:
            (target / name).mkdir(exist_ok=True)
            of_experiment.table.to_parquet(target / name / TABLE, index=False, compression="zstd")
    figures = [(name, figure) for _, name, figure in headlines(judged, results, DATA[tier])]
    glance = at_a_glance_figure(judged, results, DATA[tier])
    for name, figure in [(AT_A_GLANCE, glance), *figures, ("overview", verdict_overview(judged))]:
        storage.write_atomically(target / f"{name}.svg", svg_file(figure, f"{tier}-{name}").encode())


def published(documents: Path) -> dict[str, list[ClaimResult]]:
    """Return tier → its claims as its published tables have them, README's first; tiers without tables are left out."""
    judged = {}
    for tier in (README_TIER, *(tier for tier in Tier if tier is not README_TIER)):
        claims = load_claims(tier)
        with contextlib.suppress(storage.StorageError):
            results = read_tables(studies_of(claims, documents / tier))
            judged[tier.value] = judge_all(results, claims.claims)
    return judged


def results_page(documents: Path, judged: Mapping[str, Sequence[ClaimResult]]) -> str:
    """Return the page of all verdicts with what they were made on."""
    settings = {tier: _settings(documents, tier, of_tier) for tier, of_tier in judged.items()}
    lines = [verdict_page(judged, INTRODUCTION, settings).rstrip()]
    for tier in judged:
        lines += ["", f"## Provenance, {DATA[tier]}", ""]
        about = _published_provenance(documents / tier)
        lines += [f"* {name.replace('_', ' ')}: {provenance_words(value)}" for name, value in about.items()]
    return "\n".join(lines) + "\n"


def readme_with(judged: Mapping[str, Sequence[ClaimResult]], documents: Path, readme: str) -> str:
    """Return README's text with its first look at the tier that it shows."""
    tier, found = next(iter(judged.items()))
    settings = {name: _settings(documents, name, of) for name, of in judged.items()}
    for name, look in first_look(tier, found, f"{documents.parent.name}/{documents.name}", settings).items():
        readme = replace_between_markers(readme, name, look)
    return readme


def _settings(documents: Path, tier: str, judged: Sequence[ClaimResult]) -> dict[str, list[str]]:
    return multiverse.published_words(documents / tier / multiverse.FOLDER, judged)


@_telling_of_files()
def renew_pages(documents: Path, readme: Path) -> None:
    """Write the page of all verdicts, and README's first look, from the tables that are published."""
    judged = published(documents)
    storage.write_atomically(documents.with_suffix(".md"), results_page(documents, judged).encode())
    renewed = readme_with(judged, documents, readme.read_text(encoding="utf-8"))
    storage.write_atomically(readme, renewed.encode())


def provenance_of(folder: Path, studies: Sequence[Study]) -> dict[str, Any]:
    """Return a tier's provenance, from its runs or, where these are not at hand, as it was published."""
    return gather_provenance(studies) or _published_provenance(folder)


def _published_provenance(folder: Path) -> dict[str, Any]:
    path = folder / "provenance.json"
    return json.loads(path.read_bytes()) if path.exists() else {}


def gather_provenance(studies: Sequence[Study]) -> dict[str, Any]:
    """Return on what the runs of a tier were made, and how many seconds all of them took together.

    A training that several claims share is several runs, but counts once.
    """
    runs = 0
    seconds: dict[str, float] = {}
    about: dict[str, list[Any]] = {}
    commits = set()
    for study in studies:
        for place in study.places() if study.folder.is_dir() else ():
            record = storage.read_provenance(place.experiment, place.run)
            if record is not None:
                runs += 1
                seconds[place.run.config.digest()] = record.get("wall_seconds", 0.0)
                commits.add(f"{record.get('git_commit') or 'unknown'}{' (changed)' if record.get('git_dirty') else ''}")
                for name in ABOUT:
                    found = about.setdefault(name, [])
                    if record.get(name) not in (None, *found):
                        found.append(record[name])
    if not runs:
        return {}
    kept = {name: found[0] if len(found) == 1 else found for name, found in about.items() if found not in ([], [{}])}
    spent = {"trainings": len(seconds), "training_seconds": round(sum(seconds.values()))}
    elsewhere = {"tuning": "runs as published"} if any(study.tuned is not None for study in studies) else {}
    return {"runs": runs, **spent, **elsewhere, "git_commits": ", ".join(sorted(commits)), **kept}


def provenance_words(value: Any) -> str:
    """Return one value of a provenance in words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {version}" for name, version in value.items()) or "none"
    return "; ".join(map(provenance_words, value)) if isinstance(value, list) else str(value)
