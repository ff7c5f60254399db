"""Headless Chromium over a pipe: opens a page, runs JavaScript in it, and keeps what it reports."""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
)  # fmt: skip
START = """
import fcntl, os, sys
for descriptor, copy in [(fcntl.fcntl(int(n), fcntl.F_DUPFD, 10), k) for k, n in
                         enumerate(sys.argv[1:3], 3)]:
    os.dup2(descriptor, copy)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""The protocol wants descriptors 3 and 4."""


def installed() -> str | None:
    """The browser's path, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Chromium:
    """A tab, spoken to by the Chrome DevTools Protocol.

    Attributes:
        complaints: Errors of the console, exceptions, and what a policy has kept from happening.
        requests: Addresses that were asked for.
    """

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._buffer, self._last, self._session = b"", 0, ""
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command, and wait for its result."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        while True:
            answer = self._read()
            if answer.get("id") == self._last:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            data = os.read(self._from, 1 << 20)
            assert data, "the browser has ended"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def _note(self, event: dict[str, Any]) -> None:
        method, params = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.complaints.append(json.dumps(params["args"])[:500])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def open(
        self,
        path: Path,
        width: int = 1200,
        height: int = 1000,
        ready: str = "page.ready === true",
    ) -> None:
        """Load a file, and wait until it is there and `ready`, an expression, is true."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        self.ask("Emulation.setScrollbarsHidden", hidden=True)
        self.ask("Page.navigate", url=path.resolve().as_uri())
        self.wait_for(f"document.readyState === 'complete' && {ready}")

    def run(self, code: str) -> Any:
        """The value of an expression, a promise's result included."""
        params = {"expression": code, "awaitPromise": True, "returnByValue": True}
        done = self.ask("Runtime.evaluate", **params)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Until an expression is true."""
        wrapped = f"(() => {{ try {{ return {condition}; }} catch {{ return false; }} }})()"
        self.run(
            "new Promise((done) => { const look = () => "
            f"({wrapped} ? done(true) : setTimeout(look, 20)); look(); }})"
        )

    def picture(self, path: Path, upto: str | None = None) -> None:
        """Save the page as a PNG, from top to bottom, or up to a pixel, a JavaScript expression."""
        clip = {}
        if upto is not None:
            width, height = self.run("innerWidth"), self.run(upto)
            clip = {"clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}}
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=True, **clip)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def chromium() -> Iterator[Chromium]:
    """A browser of its own for the length of a block."""
    browser = installed()
    assert browser is not None
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [browser, *FLAGS, f"--user-data-dir={profile}"]
        process = subprocess.Popen(
            [sys.executable, "-c", START, str(theirs_in), str(theirs_out), *command],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Chromium(ours_out, ours_in)
        finally:
            process.terminate()
            process.wait(120)
            os.close(ours_out)
            os.close(ours_in)
