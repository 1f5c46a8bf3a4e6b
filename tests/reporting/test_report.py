import dataclasses
import io
import math
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from experiments.analysis.claims import ClaimResult, PartResult, Verdict
from experiments.configuration.claim import ClaimConfig, PartConfig
from experiments.configuration.experiment import ExperimentConfig
from experiments.records.storage import Curve
from experiments.reporting import wording
from experiments.reporting.commands import PROJECT
from experiments.reporting.overview import verdict_text
from experiments.reporting.report import (
    AACheck,
    Evidence,
    render_report,
    replace_between_markers,
    settings_words,
    verdict_table_markdown,
)
from experiments.reporting.verdict_table import print_verdicts

RATIO = {"measure": "steps_to_target", "effect": "ratio", "over": "treatment", "margin": {"at_least": 1.5}}
POINTS = {"measure": "final_value", "effect": "difference", "over": "baseline", "unit": "points"} | {
    "margin": {"at_least": 0.5}
}
LEVEL = {"measure": "final_value", "effect": "level", "unit": "points", "margin": {"at_most": 30}}
HOSTILE = '<script>alert("1")</script> & [x](javascript:a) | `b` <img src=http://evil.example/x>'


def settings(**changes: object) -> PartConfig:
    return PartConfig.model_validate({**RATIO, "baseline": "no_bn", "treatment": "custom_bn", **changes})


def part(estimate: float, low: float, high: float, verdict: Verdict = "supported", **changes: object) -> PartResult:
    effects = {0: low, 1: estimate, 2: high}
    reason = "the interval lies wholly beyond the margin"
    config = settings(**changes)
    return PartResult(config, effects, estimate, low, high, 0.001, 0.012, 0.93, 300.0, 150.0, verdict, reason)


def claim(name: str, verdict: Verdict, *parts: PartResult, **changes: object) -> ClaimResult:
    config = ClaimConfig.model_validate({"statement": "BN helps", "source": "Ioffe & Szegedy 2015"} | changes)
    return ClaimResult(name, config, verdict, "as the numbers say", parts, {"no_bn": 3.0, "custom_bn": 0.1})


RESULTS = [
    claim("faster", "supported", part(2.34, 1.9, math.inf), literature="2.3×"),
    claim("better", "refuted", part(-0.21, -0.4, 0.2, "refuted", **POINTS), scale="an MLP here, Inception there"),
    claim(
        "trainable", "inconclusive", part(11.4, 10.8, 12.0, name="without", **LEVEL),
        part(1.2, 0.9, 1.6, "inconclusive", name="faster", decides=False),
    ),
    claim("missing", "inconclusive"),
]  # fmt: skip


def experiment() -> ExperimentConfig:
    return ExperimentConfig.model_validate(
        {
            "title": "BN needs fewer steps",
            "run": {"steps": 2000, "dataset": {"standardize": True, "train_examples": 1200}},
            "arms": {"no_bn": {}, "custom_bn": {"model.norm.kind": "custom"}},
            "grid": {"optimizer.learning_rate": (0.1, 1.0)},
            "tuning": {},
            "seeds": (0, 1, 2, 7),
        }
    )


def evidence() -> Evidence:
    table = pd.DataFrame(
        [
            {"arm": arm, "optimizer.learning_rate": rate, "seed": seed, "status": "finished"}
            | {"final_validation_accuracy": 0.9}
            for arm in ("no_bn", "custom_bn")
            for rate in (0.1, 1.0)
            for seed in (0, 100)
        ]
    )
    curves = {arm: [Curve(np.array([0, 50]), np.array([0.1, 0.9]))] for arm in ("no_bn", "custom_bn")}
    return Evidence(experiment(), table, curves)


def report(results: list[ClaimResult] | None = None) -> str:
    return render_report(
        RESULTS if results is None else results,
        {"faster": evidence()},
        tier="mnist",
        provenance={"git_commit": "abc", "git_dirty": False, "packages": {"keras": "3.15.0"}},
        aa_check=AACheck(0.031, 1000, 0.947, 2000),
        folder=PROJECT / "elsewhere" / "mnist",
    )


