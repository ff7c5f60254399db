"""Why a layer gives two outputs for one input, by the kind of layer that its name tells."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from parity.arrays import Array, Floats
from parity.readings import (
    batch_norm,
    dense,
    dropout,
    embedding,
    layer_norm,
    multi_head,
    recurrent,
    transposed,
    up_sampling,
    windows,
)
from parity.readings.activations import NONE, activations
from parity.readings.case import Case
from parity.readings.cause import Cause
from parity.readings.dense import ACTIVATION, LAST, ROWS, TEMPERATURE
from parity.readings.readings import Reading, Readings, compare, parted
from parity.readings.rounding import noise, usable, worst
from parity.readings.rows import line, normalised

INPUT = "input"
ADVICE = {
    **dense.ADVICE,
    **batch_norm.ADVICE,
    **dropout.ADVICE,
    **windows.ADVICE,
    **transposed.ADVICE,
    **layer_norm.ADVICE,
    **recurrent.ADVICE,
    **embedding.ADVICE,
    **multi_head.ADVICE,
    **up_sampling.ADVICE,
    "scaled output": "look for a scale or an offset that only one side has in this layer",
}


def explain(case: Case) -> list[Cause]:
    """Name what the sides do differently in the first layer whose outputs differ.

    Names such as ``dense_N``, ``batch_norm_N``, ``activation_N`` and ``dropout_N`` tell what to
    look for first; a layer of any name is tried for all kinds.

    Args:
        case: `where` is the layer, of which `a` and `b` hold the outputs, float [B, O]; `given` has
            its ``input``, float [B, I], and the weights of the whole network.

    Returns:
        The causes that close the gap; empty where none does.
    """
    inputs, a, b = case.given[INPUT], case.a[case.where], case.b[case.where]
    if not usable(inputs, a, b) or worst(a, b) == 0 or len(a) != len(b):
        return []
    case, x = _some(case, np.asarray(inputs, np.float64))
    a, b = case.a[case.where], case.b[case.where]
    same = a.shape == b.shape
    for kind in sorted(KINDS, key=lambda name: not case.where.startswith(name)):
        of_windows = KINDS[kind] in (windows.convolution, windows.pooling)
        found = KINDS[kind](case, x) if same or of_windows else None
        if found is None:
            continue
        readings, size = found
        allowed = noise(a, b, scale=size)
        causes = compare(case.where, (a, b), readings, ADVICE, allowed, case.names)
        if causes:
            return causes
    return (_relative(case) or _relative(case.swapped)) if same else []


def _some(case: Case, x: Floats) -> tuple[Case, Floats]:
    """Of a layer that moves windows, some samples: there are many numbers in each."""
    if x.ndim < 3 or not any(word in case.where for word in ("conv", "pool")):
        return case, x
    few = windows.MOST_SAMPLES
    a, b = ({case.where: side[case.where][:few]} for side in (case.a, case.b))
    return replace(case, a=a, b=b), x[:few]


def _elementwise(case: Case, x: Floats) -> tuple[Readings, float] | None:
    """An activation, or a normalisation of each row."""
    sides = case.a[case.where], case.b[case.where]
    if x.shape != sides[0].shape:
        return None
    usual = {TEMPERATURE: "divides by 1"} if case.where == LAST else {}

    def of(seen: Array) -> Iterator[Reading]:
        for name, values in activations(x, seen):
            said = f"applies {name}" if values is not x else name
            yield Reading({ACTIVATION: said, ROWS: "leaves the rows", **usual}, values)
        if usual and x.any():
            factor = float((x * seen).sum() / (x**2).sum())
            divided = {TEMPERATURE: f"divides by {1 / factor:.6g}"}
            yield Reading({ACTIVATION: NONE, ROWS: "leaves the rows", **divided}, factor * x)
        if x.ndim == 2:
            for name, values in normalised(x, np.asarray(seen, np.float64)):
                said = f"gives {name} of each row"
                yield Reading({ACTIVATION: NONE, ROWS: said, **usual}, values)

    return of, float(max(np.abs(values).max() for values in (x, *sides)))


KINDS = {
    "logits": dense.readings,
    "dense": dense.readings,
    "batch_norm": batch_norm.readings,
    "conv_transpose": transposed.readings,
    "conv": windows.convolution,
    "pool": windows.pooling,
    "layer_norm": layer_norm.readings,
    "rms_norm": layer_norm.readings,
    "group_norm": layer_norm.grouped,
    "instance_norm": layer_norm.grouped,
    "embedding": embedding.readings,
    "multi_head_attention": multi_head.readings,
    "up_sampling": up_sampling.readings,
    "lstm": recurrent.readings,
    "gru": recurrent.readings,
    "rnn": recurrent.readings,
    "activation": _elementwise,
    "dropout": dropout.readings,
    "normalising": dense.normalising,
}
"""By how the names of such layers begin."""


def _relative(case: Case) -> list[Cause]:
    """What B makes of A's output: all that can be said of layers whose kind is not known."""
    sides = case.a[case.where], case.b[case.where]
    a, b = (np.asarray(side, np.float64) for side in sides)
    if a.size < 8 or np.ptp(a) == 0 or np.ptp(b) <= noise(*sides):
        return []
    factor, offset = line(a, b)
    moved = f" and {offset:+.6g}" if abs(offset) > noise(*sides) else ""
    scaled = f"gives {factor:.6g} times{moved} what {case.names[0]} gives"
    readings = [Reading({"scaled output": scaled}, factor * a + offset)]
    with np.errstate(all="ignore"):
        readings += [
            Reading({ACTIVATION: f"applies {name} to what {case.names[0]} gives"}, values)
            for name, values in activations(a, b)
            if values is not a
        ]
    for reading in readings:
        both = Reading({}, a), reading
        causes = parted(case.where, sides, both, ADVICE, noise(*sides), case.names)
        if causes:
            return causes
    return []
