"""Gradients of one side that are the other's times a factor, or clipped (NumPy)."""

from collections.abc import Iterator
from math import log2

import numpy as np

from parity.arrays import Floats
from parity.readings.change import Change, Tensors, factor, flat, listed
from parity.readings.readings import Reading
from parity.readings.rounding import magnitude, worst

SAME_FACTOR = 1e-5
"""Relative difference of two factors, or of a norm from a round one, that are still the same.

Clipping by norm divides by the norm plus 1e-6.
"""
CLIPPING = "give both the same clipping: "
SIGN, SUM, CLASSES = "sign of the gradients", "loss sum against mean", "loss averaged over classes"
GLOBAL, SCALED, UNCLEAR = "global norm clipped", "loss scaled", "gradients scaled"
VALUE, TENSOR_NORM, TENSOR = "clipped by value", "clipped by tensor norm", "scaled by tensor"
DROPPED, FROZEN = "dropout in the gradients", "frozen weight"
ADVICE = {
    SIGN: "minimise on both sides",
    SUM: "take the mean: reduction='mean' in torch",
    CLASSES: "divide the loss by the batch size only",
    GLOBAL: f"{CLIPPING}gradient_clip_val in Lightning, global_clipnorm in Keras",
    SCALED: "undo the scaling before the step: GradScaler.unscale_, loss / n",
    UNCLEAR: "look for a scaled loss, or for clipping of the global norm",
    VALUE: "clip on both sides or neither: clipvalue in Keras, clip_grad_value_ in torch",
    TENSOR_NORM: (
        f"{CLIPPING}clipnorm in Keras clips each tensor, clip_grad_norm_ in torch all together"
    ),
    TENSOR: (
        "look for what multiplies these gradients: a hook, a rate of its own, a mean in place of a "
        "sum"
    ),
    DROPPED: "switch dropout off or to the same mask on both sides",
    FROZEN: (
        "train these tensors on both sides: requires_grad and no detach() in torch, trainable and "
        "no stop_gradient in Keras"
    ),
}
"""Name of a cause -> how to align the sides."""


def by_one_factor(change: Change) -> Iterator[Reading]:
    """Every tensor is the same number of times larger, where B is the odd side."""
    a, b = flat(change.a), flat(change.b)
    figure = factor(a, b)
    if figure == 0 or not change.telling:
        return
    trait, odd, what = _meaning(figure, change)
    if odd:
        words = f"{what}: all its gradients are {figure:.6g} times as large"
        yield Reading({trait: words}, figure * a)


def _meaning(figure: float, change: Change) -> tuple[str, bool, str]:
    """Name of a factor between all gradients, whether B is the odd side, and what it does."""
    size = max(abs(figure), 1 / abs(figure))
    larger = abs(figure) > 1
    classes = np.atleast_1d(list(change.a.values())[-1]).shape[-1]
    if near(figure, -1):
        return SIGN, True, "has gradients of the other sign"
    if near(size, change.batch_size):
        return SUM, larger, "sums the loss over the batch"
    norm = min(float(np.linalg.norm(flat(side))) for side in (change.a, change.b))
    if figure > 0 and not near(size, round(size)) and (limit := round_number(norm)):
        return GLOBAL, not larger, f"clips the global norm to {limit:g}"
    if near(size, classes):
        return CLASSES, not larger, "takes the loss's mean over the classes too"
    if near(size, round(size)) or near(log2(size), round(log2(size))) or round_number(1 / size):
        return SCALED, larger, "scales its loss, or the other side divides it"
    return (
        UNCLEAR,
        larger,
        f"scales its loss, or the other side clips the global norm to {norm:.6g}",
    )


def near(x: float, y: float) -> bool:
    """Whether two figures are the same."""
    return abs(x - y) <= SAME_FACTOR * abs(y)


def round_number(x: float) -> float | None:
    """The number of two digits that `x` is, if it is one."""
    nearest = float(f"{x:.1e}")
    return nearest if nearest > 0 and near(x, nearest) else None


def by_value(change: Change) -> Iterator[Reading]:
    """B clips every element to the same range."""
    limit = magnitude(*change.b.values())
    if not 0 < limit < magnitude(*change.a.values()):
        return
    many = sum(int((np.abs(tensor) > limit).sum()) for tensor in change.a.values())
    words = f"clips each element to +-{limit:.4g}, {many} of them"
    clipped = {name: np.clip(tensor, -limit, limit) for name, tensor in change.a.items()}
    yield change.reading(VALUE, words, clipped)


def frozen(change: Change) -> Iterator[Reading]:
    """Tensors of which B's gradient is zero."""
    if change.parted and all(magnitude(change.b[name]) == 0 for name in change.parted):
        words = f"has gradients of zero for {listed(change.parted)}"
        yield change.reading(FROZEN, words, {name: change.b[name] for name in change.parted})


def by_tensor_norm(change: Change) -> Iterator[Reading]:
    """B clips the norm of each tensor on its own."""
    factors = _factors(change)
    parted = [name for name in change.parted if name in factors]
    norms = {name: float(np.linalg.norm(change.b[name])) for name in factors}
    if not parted:
        return
    limit = norms[parted[0]]
    alike = all(near(norms[name], limit) and 0 < factors[name] < 1 for name in parted)
    others = all(norms[name] <= limit * (1 + SAME_FACTOR) for name in norms)
    if alike and others and (len(parted) > 1 or round_number(limit)):
        words = f"clips the norm of {listed(parted)} to {limit:.4g}, each on its own"
        yield change.reading(TENSOR_NORM, words, _scaled(change, factors, parted))


def by_tensor(change: Change) -> Iterator[Reading]:
    """Tensors have factors of their own."""
    factors = _factors(change)
    parted = [name for name in change.parted if name in factors]
    if not parted or any(change.a[name].size < 2 or factors[name] == 0 for name in parted):
        return
    said = listed([f"{name} ({factors[name]:.6g} times)" for name in parted])
    words = f"scales {said}, and only these"
    yield change.reading(TENSOR, words, _scaled(change, factors, parted))


def _factors(change: Change) -> dict[str, float]:
    return {name: factor(change.a[name], change.b[name]) for name in change.telling}


def _scaled(change: Change, factors: dict[str, float], names: list[str]) -> Tensors:
    return {name: factors[name] * change.a[name] for name in names}


def masked(change: Change) -> Iterator[Reading]:
    """Whole columns or rows are zero on B's side, and the rest is the same but for a factor."""
    instead, said = {}, []
    for name in change.parted:
        found = _mask(change.a[name], change.b[name], change.allowed)
        if found is None:
            return
        instead[name], share = found
        said.append(f"{name} ({share:.0%})")
    words = f"has columns or rows of zeros where the other side has none, in {listed(said)}"
    yield change.reading(DROPPED, words, instead)


def _mask(a: Floats, b: Floats, allowed: float) -> tuple[Floats, float] | None:
    """What `a` becomes when the lines that are zero in `b` only are dropped, and their share."""
    for axis in range(a.ndim):
        rest = tuple(other for other in range(a.ndim) if other != axis)
        alive, kept = (np.abs(tensor).max(axis=rest, keepdims=True) > 0 for tensor in (a, b))
        dropped = alive & ~kept
        if not dropped.any() or not (alive & kept).any():
            continue
        left = np.where(dropped, 0.0, a)
        scaled = factor(left, b) * left
        if worst(scaled, b) <= allowed:
            return scaled, float(dropped.sum() / alive.sum())
    return None
