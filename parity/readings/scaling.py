"""Gradients of one side that are the other's times a factor, or clipped (NumPy)."""

from collections.abc import Iterator

import numpy as np

from parity.arrays import Floats
from parity.readings.cause import listed
from parity.readings.change import Change, Tensors, factor, flat
from parity.readings.precisions import PRECISIONS
from parity.readings.readings import Reading
from parity.readings.rounding import magnitude, worst

SAME_FACTOR = 1e-5
"""Relative difference of two factors, or of a norm from a round one, that are still the same.

Clipping by norm divides by the norm plus 1e-6.
"""
SUMMED = 4
"""Units of the last place, of the largest gradient, by which a coarser precision may be off."""
CLIPPING = "give both the same clipping: "
SIGN, GLOBAL, SCALED = "sign of the gradients", "global norm clipped", "gradients scaled"
SIGNS, CENTRED = "signs of the gradients", "centred gradients"
NORMALISED, ROUNDED = "normalised gradients", "rounded gradients"
VALUE, TENSOR_NORM, TENSOR = "clipped by value", "clipped by tensor norm", "scaled by tensor"
DROPPED, FROZEN = "dropout in the gradients", "frozen weight"
BLANK = "row without a gradient"
ADVICE = {
    SIGN: "minimise on both sides",
    GLOBAL: f"{CLIPPING}gradient_clip_val in Lightning, global_clipnorm in Keras",
    SCALED: (
        "look for a loss that is summed (reduction='mean' in torch), scaled (GradScaler.unscale_) "
        "or divided, or for clipping of the global norm"
    ),
    SIGNS: "give the gradients themselves to the optimiser, on both sides or neither",
    NORMALISED: "divide each gradient by its norm on both sides or neither",
    ROUNDED: "keep the network's precision on the way back",
    CENTRED: "centre the gradients on both sides or neither",
    VALUE: "clip on both sides or neither: clipvalue in Keras, clip_grad_value_ in torch",
    TENSOR_NORM: (
        f"{CLIPPING}clipnorm in Keras clips each tensor, clip_grad_norm_ in torch all together"
    ),
    TENSOR: (
        "look for what multiplies these gradients: a hook, a rate of its own, a mean in place of a "
        "sum"
    ),
    DROPPED: "switch dropout off or to the same mask on both sides",
    BLANK: "give nn.Embedding padding_idx= on both sides or neither; Keras has none",
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
    size = max(abs(figure), 1 / abs(figure))
    norms = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    clipped = figure > 0 and not near(size, round(size)) and round_number(min(norms))
    if near(figure, -1):
        trait, what = SIGN, "has gradients of the other sign"
    elif clipped and figure < 1:
        trait, what = GLOBAL, f"brings the global norm to {clipped:g}, as clipping does"
    elif figure > 1 and near(norms[1], 1):
        trait, what = NORMALISED, "divides its gradients by their global norm"
    elif abs(figure) > 1 and not clipped and not near(norms[0], 1):
        summed = ", as where the loss is summed over the batch" * near(size, change.batch_size)
        trait, what = SCALED, f"has larger gradients{summed}"
    else:
        return  # A is the odd side
    yield Reading({trait: f"{what}: all are {figure:.6g} times as large"}, figure * a)


def signs(change: Change) -> Iterator[Reading]:
    """B takes the signs of its gradients."""
    words = "takes the signs of its gradients"
    yield change.reading(SIGNS, words, {name: np.sign(g) for name, g in change.a.items()})


def centred(change: Change) -> Iterator[Reading]:
    """B takes the mean over the inputs from the gradients of its matrices (Yong et al. 2020)."""
    names = [name for name, gradient in change.a.items() if gradient.ndim > 1]
    words = f"takes the mean over the inputs from the gradients of {listed(names)}"
    less = {n: change.a[n] - change.a[n].mean(axis=0, keepdims=True) for n in names}
    yield change.reading(CENTRED, words, less)


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
    alike = all(near(norms[name], limit) and factors[name] > 0 for name in parted)
    clipped = all(factors[name] < 1 for name in parted)
    if not alike or (len(parted) == 1 and not round_number(limit)):
        return
    scaled = _scaled(change, factors, parted)
    if clipped and all(norm <= limit * (1 + SAME_FACTOR) for norm in norms.values()):
        words = f"clips the norm of {listed(parted)} to {limit:.4g}, each on its own"
        yield change.reading(TENSOR_NORM, words, scaled)
    elif len(parted) > 1:
        words = f"divides {listed(parted)} by their norms: all are {limit:.4g}"
        yield change.reading(NORMALISED, words, scaled)


def rounded(change: Change) -> Iterator[Reading]:
    """B's gradients are all numbers of a coarser precision, and A's but for its rounding."""
    for precision, kind in PRECISIONS.items():
        coarse = all(np.array_equal(kind.round(g), g) for g in change.b.values())
        allowed = SUMMED * kind.epsilon * magnitude(*change.b.values())
        near_enough = worst(flat(change.a), flat(change.b)) <= allowed
        if coarse and near_enough:
            words = f"computes its gradients in {precision}, as the numbers show"
            yield change.reading(ROUNDED, words, change.b)


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


def blank(change: Change) -> Iterator[Reading]:
    """One row of each embedding that differs is zero on B's side."""
    instead, said = {}, []
    for name in change.parted:
        a, b = change.a[name], change.b[name]
        rows = np.unique(np.nonzero(np.abs(a - b) > change.allowed)[0])
        if not name.startswith("embedding") or len(rows) != 1 or magnitude(b[rows]):
            return
        instead[name] = b
        said.append(f"row {rows[0]} of {name}")
    yield change.reading(BLANK, f"gives no gradient to {listed(said)}", instead)


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
