"""Writes every form of a report into a folder, each whole or not at all."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.json_text import write_json
from parity.judge.outcome import Outcome
from parity.report.page import page
from parity.report.text import junit, markdown
from parity.writing import write_file


def write_report(
    comparison: Outcome, values: dict[str, Any], images: NDArray[np.uint8] | None, folder: Path
) -> None:
    """Write ``report.html``, ``report.json``, ``report.md`` and ``junit.xml``.

    `values` are the comparison as plain data; test images, uint8 [N, H, W], are shown.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / "report.html", page(comparison, values, images))
    write_json(folder / "report.json", values)
    write_file(folder / "report.md", markdown(values))
    write_file(folder / "junit.xml", junit(values))
