"""What transposed convolutions do: their stride, and what is cut off what they spread over."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from parity.arrays import Array, Floats
from parity.readings.activations import activations
from parity.readings.case import Case
from parity.readings.readings import Reading, Readings
from parity.readings.rounding import noise, worst
from parity.readings.windows import ACTIVATION, BIAS, KERNEL, STRIDE, STRIDES, turned

CUT = "padding of a transposed convolution"
ADVICE = {
    CUT: (
        "cut alike: Keras' padding='same' cuts (kernel - stride) // 2 before, torch's "
        "ConvTranspose2d as much as its padding; output_padding is added behind"
    )
}


def readings(case: Case, x: Floats) -> tuple[Readings, float] | None:
    """What a transposed convolution may make of `x`, and what it sums at most; None for others.

    `x` is float64 [B, H, W, I] or [B, W, I]; `case.given` has the ``kernel`` [H, W, O, I], or
    without H.
    """
    kernel = case.given.get(f"{case.where}.kernel")
    named = case.where.startswith("conv_transpose")
    if kernel is None or not named or kernel.ndim != x.ndim or kernel.shape[-1] != x.shape[-1]:
        return None
    kernel = np.asarray(kernel, np.float64)
    bias = np.asarray(case.given.get(f"{case.where}.bias", np.zeros(1)), np.float64)
    size = float(np.abs(x).max() * np.abs(kernel).sum()) + float(np.abs(bias).max())

    def plain(seen: Array) -> Iterator[tuple[dict[str, str], Floats]]:
        for stride, (words, held) in product(STRIDES, turned(kernel)):
            whole = _spread(x, held, stride)
            for cut in range(max(held.shape[:-2])):
                made = _cut(whole, cut, seen.shape)
                if made is not None:
                    said = {CUT: f"cuts {cut} before", STRIDE: f"moves by {stride}", KERNEL: words}
                    yield said | {BIAS: "adds the bias"}, made + bias
                    yield said | {BIAS: "leaves out the bias"}, made

    def of(seen: Array) -> Iterator[Reading]:
        for said, values in plain(seen):
            yield Reading(said | {ACTIVATION: "no activation"}, values)
            if worst(seen, values) <= noise(seen, scale=size):
                return
        for said, values in plain(seen):
            for name, applied in activations(values, seen):
                yield Reading(said | {ACTIVATION: f"applies {name}"}, applied)

    return of, size


def _spread(x: Floats, kernel: Floats, stride: int) -> Floats:
    """Each place of `x` times the kernel, added up where they overlap, nothing cut off."""
    sizes = kernel.shape[:-2]
    places = [stride * (n - 1) + k for n, k in zip(x.shape[1:-1], sizes, strict=True)]
    whole = np.zeros((len(x), *places, kernel.shape[-2]))
    for where in product(*map(range, sizes)):
        reach = [
            slice(at, at + stride * (n - 1) + 1, stride)
            for at, n in zip(where, x.shape[1:-1], strict=True)
        ]
        whole[(slice(None), *reach)] += x @ kernel[where].T
    return whole


def _cut(whole: Floats, cut: int, shape: tuple[int, ...]) -> Floats | None:
    """As many places as were seen, from one on; zeros where it spreads no further."""
    if whole.ndim != len(shape) or whole.shape[-1] != shape[-1]:
        return None
    behind = [max(0, cut + m - n) for n, m in zip(whole.shape[1:-1], shape[1:-1], strict=True)]
    padded = np.pad(whole, [(0, 0), *((0, more) for more in behind), (0, 0)])
    return padded[(slice(None), *(slice(cut, cut + m) for m in shape[1:-1]))]
