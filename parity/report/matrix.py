"""The detection matrix: every known mistake, and what the alarms made of it."""

from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from parity.faults.catalogue import Outcome
from parity.pages import write_page
from parity.watch.fingerprint import GRID

ENOUGH_NAMED = 0.9
"""Share of the detected mistakes whose first-named cause must be right."""
STYLES = {"detected": "green", "harmless": "yellow", "missed": "red", "misnamed": "red"}


@dataclass(frozen=True)
class Tally:
    """What the alarms of one side are worth."""

    faults: int
    detected: int
    named: int
    harmless: int

    @property
    def passed(self) -> bool:
        """Whether all mistakes were detected, and enough of them rightly named."""
        return self.detected == self.faults and self.named >= ENOUGH_NAMED * self.faults

    def __str__(self) -> str:
        return (
            f"{self.detected} of {self.faults} mistakes detected, {self.named} rightly named; "
            f"{self.harmless} harmless"
        )


def tally(outcomes: list[Outcome]) -> Tally:
    """Count; what changes nothing measurable, and may, is not counted."""
    counted = [outcome for outcome in outcomes if status(outcome) != "harmless"]
    return Tally(
        faults=len(counted),
        detected=sum(outcome.detected for outcome in counted),
        named=sum(outcome.detected and outcome.named for outcome in counted),
        harmless=len(outcomes) - len(counted),
    )


def status(outcome: Outcome) -> str:
    """Detected, misnamed, harmless or missed."""
    if outcome.detected:
        return "detected" if outcome.named else "misnamed"
    return "harmless" if outcome.fault.harmless else "missed"


def show_matrix(outcomes: dict[str, list[Outcome]], data: str, console: Console) -> None:
    """Print a table for each side; the guard's column has epoch and step."""
    for side, results in outcomes.items():
        console.print(f"[bold]{escape(side)}, {escape(data)}[/]: {tally(results)}", highlight=False)
        table = Table("mistake, and the first-named cause", box=SIMPLE_HEAD)
        for name in ("right", "says", "guard", "judge", ""):
            table.add_column(name, no_wrap=True)
        for result in results:
            top = int(result.shares.argmax())
            state = status(result)
            cause = result.findings[0].cause if result.findings else "no cause named"
            table.add_row(
                f"{escape(result.fault.name)}\n  [dim]{escape(cause)}[/]",
                f"{result.accuracy:.2%}",
                f"{top}: {result.shares[top]:.0%}",
                _when(result).replace("epoch ", "").replace("step ", ""),
                result.verdict.name,
                f"[{STYLES[state]}]{state}[/]",
            )
        console.print(table)
        healthy = {result.fault.recipe: result.healthy for result in results}
        shown = ", ".join(f"{recipe} {accuracy:.2%}" for recipe, accuracy in healthy.items())
        console.print(f"  without a mistake: {escape(shown)}\n", highlight=False)


def write_matrix(outcomes: dict[str, list[Outcome]], data: str, command: str, path: Path) -> None:
    """Write ``faults.html``: one file that opens offline.

    Raises:
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_page(
        path,
        "parity",
        "report/faults.html.j2",
        outcomes=outcomes,
        tallies={side: tally(results) for side, results in outcomes.items()},
        rows=list(zip(*outcomes.values(), strict=True)),
        sides=list(outcomes),
        data=data,
        command=command,
        status=status,
        when=_when,
        fed=_fed,
    )


def _when(outcome: Outcome) -> str:
    if outcome.symptoms.collapsed_at is None or outcome.fault.at_test:
        return "-"
    epoch, step = outcome.symptoms.collapsed_at
    return f"epoch {epoch or 1}, step {step:,}"


def _fed(outcome: Outcome) -> list[tuple[int, int, float]]:
    """The coarse mean image that the network was fed: column, row, brightness from 0 to 1."""
    seen = outcome.symptoms.seen
    if seen is None:
        return []
    low, high = min(0.0, *seen.layout), max(1.0, *seen.layout)
    return [
        (place % GRID, place // GRID, (value - low) / (high - low))
        for place, value in enumerate(seen.layout)
    ]
