"""Notices weights that are drawn anew, or set back, between two steps (NumPy only)."""

import numpy as np

from parity.watch.check.cause import Belief, Change, Match, Remedy
from parity.watch.check.program import Array

LEAST = 16
"""Weights below which a correlation says nothing."""
UNLIKE = 0.3
"""Correlation with what was there before, below which weights have nothing to do with it. What is
clipped, pruned, averaged or brought to a norm between steps stays far above."""
UNDONE = 0.1
"""Part of the way from the initial weights that is left where they are set back, or nearly so; an
average of the last steps, or half of them, leaves more."""
KEPT = Remedy("with weights that are drawn once", changes=Change.KEPT)


class Anew:
    """Compares weights before each step with what the step before has left.

    Args:
        initial: Some weights of one kernel before the first step, [N].
    """

    def __init__(self, initial: Array) -> None:
        self.initial = initial
        self.places: list[int] = []
        """Steps before which they were drawn anew."""

    @property
    def every(self) -> int:
        """Steps from one time to the next."""
        return self.places[-1] - self.places[-2] if len(self.places) > 1 else 0

    def found(self, left: Array, values: Array, step: int) -> Match | None:
        """Say, the second time, that they were drawn anew; asked before each step.

        Args:
            left: What the step before has left of the same weights, [N].
            values: What they are now, [N].
            step: Of the optimiser, from 1.
        """
        if np.array_equal(left, values) or len(values) < LEAST:
            return None
        back = _undone(self.initial, left, values)
        if not back and not _unlike(left, values):
            return None
        self.places.append(step)
        if len(self.places) != 2:
            return None
        what = (
            "were those of before the first step again, or nearly so"
            if back
            else "had nothing to do with what the step before had left"
        )
        return Match(
            f"the weights are {'set back' if back else 'drawn anew'} during the training",
            f"before step {self.places[0]:,}, and again before step {step:,}, they {what}",
            "Load an average of the weights, or an earlier state, into a copy of the network"
            if back
            else "Make the network and draw its weights once, before the loop over the epochs",
            Belief.LIKELY,
            KEPT,
        )


def _undone(initial: Array, left: Array, values: Array) -> bool:
    before, after = (each.astype(np.float64) - initial for each in (left, values))
    way = float(np.linalg.norm(before))
    return bool(np.isfinite(way) and way > 0 and np.linalg.norm(after) <= UNDONE * way)


def _unlike(left: Array, values: Array) -> bool:
    one, other = (each.astype(np.float64) for each in (left, values))
    if not (np.isfinite(one).all() and np.isfinite(other).all() and one.std() and other.std()):
        return False
    return bool(abs(np.corrcoef(one, other)[0, 1]) < UNLIKE)
