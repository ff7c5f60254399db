"""All steps agree but the last one: a side that leaves the last, partial batch out (NumPy)."""

import numpy as np

from parity.readings.cause import Cause
from parity.sides.lockstep import Table


def explain(
    before: tuple[Table, Table], after: tuple[Table, Table], size: int, names: tuple[str, str]
) -> list[Cause]:
    """Name the side whose weights stand still in the last step, if the other's move.

    Args:
        before: Weights of A and of B before the last step.
        after: And after it.
        size: Images of that step.
        names: Of A and of B.
    """
    still = [
        all(np.array_equal(was[name], now[name]) for name in was)
        for was, now in zip(before, after, strict=True)
    ]
    if still[0] == still[1]:
        return []
    lazy = still.index(True)
    gap = max(float(np.abs(before[0][name] - before[1][name]).max()) for name in before[0])
    text = (
        f"batches: {names[lazy]} takes no step on the epoch's last batch, which has {size} images, "
        f"and {names[1 - lazy]} does; to align them, drop_last=False in torch, "
        "drop_remainder=False in Keras"
    )
    return [Cause("last batch left out", gap, text)]
