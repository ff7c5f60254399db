"""What a dense layer does: its kernel, its bias, its precision, and what is applied after it."""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from parity.arrays import Array, Floats, Table
from parity.readings.activations import FIXED, NONE, Function, activations
from parity.readings.case import Case
from parity.readings.precisions import PRECISIONS
from parity.readings.readings import Reading, Readings
from parity.readings.rounding import ROUNDING, epsilon, worst
from parity.readings.rows import normalised

ACTIVATION, KERNEL, BIAS = "activation", "transposed kernel", "bias not added"
PRECISION, ROWS, TEMPERATURE = "precision", "normalisation of each row", "temperature"
ADVICE = {
    KERNEL: "transpose it on one side: torch's Linear keeps [out, in], Keras' Dense [in, out]",
    BIAS: "add it on both: bias=True (torch), use_bias=True (Keras)",
    ACTIVATION: (
        "apply the same function with the same figure, on both sides or neither: gelu has "
        "approximate=, leaky_relu negative_slope=, elu alpha= in both frameworks, with other "
        "defaults (TensorFlow's gelu rounds its constants to float32, which no flag changes); "
        "logits take none, for the loss has its own softmax: from_logits=True in Keras"
    ),
    TEMPERATURE: "divide both by the same temperature, or by none",
    ROWS: "normalise the rows on both sides by the same rule and epsilon, or on neither",
    PRECISION: "keep the network's precision in every layer",
    "another kernel": "give each layer its own kernel",
}
TELLING, AWAY, FEWEST, EXACT = 0.05, 0.01, 8, 1e-3
"""Slope of an activation, and distance from 0, from which its input can be solved for; how many
such inputs prove a precision, and the share of the distance between two float32 numbers by which
they may miss one."""
MOST_WAYS = 8
"""Of a kernel and a bias, where the layer's own are not known: with each, hundreds are tried."""
LAST = "logits"
"""What the last layer is called, whatever its weights are."""
PLAIN = {
    KERNEL: "multiplies by kernel",
    BIAS: "adds the bias",
    "another kernel": "takes its own",
    TEMPERATURE: "divides by 1",
    PRECISION: "keeps its precision",
    ROWS: "leaves the rows",
    ACTIVATION: NONE,
}
Part = tuple[dict[str, str], Floats]
"""Traits of a step in the layer, and what it gives, [B, O]."""


def readings(case: Case, x: Floats) -> tuple[Readings, float] | None:
    """What the layer may make of `x`, and the magnitude of what it sums; None without a kernel.

    `x` is float64 [B, ...]; `case.given` has the weights.

    The kernel and the bias are those of the layer's name or, in networks with names of their own,
    all whose shapes fit.
    """
    return _dense(case, x, _applied)


def normalising(case: Case, x: Floats) -> tuple[Readings, float] | None:
    """The same of a layer that normalises rows: of its input, before or after its activation."""
    flat = x.reshape(len(x), -1)
    outputs = case.a[case.where][0].size
    ways = len(_kernels(case, flat.shape[1], outputs)) * len(_biases(case, outputs))
    return _dense(case, x, _normalised) if ways <= MOST_WAYS else None


def _dense(
    case: Case, x: Floats, parts: Callable[[Floats, Table, list[Floats], Floats], Iterator[Part]]
) -> tuple[Readings, float] | None:
    flat = x.reshape(len(x), -1)
    kernels = _kernels(case, flat.shape[1], case.a[case.where][0].size)
    if not kernels:
        return None
    biases = _biases(case, case.a[case.where][0].size)
    largest = max(np.abs(kernel).sum(axis=0).max() for kernel in kernels.values())
    offset = max(np.abs(bias).max() for bias in biases)
    size = float(np.abs(flat).max() * largest + offset)

    def of(seen: Array) -> Iterator[Reading]:
        output = np.asarray(seen, np.float64).reshape(len(seen), -1)
        for traits, values in parts(flat, kernels, biases, output):
            yield Reading(PLAIN | traits, values.reshape(seen.shape))
        coarse = _coarser(flat, kernels, biases, output, size, epsilon(seen))
        if coarse is not None:
            yield Reading(PLAIN | coarse, seen)

    return of, size


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
        if kernel.shape == (inputs, outputs):
            found[name] = kernel
        if kernel.T.shape == (inputs, outputs):
            found[f"{name}.T"] = kernel.T
    return found


