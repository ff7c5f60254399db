"""Pictures for the pages about several trainings."""

import io

from matplotlib.figure import Figure

SOFTWARE = ("lightning-mnist", "torch", "lightning", "numpy")
"""Of which such a page says the versions."""
DPI = 110


def as_png(figure: Figure) -> bytes:
    """A figure as the bytes of a picture."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()
