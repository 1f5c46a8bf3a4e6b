"""Does TensorBoard, as scripts/curves.py opens it, come up with what can be read, at every address that is printed?"""

import itertools
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from devtools import BROWSER, Browser
from tensorboard_server import Server, summed_up

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install chromium"),
]
# Of each card that is drawn: its tag → runs in its table; and whether every run of the list is ticked.
CARDS = """Object.fromEntries(deep("card-view").filter(card => card.querySelector("line-chart path")).map(card => [
  card.querySelector(".tag").title,
  [...card.querySelectorAll("scalar-card-data-table tb-data-table-content-row")].map(
    row => row.innerText.trim().split(/\\s/)[0]).sort()]))"""
TICKED = """deep("runs-data-table input[type=checkbox], runs-data-table mat-checkbox input").map(box => box.checked)"""
OLDER_TICKED = """deep("tf-multi-checkbox").flatMap(
  list => [...list.shadowRoot.querySelectorAll("paper-checkbox")].map(box => box.checked))"""
COLOURS = """deep("runs-data-table tb-data-table-content-row").map(row => [
  row.innerText.trim().split(/\\s/)[0], getComputedStyle(row.querySelector(".run-color-swatch")).backgroundColor])"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shown")
    summed_up(folder, "first", {"no_bn": 0.7, "bn": 0.9})
    summed_up(folder, "second", {"no_bn": 0.6, "other": 0.8, "third": 0.7})
    return folder / "runs"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile"), height=3000) as opened:
        yield opened


def links(server: Server, count: int) -> dict[str, str]:
    """The addresses on the screen, by what they answer."""
    end, found = time.monotonic() + 60, {}
    while len(found) < count and time.monotonic() < end:
        found = dict(re.findall(r"^(.+):\n(http://\S+)$", "\n".join(server.said), re.MULTILINE))
        time.sleep(0.1)
    return found


@pytest.mark.parametrize(("show", "cards"), [
    ("first", {"accuracy/validation": ["bn", "no_bn"], "loss/train": ["bn", "no_bn"]}),
    ("second", {"accuracy/validation": ["no_bn", "other", "third"], "loss/train": ["no_bn", "other", "third"]}),
    ("", {
        f"{name}/{metric}": arms
        for metric in ("accuracy/validation", "loss/train")
        for name, arms in (("first", ["bn", "no_bn"]), ("second", ["no_bn", "other", "third"]))
    }),
])  # fmt: skip
def test_the_first_tab_has_a_card_a_metric_with_a_line_an_arm_and_all_selected(
    show: str, cards: dict[str, list[str]], runs: Path, browser: Browser
) -> None:
    with Server(runs / show) as server:
        browser.open(server.address)
        assert browser.wait_until(CARDS, cards) == cards
        ticked = browser.ask(TICKED)
        assert len(ticked) >= 1 + len({*itertools.chain(*cards.values())})  # the box of all, and a box a run
        assert all(ticked)


def test_every_address_on_the_screen_opens_what_it_says(runs: Path, browser: Browser) -> None:
    with Server(runs / "first") as server:
        found = links(server, 5)
        arms = {"accuracy/validation": ["bn", "no_bn"], "loss/train": ["bn", "no_bn"]}
        browser.open(found["curves, a line an arm"])
        assert browser.wait_until(CARDS, arms) == arms
        assert browser.ask('deep("metrics-pinned-view card-view").length') == 2
        assert browser.ask('deep("input.slider-input").map(box => box.value)')[0] == "0"
        browser.open(found["bands over seeds"])
        drawn = 'deep("tf-custom-scalar-margin-chart-card").map(card => [...deep("path", card.shadowRoot)].length)'
        assert browser.wait_for(f"{drawn}.filter(count => count > 3).length == 2")
        assert browser.ask(OLDER_TICKED) == [True] * 4  # the whole, two arms and a level
        browser.open(found["arms as rows"])
        rows = 'deep("tf-hparams-table-view").flatMap(table => deep("vaadin-grid-cell-content", table.shadowRoot))'
        texts = f"{rows}.map(cell => cell.textContent.trim()).filter(Boolean)"
        assert browser.wait_until(
            f'["log10 learning rate", "bn", "0.91000"].every(text => {texts}.includes(text))', True
        )
        browser.open(found["result in words"])
        words = 'deep("tf-text-loader, tf-markdown-view").map(text => text.shadowRoot.textContent).join()'
        assert browser.wait_for(f'{words}.includes("whether it ends") || {words}.includes("it ends at")')
        browser.open(found["pictures"])
        assert browser.wait_until('deep("img").filter(image => image.naturalWidth == 880).length', 2) == 2


def test_of_all_experiments_texts_and_pictures_come_up_however_many_arms_there_are(
    tmp_path: Path, browser: Browser
) -> None:
    for name in ("a", "b"):
        summed_up(tmp_path, name, {f"{name}{i}": 0.5 + i / 100 for i in range(21)})
    with Server(tmp_path / "runs") as server:
        found = links(server, 4)
        browser.open(found["pictures"])
        assert browser.wait_until('deep("img").filter(image => image.naturalWidth == 880).length', 4) == 4
        browser.open(found["accuracy alone"])
        cards = {f"{name}/accuracy/validation": 21 for name in ("a", "b")}
        counts = f"Object.fromEntries(Object.entries({CARDS}).map(([tag, rows]) => [tag, rows.length]))"
        assert browser.wait_until(counts, cards) == cards


def test_arms_have_the_same_colours_in_every_view(runs: Path, browser: Browser) -> None:
    seen = []
    for options in ((), ("--show", "trials"), ("--show", "runs")):
        with Server(runs / "first", *options) as server:
            address = next(address for words, address in links(server, 2).items() if words.startswith("curves"))
            browser.open(address)
            browser.wait_for(f"Object.keys({CARDS}).length")
            colours = browser.ask(COLOURS)
            seen.append(
                {arm: {colour for name, colour in colours if name.split("/")[0] == arm} for arm in ("bn", "no_bn")}
            )
    assert all(len(colours) == 1 for colours in seen[0].values())
    assert seen[0]["bn"] != seen[0]["no_bn"]
    assert seen[1] == seen[2] == seen[0]
