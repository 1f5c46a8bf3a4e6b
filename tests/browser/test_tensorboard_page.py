"""Does TensorBoard, as scripts/curves.py opens it, come up with what can be read, at every address that is printed?"""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tensorboard_server import Server, summed_up
from windows import Window

pytestmark = pytest.mark.browser
# Of each card that is drawn: its tag and the runs in its table.
CARDS = """cards => cards.map(card => [
  card.querySelector(".tag").title,
  [...card.querySelectorAll("scalar-card-data-table tb-data-table-content-row")].map(
    row => row.innerText.trim().split(/\\s/)[0]).sort()])"""
COLOURS = """rows => rows.map(row => [
  row.innerText.trim().split(/\\s/)[0], getComputedStyle(row.querySelector(".run-color-swatch")).backgroundColor])"""
TICKED = "boxes => boxes.map(box => box.checked)"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shown")
    summed_up(folder, "first", {"no_bn": 0.7, "bn": 0.9})
    summed_up(folder, "second", {"no_bn": 0.6, "other": 0.8, "third": 0.7})
    return folder / "runs"


@pytest.fixture(scope="module")
def serve(runs: Path) -> Iterator[Callable[..., Server]]:
    """A TensorBoard of a folder of the runs, one for each way of asking for it."""
    with contextlib.ExitStack() as stack:
        started: dict[tuple[str, ...], Server] = {}

        def server(*asked: str) -> Server:
            if asked not in started:
                started[asked] = stack.enter_context(Server(runs / asked[0], *asked[1:]))
            return started[asked]

        yield server


@pytest.fixture
def tab(open_window: Callable[..., Window]) -> Page:
    return open_window("about:blank", 1400, 3000).tab


def visit(tab: Page, address: str) -> None:
    """Go to an address as if for the first time: another part after # alone would not load the page again."""
    tab.goto("about:blank")
    tab.goto(address)


def settled(read: Callable[[], Any], value: Any, seconds: float = 60) -> Any:
    """What is read once it is the value, or after so many seconds."""
    end = time.monotonic() + seconds
    while (found := read()) != value and time.monotonic() < end:
        time.sleep(0.1)
    return found


def cards(tab: Page) -> dict[str, list[str]]:
    return dict(tab.locator("card-view:has(line-chart path)").evaluate_all(CARDS))


def pictures_drawn(tab: Page) -> int:
    return tab.locator("img").evaluate_all("all => all.filter(image => image.naturalWidth == 880).length")


def links(server: Server, count: int) -> dict[str, str]:
    """The addresses on the screen, by what they answer."""
    end, found = time.monotonic() + 60, {}
    while len(found) < count and time.monotonic() < end:
        found = dict(re.findall(r"^(.+):\n(http://\S+)$", "\n".join(server.said), re.MULTILINE))
        time.sleep(0.1)
    return found


@pytest.mark.parametrize(("show", "expected"), [
    ("first", {"accuracy/validation": ["bn", "no_bn"], "loss/train": ["bn", "no_bn"]}),
    ("second", {"accuracy/validation": ["no_bn", "other", "third"], "loss/train": ["no_bn", "other", "third"]}),
    ("", {
        f"{name}/{metric}": arms
        for metric in ("accuracy/validation", "loss/train")
        for name, arms in (("first", ["bn", "no_bn"]), ("second", ["no_bn", "other", "third"]))
    }),
])  # fmt: skip
def test_the_first_tab_has_a_card_a_metric_with_a_line_an_arm_and_all_selected(
    show: str, expected: dict[str, list[str]], serve: Callable[..., Server], tab: Page
) -> None:
    visit(tab, serve(show).address)
    assert settled(lambda: cards(tab), expected) == expected
    ticked = tab.locator("runs-data-table input[type=checkbox]").evaluate_all(TICKED)
    assert len(ticked) >= 1 + len({*itertools.chain(*expected.values())})  # the box of all, and a box a run
    assert all(ticked)


def test_every_address_on_the_screen_opens_what_it_says(serve: Callable[..., Server], tab: Page) -> None:
    found = links(serve("first"), 5)
    arms = {"accuracy/validation": ["bn", "no_bn"], "loss/train": ["bn", "no_bn"]}
    visit(tab, found["curves, a line an arm"])
    assert settled(lambda: cards(tab), arms) == arms
    expect(tab.locator("metrics-pinned-view card-view")).to_have_count(2)
    expect(tab.locator("input.slider-input").first).to_have_value("0")
    visit(tab, found["bands over seeds"])
    bands = tab.locator("tf-custom-scalar-margin-chart-card")
    assert settled(lambda: [band.locator("path").count() > 3 for band in bands.all()], [True] * 2) == [True] * 2
    boxes = tab.locator("tf-multi-checkbox paper-checkbox")
    assert boxes.evaluate_all(TICKED) == [True] * 4  # the whole, two arms and a level
    visit(tab, found["arms as rows"])
    cells = tab.locator("tf-hparams-table-view vaadin-grid-cell-content")
    for text in ("log10 learning rate", "bn", "0.91000"):
        expect(cells.filter(has_text=re.compile(rf"^\s*{re.escape(text)}\s*$"))).not_to_have_count(0)
    visit(tab, found["result in words"])
    expect(tab.get_by_text(re.compile("at the end|it ends at|whether it ends")).first).to_be_visible()
    visit(tab, found["pictures"])
    assert settled(lambda: pictures_drawn(tab), 2) == 2


def test_of_all_experiments_texts_and_pictures_come_up_however_many_arms_there_are(tmp_path: Path, tab: Page) -> None:
    for name in ("a", "b"):
        summed_up(tmp_path, name, {f"{name}{i}": 0.5 + i / 100 for i in range(21)})
    with Server(tmp_path / "runs") as server:
        found = links(server, 4)
        visit(tab, found["pictures"])
        assert settled(lambda: pictures_drawn(tab), 4) == 4
        visit(tab, found["accuracy alone"])
        expected = {f"{name}/accuracy/validation": 21 for name in ("a", "b")}
        assert settled(lambda: {tag: len(rows) for tag, rows in cards(tab).items()}, expected) == expected


def test_arms_have_the_same_colours_in_every_view(serve: Callable[..., Server], tab: Page) -> None:
    seen = []
    for options in ((), ("--show", "trials"), ("--show", "runs")):
        found = links(serve("first", *options), 2)
        visit(tab, next(address for words, address in found.items() if words.startswith("curves")))
        expect(tab.locator("card-view:has(line-chart path)")).not_to_have_count(0)
        colours = tab.locator("runs-data-table tb-data-table-content-row").evaluate_all(COLOURS)
        seen.append({arm: {colour for name, colour in colours if name.split("/")[0] == arm} for arm in ("bn", "no_bn")})
    assert all(len(colours) == 1 for colours in seen[0].values())
    assert seen[0]["bn"] != seen[0]["no_bn"]
    assert seen[1] == seen[2] == seen[0]
