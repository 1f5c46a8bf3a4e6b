"""A page in a window of headless Chromium: what it measures there, what it complains of, what it asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

MEASURED = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  return {
    needed: document.documentElement.scrollWidth,
    page: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color,
    labels: [...new Set(all("svg text").map(text => getComputedStyle(text).fill))],
    figures: all("svg").length,
    empty: all("svg").filter(svg => svg.getBoundingClientRect().height < 50).length,
    scrolled: all(".scroll:has(table)").filter(box => box.scrollWidth > box.clientWidth).length,
    cut: all("p, h1, h2, h3, dd, dt, td").filter(text => text.scrollWidth > text.clientWidth + 1).length,
  };
}"""
PAPER = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 23, 28)"}


class Window:
    """One page in a window of its own. tab: what drives it. It loads nothing that was kept from another window."""

    def __init__(
        self,
        browser: Browser,
        page: Path | str,
        width: int = 1280,
        height: int = 900,
        scheme: Literal["light", "dark"] = "light",
        scripts: bool = True,
    ):
        self.width, self.scheme = width, scheme
        size = {"width": width, "height": height}
        context = browser.new_context(viewport=size, color_scheme=scheme, java_script_enabled=scripts)
        self.tab = context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.address = page.as_uri() if isinstance(page, Path) else page
        self.tab.goto(self.address)

    def measured(self) -> dict[str, Any]:
        """What the page comes to at this width, in these colours."""
        return self.tab.evaluate(MEASURED)

    def sound(self) -> dict[str, Any]:
        """What the page comes to; asserts that it fits, on its paper, asks for nothing and complains of nothing."""
        found = self.measured()
        assert self.complaints == []
        assert self.requests == [self.address]
        assert found["needed"] <= self.width
        assert found["cut"] == 0
        assert found["page"] == PAPER[self.scheme]
        return found

    def serious(self) -> list[tuple[str, str]]:
        """What axe finds that is serious or critical: rule and element."""
        found = Axe().run(self.tab).response["violations"]
        return [(f["id"], f["nodes"][0]["html"][:90]) for f in found if f["impact"] in ("serious", "critical")]
