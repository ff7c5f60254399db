"""Numbers that stand for missing values in a table, as -999 does (NumPy only)."""

import numpy as np

from parity.watch.check.cause import Belief, Cause, Match, Remedy
from parity.watch.check.data import SCALES, numeric
from parity.watch.check.parts import ROWS
from parity.watch.check.program import Array, Program

FAR = 10.0
"""Times the range of all other values of a column at which one that comes again stands for none."""


def stand_ins(table: Array) -> Array:
    """Which values of a table [N, F] stand for missing ones, as -999 does, bool [N, F].

    That is one number of a column, its least or greatest, twice or more and far from all others.
    """
    found = np.zeros(table.shape, bool)
    for value in (table.min(axis=0), table.max(axis=0)):
        same = table == value
        with np.errstate(invalid="ignore"):  # of columns that have no others
            least = np.where(same, np.inf, table).min(axis=0)
            most = np.where(same, -np.inf, table).max(axis=0)
            apart = np.minimum(np.abs(value - least), np.abs(value - most))
            far = (most > least) & (apart > FAR * (most - least)) & (same.sum(axis=0) > 1)
        found |= same & far
    return found


def missing(program: Program) -> Match | None:
    """Numbers in the place of missing values."""
    x = program.fed if program.inputs is None else program.inputs
    if x is None or numeric(program) is None or x.ndim != 2 or x.dtype.kind not in "if":
        return None
    if len(x) < ROWS or program.pictures or not np.isfinite(x).all():
        return None
    found = stand_ins(x.astype(np.float64))
    if not found.any():
        return None
    row, column = np.argwhere(found)[0]
    return Match(
        "numbers far from all others stand for missing features",
        f"{int(found.sum()):,} values in {int(found.any(axis=0).sum())} of {x.shape[1]} columns, "
        f"as {x[row, column]:g} in column {column}",
        "Fill them with the column's mean of the others, before features are standardised: "
        "x[x == -999] = np.nan, and np.nanmean(x, axis=0)",
        Belief.LIKELY,
        Remedy("with the gaps filled", features="filled"),
    )


CAUSES = (Cause("missing", missing, explains=SCALES),)
