"""Whoever is named as a source stands in docs/references.md, under that name."""

from __future__ import annotations

import calendar
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
REFERENCES = ROOT / "docs" / "references.md"
ENTRY = re.compile(r'^\* <a id="([a-z0-9-]+)"></a>\*\*(.+?)\*\*: (.+?)$(?=\n\*|\n\n|\n?\Z)', re.MULTILINE | re.DOTALL)
ENTRIES = {
    " ".join(label.split()): (anchor, text)
    for anchor, label, text in ENTRY.findall(REFERENCES.read_text(encoding="utf-8"))
}

NAME = r"(?:van |Del )?[A-Z][A-Za-z'-]+"
WORK = re.compile(rf"((?:{NAME}, )*{NAME}(?: et al\.| & {NAME})?) \(?((?:19|20)\d\d)\b")
OURS = "this project's own requirement"

CODE = [
    path for folder in ("custom_layers", "models", "experiments", "scripts") for path in (ROOT / folder).rglob("*.py")
]
PAGES = [path for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")] if path != REFERENCES]
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))


def works_in(text: str) -> set[str]:
    """Works that a text names by authors and year, across the ends of lines and the marks of comments."""
    found = WORK.findall(re.sub(r"\s+(?:# )?", " ", text))
    return {f"{authors} {year}" for authors, year in found if authors not in calendar.month_name}


def sources() -> dict[str, list[str]]:
    """What each experiment with a claim names as its sources."""
    claims = {path: yaml.safe_load(path.read_text(encoding="utf-8")).get("claim") for path in CONFIGS}
    return {path.stem: claim["source"].split("; ") for path, claim in claims.items() if claim and "source" in claim}


def test_works_are_found_by_authors_and_year():
    text = (
        "Chan, Golub & LeVeque 1983, Bjorck\n# et al. 2018, van Laarhoven (2017): December 2023, Python 3.13, seed 2017"
    )
    assert works_in(text) == {"Chan, Golub & LeVeque 1983", "Bjorck et al. 2018", "van Laarhoven 2017"}


@pytest.mark.parametrize("path", [*CODE, *PAGES, *CONFIGS], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_work_named_stands_among_the_references(path: Path):
    assert works_in(path.read_text(encoding="utf-8")) - ENTRIES.keys() == set()


def test_every_source_of_a_claim_is_a_reference_or_our_own_requirement():
    found = sources()
    assert found["regularizes"][-1] == "Luo et al. 2019"
    known = (*ENTRIES, OURS)
    assert {name: parts for name, parts in found.items() if not all(part.startswith(known) for part in parts)} == {}


def test_an_entry_has_its_own_anchor_and_says_where_the_work_is():
    assert ENTRIES["Ioffe & Szegedy 2015"][0] == "ioffe-szegedy-2015"
    assert REFERENCES.read_text(encoding="utf-8").count("\n* ") == len(ENTRIES)
    for label, (anchor, text) in ENTRIES.items():
        assert anchor == "-".join(re.findall("[a-z0-9]+", label.lower()))
        assert "](https://" in text or label.startswith('"'), label  # of the articles only titles are known


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [citation["version"], citation["license"]] == [project["version"], project["license"]]
