"""Does the report read well in a browser, on a desk and on a phone, by day and by night, by eye, keyboard and ear?"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from claim_results import POINTS, STEPS, around, claim, row

from experiments.analysis.part_runs import Side
from experiments.analysis.statistics import AACheck
from experiments.configuration.experiment import ExperimentConfig
from experiments.records.storage import Curve
from experiments.reporting.report import Evidence, render_report

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright here: make .venv/installed-dev")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install chromium"),
]
LONG = {"statement": "A statement of some length " * 8, "source": "source", "scale": "word" * 40}
SIDES = {"no_bn": Side(*[np.full(20, 300.0)] * 2), "custom_bn": Side(*[np.full(20, 130.0)] * 2)}
ROWS = [
    row(around(at), held={"net": "a network of a long name", "learning rate": at}, of={"sides": SIDES})
    for at in (1.0, 30.0, 4.0)
]
ACCURACY = row(around(0.5), POINTS, held={"net": "relu"}, of={"sides": SIDES})
CLAIMS = ["a_claim_with_a_rather_long_name_to_wrap", "reversed", "a_bound", "missing"]
MEASURED = """() => {
  const root = document.documentElement;
  return {
    needed: root.scrollWidth,
    page: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color,
    labels: [...new Set([...document.querySelectorAll("svg text")].map(text => getComputedStyle(text).fill))],
    cut: [...document.querySelectorAll("p, h1, h2, h3, dd, dt, td")]
      .filter(element => element.scrollWidth > element.clientWidth + 1).length,
  };
}"""


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


class Opened:
    """The report in a window, and all that went wrong or was asked for meanwhile."""

    def __init__(self, browser: Any, path: Path, width: int = 1280, scheme: str = "light"):
        self.tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.goto(path.as_uri())

    def shown(self) -> list[str]:
        """The claims whose sections are shown."""
        return self.tab.eval_on_selector_all("section.claim:not([hidden])", "all => all.map(one => one.id)")

    def order(self) -> list[str]:
        """The claims of the index, in its order, as far as they are shown."""
        return self.tab.eval_on_selector_all("tr[data-claim]:not([hidden])", "all => all.map(one => one.dataset.claim)")


@pytest.fixture
def report(browser: Any, page_file: Path) -> Iterator[Opened]:
    opened = Opened(browser, page_file)
    yield opened
    assert opened.complaints == []
    opened.tab.close()


@pytest.mark.parametrize("width", [1920, 1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_width_without_complaints_or_requests(
    browser: Any, page_file: Path, width: int, scheme: str
) -> None:
    opened = Opened(browser, page_file, width, scheme)
    found = opened.tab.evaluate(MEASURED)
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith(("file:", "data:"))] == []
    assert found["needed"] <= width
    assert found["cut"] == 0
    assert found["page"] == ("rgb(18, 23, 28)" if scheme == "dark" else "rgb(255, 255, 255)")
    assert found["ink"] in found["labels"]
    opened.tab.close()


def serious(tab: Any) -> list[tuple[str, str]]:
    """What axe finds that is serious or critical: rule and element."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe here: make .venv/installed-dev")
    found = axe.Axe().run(tab).response["violations"]
    return [(f["id"], f["nodes"][0]["html"][:90]) for f in found if f["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, page_file: Path, width: int, scheme: str) -> None:
    opened = Opened(browser, page_file, width, scheme)
    opened.tab.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")
    assert serious(opened.tab) == []
    opened.tab.click("#guess")
    assert serious(opened.tab) == []
    opened.tab.close()


def test_everything_can_be_read_where_scripts_are_off(browser: Any, page_file: Path) -> None:
    tab = browser.new_context(java_script_enabled=False).new_page()
    tab.goto(page_file.as_uri())
    assert tab.locator("section.claim:visible").count() == 4
    assert tab.locator(".controls:visible").count() == 0
    assert tab.locator("fieldset.guess:visible").count() == 0
    tab.close()


def test_claims_are_found_by_words_verdict_and_topic(report: Opened) -> None:
    assert report.shown() == CLAIMS
    report.tab.fill("#filter-text", "DRIFT about")
    assert (report.shown(), report.order()) == (["reversed"], ["reversed"])
    assert report.tab.input_value("#filter-text") == "DRIFT about"
    assert report.tab.text_content("#filter-count") == "1 of 4 claims"
    report.tab.fill("#filter-text", "")
    report.tab.select_option("#filter-verdict", "depends")
    assert report.shown() == ["a_bound"]
    report.tab.select_option("#filter-verdict", "")
    report.tab.select_option("#filter-topic", "all claims")
    assert report.shown() == CLAIMS  # none of the four has declared a part


def test_tables_are_put_in_order_by_their_headings_and_the_keyboard(report: Opened) -> None:
    heading = report.tab.locator("#verdicts ~ .scroll th", has_text="claim").first
    heading.get_by_role("button").focus()
    report.tab.keyboard.press("Enter")
    assert report.order() == sorted(CLAIMS, key=lambda name: name.replace("_", ""))
    assert heading.get_attribute("aria-sort") == "ascending"
    report.tab.keyboard.press("Enter")
    assert report.order() == sorted(CLAIMS, key=lambda name: name.replace("_", ""), reverse=True)


def test_effects_are_put_in_order_as_numbers(report: Opened) -> None:
    first = report.tab.locator(f"#{CLAIMS[0]} table")
    first.get_by_role("button", name="effect").click()
    values = [
        float(value)
        for value in first.locator("td[data-value]").evaluate_all("all => all.map(one => one.dataset.value)")
    ]
    assert values == sorted(values)
    assert max(values) == pytest.approx(30, rel=0.05)


def test_a_guess_is_asked_before_the_verdict_is_shown_and_scored(report: Opened) -> None:
    tab = report.tab
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


def test_on_a_phone_tables_fold_and_lose_nothing(browser: Any, page_file: Path) -> None:
    opened = Opened(browser, page_file, 390)
    cells = opened.tab.locator("table.fold td")
    boxes = cells.evaluate_all("all => all.map(one => one.getBoundingClientRect()).map(box => [box.left, box.right])")
    assert boxes
    assert all(left >= 0 and right <= 390 for left, right in boxes)
    opened.tab.close()


def test_the_measurements_see_overflow_the_console_and_a_picture_without_words(
    browser: Any, page_file: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.html"
    added = '<p style="width: 2000px">wide</p><img src="data:,"><script>console.error("x")</script></body>'
    broken.write_text(page_file.read_text(encoding="utf-8").replace("</body>", added), encoding="utf-8")
    opened = Opened(browser, broken, 390)
    assert opened.tab.evaluate(MEASURED)["needed"] > 390
    assert opened.complaints == ["x"]
    assert [rule for rule, _ in serious(opened.tab)] == ["image-alt"]
    opened.tab.close()
