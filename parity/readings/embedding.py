"""What an embedding does: which row it takes for a number, and what becomes of the row."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Array, Floats
from parity.readings.case import Case
from parity.readings.readings import Reading, Readings

ROW, PADDING = "row of an embedding", "padding index"
FACTOR, LIMIT = "scaled embedding", "limited embedding"
ADVICE = {
    ROW: "number the tokens alike: Keras and torch both take row n for n",
    PADDING: (
        "give 0 for the same numbers on both sides: padding_idx in torch sets its row to 0 only "
        "when it is built, mask_zero in Keras leaves the row as it is"
    ),
    FACTOR: "multiply by the same figure on both sides, or by none",
    LIMIT: "limit the rows' norms on both sides (max_norm in torch), or on neither",
}
SHIFTS = (0, 1, -1)


def readings(case: Case, x: Floats) -> tuple[Readings, float] | None:
    """What the layer may make of `x`, whole numbers [B, ...], and its magnitude; None for others.

    `case.given` has its ``kernel`` [numbers, units].
    """
    kernel = case.given.get(f"{case.where}.kernel")
    seen = case.a[case.where]
    if not case.where.startswith("embedding") or kernel is None or kernel.ndim != 2:
        return None
    if seen.shape != (*x.shape, kernel.shape[1]) or not np.array_equal(x, np.floor(x)):
        return None
    rows, numbers = np.asarray(kernel, np.float64), x.astype(np.int64)

    def of(seen: Array) -> Iterator[Reading]:
        for shift in SHIFTS:
            taken = rows[(numbers + shift) % len(rows)]
            plain = {
                ROW: f"takes row n{shift:+d} for n" if shift else "takes row n for n",
                PADDING: "gives a row for every number",
                FACTOR: "gives the rows as they are",
                LIMIT: "limits no row",
            }
            yield Reading(plain, taken)
            for number in np.unique(numbers[(seen == 0).all(axis=-1)]):
                if (numbers != number).any():
                    blank = np.where((numbers == number)[..., None], 0.0, taken)
                    yield Reading({**plain, PADDING: f"gives 0 for {number}"}, blank)
            figure = float((taken * seen).sum() / (taken**2).sum()) if taken.any() else 1.0
            yield Reading({**plain, FACTOR: f"multiplies by {figure:.6g}"}, figure * taken)
            yield from _limited(plain, taken, np.asarray(seen, np.float64))

    return of, float(np.abs(rows).max())


def _limited(plain: dict[str, str], taken: Floats, seen: Floats) -> Iterator[Reading]:
    """Rows that are too long are scaled to one norm, as torch's ``max_norm`` does."""
    norms = np.linalg.norm(taken, axis=-1, keepdims=True)
    most = float(np.linalg.norm(seen, axis=-1).max())
    for limit in (most, float(f"{most:.3g}")):
        # torch divides by the norm and 1e-7
        factors = np.where(norms > limit, limit / (norms + 1e-7), 1.0)
        yield Reading({**plain, LIMIT: f"limits the rows' norms to {limit:.4g}"}, taken * factors)


def padding(case: Case, x: Floats) -> Array:
    """Places [B, T] that hold what an embedding gives for 0, which padding is."""
    found = np.zeros(x.shape[:2], bool)
    for name, kernel in case.given.items():
        if name.startswith("embedding") and kernel.shape[1:] == x.shape[2:]:
            found |= (x == kernel[0]).all(axis=2)
    return found
