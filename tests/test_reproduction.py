"""A tier judged from its tables: what is published is what the tables say, and tables are read with care."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from experiments import reproduction
from experiments.analysis.comparison import Results
from experiments.analysis.results_table import results_table
from experiments.configuration.loading import load_experiment
from experiments.configuration.tiers import README_TIER, Tier, load_claims, read_claims
from experiments.configuration.yaml_source import ConfigError
from experiments.records import storage
from experiments.records.storage import Record, StorageError
from experiments.reporting.commands import PROJECT
from experiments.study import Study

PUBLISHED = PROJECT / "docs" / "results"
EVALUATION, TUNING = tuple(range(40, 60)), (100, 101, 102, 103, 104)


def test_a_claim_is_the_same_in_both_tiers_but_for_data_and_rates() -> None:
    embedded, mnist = (load_claims(tier).claims for tier in Tier)
    assert embedded.keys() - mnist.keys() == {
        "handles_feature_scales",
        "gan_batches_apart",
        "gan_samples_depend_on_companions",
    }
    for name, file in mnist.items():
        ours, theirs = (
            [(p.name, p.effect, p.measure, p.role, p.where) for p in of_tier.config.claim.parts]
            for of_tier in (embedded[name], file)
        )
        assert ours == theirs, name
        assert file.config.claim.statement == embedded[name].config.claim.statement


@pytest.mark.parametrize("tier", list(Tier))
def test_every_experiment_has_the_seeds_of_the_protocol(tier: Tier) -> None:
    for name, experiment in load_claims(tier).experiments.items():
        assert experiment.config.seeds == EVALUATION, name
        if experiment.config.tuning:
            assert experiment.config.tuning.seeds in (TUNING, TUNING[:3]), name


@pytest.mark.parametrize(("tier", "points"), [(Tier.embedded, 1.0), (Tier.mnist, 0.5)])
def test_accuracies_differ_materially_from_half_a_point_on_and_of_digits_from_one(tier: Tier, points: float) -> None:
    for name, file in load_claims(tier).claims.items():
        claim = file.config.claim
        if any(part.unit == "points" for part in claim.parts):
            assert claim.points == points, name


def test_published_pages_are_what_the_published_tables_say() -> None:
    judged = reproduction.published(PUBLISHED)
    assert next(iter(judged)) == README_TIER
    page = reproduction.results_page(PUBLISHED, judged)
    assert (PROJECT / "docs" / "results.md").read_text(encoding="utf-8") == page
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert reproduction.readme_with(judged, PUBLISHED, readme) == readme


def test_every_claim_of_a_published_tier_has_its_runs() -> None:
    for tier in reproduction.published(PUBLISHED):
        claims = load_claims(Tier(tier))
        tables = reproduction.read_tables(reproduction.studies_of(claims, PUBLISHED / tier))
        assert tables.keys() == claims.experiments.keys()
        for name, results in tables.items():
            assert set(results.config.seeds) <= set(results.table["seed"]), name


def test_every_figure_that_the_readme_shows_is_there() -> None:
    figures = re.findall(r"\]\(([^)]+\.(?:svg|png))\)", (PROJECT / "README.md").read_text(encoding="utf-8"))
    assert len([path for path in figures if path.startswith("docs/results/")]) > 4
    assert [path for path in figures if not (PROJECT / path).is_file()] == []


def test_what_is_judged_again_is_as_published_and_nothing_is_compared_with_nothing(tmp_path: Path) -> None:
    claims, kept = load_claims(README_TIER), PUBLISHED / README_TIER
    judged = reproduction.published(PUBLISHED)[README_TIER]
    said = reproduction.compare_with_published(PUBLISHED, README_TIER, kept, claims, judged)
    assert said[0] == f"{len(judged)} of {len(judged)} verdicts as published."
    assert said[1].endswith("effects inside the published 99.7 % intervals.")
    assert reproduction.compare_with_published(tmp_path, README_TIER, kept, claims, judged) == []


def test_a_claim_takes_the_experiments_with_it_that_it_reads() -> None:
    claims = load_claims(Tier.embedded)
    seconds = claims.of(["faster_in_seconds"])
    assert list(seconds.claims) == ["faster_in_seconds"]
    assert seconds.experiments.keys() == {"relu", "sigmoid_x4", "cnn", "steps_timed"}
    metrics = {part.metric for part in claims.experiments["mechanisms_relu"].measured}
    assert metrics >= {"landscape/loss_range", "covariate_shift/cosine", None}


def test_unknown_claim_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"faster_when_tund: no such claim; there are: accuracy_improves, "):
        load_claims(Tier.embedded).of(["faster_when_tund"])


def test_what_a_claim_reads_and_is_not_there_is_a_fault_of_its_file(tmp_path: Path) -> None:
    part = "{measure: final_value, unit: points, effect: difference, baseline: a, treatment: b, runs: %s}"
    text = "title: t\nclaim:\n  statement: s\n  source: s\n  parts:\n"
    (tmp_path / "c.yaml").write_text(f"{text}    - {part % 'absent'}\n    - {part % 'other'}\n")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "other.yaml").write_text("title: t\narms: {a: {}, c: {}}\nseeds: 10\n")
    with pytest.raises(ConfigError) as found:
        read_claims([tmp_path / "c.yaml"])
    absent, arm = found.value.faults
    assert absent == (
        f"{tmp_path / 'c.yaml'}: claim.parts: reads the runs of 'absent', but there is neither absent.yaml nor "
        "shared/absent.yaml beside it"
    )
    assert arm.startswith(f"{tmp_path / 'c.yaml'}:7: treatment: 'b' is not one of a, c")


def test_a_folder_without_results_is_said_to_have_none(tmp_path: Path) -> None:
    claims = load_claims(Tier.embedded).of(["costs_time"])
    with pytest.raises(StorageError, match=r"holds no results; run scripts/reproduce\.py first"):
        reproduction.read_tables(reproduction.studies_of(claims, tmp_path))


def test_a_row_of_other_settings_is_a_run_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "title: t\nrun: {steps: 100}\narms: {a: {}, b: {model.norm.kind: custom}}\nseeds: 2\n"
    )
    before = load_experiment(tmp_path / "c.yaml")
    runs = before.evaluation_runs({})
    rows = results_table((run.arm, run.grid, Record(run.config, "finished", {})) for run in runs)
    (tmp_path / "c").mkdir()
    rows.to_parquet(tmp_path / "c" / "results.parquet")
    longer_b = load_experiment(tmp_path / "c.yaml", ["arms.b.steps=200"])
    for experiment, expected in ((before, ["a", "b", "a", "b"]), (longer_b, ["a", "a"])):
        found = reproduction.read_tables([Study(experiment, tmp_path / "c")])
        assert list(found["c"].table["arm"]) == expected


def test_a_table_that_does_not_say_its_settings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "steps_timed").mkdir()
    pd.DataFrame({"arm": ["bn"], "seed": [0]}).to_parquet(tmp_path / "steps_timed" / "results.parquet")
    claims = load_claims(Tier.embedded).of(["costs_time"])
    with pytest.raises(
        StorageError, match=r"does not say with which settings; write it again by scripts/reproduce\.py"
    ):
        reproduction.read_tables(reproduction.studies_of(claims, tmp_path))


def test_a_full_disk_at_the_report_is_an_error_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(storage, "write_atomically", full)
    claims = load_claims(Tier.embedded).of(["costs_time"])
    with pytest.raises(StorageError, match=r"report\.html: No space left on device"):
        reproduction.write_report(tmp_path, "embedded", claims, {}, [], 1)
    with pytest.raises(StorageError, match=r"provenance\.json: No space left on device"):
        reproduction.publish(tmp_path, "embedded", tmp_path, claims, {}, [])


def test_a_claim_over_all_claims_is_judged_last_and_needs_no_runs() -> None:
    claims = load_claims(Tier.embedded).of(["does_not_always_help", "costs_time"])
    empty = pd.DataFrame(columns=["arm", "seed", "status"])
    results = {name: Results(e.config, empty) for name, e in claims.experiments.items()}
    judged = reproduction.judge_all(results, claims.claims)
    assert [found.id for found in judged] == ["costs_time", "does_not_always_help"]


def test_a_training_that_claims_share_is_counted_once(tmp_path: Path) -> None:
    (tmp_path / "few.yaml").write_text("title: t\narms: {bn: {model.norm.kind: custom}}\nseeds: 2\n")
    (tmp_path / "more.yaml").write_text("title: t\narms: {other: {model.norm.kind: custom}}\nseeds: 3\n")
    studies = [Study(load_experiment(tmp_path / f"{name}.yaml"), tmp_path / name) for name in ("few", "more")]
    for study in studies:
        for place in study.evaluation():
            about = {"wall_seconds": 10.0 + place.run.config.seed, "git_commit": "abc", "threads": 1}
            storage.write_run(place.experiment, place.run, Record(place.run.config, "finished", {}, provenance=about))
    found = reproduction.gather_provenance(studies)
    assert found == {"runs": 5, "trainings": 3, "training_seconds": 33, "git_commits": "abc", "threads": 1}


def test_runs_made_on_different_machines_name_them_all(tmp_path: Path) -> None:
    (tmp_path / "few.yaml").write_text("title: t\narms: {bn: {}}\nseeds: 3\n")
    study = Study(load_experiment(tmp_path / "few.yaml"), tmp_path / "few")
    xla = {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true"}
    made = [
        {"processor": "A", "onednn": True, "environment": {}},
        {"processor": "B", "onednn": False, "environment": xla},
        {"processor": "A", "threads": 1},  # as before these things were recorded
    ]
    for place, about in zip(study.evaluation(), made, strict=True):
        storage.write_run(place.experiment, place.run, Record(place.run.config, "finished", {}, provenance=about))
    found = reproduction.gather_provenance([study])
    assert {name: found[name] for name in ("processor", "onednn", "environment", "threads")} == {
        "processor": ["A", "B"],
        "onednn": [True, False],
        "environment": [{}, xla],
        "threads": 1,
    }
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "provenance.json").write_text(json.dumps(found))
    page = reproduction.results_page(tmp_path, {"mnist": []})
    assert "* processor: A; B\n" in page
    assert "* environment: none; XLA_FLAGS --xla_cpu_enable_fast_math=true\n" in page


def test_what_is_published_says_on_what_its_runs_were_made(tmp_path: Path) -> None:
    claims = load_claims(Tier.embedded).of(["layer_inputs_are_standardized"])
    (study,) = reproduction.studies_of(claims, tmp_path / "runs")
    for place in study.evaluation():
        about = {"wall_seconds": 2.0, "git_commit": "abc"}
        storage.write_run(place.experiment, place.run, Record(place.run.config, "finished", {}, provenance=about))
    results = {"layer_inputs_are_standardized": Results(study.experiment.config, study.table())}
    reproduction.publish(tmp_path / "docs", "embedded", tmp_path / "runs", claims, results, [])
    found = json.loads((tmp_path / "docs" / "embedded" / "provenance.json").read_bytes())
    assert found == {"runs": 20, "trainings": 20, "training_seconds": 40, "git_commits": "abc"}
