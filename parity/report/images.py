"""The test images behind a comparison, where a run record says from which file they came."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parity.files import Like, read_npz
from parity.judge.outcome import Outcome


def test_images(comparison: Outcome) -> NDArray[np.uint8] | None:
    """uint8 [N, H, W] in the order of the sample ids, or None where they are not at hand."""
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
