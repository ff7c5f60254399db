"""Constants that a side rounds to float32 in float64, too: no mistake of a port (NumPy)."""

from dataclasses import replace

import numpy as np

from parity.ladder.rung import Rung
from parity.sides.entries import Precision

COARSER = float(np.finfo(np.float32).eps / np.finfo(np.float64).eps)
"""How many times as far apart float32 numbers are as float64 ones."""
PROVEN = 16
"""How many roundings more a rung may be off by of which the rounding itself has been found."""


def forgiven(rung: Rung, precision: Precision, *, follows: bool) -> Rung:
    """A rung of float64 that holds as far as float32 constants let it, where they are the cause.

    Keras on TensorFlow rounds a number that a program writes as ``0.9`` to float32, whatever the
    dtype; in float32, which programs train in, both sides have the same number.

    Args:
        rung: As it was compared.
        precision: In which; in float32 there is nothing to forgive.
        follows: Whether a rung before it was forgiven, from which its differences may follow.
    """
    real = tuple(cause for cause in rung.causes if not cause.rounds)
    if rung.passed or precision != "float64" or (not rung.causes and not follows):
        return rung
    times = COARSER * (PROVEN if rung.causes else 1)
    tensors = tuple(replace(t, limit=t.limit * times) for t in rung.tensors)
    if real or not all(tensor.passed for tensor in tensors):
        return replace(rung, causes=real) if rung.ordered else rung
    said = [f"no mistake, {cause.text.partition(';')[0]}" for cause in rung.causes]
    note = "; ".join([rung.note] * bool(rung.note) + (said or ["follows from those constants"]))
    reason = f"{rung.reason}, in float32, to which a constant is rounded"
    return replace(rung, tensors=tensors, reason=reason, note=note, causes=())
