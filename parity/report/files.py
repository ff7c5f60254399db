"""Writes every form of a report into a folder, each whole or not at all."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.judge.outcome import Outcome
from parity.report.page import page
from parity.report.text import junit, markdown
from parity.writing import written_whole


def write_report(
    comparison: Outcome, values: dict[str, Any], images: NDArray[np.uint8] | None, folder: Path
) -> None:
    """Write ``report.html``, ``report.json``, ``report.md`` and ``junit.xml``.

    `values` are the comparison as plain data; test images, uint8 [N, H, W], are shown.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("report.html", page(comparison, values, images)),
        ("report.json", json.dumps(values, indent=2, allow_nan=False) + "\n"),
        ("report.md", markdown(values)),
        ("junit.xml", junit(values)),
    ):
        with written_whole(folder / name) as path:
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
