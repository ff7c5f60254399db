"""Notices a program that changes its samples in place, time after time."""

from typing import Any

import numpy as np
from torch import Tensor

from parity.torch.layouts import Array, as_array
from parity.torch.samples import Samples, taken
from parity.watch.check import Match
from parity.watch.fingerprint import sample

TIMES = 3
"""Looks in a row in which samples were others, from which on it is no preparation."""
MOST = 0.75
"""Share of the samples that must have changed; a buffer replaces some."""
ALIKE = 0.5
"""Correlation with what they were at the look before, at least: they are the same ones."""
GROWN = 1.5
"""Ratio of their sizes, from which on it matters."""

SAMPLES, VALUES = 32, 1000
"""Samples, and values of each, that are kept."""


class Kept:
    """Some samples as they were, of tensors and arrays: reading these changes nothing.

    Args:
        samples: That a program trains on.
    """

    def __init__(self, samples: Samples) -> None:
        source = samples.source
        x = source[0] if isinstance(source, tuple) else _held(source.dataset)
        learned = isinstance(x, Tensor) and x.requires_grad
        self.x = x if isinstance(x, Tensor | np.ndarray) and not learned else None
        self.places = sample(len(samples.y if x is None else x), SAMPLES)
        self.times = 0
        self.before = self.first = self._now()

    def changed(self) -> Match | None:
        """Say so, once; asked at a few steps that lie further and further apart."""
        before, now = self.before, self._now()
        self.before = now
        if before is None or now is None or self.first is None:
            return None
        if np.array_equal(before, now):
            self.times = 0
            return None
        others = float((before != now).any(axis=1).mean())
        same = others >= MOST and float(np.corrcoef(before.flat, now.flat)[0, 1]) >= ALIKE
        self.times = self.times + 1 if same else 0
        sizes = [float(np.sqrt((values**2).mean())) for values in (self.first, now)]
        if self.times < TIMES or not max(sizes) >= GROWN * min(sizes):
            return None
        self.x = None
        return Match(
            "the samples themselves are changed while the network is trained",
            f"{TIMES} times in a row {MOST:.0%} of them or more were not what they had been; "
            f"their size was {sizes[0]:.3g} at first and is {sizes[1]:.3g}",
            "Work on a copy where samples are read, x[i].clone(), without +=, *= or /=",
        )

    def _now(self) -> Array | None:
        if self.x is None:
            return None
        x = taken(self.x, self.places)
        values = as_array(x) if isinstance(x, Tensor) else x
        usable = values.dtype.kind in "iuf" and values.size > 0
        rows = values.reshape(len(values), -1) if usable else None
        return None if rows is None else rows[:, :: -(-rows.shape[1] // VALUES)].astype(np.float64)


def _held(dataset: Any) -> Tensor | Array | None:
    """The samples of a data set that keeps them in memory; others are not read for this."""
    held = getattr(dataset, "__dict__", {}).values()
    arrays = (each for each in held if isinstance(each, Tensor | np.ndarray) and each.ndim > 1)
    return next((each for each in arrays if len(each) == len(dataset)), None)
