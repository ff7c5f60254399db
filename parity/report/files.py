"""Writes every form of a report into a folder, each whole or not at all."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.files import Like, read_npz
from parity.json_text import write_json
from parity.judge.outcome import Outcome
from parity.report.page import page
from parity.report.text import junit, markdown
from parity.writing import write_file


def write_report(comparison: Outcome, values: dict[str, Any], folder: Path) -> None:
    """Write ``report.html``, ``report.json``, ``report.md`` and ``junit.xml``.

    `values` are the comparison as plain data.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / "report.html", page(comparison, values, _images(comparison)))
    write_json(folder / "report.json", values)
    write_file(folder / "report.md", markdown(values))
    write_file(folder / "junit.xml", junit(values))


def _images(comparison: Outcome) -> NDArray[np.uint8] | None:
    """Those behind a comparison, uint8 [N, H, W] in the order of the sample ids.

    None where no run record says from which file they came, or it is not at hand.
    """
    for run in (*comparison.a.runs, *comparison.b.runs):
        data = run.record.recipe.get("data") if run.record else None
        source = Path(str(data.get("source"))) if isinstance(data, dict) else None
        if source is None or source.suffix != ".npz":
            continue
        try:
            images = read_npz(source, {"x_test": Like("u", (None, None, None), 1)})["x_test"]
        except ValueError:
            continue
        ids = run.sample_ids
        if ids.max() < len(images):
            return np.asarray(images[ids])
    return None
