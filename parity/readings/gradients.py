"""Why two sides get other gradients from the same weights, batch and loss."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Table
from parity.readings import penalty, scaling
from parity.readings.case import Case
from parity.readings.cause import UNEXPLAINED, Cause, listed
from parity.readings.change import Change, factor, flat
from parity.readings.readings import Reading, parted
from parity.readings.rounding import magnitude, noise, usable, worst

ADVICE = scaling.ADVICE | penalty.ADVICE


def explain(case: Case) -> list[Cause]:
    """Name what one side does to its gradients that the other does not.

    Gradients that fit no formula are at least located, where only some tensors differ: in one
    tensor, or in all before a layer.

    Args:
        case: `given` has the weights, in the order of the network, and the ``labels`` of the batch;
            `a` and `b` the gradients, under the names of the weights.

    Returns:
        At most one cause; empty where nothing fits.
    """
    a, b = case.a, case.b
    if not a or not b or not usable(*a.values(), *b.values()):
        return []
    if a.keys() != b.keys():
        return [_missing(case)]
    turned = _transposed(case)
    if turned is not None or any(a[name].shape != b[name].shape for name in a):
        return [turned] if turned else []
    change = Change.of(case)
    if not change.parted:
        return []
    if rounded := _rounded_factor(change, case):
        return rounded
    for readings in (*_CHANGES, scaling.by_tensor):
        for side in (case, case.swapped):
            of = Change.of(side)
            by_norm = readings is scaling.by_one_factor  # of all tensors together
            if not by_norm and not any(of.few.explained(one) for one in readings(of.few)):
                continue
            for reading in readings(of):
                as_it_is = Reading({}, flat(of.a))
                sides = as_it_is.values, flat(of.b)
                both = as_it_is, reading
                causes = parted("gradients", sides, both, ADVICE, of.allowed, side.names)
                if causes:
                    return causes
    return _located(change, case)


def _penalised(change: Change) -> Iterator[Reading]:
    yield from (reading for reading, _ in penalty.readings(change))


_CHANGES = (
    scaling.by_one_factor, _penalised, scaling.by_value, scaling.frozen, scaling.by_tensor_norm,
    scaling.blank, scaling.masked, scaling.rounded, scaling.signs, scaling.centred,
)  # fmt: skip
"""What B may do that A does not, the likeliest first."""


def _missing(case: Case) -> Cause:
    """Only one side has a gradient for some tensors."""
    a, b = case.a, case.b
    extra = [name for name in (*a, *b) if (name in a) != (name in b)]
    names = case.names if extra[0] in b else case.names[::-1]
    gap = max((worst(a[name], b[name]) for name in a if name in b), default=0.0)
    text = (
        f"gradients: {names[0]} has none for {listed(extra)}, {names[1]} has; to align "
        "them, train the same tensors: requires_grad in torch, trainable in Keras"
    )
    return Cause(scaling.FROZEN, gap, text)


def _transposed(case: Case) -> Cause | None:
    """Gradients of some kernels are transposed on one side, square ones included."""
    a, b = case.a, case.b
    allowed = noise(*a.values(), *b.values())
    faulty = [
        name
        for name in b
        if b[name].ndim == 2 and worst(a[name], b[name]) > allowed >= worst(a[name], b[name].T)
    ]
    upright = {name: b[name].T if name in faulty else b[name] for name in b}
    gap = max(worst(a[name], upright[name]) for name in a)
    if not faulty or gap > allowed:
        return None
    names = case.names[::-1] if _other_shape(a, case.given, faulty) else case.names
    text = (
        f"gradients: {names[1]}'s of {listed(faulty)} are {names[0]}'s transposed; to "
        "align them, transpose them as the weights: torch's Linear keeps [out, in], Keras' Dense "
        "[in, out]"
    )
    return Cause("transposed gradient", gap, text)


def _other_shape(table: Table, weights: Table, faulty: list[str]) -> bool:
    """Whether gradients do not have the shape of their weights."""
    return any(name in weights and table[name].shape != weights[name].shape for name in faulty)


def _rounded_factor(change: Change, case: Case) -> list[Cause]:
    """One side multiplies by a figure that is rounded to float32, at the last layer that differs.

    The gradients there are then a multiple, and all before it no further apart than that rounding.
    """
    parted_ = [name for name in change.telling if name in change.parted]
    if not parted_ or len(parted_) == len(change.telling):
        return []
    name = parted_[-1]
    a, b = change.a[name], change.b[name]
    gap, off = worst(flat(change.a), flat(change.b)), factor(a, b) - 1
    half = float(np.finfo(np.float32).eps) / 2
    if not abs(off) <= half or a.size < 2 or worst((1 + off) * a, b) > change.allowed:
        return []
    if gap > half * magnitude(*change.b.values()):
        return []
    text = (
        f"gradients: {case.names[1]}'s of {name} are {case.names[0]}'s times 1 {off:+.3g}, and "
        f"none before it is off by more than {gap:.1e}: one side rounds a factor to float32, as "
        "torch's hard sigmoid does with its sixth on the way back, in float64, too; no flag aligns "
        "it"
    )
    return [Cause("rounded factor", gap, text, rounds=True)]


def _located(change: Change, case: Case) -> list[Cause]:
    """Where gradients differ that no formula explains: before a layer, or in one tensor."""
    parted_ = [name for name in change.telling if name in change.parted]
    if not parted_ or len(parted_) == len(change.telling):
        return []
    gap = worst(flat(change.a), flat(change.b))
    after = change.telling[len(parted_) :]
    if len(parted_) == 1:
        name = parted_[0]
        off = np.abs(change.a[name] - change.b[name])
        many = int((off > change.allowed).sum())
        where = f"only {name} differs, by up to {gap:.3g} in {many} of {off.size} elements"
        hint = "look for a hook, a constraint or a rule of its own on this tensor"
    elif change.telling[: len(parted_)] == parted_:
        where = f"all tensors before {after[0]} differ, by up to {gap:.3g}, and none from there on"
        hint = f"compare the way back through what lies between {parted_[-1]} and {after[0]}"
    else:
        where = f"only {listed(parted_)} differ, by up to {gap:.3g}"
        hint = "look for what these tensors have in common"
    text = f"gradients: no known cause; {where}; to align them, {hint}"
    return [Cause(UNEXPLAINED, gap, text)]
