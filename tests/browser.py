"""A real browser for tests: headless Chromium from Debian, driven through its DevTools protocol by two pipes."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from select import select
from typing import Any

PACKAGE = "chromium-headless-shell"
PROGRAMS = ("chromium-headless-shell", "chromium")
PATIENCE_S = 60.0


class BrowserError(Exception):
    """The browser is missing, did not answer, or a script in it failed."""


def program() -> str:
    """The browser's program, installed where it is missing. Raises BrowserError where that is impossible."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found:
        return found
    steps = (["update"], ["install", "-y", "--no-install-recommends", PACKAGE])
    typed = " && ".join(f"apt-get {' '.join(step)}" for step in steps)
    if os.getuid() or not shutil.which("apt-get"):
        raise BrowserError(f"this test needs Chromium; as root on Debian: {typed}")
    for step in steps:
        command = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", *step]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = "\n  ".join((done.stdout + done.stderr).splitlines()[-12:])
            raise BrowserError(f"apt-get {' '.join(step)} failed ({done.returncode}):\n  {said}")
    return program()


@dataclass
class Page:
    """One page of a running browser.

    ``problems`` are errors and warnings of the console, exceptions, and requests that failed, as they come.
    """

    to_browser: int
    from_browser: int
    session: str = ""
    problems: list[str] = field(default_factory=list)
    loaded: bool = False
    _last: int = 0
    _rest: bytes = b""

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command of the protocol. Raises BrowserError when it fails or takes too long."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._last:
                break
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        return dict(answer["result"])

    def open(self, path: Path, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Show a file in a window of a size in CSS pixels, and wait until all that it names is loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.problems.clear()
        self.loaded = False
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not self.loaded:
            self._receive()

    def run(self, script: str) -> Any:
        """The value of an expression in the page. Raises BrowserError when it throws."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def picture(self, whole: bool = False) -> bytes:
        """A PNG of the window, or of the whole page."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(shot["data"])

    def _receive(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE_S
        while b"\0" not in self._rest:
            ready, _, _ = select([self.from_browser], [], [], max(0.0, end - time.monotonic()))
            data = os.read(self.from_browser, 1 << 20) if ready else b""
            if not data:
                raise BrowserError("the browser ended" if ready else f"no answer within {PATIENCE_S:.0f} s")
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, event: str, detail: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self.loaded = True
        elif event == "Runtime.exceptionThrown":
            self.problems.append(
                detail["exceptionDetails"].get("exception", {}).get("description", "exception")
            )
        elif event == "Runtime.consoleAPICalled" and detail["type"] in ("error", "warning", "assert"):
            self.problems.append(" ".join(str(a.get("value", a.get("description"))) for a in detail["args"]))
        elif event == "Log.entryAdded" and detail["entry"]["level"] in ("error", "warning"):
            self.problems.append(detail["entry"]["text"])
        elif event == "Network.loadingFailed":
            self.problems.append(f"not loaded: {detail['errorText']}")


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A page of a browser of its own, whose settings are in the new folder ``profile``.

    Raises:
        BrowserError: there is no browser and none can be installed, or it does not answer.
    """
    read_by_browser, write = os.pipe()
    read, written_by_browser = os.pipe()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
    command = [program(), *options, f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]
    # the protocol reads from descriptor 3 and writes to 4
    shell = f'exec "$@" 3<&{read_by_browser} 4>&{written_by_browser}'
    process = subprocess.Popen(
        ["bash", "-c", shell, "bash", *command],
        pass_fds=(read_by_browser, written_by_browser),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(read_by_browser)
    os.close(written_by_browser)
    page = Page(write, read)
    try:
        target = next(t for t in page.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = page.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        yield page
    finally:
        os.close(write)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
        os.close(read)
