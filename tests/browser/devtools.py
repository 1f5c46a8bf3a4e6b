"""A page in headless Chromium, by its DevTools protocol: opened, asked with JavaScript, and photographed."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from tornado.websocket import WebSocketClientConnection, websocket_connect

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-3d-apis",  # so that TensorBoard draws its lines as SVG
    "--disable-background-networking", "--hide-scrollbars", "--remote-debugging-port=0",
]  # fmt: skip
# All elements of a page, those in shadow trees included.
DEEP = """
const deep = (selector, root = document) => [...root.querySelectorAll("*")].flatMap(
  node => [...(node.matches(selector) ? [node] : []), ...(node.shadowRoot ? deep(selector, node.shadowRoot) : [])]);
"""


class Browser:
    """One page of a browser of its own; `folder` is its profile."""

    def __init__(self, folder: Path, width: int = 1400, height: int = 1000):
        size = f"--window-size={width},{height}"
        command = [str(BROWSER), *OPTIONS, size, f"--user-data-dir={folder}", "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._loop, self._count = asyncio.new_event_loop(), 0
        self._page = self._loop.run_until_complete(self._connect())

    async def _connect(self) -> WebSocketClientConnection:
        assert self._process.stderr
        found = None
        while not found:
            found = re.search(r"ws://\S+", self._process.stderr.readline())
        self._socket = await websocket_connect(found[0], max_message_size=2**27)
        targets = await self._ask("Target.getTargets")
        page = next(target["targetId"] for target in targets["targetInfos"] if target["type"] == "page")
        self._session: str | None = (await self._ask("Target.attachToTarget", targetId=page, flatten=True))["sessionId"]
        await self._ask("Page.enable")
        return self._socket

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(timeout=20)
        assert self._process.stderr
        self._process.stderr.close()
        self._loop.close()

    def open(self, address: str) -> None:
        """Go to a page, as if it were opened for the first time."""
        self._do("Page.navigate", url="about:blank")
        self._do("Page.navigate", url=address)

    def ask(self, script: str) -> Any:
        """Return what a JavaScript expression comes to; `deep(selector)` finds elements in shadow trees, too."""
        found = self._do("Runtime.evaluate", expression=f"(() => {{{DEEP} return {script}}})()", returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, script: str, seconds: float = 60) -> Any:
        """Return the first value of an expression that is true; the last one after so many seconds."""
        end = time.monotonic() + seconds
        while not (found := self.ask(script)) and time.monotonic() < end:
            time.sleep(0.1)
        return found

    def wait_until(self, script: str, value: Any, seconds: float = 60) -> Any:
        """Return what an expression comes to once it is `value`, or after so many seconds."""
        end = time.monotonic() + seconds
        while (found := self.ask(script)) != value and time.monotonic() < end:
            time.sleep(0.1)
        return found

    def picture(self) -> bytes:
        """Return the page, as far as it is seen, as PNG."""
        return base64.b64decode(self._do("Page.captureScreenshot")["data"])

    def _do(self, method: str, **parameters: Any) -> Any:
        return self._loop.run_until_complete(self._ask(method, **parameters))

    async def _ask(self, method: str, **parameters: Any) -> Any:
        self._count += 1
        request = {"id": self._count, "method": method, "params": parameters}
        session = getattr(self, "_session", None)
        await self._socket.write_message(json.dumps(request | ({"sessionId": session} if session else {})))
        while True:
            message = await self._socket.read_message()
            assert message is not None, "the browser ended"
            answer = json.loads(message)
            if answer.get("id") == self._count:
                assert "error" not in answer, answer["error"]
                return answer["result"]
