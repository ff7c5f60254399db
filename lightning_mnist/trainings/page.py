"""What the pages about several trainings have in common."""

import io
from importlib.metadata import version

from matplotlib.figure import Figure

from parity.provenance import versions_of

DPI = 110


def as_png(figure: Figure) -> bytes:
    """A figure as the bytes of a picture."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def versions(*packages: str) -> dict[str, str]:
    """Of Python, of this package, and of `packages`."""
    ours = version("lightning-mnist")
    return {"lightning-mnist": ours, **versions_of("torch", "lightning", "numpy", *packages)}
