"""Verdicts come from tables alone, and what is published is what the tables say."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from experiments import reproduction
from experiments.conduct import Study
from experiments.report import replace_between_markers, verdict_table_markdown
from experiments.storage import StorageError
from experiments.tiers import README_TIER, Tier, load_claims
from experiments.yaml_source import ConfigError

PROJECT = Path(__file__).resolve().parent.parent
PUBLISHED = PROJECT / "docs" / "results"
PUBLISHED_TIERS = [tier for tier in Tier if (PUBLISHED / f"{tier}.md").exists()]


def published(tier: Tier) -> dict[str, reproduction.Results]:
    studies = [Study(experiment, PUBLISHED / tier / name) for name, experiment in load_claims([], tier).items()]
    return reproduction.read_tables(studies)


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
    judged = reproduction.judge_all(published(tier))
    assert len(judged) == len(load_claims([], tier))
    assert verdict_table_markdown(judged) in (PUBLISHED / f"{tier}.md").read_text(encoding="utf-8")


def test_readme_shows_the_verdicts_of_the_published_tables() -> None:
    assert README_TIER in PUBLISHED_TIERS
    judged = reproduction.judge_all(published(README_TIER))
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


def test_claim_over_all_claims_is_judged_last_and_needs_no_runs() -> None:
    experiments = load_claims(["does_not_always_help", "higher_rates"], Tier.embedded)
    results = {
        name: reproduction.Results(e.config, pd.DataFrame(columns=["arm", "seed", "status"]))
        for name, e in experiments.items()
    }
    assert [result.id for result in reproduction.judge_all(results)] == ["higher_rates", "does_not_always_help"]
