"""Fetches MNIST through torchvision: quickly refused where there is no network, whole or not."""

import queue
import socket
import tempfile
import threading
import time
import urllib.request
from http.client import HTTPException
from pathlib import Path

from lightning_mnist.errors import InputError

REACH_SECONDS = 10.0
"""How long the mirrors get to answer, and how long a download may stall."""


def download_mnist(root: Path) -> None:
    """Download MNIST's four archives into ``root/MNIST/raw``; each is checked by its MD5.

    Raises:
        InputError: no mirror answers within `REACH_SECONDS`, a download fails or is not MNIST,
            or `root` cannot be written.
    """
    from torchvision.datasets import MNIST

    advice = f"put the four IDX files into {root}, or name their folder with --data.root"
    if not _answers(MNIST.mirrors, MNIST.resources[-1][0]):
        raise InputError(f"MNIST is not in {root} and no mirror can be reached; {advice}")
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(REACH_SECONDS)
    try:
        raw = root / "MNIST" / "raw"
        raw.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as scratch:
            MNIST(scratch, download=True)
            for name, _ in MNIST.resources:
                (Path(scratch) / "MNIST" / "raw" / name).replace(raw / name)
    except (OSError, RuntimeError, AssertionError, HTTPException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"MNIST could not be downloaded ({reason}); {advice}") from error
    finally:
        socket.setdefaulttimeout(timeout)


def _answers(mirrors: list[str], file_name: str) -> bool:
    """Whether any mirror serves `file_name`, asked of all at once.

    In daemon threads, because looking up a host name has no time-out of its own.
    """
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def ask(url: str) -> None:
        try:
            with urllib.request.urlopen(url, timeout=REACH_SECONDS):  # noqa: S310 - http(s) only
                answers.put(True)
        except (OSError, HTTPException):
            answers.put(False)

    for mirror in mirrors:
        threading.Thread(target=ask, args=(mirror + file_name,), daemon=True).start()
    deadline = time.monotonic() + REACH_SECONDS
    for _ in mirrors:
        try:
            if answers.get(timeout=max(0.0, deadline - time.monotonic())):
                return True
        except queue.Empty:
            break
    return False
