"""Fetches MNIST: quickly refused where there is no network, whole and checked or not at all."""

import hashlib
import queue
import tempfile
import threading
import time
import urllib.request
from http.client import HTTPException
from pathlib import Path

from lightning_mnist.data.idx import MNIST_SHA256, MOST_BYTES, unpacked
from lightning_mnist.errors import InputError

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
"""The copies from which torchvision and TensorFlow's data sets take it."""
REACH_SECONDS = 10.0
"""How long the mirrors get to answer, and how long a download may stall."""


def download_mnist(root: Path) -> None:
    """Download MNIST's four archives into ``root/MNIST/raw``; each is checked by its SHA-256.

    Raises:
        InputError: no mirror answers within `REACH_SECONDS`, none serves MNIST, or `root` cannot
            be written.
    """
    advice = f"put the four IDX files into {root}, or name their folder with --data.root"
    first = _first_to_answer(f"{list(MNIST_SHA256)[-1]}.gz")
    if first is None:
        raise InputError(f"MNIST is not in {root} and no mirror can be reached; {advice}")
    reasons = []
    for mirror in sorted(MIRRORS, key=lambda mirror: mirror != first):
        try:
            raw = root / "MNIST" / "raw"
            raw.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as scratch:
                for name in MNIST_SHA256:
                    _fetch(mirror, name, Path(scratch))
                for path in Path(scratch).iterdir():
                    path.replace(raw / path.name)
            return
        except (OSError, HTTPException, InputError) as error:
            reasons.append(" ".join(str(error).split()) or type(error).__name__)
    raise InputError(f"MNIST could not be downloaded ({'; '.join(reasons)}); {advice}")


def _fetch(mirror: str, name: str, folder: Path) -> None:
    """Download one of the archives into `folder`.

    Raises:
        InputError: it is not MNIST's.
        OSError, HTTPException: as of `urllib`.
    """
    url = f"{mirror}{name}.gz"
    path = folder / f"{name}.gz"
    with urllib.request.urlopen(url, timeout=REACH_SECONDS) as answer:  # noqa: S310 - of MIRRORS
        path.write_bytes(answer.read(MOST_BYTES))
    try:
        sound = hashlib.sha256(unpacked(path)).hexdigest() == MNIST_SHA256[name]
    except InputError:  # its message names a file that is gone by then
        sound = False
    if not sound:
        raise InputError(f"{url} is not MNIST's by its SHA-256")


def _first_to_answer(file_name: str) -> str | None:
    """The mirror that first serves `file_name`, asked of all at once.

    In daemon threads, because looking up a host name has no time-out of its own.
    """
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def ask(mirror: str) -> None:
        try:
            with urllib.request.urlopen(mirror + file_name, timeout=REACH_SECONDS):  # noqa: S310
                answers.put(mirror)
        except (OSError, HTTPException):
            answers.put(None)

    for mirror in MIRRORS:
        threading.Thread(target=ask, args=(mirror,), daemon=True).start()
    deadline = time.monotonic() + REACH_SECONDS
    for _ in MIRRORS:
        try:
            answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if answer is not None:
            return answer
    return None
