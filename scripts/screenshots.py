"""Take README's pictures of TensorBoard, report and explorer, from real runs, in the Chromium that is installed.

It takes the development installation, of which Playwright is a part.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

sys.path.insert(0, str(Path(__file__).parent.parent))  # before another project's `models` on PYTHONPATH
from experiments.command_line import FAILED, errors
from experiments.reporting import terminal
from experiments.reporting.commands import PROJECT
from experiments.training.surroundings import unconfigure

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = PROJECT / "docs" / "images"
WIDTH, HEIGHT = 1400, 1000
MOST_BYTES = 200_000  # of a picture in a README
SECONDS_TO_START = 120
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LINK = re.compile(r"^\s+(http://localhost:\S+#timeseries\S*)$")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class ScreenshotError(Exception):
    """What stands in the way of a picture; the message says what to do."""


@app.command()
def screenshots(
    results: Annotated[Path, typer.Option(help="folder with report.html, explorer.html and the runs")] = Path(
        "runs/embedded"
    ),
    curves: Annotated[
        Path | None, typer.Option(help="what TensorBoard shows, an experiment or all; the folder of results by default")
    ] = None,
    out: Annotated[Path, typer.Option(help="folder for the pictures")] = IMAGES,
) -> None:
    """Write tensorboard.png, report.png and explorer.png, each 1400 pixels wide and below 200 kB."""
    try:
        for path in _take(results, curves or results, out):
            terminal.open_console().print(f"{path}: {path.stat().st_size // 1000} kB", soft_wrap=True)
    except ScreenshotError as error:
        errors.print(f"error: {error}", style="red")
        raise typer.Exit(FAILED) from None


def _take(results: Path, curves: Path, out: Path) -> Iterator[Path]:
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        raise ScreenshotError("Playwright is missing; make test, or pip install '.[dev]', installs it") from None
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise ScreenshotError("no Chromium here: apt-get install chromium")
    pages = {name: results / f"{name}.html" for name in ("report", "explorer")}
    if missing := [str(path) for path in pages.values() if not path.exists()]:
        raise ScreenshotError(f"{' and '.join(missing)}: not there; run scripts/reproduce.py first")
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver, tensorboard(curves) as link:
        started = driver.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-3d-apis"])
        page = started.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.set_default_timeout(1000 * SECONDS_TO_START)
        page.goto(link)
        page.locator("card-view:has(line-chart path)").first.wait_for()
        page.wait_for_timeout(3000)  # until lines have come to rest, and all cards of the screen are drawn
        yield _save(page, out / "tensorboard.png")
        for name, path in pages.items():
            page.goto(path.resolve().as_uri())
            yield _save(page, out / f"{name}.png")
        started.close()


@contextlib.contextmanager
def tensorboard(logdir: Path) -> Iterator[str]:
    """Serve a folder on loopback as `make tensorboard` does; the address of its curves, as it is printed.

    Raises ScreenshotError where the command ends, with what it said.
    """
    command = [sys.executable, str(PROJECT / "scripts" / "curves.py"), "--logdir", str(logdir), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert server.stderr
    late = threading.Timer(SECONDS_TO_START, server.terminate)
    late.start()
    try:
        said = []
        for line in server.stderr:
            said.append(line)
            if found := LINK.match(line):
                break
        else:
            raise ScreenshotError(f"TensorBoard printed no address: {''.join(said).strip()}")
        late.cancel()
        rest = threading.Thread(target=server.stderr.read, daemon=True)  # so that no line of it has to wait
        rest.start()
        yield found[1]
    finally:
        late.cancel()
        server.terminate()
        server.wait()


def _save(page: Page, path: Path) -> Path:
    """Write what is on the screen with as many of 256 colours as fit into the size."""
    from PIL import Image

    screen: Any = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for colours in (256, 128, 64, 32):
        screen.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < MOST_BYTES:
            return path
    raise ScreenshotError(f"{path}: is larger than {MOST_BYTES // 1000} kB even in 32 colours")


if __name__ == "__main__":
    unconfigure()
    terminal.run(app)
