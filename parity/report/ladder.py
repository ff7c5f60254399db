"""The ladder on the terminal, a line a rung as it is reached, as a picture, and as plain data."""

import dataclasses
from typing import Any

from rich.console import Console
from rich.text import Text

from parity.ladder.difference import Difference
from parity.ladder.rung import Rung

SCHEMA_VERSION = 1
TELLING_ULPS = 1e6
"""Above, the number of ulps says nothing that the relative difference does not."""
PASSED, BROKEN = "#2e9e5b", "#d1383d"
SMALLEST = 1e-19
"""Where identical arrays are drawn on an axis that has no zero."""


def show_rung(rung: Rung, console: Console) -> None:
    """One line for the rung, and one for each cause."""
    mark, style = ("\N{CHECK MARK}", "green") if rung.passed else ("\N{BALLOT X}", "bold red")
    line = Text.assemble((f"{mark} {rung.name:<18}", style), f" {amount(rung.worst)}")
    if rung.worst.absolute:
        line.append(f" in {place(rung.worst)}")
    limit = f"limit {rung.worst.limit:.1e}: " if rung.worst.limit else ""
    line.append(f"  ({limit}{rung.reason})", "dim")
    console.print(line, soft_wrap=True)
    if rung.note:
        console.print(Text(f"    {rung.note}", "dim"), soft_wrap=True)
    if rung.passed:
        return
    console.print(f"    A {rung.worst.a:.17g}, B {rung.worst.b:.17g}", highlight=False)
    for number, cause in enumerate(rung.causes, 1):
        console.print(Text(f"    {number}. {cause.text}"), soft_wrap=True)
    if not rung.causes:
        console.print("    no known cause explains it", highlight=False)


def summary(rungs: list[Rung], names: tuple[str, str]) -> str:
    """The result in one sentence."""
    a, b = names
    broken = [rung for rung in rungs if not rung.passed]
    if broken:
        first = broken[0]
        why = ", ".join(cause.name for cause in first.causes)
        named = f" ({why})" if why else ""
        return f"{a} (A) and {b} (B) part at {first.name}{named}: {place(first.worst)}"
    last = [rung for rung in rungs if "step" in rung.name][-1]
    text = (
        f"{a} (A) and {b} (B) compute the same thing: after {last.name} "
        f"no weight differs by more than {last.worst.absolute:.1e}"
    )
    return f"{text} ({last.note})" if last.note else text


def amount(difference: Difference) -> str:
    """How far apart, absolutely, relatively and, where it is telling, in ulps."""
    if not difference.absolute:
        return "identical"
    if not difference.position:
        return "another shape or name"
    text = f"{difference.absolute:.1e}, relative {difference.relative:.1e}"
    if difference.ulps < TELLING_ULPS:
        text += f", {difference.ulps:,.0f} ulp"
    return text


def place(difference: Difference) -> str:
    """The tensor and the element."""
    position = ", ".join(map(str, difference.position))
    return f"{difference.tensor} [{position}]" if position else difference.tensor


def draw_ladder(rungs: list[Rung], names: tuple[str, str]) -> bytes:
    """A row a rung, from the raw arrays at the top: PNG bytes."""
    from parity.pages.figures import INK, canvas, png  # slow to import

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


def document(rungs: list[Rung], names: tuple[str, str], about: dict[str, Any]) -> dict[str, Any]:
    """What ``ladder.json`` holds."""
    broken = next((rung.name for rung in rungs if not rung.passed), None)
    return {
        "schema_version": SCHEMA_VERSION,
        "passed": broken is None,
        "parts_at": broken,
        "summary": summary(rungs, names),
        "sides": list(names),
        **about,
        "rungs": [
            {"passed": rung.passed, "worst": _plain(rung.worst), **dataclasses.asdict(rung)}
            for rung in rungs
        ],
    }


def _plain(difference: Difference) -> dict[str, Any]:
    return dataclasses.asdict(difference) | {"passed": difference.passed}
