"""How pictures look on a page: PNG bytes that read well on light and on dark paper."""

import io

from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLORS = ("#3b82c4", "#e07b2e")
INK = "#808080"
"""Legible on white and on black."""


def canvas(size: tuple[float, float]) -> tuple[Figure, Axes]:
    """A figure of so many inches with one set of axes."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, styled(figure.subplots())


def styled(axes: Axes) -> Axes:
    """Axes without paper of their own, and in `INK`."""
    axes.tick_params(colors=INK)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    for spine in axes.spines.values():
        spine.set_color(INK)
    axes.patch.set_alpha(0)
    return axes


def png(figure: Figure, *with_legend: Axes) -> bytes:
    """The figure, with a grid and a legend where they are asked for."""
    for axes in with_legend:
        axes.grid(alpha=0.25, color=INK)
        axes.legend(framealpha=0, labelcolor=INK, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, transparent=True)
    return buffer.getvalue()
