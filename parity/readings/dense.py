"""What a dense layer does: its kernel, its bias, its precision, and what is applied after it."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Array, Floats, Table
from parity.readings.activations import FIXED, NONE, Function, activations
from parity.readings.case import Case
from parity.readings.readings import Reading, Readings
from parity.readings.rounding import noise, worst
from parity.readings.rows import normalised
from parity.readings.tensors import PRECISIONS

ACTIVATION, KERNEL, BIAS, PRECISION = (
    "activation",
    "transposed kernel",
    "bias not added",
    "precision",
)
ROWS = "normalisation of each row"
ADVICE = {
    KERNEL: "transpose it on one side: torch's Linear keeps [out, in], Keras' Dense [in, out]",
    BIAS: "add it on both: bias=True (torch), use_bias=True (Keras)",
    ACTIVATION: (
        "apply the same function with the same figure, on both sides or neither: gelu has "
        "approximate=, leaky_relu negative_slope=, elu alpha= in both frameworks, with other "
        "defaults (TensorFlow's gelu rounds its constants to float32, which no flag changes); "
        "logits take none, for the loss has its own softmax: from_logits=True in Keras"
    ),
    "temperature": "divide both by the same temperature, or by none",
    ROWS: "normalise the rows on both sides by the same rule and epsilon, or on neither",
    PRECISION: "keep the network's precision in every layer",
    "another kernel": "give each layer its own kernel",
}
TELLING, FEWEST, EXACT = 0.05, 8, 1e-3
"""Slope of an activation from which its input can be solved for, how many such inputs prove a
precision, and the share of the distance between two float32 numbers by which they may miss one."""
LAST = "logits"
"""What the last layer is called, whatever its weights are."""
PLAIN = {
    KERNEL: "multiplies by kernel",
    BIAS: "adds the bias",
    "temperature": "divides by 1",
    PRECISION: "keeps its precision",
    ROWS: "leaves the rows",
    ACTIVATION: NONE,
}


def readings(case: Case, x: Floats) -> tuple[Readings, float] | None:
    """What the layer may make of `x`, and the magnitude of what it sums; None without a kernel.

    The kernel and the bias are those of the layer's name or, in networks with names of their own,
    all whose shapes fit.

    Args:
        case: Of a layer; `given` has the weights.
        x: Input, float64 [B, ...].
    """
    flat = x.reshape(len(x), -1)
    kernels = _kernels(case, flat.shape[1], case.a[case.where][0].size)
    if not kernels:
        return None
    biases = _biases(case, case.a[case.where][0].size)
    largest = max(np.abs(kernel).sum(axis=0).max() for kernel in kernels.values())
    offset = max((np.abs(bias).max() for bias in biases), default=0.0)

    def of(seen: Array) -> Iterator[Reading]:
        output = np.asarray(seen, np.float64).reshape(len(seen), -1)
        for linear, before in _linear(flat, kernels, biases, output):
            for traits, values in _after(before, output):
                reading = Reading(PLAIN | linear | traits, values.reshape(seen.shape))
                yield reading
        yield from _coarse(flat, kernels, biases, seen)

    return of, float(np.abs(flat).max() * largest + offset)


def _kernels(case: Case, inputs: int, outputs: int) -> Table:
    """Kernels [I, O] that fit, by what is said of them, the layer's own before all others."""
    fitting = {
        name: np.asarray(kernel, np.float64)
        for name, kernel in case.given.items()
        if sorted(kernel.shape) == sorted((inputs, outputs))
    }
    own = [name for name in fitting if name.startswith(f"{case.where}.")]
    if case.where == LAST and not own:
        own = list(fitting)[-1:]
    found = {}
    for name in own or fitting:
        kernel = fitting[name]
        said = "kernel" if len(own) == 1 else name
        if kernel.shape == (inputs, outputs):
            found[said] = kernel
        if kernel.T.shape == (inputs, outputs):
            found[f"{said}.T"] = kernel.T
    return found


def _biases(case: Case, outputs: int) -> list[Floats]:
    """Vectors [O] that may be the layer's bias."""
    fitting = [name for name, bias in case.given.items() if bias.shape == (outputs,)]
    own = [name for name in fitting if name.startswith(f"{case.where}.")]
    return [np.asarray(case.given[name], np.float64) for name in own or fitting]


def _linear(
    x: Floats, kernels: Table, biases: list[Floats], seen: Floats
) -> Iterator[tuple[dict[str, str], Floats]]:
    """Products with a kernel, with and without a bias; the usual first."""
    for said, kernel in kernels.items():
        product = x @ kernel
        traits = {KERNEL: f"multiplies by {said}"}
        for bias in biases:
            yield traits, product + bias
        yield traits | {BIAS: "leaves out the bias"}, product
        for precision, rounded in PRECISIONS.items():
            coarse = x @ rounded(kernel).astype(np.float64)
            for bias in biases or [np.zeros(kernel.shape[1])]:
                what = f"rounds its weights to {precision}"
                yield traits | {PRECISION: what}, coarse + rounded(bias).astype(np.float64)


def _after(before: Floats, seen: Floats) -> Iterator[tuple[dict[str, str], Floats]]:
    """What may be applied to what was summed."""
    for name, values in activations(before, seen):
        yield {ACTIVATION: name if values is before else f"applies {name}"}, values
    factor = float((before * seen).sum() / (before**2).sum()) if before.any() else 1.0
    yield {"temperature": f"divides by {1 / factor:.6g}"}, factor * before
    for name, values in normalised(before, seen):
        yield {ROWS: f"gives {name} of each row"}, values


def _coarse(x: Floats, kernels: Table, biases: list[Floats], seen: Array) -> Iterator[Reading]:
    """A layer computed in float32, though the network is in float64.

    In which order it sums is not known, so that only float32's rounding can be asked for; that
    every number is a float32, which of float64 numbers one in 2^29 is, proves the rest.
    """
    if seen.dtype != np.float64:
        return
    output = seen.reshape(len(seen), -1)
    for said, kernel in kernels.items():
        for bias in biases or [np.zeros(kernel.shape[1])]:
            before = x @ kernel + bias
            size = np.abs(x).max() * np.abs(kernel).sum(axis=0).max() + np.abs(bias).max()
            allowed = noise(np.float32([]), scale=float(size))
            for name, function in {NONE: _as_it_is, **FIXED}.items():
                near = worst(function(before), output) <= 2 * allowed
                if near and (_single(output) or _single_before(before, output, function)):
                    traits = {
                        KERNEL: f"multiplies by {said}",
                        ACTIVATION: name if name == NONE else f"applies {name}",
                        PRECISION: "computes in float32, as the numbers that it gives show",
                    }
                    yield Reading(PLAIN | traits, seen)
                    return


def _as_it_is(x: Floats) -> Floats:
    return x


def _single(x: Floats) -> bool:
    """Whether all numbers are float32 numbers."""
    return np.array_equal(x.astype(np.float32), x)


def _single_before(before: Floats, seen: Floats, function: Function) -> bool:
    """Whether what `function` made `seen` of were float32 numbers; solved for, near `before`."""
    step = 1e-6
    slope = (function(before + step) - function(before - step)) / (2 * step)
    telling = np.abs(slope) > TELLING
    if telling.sum() < FEWEST:
        return False
    solved = (before - (function(before) - seen) / np.where(telling, slope, 1))[telling]
    single = solved.astype(np.float32)
    return bool((np.abs(solved - single) <= EXACT * np.spacing(np.abs(single))).all())
