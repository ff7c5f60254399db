"""``report.html``: one file that opens offline and asks for nothing else."""

from typing import Any

import numpy as np
import yaml
from matplotlib import rc_context
from numpy.typing import NDArray

from parity.judge.outcome import Outcome
from parity.pages import rendered
from parity.report import plots
from parity.report.text import VIEW_COLUMNS, view_rows


def page(comparison: Outcome, values: dict[str, Any], images: NDArray[np.uint8] | None) -> str:
    """The page as HTML; all that comes from a file is escaped.

    `values` are what `parity.report.document` has made; the gallery shows test images uint8 [N, H,
    W].
    """
    return rendered(
        "parity",
        "report/page.html.j2",
        d=_complete(values),
        rows=rows(values),
        view_columns=VIEW_COLUMNS,
        views=view_rows(values),
        pictures=_pictures(comparison, images),
        summary=_summary,
    )


def _pictures(comparison: Outcome, images: NDArray[np.uint8] | None) -> dict[str, bytes | None]:
    labelled = comparison.evidence.accuracy is not None
    with rc_context({"text.parse_math": False}):  # a name may hold dollars
        return {
            "accuracy": plots.draw_accuracy(comparison) if labelled else None,
            "share": plots.draw_classes(comparison, "share"),
            "recall": plots.draw_classes(comparison, "recall") if labelled else None,
            "confusion": plots.draw_confusion(comparison),
            "curves": plots.draw_curves(comparison),
            "gallery": None if images is None else plots.draw_gallery(comparison, images),
        }


def rows(values: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every estimated difference with its name, accuracy first."""
    differences = values["differences"]
    accuracy = [("accuracy", differences["accuracy"])] if differences["accuracy"] else []
    return accuracy + [
        (f"{name} of class {c}", estimate)
        for name in ("recall", "share")
        for c, estimate in differences[name].items()
    ]


def _complete(values: dict[str, Any]) -> dict[str, Any]:
    """The optional keys of a run, present as None, so that a misspelt one is still an error."""
    optional = ("calibration_error", "negative_log_likelihood", "record")
    sides = [
        {**side, "runs": [dict.fromkeys(optional) | run for run in side["runs"]]}
        for side in values["sides"]
    ]
    return {**values, "sides": sides}


def _summary(record: dict[str, Any]) -> str:
    """A run record without what the page shows already."""
    left_out = ("history", "metrics", "schema_version")
    kept = {key: value for key, value in record.items() if key not in left_out}
    return str(yaml.safe_dump(kept, sort_keys=False, allow_unicode=True))
