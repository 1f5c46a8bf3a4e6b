"""The page: all that a claim rests on, nothing loaded, nothing broken."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from claim_results import (
    COST,
    FASTER,
    HOSTILE,
    IDENTITY,
    POINTS,
    RESULTS,
    STEPS,
    Elements,
    claim,
    evidence,
    experiment,
    report,
    row,
    words,
)
from matplotlib.figure import Figure

from experiments import reporting
from experiments.analysis.part_runs import Side
from experiments.configuration.claim import ClaimConfig
from experiments.configuration.experiment import ExperimentConfig
from experiments.configuration.run import RunConfig
from experiments.records.storage import Curve, Record
from experiments.reporting.commands import PROJECT
from experiments.reporting.figures import rate_figure, svg_file
from experiments.reporting.quantity_words import topic_of
from experiments.reporting.report import (
    render_report,
    settings_words,
)


def test_the_report_says_every_verdict_with_word_and_symbol() -> None:
    text = words(report()).replace("\xa0", " ")
    for verdict in ("✓ supported", "⇄ reversed", "◐ depends on net", "– not tested"):
        assert verdict in text
    assert "By claim: 1 ✓ supported, 1 ⇄ reversed" in text
    assert "resting on 2 distinct sets of trainings." in text


def test_a_section_holds_all_that_a_claim_rests_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(PROJECT / ".venv" / "bin" / "python"))
    text = words(report(RESULTS[:1])).replace("\xa0", " ")
    for expected in (
        "Source Ioffe & Szegedy 2015",
        "The source says 31 M → 2.1 M steps (14×)",
        "steps to level 2.3× [2.1, 2.5] 300 steps at 0.3 no_bn, accuracy 90.0 %, 1 of 3 diverged 130 steps at 1 "
        "0.8 … 1.25× ✓ supported more than 1.25× in 20 of 20 seeds; smaller than the source says (14×)",
        ".venv/bin/python scripts/reproduce.py faster --tier mnist , in the project's folder",
        ".venv/bin/python scripts/report.py --tier mnist --results elsewhere/mnist git commit",
        "Every seed, and the medians with their intervals",
        "Validation accuracy over training",
        "Accuracy against the learning rate, tuning seeds 100–104",
        "learning_rate: 0.1",
        "git commit abc",
        "git dirty no",
        "packages keras 3.15.0",
    ):
        assert expected in text


def test_an_experiment_that_claims_share_is_shown_once_and_linked_from_each() -> None:
    page = Elements(report(RESULTS[:3]))
    assert [value for _, value in page.values("href")].count("#runs-relu") == 3
    assert page.text.count("Validation accuracy over training") == 1
    assert "#runs-cnn" not in [value for _, value in page.values("href")]  # whose runs are not at hand
    assert "cnn" in page.text


def test_what_the_arms_come_to_stands_before_the_numbers_and_every_seed_folded_after() -> None:
    section = report(RESULTS[:1]).partition('<section class="claim" id="faster"')[2].partition("</section>")[0]
    parts = ('aria-label="What the arms of faster come to"', "<table", "<details>")
    places = [section.index(words) for words in parts]
    assert places == sorted(places)
    assert section.count("<svg") == 2
    alone = report(RESULTS[1:2])  # whose arms have no values at hand
    assert 'aria-label="Every seed of better"' in alone
    assert "come to" not in alone


def test_a_specification_curve_is_shown_where_one_was_made_on_the_page_s_own_ground() -> None:
    curve = svg_file(rate_figure(evidence().table), "of the multiverse")
    page = render_report(
        RESULTS[:2], {}, tier="mnist", provenance={}, aa_check=None, curves={"faster": curve}
    )  # fmt: skip
    assert page.count("Under every setting that would have been as good") == 1
    assert 'aria-label="faster: its effect under every specification"' in page
    assert "#ffffff" not in page.partition("<body>")[2]


def test_a_claim_has_a_topic_and_its_words_to_be_found_by() -> None:
    speed = claim("a_b", "supported", FASTER, parts=(STEPS,))
    page = Elements(report([speed]))
    (found,) = [found for tag, found in page.found if tag == "section" and found.get("id") == "a_b"]
    assert (found["data-topic"], found["data-verdict"]) == ("speed", "supported")
    assert found["data-words"] == "a b a_b BN helps Ioffe & Szegedy 2015"


def test_topics_follow_from_the_measure_that_decides() -> None:
    def topic(part: dict[str, object], **fields: object) -> str:
        return topic_of(ClaimConfig.model_validate({"statement": "s", "source": "s", "parts": [part]} | fields))

    assert [topic(STEPS), topic(POINTS), topic(COST)] == ["speed", "accuracy", "cost"]
    assert topic(IDENTITY, kind="exact") == "identities"
    assert topic(COST | {"measure": "drift"}) == "mechanism"


def test_sentences_and_figures_come_first() -> None:
    found = row([2.0] * 20, held={"net": "relu", "level": 0.9})
    page = render_report(
        [claim("faster_when_tuned", "supported", found)], {}, tier="mnist", provenance={}, aa_check=None,
        headlines=[("steps by rate", rate_figure(evidence().table))],
    )  # fmt: skip
    text = words(page)
    assert "On MNIST, with the best learning rate for each" in text[: text.index("All claims at a glance")]
    assert page.index('aria-label="steps by rate"') < page.index("On MNIST") < page.index("All claims at a glance")


def test_the_title_and_note_of_a_headline_are_text_of_the_page_and_not_of_the_figure() -> None:
    figure = rate_figure(evidence().table)
    figure.suptitle("How many times?")
    figure.supxlabel("Line: median.")
    page = render_report([], {}, tier="mnist", provenance={}, aa_check=None, headlines=[("steps by rate", figure)])
    assert "<strong>How many times?</strong> Line: median.</figcaption>" in page
    assert (page.count("How many times?"), page.count("Line: median.")) == (2, 1)  # the region's name, too


def test_layers_stand_before_what_the_arms_come_to_where_runs_are_at_hand() -> None:
    part = {"measure": "gradient_ratio", "step": 0, "effect": "ratio", "over": "baseline",
            "baseline": "no_bn", "treatment": "custom_bn"}  # fmt: skip
    sides = {arm: Side(np.ones(3), np.ones(3), runs=np.array([[0, 1, 2]])) for arm in ("no_bn", "custom_bn")}
    found = claim("deep", "supported", row([2.0] * 3, part, runs="relu", of={"sides": sides}))
    curves = {f"gradient_norm/{layer}": Curve(np.array([0]), np.array([float(layer)])) for layer in (1, 2)}

    def page(record: Record | None) -> str:
        readers = {"relu": lambda _: record}
        return render_report([found], {"relu": evidence()}, tier="mnist", provenance={}, aa_check=None, readers=readers)

    shown = page(Record(RunConfig(), "finished", curves))
    assert "Inside the networks" in shown
    assert shown.index("The layers in the runs of deep") < shown.index("What the arms of deep come to")
    assert "The layers in the runs of" not in page(None)


def test_styles_that_many_marks_share_stand_once() -> None:
    page = report(RESULTS[:3])
    styles = re.findall(r' style="([^"]*)"', page)
    assert len(styles) == len(set(styles))
    assert len(re.findall(r' class="s\d+"', page)) > 5 * len(set(re.findall(r"^\.(s\d+)\{", page, re.MULTILINE)))


def test_accuracy_is_drawn_at_the_rates_of_the_grid_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[pd.DataFrame] = []

    def draw(runs: pd.DataFrame, _: object) -> Figure:
        drawn.append(runs)
        return rate_figure(runs)

    monkeypatch.setattr(reporting.report, "rate_figure", draw)
    shown = evidence()
    between = shown.table.assign(**{"optimizer.learning_rate": 0.3162})
    shown = replace(shown, table=pd.concat([shown.table, between]))
    render_report(RESULTS[:1], {"relu": shown}, tier="mnist", provenance={}, aa_check=None)
    assert set(drawn[0]["optimizer.learning_rate"]) == {0.1, 1.0}


def test_the_aa_check_is_in_the_report_and_its_absence_is_said() -> None:
    text = words(report())
    assert "1,000 times and the halves compared as if they were two arms: a difference was found in 0.4 %" in text
    assert "no material difference in 62.0 %" in text
    assert "covered it in 95.1 % of 2,000 draws" in text
    page = render_report([], {}, tier="mnist", provenance={}, aa_check=None)
    assert "Not run for this report: it takes 20 seeds of relu." in words(page)


def test_a_report_on_no_claim_is_still_a_page() -> None:
    page = report([])
    assert "No claim has been evaluated yet." in words(page)
    assert "Verdict table" not in page


def test_hostile_words_stay_words() -> None:
    hostile = claim(
        "x", "reversed", row([0.5] * 20, name=HOSTILE), statement=HOSTILE, source=HOSTILE, scale=HOSTILE, reason=HOSTILE
    )
    page = Elements(report([hostile]))
    assert [tag for tag, _ in page.found if tag in ("script", "img")] == ["script"]  # the page's own
    assert HOSTILE in page.text


def test_the_page_loads_nothing() -> None:
    page = Elements(report())
    for tag, value in page.values("src", "srcset", "action", "data", "poster"):
        raise AssertionError(f"{tag} loads {value}")
    for tag, value in page.values("href", "xlink:href"):
        assert value.startswith("#") or value == "data:," or tag == "a", f"{tag} loads {value}"
    assert "@import" not in report()
    assert set(re.findall(r"url\((.)", report())) <= {"#"}
    assert not [tag for tag, _ in page.found if tag in ("iframe", "object", "embed")]


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
    assert found["tuning"] == "optimizer.learning_rate of each arm, on seeds 100–104"


def test_a_length_in_epochs_is_told_in_epochs() -> None:
    def length(**run: float) -> str:
        return dict(settings_words(ExperimentConfig.model_validate({"title": "t", "run": run})))["training"]

    assert length(steps=400, evaluate_every=10) == "400 steps, evaluated every 10"
    assert length(epochs=2.5) == "2.5 epochs, evaluated about 20 times"
    assert length(epochs=10, evaluations=40) == "10 epochs, evaluated about 40 times"
