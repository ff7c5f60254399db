"""Why two sides get other gradients from the same weights, batch and loss."""

from collections.abc import Callable

import numpy as np

from parity.readings import scaling
from parity.readings.cause import Cause
from parity.readings.gradient_pair import Pair, listed
from parity.readings.readings import Names
from parity.readings.rounding import Floats, Table, magnitude, usable, worst


def explain(weights: Table, a: Table, b: Table, batch_size: int, names: Names) -> list[Cause]:
    """Name what one side does to its gradients that the other does not.

    Gradients that fit no formula are at least located, where only some tensors differ: in one
    tensor, or in all before a layer.

    Args:
        weights: By which the gradients are, in the order of the network.
        a: Side A's gradients, by the same names.
        b: Side B's.
        batch_size: Images in the batch.
        names: Of A and B.

    Returns:
        At most one cause; empty where nothing fits.
    """
    if not usable(*a.values(), *b.values(), *weights.values()) or not a or not b:
        return []
    if a.keys() != b.keys():
        return [_missing(a, b, names)]
    upright = _transposed(weights, a, b, batch_size, names)
    if upright is not None:
        return [upright]
    if any(a[name].shape != b[name].shape for name in a):
        return []
    pair = Pair.of(weights, a, b, batch_size, names)
    if not pair.parted:
        return []
    for look in LOOKS:
        found = look(pair)
        if found is not None:
            return [found]
    return []


def _missing(a: Table, b: Table, names: Names) -> Cause:
    """Only one side has a gradient for some tensors."""
    extra = [name for name in (*a, *b) if (name in a) != (name in b)]
    side = 0 if extra[0] in b else 1
    gap = max((worst(a[name], b[name]) for name in a if name in b), default=0.0)
    text = (
        f"gradients: {names[side]} has none for {listed(extra)}, {names[1 - side]} has; to align "
        "them, train the same tensors: requires_grad in torch, trainable in Keras"
    )
    return Cause("frozen weight", gap, text)


def _transposed(weights: Table, a: Table, b: Table, batch_size: int, names: Names) -> Cause | None:
    """Gradients of some kernels are transposed on one side, square ones included."""
    turned = {
        name: b[name].T for name in b if b[name].ndim == 2 and a[name].shape == b[name].shape[::-1]
    }
    upright = {**b, **turned}
    if any(a[name].shape != upright[name].shape for name in a):
        return None
    pair = Pair.of(weights, a, upright, batch_size, names)
    faulty = [
        name
        for name in turned
        if not worst(a[name], b[name]) <= pair.allowed and name not in pair.parted
    ]
    others = [name for name in a if name not in faulty]
    gap = max(worst(a[name], (upright if name in faulty else b)[name]) for name in a)
    if not faulty or any(worst(a[name], b[name]) > pair.allowed for name in others):
        return None
    odd = next((i for i, t in enumerate((a, b)) if _other_shape(t, weights, faulty)), 1)
    text = (
        f"gradients: {names[odd]}'s of {listed(faulty)} are {names[1 - odd]}'s transposed; to "
        "align them, transpose them as the weights: torch's Linear keeps [out, in], Keras' Dense "
        "[in, out]"
    )
    return Cause("transposed gradient", gap, text)


def _other_shape(table: Table, weights: Table, faulty: list[str]) -> bool:
    """Whether gradients do not have the shape of their weights."""
    return any(name in weights and table[name].shape != weights[name].shape for name in faulty)


def _penalty(pair: Pair) -> Cause | None:
    """One side adds a multiple of the weights, or of their signs."""
    parted = [name for name in pair.parted if name in pair.weights]
    for penalty, slope in (("L2", lambda w: w), ("L1", np.sign)):
        basis: dict[str, Floats] = {name: slope(pair.weights[name]) for name in parted}
        power = sum(float((w * w).sum()) for w in basis.values())
        if power == 0:
            continue
        product = sum(float((w * (pair.b[n] - pair.a[n])).sum()) for n, w in basis.items())
        figure = product / power
        gap = pair.gap({name: pair.a[name] + figure * w for name, w in basis.items()})
        if not pair.closes(gap):
            continue
        side = 1 if figure > 0 else 0
        size = abs(figure)
        term = f"{size:.4g} * w" if penalty == "L2" else f"{size:.4g} * sign(w)"
        setting = (
            f"weight_decay={size:.4g} in torch's optimiser, L2({size / 2:.4g}) in Keras"
            if penalty == "L2"
            else f"L1({size:.4g}) in Keras"
        )
        text = (
            f"gradients: {pair.names[side]} adds {term} to those of {listed(parted)}, "
            f"{pair.names[1 - side]} does not; to align them, give both the penalty ({setting}) "
            "or neither"
        )
        return Cause(f"{penalty} penalty", gap, text)
    return None


def _frozen(pair: Pair) -> Cause | None:
    """Tensors of which one side's gradient is zero; all others agree."""
    for side in (pair, pair.swapped):
        if side.parted and all(magnitude(side.b[name]) == 0 for name in side.parted):
            gap = side.gap({name: side.b[name] for name in side.parted})
            text = (
                f"gradients: {side.names[1]}'s of {listed(side.parted)} are zero, "
                f"{side.names[0]}'s are not; to align them, train these tensors on both sides: "
                "requires_grad and no detach() in torch, trainable and no stop_gradient in Keras"
            )
            return Cause("frozen weight", gap, text)
    return None


def _backward(pair: Pair) -> Cause | None:
    """Every tensor before a layer differs, and none from there on: the way back through it does."""
    parted = [name for name in pair.telling if name in pair.parted]
    last = len(parted)
    if not 0 < last < len(pair.telling) or pair.telling[:last] != parted:
        return None
    before, after = (name.split(".")[0] for name in pair.telling[last - 1 : last + 1])
    if before == after:
        return None
    gap = pair.gap({name: pair.b[name] for name in pair.parted})
    if after.startswith("batch_norm"):
        where, hint = after, "give both the same epsilon, and let gradients through its statistics"
    else:
        where = f"what lies between {before} and {after}"
        hint = "compare the derivative of its activation (at 0 too), and its dropout"
    text = (
        f"gradients: the sides agree from {after} on and differ by up to {pair.before:.3g} in all "
        f"tensors before it, up to {before}: they part on the way back through {where}; to align "
        f"them, {hint}"
    )
    return Cause(f"way back through {where}", gap, text)


def _one_tensor(pair: Pair) -> Cause | None:
    """A single tensor differs, in a way that has no name."""
    if len(pair.parted) != 1 or len(pair.telling) < 2:
        return None
    name = pair.parted[0]
    off = np.abs(pair.a[name] - pair.b[name])
    many = int((off > pair.allowed).sum())
    text = (
        f"gradients: only {name} differs, by up to {off.max():.3g} in {many} of {off.size} "
        "elements; to align them, look for a hook, a constraint or an own rule on this tensor"
    )
    return Cause("one gradient off", pair.gap({name: pair.b[name]}), text)


LOOKS: tuple[Callable[[Pair], Cause | None], ...] = (
    scaling.by_one_factor,
    _penalty,
    scaling.by_value,
    _frozen,
    scaling.by_tensor,
    scaling.masked,
    _backward,
    _one_tensor,
)
"""From what fits everywhere to what is only located."""