class Elements(HTMLParser):
    """Every opening tag with its attributes, and all text outside of style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._in_style = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._in_style = tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._in_style:
            self.text += f" {data}"

    def values(self, *attributes: str) -> Iterator[tuple[str, str]]:
        for tag, found in self.found:
            for name in attributes:
                if found.get(name):
                    yield tag, str(found[name])


def words(page: str) -> str:
    return " ".join(Elements(page).text.replace("\u200b", "").split()).replace(" .", ".")


@pytest.mark.parametrize(
    ("value", "changes", "expected"),
    [
        (2.34, RATIO, "2.3×"),
        (14.2, RATIO, "14×"),
        (1.044, RATIO, "1.04×"),
        (0.0, RATIO, "0×"),
        (12345.0, RATIO, "12,345×"),
        (math.inf, RATIO, "∞"),
        (1.4999, RATIO, "1.4999×"),
        (1.2, POINTS, "+1.2 points"),
        (-0.21, POINTS, "−0.2 points"),
        (1.0, POINTS, "+1.0 point"),
        (0.49, POINTS, "+0.49 points"),
        (-math.inf, POINTS, "−∞ points"),
        (97.24, LEVEL, "97.2 %"),
        (3.21e-7, {"effect": "level", "unit": ""}, "3.2e−7"),
        (120.4, {"effect": "difference", "unit": "steps"}, "+120 steps"),
        (math.nan, RATIO, "no value"),
    ],
)
def test_a_value_reads_with_its_unit_and_on_its_side_of_the_margin(
    value: float, changes: dict[str, object], expected: str
) -> None:
    assert wording.format_value(value, settings(**changes)) == expected


def test_an_effect_reads_with_its_interval_unless_it_is_one_exact_number() -> None:
    assert wording.format_effect(part(2.34, 1.9, math.inf)) == "2.3× [1.90, ∞]"
    assert wording.format_effect(part(-0.21, -0.4, 0.2, **POINTS)) == "−0.2 points [−0.4, +0.2]"
    assert wording.format_effect(part(2.0, 2.0, 2.0)) == "2.0×"
    assert wording.format_effect(part(math.nan, math.nan, math.nan)) == "no value"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (RATIO, "≥ 1.5×"),
        ({"margin": {"above": 1}}, "> 1×"),
        ({"margin": {"below": 0.8}}, "< 0.8×"),
        ({"margin": {"within": (0.8, 1.25)}}, "0.8 … 1.25×"),
        (POINTS, "≥ +0.5 points"),
        (POINTS | {"margin": {"at_least": -0.2}}, "≥ −0.2 points"),
        (POINTS | {"margin": {"within": (-0.5, 0.5)}}, "−0.5 … +0.5 points"),
        (LEVEL, "≤ 30 %"),
    ],
)
def test_a_margin_reads_with_its_sign_and_unit(changes: dict[str, object], expected: str) -> None:
    assert wording.format_margin(settings(**changes)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (RATIO, "steps to target, no_bn / custom_bn"),
        (POINTS | {"metric": "accuracy/test"}, "final value (accuracy/test), custom_bn − no_bn"),
        (LEVEL, "final value, custom_bn"),
        ({"measure": "drift", "per_seed": "slope", "axis": "model.depth"}, "slope of drift with model.depth, "),
        (POINTS | {"baseline": {"a": 0.5, "b": 0.5}, "over": "treatment"}, "final value, 0.5 a + 0.5 b − custom_bn"),
        (POINTS | {"baseline": {"a": 0.5, "b": 0.5}, "over": "baseline"}, "final value, custom_bn − (0.5 a + 0.5 b)"),
        (
            {"measure": "first_values", "effect": "largest_difference", "over": "baseline"},
            "first values, largest |custom_bn − no_bn|",
        ),
        ({"measure": "value_at_step", "metric": "loss/test", "step": 1000}, "value at step 1,000 (loss/test), "),
    ],
)
def test_a_comparison_reads_from_its_settings(changes: dict[str, object], expected: str) -> None:
    assert wording.comparison_words(settings(**changes)).startswith(expected)


def test_p_and_probability_read_short_and_as_a_dash_where_there_is_none() -> None:
    assert [wording.format_p(p) for p in (0.0123, 0.00001, None)] == ["0.012", "< 0.0001", "–"]
    assert [wording.format_probability(p) for p in (0.934, None)] == ["0.93", "–"]


def test_the_headline_counts_every_verdict() -> None:
    assert wording.headline(RESULTS) == "Of 4 claims, 1 is supported, 1 refuted and 2 inconclusive."
    assert wording.headline(RESULTS[:1]) == "The one claim tested is supported."
    assert wording.headline([]) == "No claim has been evaluated yet."


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


def test_the_readme_table_links_to_the_page_of_results() -> None:
    lines = verdict_table_markdown(RESULTS, "docs/results/mnist.md").splitlines()
    assert lines[0] == "**Of 4 claims, 1 is supported, 1 refuted and 2 inconclusive.**"
    assert "| effect [95 % interval], P(improvement) |" in lines[2]
    assert lines[4] == "| [faster](docs/results/mnist.md#faster) | ✓ supported | 2.3× [1.90, ∞], P = 0.93 | ≥ 1.5× |"
    assert lines[6].endswith("| ? inconclusive | 11.4 % [10.8, 12.0], P = 0.93 | ≤ 30 % |")
    assert lines[7].endswith("| ? inconclusive | as the numbers say |  |")


def test_the_table_of_the_results_page_carries_the_anchors_and_the_statements() -> None:
    lines = verdict_table_markdown(RESULTS).splitlines()
    assert lines[4].startswith('| <a id="faster"></a>faster | BN helps | ✓ supported |')
    assert verdict_table_markdown([]) == "No claim has been evaluated yet."


def test_a_part_without_an_effect_says_why_and_is_not_drawn() -> None:
    nan = math.nan
    blocked = dataclasses.replace(
        part(nan, nan, nan, "inconclusive"),
        effects={},
        p=None,
        reason="2 runs are missing",
        blocked="2 runs are missing",
    )
    result = claim("x", "inconclusive", blocked)
    assert "No verdict before this is mended: 2 runs are missing." in words(report([result]))
    assert "<figcaption>" not in report([result])
    assert "| 2 runs are missing | ≥ 1.5× |" in verdict_table_markdown([result])


def test_a_blocked_part_shows_its_effect_and_why_it_decides_nothing() -> None:
    edge = "the best rate of no_bn is at the edge of the grid"
    blocked = dataclasses.replace(part(2.34, 1.9, 3.0, "inconclusive"), blocked=edge, reason=edge)
    expected = f"2.3× [1.90, 3.0], P = 0.93; {edge}"
    assert wording.effect_or_reason(blocked) == expected
    assert f"| {expected} | ≥ 1.5× |" in verdict_table_markdown([claim("x", "inconclusive", blocked)])
    console = Console(file=io.StringIO(), width=120)
    print_verdicts(console, [claim("x", "inconclusive", blocked)])
    assert f"    {expected} (margin ≥ 1.5×)\n" in console.file.getvalue()  # type: ignore[attr-defined]
    assert f"2.3× [1.90, 3.0]; {edge}" in words(report([claim("x", "inconclusive", blocked)]))


def test_a_plain_bound_shows_its_range_as_one_over_seeds() -> None:
    exact = {"effect": "level", "unit": "", "margin": {"at_most": 1e-3}}
    bound = dataclasses.replace(
        part(1.3e-6, 5.5e-7, 1.3e-6, **exact), p=None, p_adjusted=None, probability_of_improvement=None
    )
    assert wording.format_effect(bound) == "1.3e−6 [5.5e−7, 1.3e−6 over seeds]"
    assert wording.format_effect(bound, explained=True) == "1.3e−6 [5.5e−7, 1.3e−6]"
    assert "1.3e−6 [5.5e−7, 1.3e−6 over seeds] | ≤ 0.001 |" in verdict_table_markdown([claim("x", "supported", bound)])


def test_the_verdict_in_tensorboard_says_that_its_p_is_of_this_claim_alone() -> None:
    assert verdict_text(RESULTS[0]) == (
        "**✓ supported** (p not adjusted for other claims): BN helps\n\n"
        "* steps to target, no_bn / custom_bn: 2.3× [1.90, ∞], P = 0.93"
    )
    exact = dataclasses.replace(part(1.0, 1.0, 1.0), p=None, p_adjusted=None)
    assert verdict_text(claim("x", "supported", exact)).startswith("**✓ supported**: BN helps")


def test_a_claim_over_all_claims_counts_in_the_readme_and_lists_on_the_page() -> None:
    result = dataclasses.replace(claim("limits", "supported"), reason="1 of 9 comparisons refuted: faster, absent")
    assert verdict_table_markdown([result], "r.md").endswith("| 1 of 9 comparisons refuted |  |")
    assert "1 of 9 comparisons refuted: faster, absent" in verdict_table_markdown([result])


def test_parts_stand_below_each_other_in_a_cell() -> None:
    both = claim("both", "refuted", part(2.0, 1.9, 2.1, name="MLP"), part(1.0, 0.9, 1.1, "refuted", name="CNN"))
    cells = verdict_table_markdown([both], "r.md").splitlines()[-1].split(" | ")
    assert cells[2:] == ["✓ MLP: 2.0× [1.90, 2.1], P = 0.93<br>✗ CNN: 1.00× [0.90, 1.10], P = 0.93", "≥ 1.5× |"]


def test_hostile_words_cannot_break_the_markdown_table() -> None:
    row = verdict_table_markdown([claim("x", "refuted", statement=HOSTILE)]).splitlines()[-1]
    assert len(re.findall(r"(?<!\\)\|", row)) == 6
    assert re.search(r"(?<!\\)<(?!a id|/a>)", row) is None
    assert "](javascript" not in row


def test_a_block_between_markers_is_replaced_and_then_stays() -> None:
    text = "before\n<!-- verdicts:begin -->\nold\n<!-- verdicts:end -->\nafter\n"
    once = replace_between_markers(text, "verdicts", "new\n")
    assert once == "before\n<!-- verdicts:begin -->\nnew\n<!-- verdicts:end -->\nafter\n"
    assert replace_between_markers(once, "verdicts", "new") == once


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("nothing", "verdicts:begin -->: expected exactly once, found 0 times"),
        ("<!-- v:begin -->", "verdicts:begin -->: expected exactly once, found 0 times"),
        ("<!-- verdicts:begin -->" * 2, "begin -->: expected exactly once, found 2 times"),
        ("<!-- verdicts:begin -->", "verdicts:end -->: expected exactly once, found 0 times"),
        ("<!-- verdicts:end --><!-- verdicts:begin -->", "end -->: expected after .* found before it"),
    ],
)
def test_missing_doubled_and_swapped_markers_are_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        replace_between_markers(text, "verdicts", "new")
