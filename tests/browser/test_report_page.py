"""Does the report read well in a browser, on a desk and on a phone, by day and by night, by eye, keyboard and ear?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from claim_results import POINTS, STEPS, around, claim, row
from playwright.sync_api import Page
from windows import Window

from experiments.analysis.part_runs import Side
from experiments.analysis.statistics import AACheck
from experiments.configuration.experiment import ExperimentConfig
from experiments.records.storage import Curve
from experiments.reporting.report import Evidence, render_report

pytestmark = pytest.mark.browser
LONG = {"statement": "A statement of some length " * 8, "source": "source", "scale": "word" * 40}
ENDS = {
    "sides": {"no_bn": Side(*[np.full(20, 300.0)] * 2), "custom_bn": Side(*[np.full(20, 130.0)] * 2)},
    "rates": {"no_bn": 0.003, "custom_bn": 0.003},
    "baseline": (298.5, 301.5),
    "treatment": (129.5, 130.5),
}
ROWS = [row(around(at), held={"net": "a network of a long name", "factor": at}, of=ENDS) for at in (1.0, 30.0, 4.0)]
ACCURACY = row(around(0.5), POINTS, held={"net": "relu"}, of=ENDS)
CLAIMS = ["a_claim_with_a_rather_long_name_to_wrap", "reversed", "a_bound", "missing"]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    text = render_report(
        [
            claim(CLAIMS[0], "supported", *ROWS, **LONG),
            claim("reversed", "reversed", ACCURACY, experiments=("relu",), source="Ioffe", statement="About drift"),
            claim("a_bound", "depends", row([(2.0, math.inf)] * 20, STEPS), depends_on=("net",), **LONG),
            claim("missing", "not tested", reason="runs are missing", **LONG),
        ],
        {"relu": evidence()},
        tier="embedded",
        provenance={"git_commit": "0123456789abcdef" * 4},
        aa_check=AACheck(0.003, 0.6, 1000, 0.95, 1000),
    )
    path.write_text(text, encoding="utf-8")
    return path


def evidence() -> Evidence:
    experiment = ExperimentConfig.model_validate({"title": "An experiment", "arms": {"no_bn": {}, "custom_bn": {}}})
    curve = Curve(np.arange(0, 2001, 50), np.linspace(0.1, 0.9, 41))
    return Evidence(experiment, curves={"no_bn": [curve] * 3, "custom_bn": [curve] * 3})


@pytest.fixture
def tab(open_window: Callable[..., Window], page_file: Path) -> Iterator[Page]:
    window = open_window(page_file)
    yield window.tab
    assert window.complaints == []


def shown(tab: Page) -> list[str]:
    """The claims whose sections are shown."""
    return tab.eval_on_selector_all("section.claim:not([hidden])", "all => all.map(one => one.id)")


def order(tab: Page) -> list[str]:
    """The claims of the index, in its order, as far as they are shown."""
    return tab.eval_on_selector_all("tr[data-claim]:not([hidden])", "all => all.map(one => one.dataset.claim)")


@pytest.mark.parametrize("width", [1920, 1440, 1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_width_without_complaints_or_requests(
    open_window: Callable[..., Window], page_file: Path, width: int, scheme: str
) -> None:
    found = open_window(page_file, width, scheme=scheme).sound()
    assert found["scrolled"] == 0
    assert found["ink"] in found["labels"]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    open_window: Callable[..., Window], page_file: Path, width: int, scheme: str
) -> None:
    window = open_window(page_file, width, scheme=scheme)
    window.tab.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")
    assert window.serious() == []
    window.tab.click("#guess")
    assert window.serious() == []


def test_everything_can_be_read_where_scripts_are_off(open_window: Callable[..., Window], page_file: Path) -> None:
    tab = open_window(page_file, scripts=False).tab
    assert tab.locator("section.claim:visible").count() == 4
    assert tab.locator(".controls:visible").count() == 0
    assert tab.locator("fieldset.guess:visible").count() == 0


def test_claims_are_found_by_words_verdict_and_topic(tab: Page) -> None:
    assert shown(tab) == CLAIMS
    tab.fill("#filter-text", "DRIFT about")
    assert (shown(tab), order(tab)) == (["reversed"], ["reversed"])
    assert tab.input_value("#filter-text") == "DRIFT about"
    assert tab.text_content("#filter-count") == "1 of 4 claims"
    tab.fill("#filter-text", "")
    tab.select_option("#filter-verdict", "depends")
    assert shown(tab) == ["a_bound"]
    tab.select_option("#filter-verdict", "")
    tab.select_option("#filter-topic", "all claims")
    assert shown(tab) == CLAIMS  # none of the four has declared a part


def test_tables_are_put_in_order_by_their_headings_and_the_keyboard(tab: Page) -> None:
    heading = tab.locator("#verdicts ~ .scroll th", has_text="claim").first
    heading.get_by_role("button").focus()
    tab.keyboard.press("Enter")
    assert order(tab) == sorted(CLAIMS, key=lambda name: name.replace("_", ""))
    assert heading.get_attribute("aria-sort") == "ascending"
    tab.keyboard.press("Enter")
    assert order(tab) == sorted(CLAIMS, key=lambda name: name.replace("_", ""), reverse=True)


def test_effects_are_put_in_order_as_numbers(tab: Page) -> None:
    first = tab.locator(f"#{CLAIMS[0]} table")
    first.get_by_role("button", name="effect").click()
    values = [
        float(value)
        for value in first.locator("td[data-value]").evaluate_all("all => all.map(one => one.dataset.value)")
    ]
    assert values == sorted(values)
    assert max(values) == pytest.approx(30, rel=0.05)


def test_a_guess_is_asked_before_the_verdict_is_shown_and_scored(tab: Page) -> None:
    assert tab.locator("#reversed .finding").is_visible()
    tab.focus("#guess")
    tab.keyboard.press("Enter")
    assert not tab.locator("#reversed .finding").is_visible()
    assert not tab.locator('tr[data-claim="reversed"] .answer span').first.is_visible()
    assert not tab.locator(".lede").is_visible()
    assert tab.locator("#missing .finding").is_visible()  # nothing to guess
    tab.locator('#reversed fieldset button[value="reversed"]').focus()
    tab.keyboard.press("Space")
    assert tab.locator("#reversed .finding").is_visible()
    assert tab.text_content("#reversed fieldset output") == "Right."
    tab.locator('#a_bound fieldset button[value="supported"]').click()
    tab.locator('#a_bound fieldset button[value="depends"]').click()  # too late
    assert tab.text_content("#score") == "1 of 2 right"
    tab.click("#guess")
    assert tab.locator(f"#{CLAIMS[0]} .finding").is_visible()
    assert tab.text_content("#score") == ""


def test_on_a_phone_tables_fold_and_lose_nothing(open_window: Callable[..., Window], page_file: Path) -> None:
    cells = open_window(page_file, 390).tab.locator("table.fold td")
    boxes = cells.evaluate_all("all => all.map(one => one.getBoundingClientRect()).map(box => [box.left, box.right])")
    assert boxes
    assert all(left >= 0 and right <= 390 for left, right in boxes)


def test_the_measurements_see_overflow_the_console_and_a_picture_without_words(
    open_window: Callable[..., Window], page_file: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.html"
    added = '<p style="width: 2000px">wide</p><img src="data:,"><script>console.error("x")</script></body>'
    broken.write_text(page_file.read_text(encoding="utf-8").replace("</body>", added), encoding="utf-8")
    window = open_window(broken, 390)
    assert window.measured()["needed"] > 390
    assert window.complaints == ["x"]
    assert [rule for rule, _ in window.serious()] == ["image-alt"]
