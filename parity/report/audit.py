"""The audit on the terminal and as plain data."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from parity.audit.rows import Row, shown

SCHEMA_VERSION = 1
STYLES = {"equal": "dim", "by design": "cyan", "explained": "yellow", "unexplained": "bold red"}
ORDER = ("unexplained", "explained", "by design")
HEADINGS = {
    "unexplained": "differ, and no known cause explains it",
    "explained": "differ, and can be aligned",
    "by design": "differ by design",
}


def show(rows: Sequence[Row], names: Sequence[str], console: Console, *, everything: bool) -> None:
    """What differs, worst first, with what it does; then how many do, in one line."""
    if everything:
        equal = [row for row in rows if row.status == "equal"]
        console.print("equal on both sides", style="bold")
        width = max((len(row.key) for row in equal), default=0)
        for row in equal:
            line = Text.assemble((f"  {row.key:<{width}}  ", "dim"), shown(row.a))
            console.print(line, soft_wrap=True)
    for status in ORDER:
        differing = [row for row in rows if row.status == status]
        if differing:
            console.print(f"{HEADINGS[status]}", style="bold", highlight=False)
        for group in _alike(differing):
            _show_group(group, names, console)
    console.print(summary(rows), style="bold", highlight=False, soft_wrap=True)


def _alike(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows with one explanation together, in the order of their first."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.effect, row.aligned_by), []).append(row)
    return list(groups.values())


def _show_group(rows: Sequence[Row], names: Sequence[str], console: Console) -> None:
    a, b = names
    for row in rows:
        values = f"  {a}: {shown(row.a)}; {b}: {shown(row.b)}"
        line = Text.assemble((f"  {row.key}", STYLES[row.status]), values)
        console.print(line, soft_wrap=True)
    if rows[0].effect:
        console.print(Text(f"      {rows[0].effect}"), soft_wrap=True)
        console.print(Text(f"      aligned by: {rows[0].aligned_by}", "dim"), soft_wrap=True)


def summary(rows: Sequence[Row]) -> str:
    """The result in one sentence."""
    count = Counter(row.status for row in rows)
    return (
        f"{len(rows)} settings: {count['equal']} equal, {count['by design']} differ by design, "
        f"{count['explained']} can be aligned, {count['unexplained']} unexplained"
    )


def document(rows: Sequence[Row], names: Sequence[str], about: dict[str, Any]) -> dict[str, Any]:
    """What ``audit.json`` holds."""
    return {
        "schema_version": SCHEMA_VERSION,
        "passed": all(row.status != "unexplained" for row in rows),
        "summary": summary(rows),
        "sides": list(names),
        **about,
        "rows": [dataclasses.asdict(row) for row in rows],
    }
