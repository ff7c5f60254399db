"""What the pages about several trainings have in common."""

import io
import shlex
import sys
from importlib.metadata import version

from matplotlib.figure import Figure

from parity.provenance import versions_of

DPI = 110


def as_png(figure: Figure) -> bytes:
    """A figure as the bytes of a picture."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def command_line() -> str:
    """What was typed."""
    return shlex.join(["python", "-m", "lightning_mnist", *sys.argv[1:]])


def versions(*packages: str) -> dict[str, str]:
    """Of Python, of this package, and of `packages`."""
    ours = version("lightning-mnist")
    return {"lightning-mnist": ours, **versions_of("torch", "lightning", "numpy", *packages)}
