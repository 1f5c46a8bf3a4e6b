"""Verdicts come from tables alone, and what is published is what the tables say."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from experiments import reproduction
from experiments.analysis.claims import ClaimResult
from experiments.analysis.results_table import results_table
from experiments.configuration.loading import load_experiment
from experiments.configuration.tiers import README_TIER, Tier, load_claims
from experiments.configuration.yaml_source import ConfigError
from experiments.records import storage
from experiments.records.storage import Record, StorageError
from experiments.reporting.report import replace_between_markers, verdict_table_markdown
from experiments.study import Study

PROJECT = Path(__file__).resolve().parent.parent
PUBLISHED = PROJECT / "docs" / "results"
PUBLISHED_TIERS = [tier for tier in Tier if (PUBLISHED / f"{tier}.md").exists()]


def published(tier: Tier) -> dict[str, reproduction.Results]:
    studies = [Study(experiment, PUBLISHED / tier / name) for name, experiment in load_claims([], tier).items()]
    return reproduction.read_tables(studies)


def judged_again(tier: Tier, *names: str) -> list[ClaimResult]:
    """Judge the published tables of these claims, or of all."""
    found = {name: results for name, results in published(tier).items() if not names or name in names}
    return reproduction.judge_all(found, [experiment.config for experiment in load_claims([], tier).values()])


def test_both_tiers_test_the_same_claims_with_the_same_margins() -> None:
    embedded, mnist = (load_claims([], tier) for tier in Tier)
    assert embedded.keys() == mnist.keys()
    for name in embedded:
        parts = [
            [(p.name, p.effect, p.margin, p.decides) for p in tier[name].config.claim.parts]
            for tier in (embedded, mnist)
        ]
        assert parts[0] == parts[1], name


@pytest.mark.parametrize("tier", list(Tier))
def test_arms_with_weights_are_baselines_so_that_a_refuted_effect_has_a_direction(tier: Tier) -> None:
    parts = [part for experiment in load_claims([], tier).values() for part in experiment.config.claim.parts]
    weighted = [
        part for part in parts if not (isinstance(part.baseline or "", str) and isinstance(part.treatment, str))
    ]
    assert [(part.effect, part.treatment) for part in weighted] == [
        *(("difference", arm) for arm in ("custom_bn", "renorm_2", "renorm_4"))
    ]


@pytest.mark.parametrize("tier", list(Tier))
def test_every_claim_has_twenty_evaluation_seeds_and_tunes_on_others(tier: Tier) -> None:
    for name, experiment in load_claims([], tier).items():
        assert experiment.config.seeds == tuple(range(20)), name
        if experiment.config.tuning:
            assert experiment.config.tuning.seeds == (100, 101, 102), name


@pytest.mark.parametrize("tier", list(Tier))
def test_every_target_stands_in_its_file(tier: Tier) -> None:
    for name, experiment in load_claims([], tier).items():
        claim = experiment.config.claim
        for part in claim.parts:
            if part.measure in ("steps_to_target", "seconds_to_target"):
                assert part.target is not None or claim.target is not None, name
            if part.measure == "gap_at_training_loss":
                assert claim.training_loss is not None, name


@pytest.mark.parametrize("tier", PUBLISHED_TIERS)
def test_published_page_is_what_the_published_tables_say(tier: Tier) -> None:
    judged = judged_again(tier)
    assert len(judged) == len(load_claims([], tier))
    assert verdict_table_markdown(judged) in (PUBLISHED / f"{tier}.md").read_text(encoding="utf-8")


def test_the_published_runs_come_out_as_published() -> None:
    studies = [
        Study(experiment, PUBLISHED / "mnist" / name) for name, experiment in load_claims([], Tier.mnist).items()
    ]
    judged = judged_again(Tier.mnist)
    kept = PUBLISHED / "mnist"
    assert reproduction.compare_with_published(PUBLISHED, "mnist", kept, studies, judged) == ["33 of 33 as published."]


def test_where_nothing_is_published_nothing_is_compared(tmp_path: Path) -> None:
    studies = [Study(load_claims(["costs_time"], Tier.mnist)["costs_time"], tmp_path / "costs_time")]
    judged = judged_again(Tier.mnist, "costs_time")
    assert reproduction.compare_with_published(tmp_path, "mnist", tmp_path, studies, judged) == []


def test_readme_shows_the_verdicts_of_the_published_tables() -> None:
    assert README_TIER in PUBLISHED_TIERS
    judged = judged_again(README_TIER)
    section = reproduction.readme_section(README_TIER, judged)
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert replace_between_markers(readme, "verdicts", section) == readme


def test_every_figure_that_the_readme_shows_is_there() -> None:
    figures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", (PROJECT / "README.md").read_text(encoding="utf-8"))
    assert len(figures) == 2
    assert [path for path in figures if not (PROJECT / path).is_file()] == []


@pytest.mark.parametrize("tier", PUBLISHED_TIERS)
def test_published_runs_hold_every_seed_the_files_ask_for(tier: Tier) -> None:
    for name, results in published(tier).items():
        if not results.table.empty:
            assert set(results.config.seeds) <= set(results.table["seed"]), name


def test_unknown_claim_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"faster_when_tund: no such claim; there are: accuracy_improves, "):
        load_claims(["faster_when_tund"], Tier.embedded)


def test_a_folder_without_results_is_said_to_have_none(tmp_path: Path) -> None:
    studies = [
        Study(experiment, tmp_path / name) for name, experiment in load_claims(["higher_rates"], Tier.embedded).items()
    ]
    with pytest.raises(StorageError, match=r"holds no results; run scripts/reproduce\.py first"):
        reproduction.read_tables(studies)


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
    (tmp_path / "higher_rates").mkdir()
    pd.DataFrame({"arm": ["bn"], "seed": [0]}).to_parquet(tmp_path / "higher_rates" / "results.parquet")
    with pytest.raises(
        StorageError, match=r"does not say with which settings; write it again by scripts/reproduce\.py"
    ):
        reproduction.read_tables(
            [Study(load_claims(["higher_rates"], Tier.embedded)["higher_rates"], tmp_path / "higher_rates")]
        )


def test_a_claim_without_a_file_in_a_tier_is_tested_in_the_other_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("claims", "mnist"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "both.yaml").write_text("title: t\narms: {a: {}}\n")
    (tmp_path / "claims" / "embedded_alone.yaml").write_text("title: t\narms: {a: {}}\n")
    (tmp_path / "mnist" / "no_claim.yaml").write_text("title: t\narms: {a: {}}\n")
    monkeypatch.setattr("experiments.configuration.tiers.CONFIGS", tmp_path)
    assert [list(load_claims([], tier)) for tier in (Tier.embedded, Tier.mnist)] == [
        ["both", "embedded_alone"],
        ["both"],
    ]
    with pytest.raises(ConfigError, match=r"embedded_alone: no such claim; there are: both"):
        load_claims(["embedded_alone"], Tier.mnist)


def test_a_full_disk_at_the_report_is_an_error_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(storage, "write_atomically", full)
    with pytest.raises(StorageError, match=r"report\.html: No space left on device"):
        reproduction.write_report(tmp_path, "embedded", [], {}, [], 1)
    with pytest.raises(StorageError, match=r"provenance\.json: No space left on device"):
        reproduction.publish(tmp_path, "embedded", [], {}, [])


def test_claim_over_all_claims_is_judged_last_and_needs_no_runs() -> None:
    experiments = load_claims(["does_not_always_help", "higher_rates"], Tier.embedded)
    results = {
        name: reproduction.Results(e.config, pd.DataFrame(columns=["arm", "seed", "status"]))
        for name, e in experiments.items()
    }
    tier = [experiment.config for experiment in experiments.values()]
    assert [result.id for result in reproduction.judge_all(results, tier)] == ["higher_rates", "does_not_always_help"]


def test_a_claim_judged_alone_is_adjusted_for_the_whole_tier() -> None:
    family = sum(
        part.decides and part.effect != "largest_difference"
        for experiment in load_claims([], Tier.mnist).values()
        for part in experiment.config.claim.parts
        if experiment.config.claim.kind == "statistical"
    )
    (alone,) = judged_again(Tier.mnist, "costs_time")
    parts = sorted(alone.parts, key=lambda part: part.p)
    assert len(parts) < family
    assert parts[0].p_adjusted == pytest.approx(family * parts[0].p)


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
    page = reproduction.results_page("mnist", [], found)
    assert "* processor: A; B\n" in page
    assert "* environment: none; XLA_FLAGS --xla_cpu_enable_fast_math=true\n" in page
