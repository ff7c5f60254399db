"""The ladder as a picture: how far apart the sides are on each rung, and how far they may be."""

from parity.ladder.rung import Rung
from parity.pages.figures import INK, canvas, png
from parity.report.ladder import amount, place, summary

PASSED, BROKEN = "#2e9e5b", "#d1383d"
SMALLEST = 1e-19
"""Where identical arrays are drawn on an axis that has no zero."""


def draw_ladder(rungs: list[Rung], names: tuple[str, str]) -> bytes:
    """A row a rung, from the raw arrays at the top: PNG bytes."""
    figure, axes = canvas((9, 0.42 * len(rungs) + 1.6))
    for row, rung in enumerate(rungs):
        worst = rung.worst
        color = PASSED if rung.passed else BROKEN
        gap = min(max(worst.absolute, SMALLEST), 1e3)
        axes.hlines(row, SMALLEST, gap, color=color, linewidth=2)
        axes.plot(gap, row, "o", color=color, markersize=6)
        if worst.limit > 0:
            axes.plot(worst.limit, row, "|", color=INK, markersize=16, markeredgewidth=2)
        text = amount(worst).split(",")[0] + (f"  {place(worst)}" if worst.absolute else "")
        place_ = (max(gap, worst.limit), row)
        axes.annotate(text, place_, (8, -3), textcoords="offset points", color=INK, fontsize=8)
    axes.set_xscale("log")
    axes.set(
        xlim=(SMALLEST, 1e3 if any(not rung.passed for rung in rungs) else 1e-3),
        yticks=range(len(rungs)),
        yticklabels=[rung.name for rung in rungs],
        xlabel="largest absolute difference; bar: how much is allowed",
    )
    axes.invert_yaxis()
    axes.set_title(summary(rungs, names), fontsize=10, color=INK, wrap=True)
    return png(figure)