def _biases(case: Case, outputs: int) -> list[Floats]:
    """Vectors [O] that may be the layer's bias; zeros where there is none."""
    fitting = [name for name, bias in case.given.items() if bias.shape == (outputs,)]
    own = [name for name in fitting if name.startswith(f"{case.where}.")]
    return [np.asarray(case.given[n], np.float64) for n in own or fitting] or [np.zeros(outputs)]


def _traits(name: str, kernels: Table) -> dict[str, str]:
    """Of a product with one of the kernels."""
    upright = name.removesuffix(".T")
    traits = {KERNEL: "multiplies by kernel" + name.removeprefix(upright)}
    if len({each.removesuffix(".T") for each in kernels}) > 1:
        traits["another kernel"] = f"takes {upright}"
    return traits


def _applied(x: Floats, kernels: Table, biases: list[Floats], seen: Floats) -> Iterator[Part]:
    """Products with a kernel, with and without a bias, and what is applied to them."""
    for linear, before in _linear(x, kernels, biases):
        for name, values in activations(before, seen):
            yield linear | _activation(name), values
        factor = float((before * seen).sum() / (before**2).sum()) if before.any() else 1.0
        yield linear | {TEMPERATURE: f"divides by {1 / factor:.6g}"}, factor * before


def _linear(x: Floats, kernels: Table, biases: list[Floats]) -> Iterator[Part]:
    """Products with a kernel, with and without a bias; the usual first."""
    for name, kernel in kernels.items():
        traits, unmoved = _traits(name, kernels), x @ kernel
        for bias in biases:
            yield traits, unmoved + bias
        yield traits | {BIAS: "leaves out the bias"}, unmoved
        for precision, kind in PRECISIONS.items():
            coarse = x @ kind.round(kernel).astype(np.float64)
            for bias in biases:
                what = {PRECISION: f"rounds its weights to {precision}"}
                yield traits | what, coarse + kind.round(bias).astype(np.float64)


def _activation(name: str) -> dict[str, str]:
    return {ACTIVATION: name if name == NONE else f"applies {name}"}


def _normalised(x: Floats, kernels: Table, biases: list[Floats], seen: Floats) -> Iterator[Part]:
    """A product with a kernel, an activation, and a normalisation of rows between, or before."""
    for (name, kernel), bias in product(kernels.items(), biases):
        traits, before = _traits(name, kernels), x @ kernel + bias
        for function, values in activations(before, seen):
            applied = traits | _activation(function)
            yield applied, values
            for rule, rows in normalised(values, seen):
                yield applied | {ROWS: f"gives {rule} of each row of its output"}, rows
        for rule, rows in normalised(before):
            for function, values in activations(rows, seen):
                what = {ROWS: f"takes {rule} of each row before its activation"}
                yield traits | _activation(function) | what, values
        for rule, rows in normalised(x):
            for function, values in activations(rows @ kernel + bias, seen):
                what = {ROWS: f"takes {rule} of each row of its input"}
                yield traits | _activation(function) | what, values


def _coarser(
    x: Floats, kernels: Table, biases: list[Floats], seen: Floats, size: float, own: float
) -> dict[str, str] | None:
    """Traits of a layer computed in a coarser precision than the network's, whose epsilon is `own`.

    In which order it sums is not known, so that only rounding can be asked for; that every number
    is a coarser one, which of float64 numbers one in 2^29 is a float32, proves the rest.
    """
    functions: dict[str, Callable[[Floats], Floats]] = {NONE: np.positive, **FIXED}
    for kind, precision in PRECISIONS.items():
        single = kind == "float32"
        given = worst(precision.round(seen), seen) == 0
        if precision.epsilon <= own or not (given or single):
            continue
        allowed = (2 * ROUNDING if single else 2) * precision.epsilon * size
        for (name, kernel), bias in product(kernels.items(), biases):
            before = x @ kernel + bias
            for said, function in functions.items():
                near = worst(function(before), seen) <= allowed
                if near and (given or _single_before(before, seen, function)):
                    what = {PRECISION: f"computes in {kind}, as the numbers that it gives show"}
                    return _traits(name, kernels) | _activation(said) | what
    return None


def _single_before(before: Floats, seen: Floats, function: Function) -> bool:
    """Whether what `function` made `seen` of were float32 numbers; solved for, near `before`."""
    step = 1e-6
    slope = (function(before + step) - function(before - step)) / (2 * step)
    telling = (np.abs(slope) > TELLING) & (np.abs(before) > AWAY)
    if telling.sum() < FEWEST:
        return False
    solved = (before - (function(before) - seen) / np.where(telling, slope, 1))[telling]
    single = solved.astype(np.float32)
    return bool((np.abs(solved - single) <= EXACT * np.spacing(np.abs(single))).all())
