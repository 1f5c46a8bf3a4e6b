"""A tier's page to play with: the experiments that it shows, from the tables that are there, into the tier's folder."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from experiments import reproduction
from experiments.configuration.tiers import README_TIER, Tier, load_claims
from experiments.exploration import SHOWN, write_tier_explorer
from experiments.records.storage import StorageError
from experiments.reporting.commands import PROJECT

PUBLISHED = PROJECT / "docs" / "results" / README_TIER.value


@pytest.mark.parametrize("tier", list(Tier))
def test_every_tier_has_the_experiments_that_its_page_shows(tier: Tier) -> None:
    assert set(SHOWN) <= load_claims(tier).experiments.keys()


def test_the_published_tables_make_a_page_in_which_what_was_trained_alike_stands_together(tmp_path: Path) -> None:
    studies = reproduction.studies_of(load_claims(README_TIER), PUBLISHED)
    tables = {name: of.table for name, of in reproduction.read_tables(studies).items()}
    page = write_tier_explorer(tmp_path, README_TIER, studies, tables)
    assert page == tmp_path / "explorer.html"
    found = re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    networks = json.loads(found[1])
    assert [network["sources"] for network in networks] == [
        ["sigmoid_x1", "mechanisms_sigmoid_x1"],
        ["sigmoid_x4", "mechanisms_sigmoid_x4"],
        ["relu", "mechanisms_relu"],
        ["cnn"],
        *[["deep"]] * 3,
    ]
    assert len({network["name"] for network in networks}) == len(networks)


def test_a_part_of_the_runs_makes_a_page_of_these_and_none_no_page(tmp_path: Path) -> None:
    studies = reproduction.studies_of(load_claims(README_TIER), PUBLISHED)
    tables = {name: of.table for name, of in reproduction.read_tables(studies).items()}
    assert write_tier_explorer(tmp_path, README_TIER, studies, {"renorm": tables["renorm"]}) is None
    page = write_tier_explorer(tmp_path, README_TIER, studies, {"cnn": tables["cnn"]})
    assert page is not None
    assert '"sources":["cnn"]' in page.read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_is_a_fault_of_its_place(tmp_path: Path) -> None:
    studies = reproduction.studies_of(load_claims(README_TIER), PUBLISHED)
    cnn = [study for study in studies if study.experiment.name == "cnn"]
    tables = {name: of.table for name, of in reproduction.read_tables(cnn).items()}
    with pytest.raises(StorageError, match=r"absent/explorer\.html: No such file or directory"):
        write_tier_explorer(tmp_path / "absent", README_TIER, cnn, tables)
