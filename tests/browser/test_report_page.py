"""Does the report read well in a browser, on a desk and on a phone, by day and by night?"""

import html
import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from claim_results import around, claim, row

from experiments.analysis.statistics import AACheck
from experiments.configuration.experiment import ExperimentConfig
from experiments.records.storage import Curve
from experiments.reporting.report import Evidence, render_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install chromium"),
]
LONG = {"statement": "A statement of some length " * 8, "source": "source", "scale": "word" * 40}
ROWS = [
    row(around(at), held={"net": "a network of a long name", "learning rate": at}, treatment="an_arm_of_a_long_name")
    for at in (1.0, 2.0, 3.0)
]
MEASURE = """
<script>
onload = () => {
  const page = document.querySelector("iframe").contentDocument, root = page.documentElement;
  const found = {
    width: root.clientWidth, needed: root.scrollWidth,
    page: getComputedStyle(page.body).backgroundColor, ink: getComputedStyle(page.body).color,
    labels: [...new Set([...page.querySelectorAll("svg text")].map(text => getComputedStyle(text).fill))],
    figures: page.querySelectorAll("svg").length,
    empty: [...page.querySelectorAll("svg")].filter(svg => svg.getBoundingClientRect().height < 50).length,
    cut: [...page.querySelectorAll("p, h1, h2, h3, dd, dt")].filter(e => e.scrollWidth > e.clientWidth + 1).length,
  };
  document.title = JSON.stringify(found);
};
</script>
"""


@pytest.fixture(scope="module")
def page() -> str:
    return render_report(
        [
            claim("a_claim_with_a_rather_long_name_to_wrap", "supported", *ROWS, **LONG),
            claim("reversed", "reversed", row(around(0.5)), experiments=("relu",), **LONG),
            claim("a_bound", "depends", row([(2.0, math.inf)] * 20), depends_on=("net", "learning rate"), **LONG),
            claim("missing", "not tested", reason="runs are missing", **LONG),
        ],
        {"relu": evidence()},
        tier="embedded",
        provenance={"git_commit": "0123456789abcdef" * 4},
        aa_check=AACheck(0.003, 0.6, 1000, 0.95, 1000),
    )


def evidence() -> Evidence:
    experiment = ExperimentConfig.model_validate({"title": "An experiment", "arms": {"no_bn": {}, "custom_bn": {}}})
    curve = Curve(np.arange(0, 2001, 50), np.linspace(0.1, 0.9, 41))
    return Evidence(experiment, curves={"no_bn": [curve] * 3, "custom_bn": [curve] * 3})


def look(page: str, width: int, scheme: str, folder: Path) -> tuple[dict, str]:
    """Open the page in a frame of this width; return what a script measured and what the console said."""
    frame = f'<iframe srcdoc="{html.escape(page)}" width="{width}" height="900" style="border: 0"></iframe>'
    outer = folder / "outer.html"
    outer.write_text(f'<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">{frame}{MEASURE}')
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]
    scheme_option = f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}"
    logging = ["--enable-logging=stderr", "--v=0", f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run(
        [str(BROWSER), *options, *logging, scheme_option, "--window-size=1400,1000", "--dump-dom", outer.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    title = re.search(r"<title>(\{.*?\})</title>", done.stdout)
    assert title, "the page did not load"
    return json.loads(html.unescape(title[1])), "\n".join(re.findall(r".*CONSOLE.*", done.stderr))


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_width_without_complaints(page: str, width: int, scheme: str, tmp_path: Path) -> None:
    found, console = look(page, width, scheme, tmp_path)
    assert console == ""
    assert found["width"] == width
    assert found["needed"] <= width
    assert found["cut"] == 0
    assert (found["figures"], found["empty"]) == (5, 0)
    assert found["page"] == ("rgb(18, 23, 28)" if scheme == "dark" else "rgb(255, 255, 255)")
    assert found["labels"] == [found["ink"]]


def test_the_measurement_sees_overflow_and_the_console(page: str, tmp_path: Path) -> None:
    broken = page.replace("</body>", '<p style="width: 2000px">wide</p><script>console.error("x")</script></body>')
    found, console = look(broken, 390, "light", tmp_path)
    assert found["needed"] > 390
    assert "x" in console
