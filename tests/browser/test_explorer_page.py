"""Does the page to play with show the numbers of the table, by keyboard, on a desk and on a phone?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page, expect
from windows import Window

from experiments.analysis.effects import paired_effects
from experiments.analysis.hitting_times import hitting_time
from experiments.analysis.statistics import median
from experiments.configuration.claim import PartConfig
from experiments.configuration.experiment import LEARNING_RATE, Run
from experiments.configuration.loading import load_experiment
from experiments.records.storage import Curve, Record
from experiments.reporting.explorer import Explored, render_explorer

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parent.parent.parent
SEEDS = load_experiment(ROOT / "configs/claims/shared/relu.yaml").config.seeds
RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]  # of the ReLU network
PART = PartConfig.model_validate(
    {"measure": "steps_to_level", "level": 0.5, "unit": "steps", "effect": "ratio", "over": "treatment",
     "baseline": "no_bn", "treatment": "custom_bn"}
)  # fmt: skip
NAMED = [
    *[("combobox", name) for name in ("Network", "Seed")],
    *[("slider", name) for name in ("Learning rate", "Training step", "Accuracy asked for")],
    ("button", "Play the training"),
]
# Of each canvas: whether anything is drawn on it.
DRAWN = """all => all.map((canvas) =>
  canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value))"""


def table_of(name: str) -> pd.DataFrame:
    return pd.read_parquet(ROOT / f"docs/results/embedded/{name}/results.parquet")


def layers_of(run: Run) -> Record:
    """Percentiles that tell run and step: the median is step / 100 + seed − the first, the others 1 beside it."""
    steps = np.arange(0, run.config.steps + 1, run.config.evaluate_every)
    middle = steps / 100 + run.config.seed - SEEDS[0]
    names = {f"pre_activation/3/unit_000/p{p}": Curve(steps, middle + i - 1) for i, p in enumerate((15, 50, 85))}
    return Record(run.config, "finished", names)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = ("relu", "cnn", "mechanisms_relu")
    experiments = {name: load_experiment(ROOT / f"configs/claims/shared/{name}.yaml") for name in names}
    page = render_explorer([Explored(e, table_of(name), layers_of) for name, e in experiments.items()], "Published")
    assert page
    path = tmp_path_factory.mktemp("page") / "explorer.html"
    path.write_text(page, encoding="utf-8")
    return path


@pytest.fixture
def page(open_window: Callable[..., Window], page_file: Path) -> Page:
    return open_window(page_file, 1400).tab


def text(page: Page, name: str) -> str:
    return page.locator(f"#{name}").text_content() or ""


def press(page: Page, control: str, key: str, times: int = 1) -> None:
    page.focus(f"#{control}")
    for _ in range(times):
        page.keyboard.press(key)


def runs_at(rate: float, arm: str) -> pd.DataFrame:
    table = table_of("relu")
    chosen = (table["arm"] == arm) & (table[LEARNING_RATE] == rate) & table["seed"].isin(SEEDS)
    found = table[chosen].sort_values("seed")
    assert len(found) == len(SEEDS)
    return found


def expected(rate: float, arm: str, step: int, metric: str) -> float:
    return float(np.median([curve[step // 10] for curve in runs_at(rate, arm)[metric]]))


def steps_to(rate: float, arm: str, level: float) -> np.ndarray:
    return np.array([hitting_time(curve, 10, level) for curve in runs_at(rate, arm)["accuracy/validation"]])


def at_start(page: Page) -> None:
    """Choose the ReLU network; every slider at its beginning."""
    page.evaluate("choose(NETWORKS.findIndex((network) => network.sources.includes('relu')))")
    for slider in ("rate", "step", "level"):
        press(page, slider, "Home")


def test_the_numbers_are_those_of_the_table_wherever_the_sliders_stand(page: Page) -> None:
    at_start(page)
    for rate, step in ((RATES[3], 120), (RATES[5], 370)):
        press(page, "rate", "ArrowRight", RATES.index(rate) - page.evaluate("state.place"))
        press(page, "step", "Home")
        press(page, "step", "ArrowRight", step // 10)
        assert (text(page, "rate-shown"), text(page, "step-shown")) == (f"{rate:g}", str(step))
        for side, arm in enumerate(("no_bn", "custom_bn")):
            accuracy, loss = (expected(rate, arm, step, name) for name in ("accuracy/validation", "loss/train"))
            assert text(page, f"accuracy-{side}") == f"{100 * accuracy:.1f} %"
            assert float(text(page, f"loss-{side}").replace("−", "-")) == pytest.approx(loss, rel=0.006)


def test_steps_and_gain_are_what_the_analysis_says(page: Page) -> None:
    at_start(page)
    press(page, "rate", "ArrowRight", RATES.index(0.3))
    page.locator("#level").fill("0.8")
    assert text(page, "level-shown") == "80.0 %"
    sides = {arm: steps_to(0.3, arm, 0.8) for arm in ("no_bn", "custom_bn")}
    assert np.isfinite(list(sides.values())).all()
    for side, steps in enumerate(sides.values()):
        assert float(text(page, f"steps-{side}")) == pytest.approx(
            np.median(steps), abs=0.5 if np.median(steps) > 10 else 0.05
        )
    effect = median(paired_effects(PART, {arm: (steps, steps) for arm, steps in sides.items()})[0], is_ratio=True)
    assert page.evaluate("gainOf(gains(...cells(), state.level)).value") == pytest.approx(effect, rel=1e-3)
    assert f"{effect:.2f} times fewer" in text(page, "finding")
    assert page.evaluate("[median([3, 1, 2]), median([1, 4]), median([1, 4], true)]") == [
        2,
        2.5,
        2,
    ]  # ratios as logarithms


def test_where_an_arm_never_comes_there_the_gain_is_a_bound(page: Page) -> None:
    at_start(page)
    press(page, "rate", "ArrowRight", RATES.index(1))
    page.locator("#level").fill("0.9")
    assert text(page, "steps-0") == "not reached"
    table = runs_at(1, "no_bn")
    none = (table["status"] == "diverged").to_numpy() | ~np.isfinite(steps_to(1, "no_bn", 0.9))
    without = np.where(none, 400, steps_to(1, "no_bn", 0.9))
    with_bn = steps_to(1, "custom_bn", 0.9)
    assert np.isfinite(with_bn).all()
    least = median(without / with_bn, is_ratio=True)
    assert page.evaluate("gainOf(gains(...cells(), state.level))") == {
        "value": pytest.approx(least, rel=1e-3),
        "sign": "≥",
    }
    assert "not reached without BN" in text(page, "finding")
    assert "at least" in text(page, "finding")
    lost = int((table["status"] == "diverged").sum())
    assert text(page, "runs-0") == f"{len(SEEDS)} seeds, {SEEDS[0]}–{SEEDS[-1]}; {lost} diverged"


def test_a_seed_is_shown_by_itself(page: Page) -> None:
    at_start(page)
    press(page, "step", "End")
    press(page, "seed", "ArrowDown", 3)  # all, then the seeds
    own = runs_at(RATES[0], "no_bn").set_index("seed").loc[SEEDS[2], "accuracy/validation"][-1]
    assert text(page, "numbers-of") == f"Seed {SEEDS[2]}"
    assert text(page, "accuracy-0") == f"{100 * own:.1f} %"


def test_layers_are_shown_where_they_were_measured_alone(page: Page) -> None:
    at_start(page)
    readings = page.locator("#bands .reading")
    assert readings.all_text_contents() == []
    assert "Measured at learning rate 0.003, 0.01, 0.03, 0.1, 0.3 alone" in text(page, "bands-note")
    press(page, "rate", "ArrowRight")
    press(page, "step", "ArrowRight", 9)  # 90: they were measured every 40 steps
    assert readings.all_text_contents() == ["15, 50, 85 % at step 80: 9.3, 10.3, 11.3"] * 4  # the median over 20 seeds
    page.evaluate("choose(NETWORKS.findIndex((network) => network.sources.includes('cnn')))")
    assert page.locator("#bands-section").is_hidden()


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_draws_and_complains_of_nothing(
    open_window: Callable[..., Window], page_file: Path, width: int, scheme: str
) -> None:
    window = open_window(page_file, width, scheme=scheme)
    for look in window.tab.locator("#looks button").all():
        look.click()
        window.sound()
        drawn = window.tab.locator(".plot canvas").evaluate_all(DRAWN)
        assert len(drawn) >= 4
        assert all(drawn)
    assert window.serious() == []


def test_every_control_has_a_name_and_is_reached_by_tab(open_window: Callable[..., Window], page_file: Path) -> None:
    page = open_window(page_file, 390).tab
    for role, name in NAMED:
        expect(page.get_by_role(role, name=name, exact=True)).to_have_count(1)
    controls = page.locator("button:visible, input:visible, select:visible").count()
    reached = set()
    for _ in range(controls + 2):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert {"network", "seed", "same", "rate", "step", "level", "play"} <= reached
    charts = page.locator(".plot").evaluate_all("plots => plots.map((plot) => plot.getAttribute('aria-label'))")
    assert charts
    assert all(charts)


def test_the_training_plays_and_stops(page: Page) -> None:
    at_start(page)
    press(page, "play", "Enter")
    page.wait_for_function("() => state.step > 20")
    press(page, "play", "Enter")
    stopped = page.evaluate("state.step")
    page.wait_for_timeout(400)
    assert page.evaluate("state.step") == stopped
    expect(page.get_by_role("button", name="Play the training")).to_have_count(1)


def test_the_browser_sees_overflow_blank_charts_the_console_and_requests(
    open_window: Callable[..., Window], page_file: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.html"
    wide = '<p style="width: 2000px">wide</p><script>console.error("x")</script><img src="absent.png">'
    whole = page_file.read_text(encoding="utf-8").replace("</body>", f"{wide}<canvas></canvas></body>")
    broken.write_text(whole.replace("img-src data:", "img-src file:"), encoding="utf-8")
    window = open_window(broken, 390)
    assert window.measured()["needed"] > 390
    assert "x" in window.complaints
    assert any(address.endswith("absent.png") for address in window.requests)
    assert window.tab.locator("canvas").evaluate_all(DRAWN)[-1] is False
    assert [rule for rule, _ in window.serious()] == ["image-alt"]
