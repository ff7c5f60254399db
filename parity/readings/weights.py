"""Why two sides do not hold the same weights after both were given the same."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Table
from parity.readings.case import Case
from parity.readings.cause import Cause
from parity.readings.precisions import PRECISIONS
from parity.readings.rounding import usable, worst
from parity.readings.tensors import fate

KEPT = "rounded weight"
ADVICE = {
    "missing weight": (
        "map every canonical name to a tensor of the network; a bias is there on both sides or "
        "neither: bias= (torch), use_bias= (Keras)"
    ),
    "reset after": "GRU(reset_after=True) in Keras has the two biases that torch's GRU has",
    "rows of an embedding": (
        "give both as many: input_dim (Keras) and num_embeddings (torch) are the largest number "
        "plus 1"
    ),
    "heads of attention": "give both as many: num_heads",
    "extra weight": "leave out what the other side does not have: bias=False, affine=False",
    "shape of a weight": "build both networks of the same widths",
    "transposed weight": (
        "transpose it in set_weights and weights: torch's Linear keeps [out, in], Keras' Dense "
        "[in, out]"
    ),
    "swapped weights": "set tensors by name and not by their place in a list",
    "weight not set": "look for a name that set_weights leaves out, or sets too early",
    "one weight off": "look for what writes to it after it was set",
    KEPT: "keep it in the recorded precision: .double() in torch, set_floatx in Keras",
    "permuted weight": (
        "flatten the images in the same order, row by row, and number the units alike"
    ),
    "scaled weight": "set it as it is given",
    "moved weight": "set it as it is given",
}

STRUCTURE = (
    "missing weight", "extra weight", "shape of a weight", "transposed weight", "reset after",
    "rows of an embedding", "heads of attention",
)  # fmt: skip
"""Causes for which tensors have other names or shapes."""


def explain(case: Case) -> list[Cause]:
    """Name what either side has made of the weights that it was given.

    Args:
        case: `given` is what both were told to take, `a` and `b` what they say that they hold.

    Returns:
        A cause for each kind of fault of each side, the one that leaves least between the sides
        first; empty where no tensor's difference can be named.
    """
    causes = []
    shapes = [{n: w.shape for n, w in table.items()} for table in (case.given, case.a, case.b)]
    alike = shapes[0] == shapes[1] == shapes[2]
    for side in (case, case.swapped):
        if not usable(*side.a.values()):
            continue
        by_kind: dict[str, dict[str, str]] = {}
        for tensor, kind, what in _faults(side):
            if alike or kind in STRUCTURE:  # other networks cannot have been given the same
                by_kind.setdefault(kind, {})[tensor] = what
        causes += [_cause(side, kind, faults) for kind, faults in by_kind.items()]
    return sorted(causes, key=lambda cause: cause.gap)


def rounded(case: Case) -> list[Cause]:
    """One side keeps its weights in a coarser precision after a step, and does not differ else.

    Args:
        case: `a` and `b` are the weights after a step.
    """
    for side in (case, case.swapped):
        for precision, kind in PRECISIONS.items():
            pairs = [(kind.round(w).astype(w.dtype), side.b[name]) for name, w in side.a.items()]
            moved = any(worst(side.a[name], side.b[name]) > 0 for name in side.a)
            if moved and all(np.array_equal(*pair) for pair in pairs):
                what = f"rounds its weights to {precision} after each step"
                text = f"weights: {side.names[1]} {what}, {side.names[0]} does not"
                return [Cause(KEPT, 0.0, f"{text}; to align them, {ADVICE[KEPT]}")]
    return []


def _faults(case: Case) -> Iterator[tuple[str, str, str]]:
    """Tensor, kind and words of what is wrong with side A, where B does not hold the same."""
    for name in [*case.given, *(name for name in case.a if name not in case.given)]:
        if name not in case.a:
            if name in case.b:
                yield name, "missing weight", f"has no {name} {list(case.given[name].shape)}"
        elif name not in case.given:
            if name not in case.b and name.endswith(".recurrent_bias"):
                yield name, "reset after", f"holds two biases, for inputs and state, {name}"
            elif name not in case.b:
                yield name, "extra weight", f"also has {name} {list(case.a[name].shape)}"
        elif name not in case.b or worst(case.a[name], case.b[name]) > 0:
            found = fate(name, case.given, case.a)
            for kind, what in found.traits.items() if found else ():
                yield name, kind, what


def _cause(case: Case, kind: str, faults: dict[str, str]) -> Cause:
    """One for all tensors of side A that have the same fault."""
    mended: Table = case.a | {name: case.given[name] for name in faults if name in case.given}
    gap = max(
        (
            worst(mended[name].astype(other.dtype) if name in faults else mended[name], other)
            for name, other in case.b.items()
            if name in case.given and name in mended
        ),
        default=0.0,
    )
    what = ", ".join(dict.fromkeys(faults.values()))
    return Cause(kind, gap, f"weights: {case.names[0]} {what}; to align them, {ADVICE[kind]}")
