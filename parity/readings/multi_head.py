"""What a layer of multi-head attention makes of one input that is queries, keys and values."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Array, Floats
from parity.readings.attention import attention, habits
from parity.readings.case import Case
from parity.readings.embedding import padding
from parity.readings.readings import Reading, Readings

ATTENTION, BATCH = "attention", "axis of the batch"
ADVICE = {
    ATTENTION: "give both the same heads, scale and mask",
    BATCH: "give torch's layer batch_first=True: it takes places first",
}
PARTS = ("query", "key", "value")


def readings(case: Case, x: Floats) -> tuple[Readings, float] | None:
    """What it may make of `x`, and its magnitude; None for others.

    `x` is float64 [B, T, in]; `case.given` has the kernels, [in, heads, units] and [heads, units,
    out].
    """
    own = {part: case.given.get(f"{case.where}.{part}.kernel") for part in PARTS}
    back = case.given.get(f"{case.where}.attention_output.kernel")
    kernels = [np.asarray(own[part], np.float64) for part in PARTS if own[part] is not None]
    if back is None or len(kernels) < len(PARTS) or x.ndim != 3 or len(kernels[0]) != x.shape[-1]:
        return None

    def biased(values: Floats, part: str) -> Floats:
        bias = case.given.get(f"{case.where}.{part}.bias")
        return values if bias is None else values + np.asarray(bias, np.float64).ravel()

    def of(seen: Array) -> Iterator[Reading]:
        for said, fed in (("takes the batch first", x), ("takes places first", x.swapaxes(0, 1))):
            q, k, v = (
                biased(fed @ kernel.reshape(len(kernel), -1), part)
                for kernel, part in zip(kernels, PARTS, strict=True)
            )
            hidden = padding(case, x) if fed is x else None
            ways = [*habits(*q.shape[1:], blanks=hidden is not None and bool(hidden.any()))]
            # Where heads make no difference, they are as many as the kernel has.
            for words, habit in sorted(ways, key=lambda w: w[1].heads != kernels[0].shape[1]):
                made = attention(q, k, v, habit, hidden)
                made = biased(made @ back.reshape(made.shape[-1], -1), "attention_output")
                values = made if fed is x else made.swapaxes(0, 1)
                yield Reading({BATCH: said, ATTENTION: words}, values)

    return of, float(np.abs(x).max())
