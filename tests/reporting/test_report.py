"""The page: all that a claim rests on, nothing loaded, nothing broken."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import pandas as pd
import pytest
from claim_results import (
    HOSTILE,
    RESULTS,
    Elements,
    claim,
    evidence,
    experiment,
    part,
    report,
    words,
)
from matplotlib.figure import Figure

from experiments import reporting
from experiments.reporting.commands import PROJECT
from experiments.reporting.figures import rate_figure
from experiments.reporting.report import (
    render_report,
    settings_words,
)


def test_the_report_says_every_verdict_with_word_and_symbol() -> None:
    text = words(report())
    for verdict in ("✓ supported", "✗ refuted", "? inconclusive"):
        assert verdict in text.replace("\xa0", " ")
    assert "Of 4 claims" in text


def test_a_section_holds_all_that_a_claim_rests_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(PROJECT / ".venv" / "bin" / "python"))
    text = words(report(RESULTS[:1]))
    for expected in (
        "Source Ioffe & Szegedy 2015",
        "In the literature 2.3×",
        "2.3× [1.90, ∞] , margin ≥ 1.5× (steps to target, no_bn / custom_bn).",
        "It would be inconclusive if the interval",
        "Tuned to no_bn: 3, custom_bn: 0.1",
        ".venv/bin/python scripts/reproduce.py faster --tier mnist , in the project's folder",
        ".venv/bin/python scripts/report.py --tier mnist --results elsewhere/mnist git commit",
        "Validation accuracy over training",
        "Accuracy against the learning rate, tuning seeds 100–102",
        "learning_rate: 0.1",
        "git commit abc",
        "git dirty no",
        "packages keras 3.15.0",
    ):
        assert expected in text


def test_accuracy_is_drawn_at_the_rates_of_the_grid_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[pd.DataFrame] = []

    def draw(runs: pd.DataFrame) -> Figure:
        drawn.append(runs)
        return rate_figure(runs)

    monkeypatch.setattr(reporting.report, "rate_figure", draw)
    shown = evidence()
    between = shown.table.assign(**{"optimizer.learning_rate": 0.3162})
    shown = replace(shown, table=pd.concat([shown.table, between]))
    render_report(RESULTS[:1], {"faster": shown}, tier="mnist", provenance={}, aa_check=None)
    assert set(drawn[0]["optimizer.learning_rate"]) == {0.1, 1.0}


def test_a_refuted_claim_says_what_it_goes_against_and_how_the_scale_differs() -> None:
    expected = (
        "goes against the statement as made by Ioffe & Szegedy 2015. What differs in scale: an MLP here, Inception"
    )
    assert expected in words(report(RESULTS[1:2]))
    assert "goes against" not in words(report([RESULTS[0], *RESULTS[2:]]))


def test_the_aa_check_is_in_the_report_and_its_absence_is_said() -> None:
    assert "3.1 % came out supported" in words(report())
    assert "94.7 % of 2,000 draws" in words(report())
    page = render_report([], {}, tier="mnist", provenance={}, aa_check=None)
    assert "Not run for this report." in words(page)


def test_a_report_on_no_claim_is_still_a_page() -> None:
    page = report([])
    assert "No claim has been evaluated yet." in words(page)
    assert "<table" not in page


def test_hostile_words_stay_words() -> None:
    hostile = claim(
        "x", "refuted", part(1.0, 0.9, 1.1, "refuted", name=HOSTILE), statement=HOSTILE, source=HOSTILE, scale=HOSTILE
    )
    page = Elements(report([hostile]))
    assert not [tag for tag, _ in page.found if tag in ("script", "img")]
    assert HOSTILE in page.text


def test_the_page_loads_nothing() -> None:
    page = Elements(report())
    for tag, value in page.values("src", "srcset", "action", "data", "poster"):
        raise AssertionError(f"{tag} loads {value}")
    for tag, value in page.values("href", "xlink:href"):
        assert value.startswith("#") or value == "data:," or tag == "a", f"{tag} loads {value}"
    assert "@import" not in report()
    assert set(re.findall(r"url\((.)", report())) <= {"#"}
    assert not [tag for tag, _ in page.found if tag in ("script", "iframe", "object", "embed")]


def test_ids_are_unique_and_every_link_within_the_page_leads_somewhere() -> None:
    page = Elements(report())
    ids = [value for _, value in page.values("id")]
    assert len(ids) == len(set(ids))
    assert {result.id for result in RESULTS} <= set(ids)
    assert {value[1:] for _, value in page.values("href", "xlink:href") if value[0] == "#"} <= set(ids)


def test_the_same_results_give_the_same_bytes() -> None:
    assert report() == report()


def test_settings_name_what_was_trained() -> None:
    found = dict(settings_words(experiment()))
    assert found["data"] == "digits, batches of 60, first 1,200 training examples, standardize"
    assert found["network"] == "mlp 100-100-100, sigmoid, glorot_uniform"
    assert found["arm no_bn"] == "the base run"
    assert found["arm custom_bn"] == "model.norm.kind = custom"
    assert found["optimizer.learning_rate"] == "0.1, 1"
    assert found["evaluation seeds"] == "0–2, 7"
    assert found["tuning"] == "optimizer.learning_rate of each arm, on seeds 100–102"
