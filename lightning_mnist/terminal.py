"""Tables that are printed whole, in narrow terminals too."""

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table


def show(table: Table, console: Console) -> None:
    """Print a table in which nothing is cut, as wide as that takes, even beyond the terminal."""
    unlimited = console.options.update(max_width=10_000)
    widest = Measurement.get(console, unlimited, table).maximum
    while console.width < widest and _is_cut(table, console):
        console.width += 1
    console.print(table, crop=False)


def _is_cut(table: Table, console: Console) -> bool:
    return any("\N{HORIZONTAL ELLIPSIS}" in part.text for part in console.render(table))
