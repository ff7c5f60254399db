"""Rows as text, a line each: to read, and to search with grep, however wide."""

from collections.abc import Sequence

from rich.cells import cell_len


def in_columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows of as many cells each, padded to columns; those named in `right` end alike.

    Line breaks and control characters, which a foreign record may hold, become spaces.
    """
    rows = [["".join(c if c.isprintable() else " " for c in cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            padding = " " * (width - cell_len(cell))
            cells.append(padding + cell if place in right else cell + padding)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
