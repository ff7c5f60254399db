"""Gradients that differ by a factor, or are clipped on one side."""

import numpy as np

from parity.readings.cause import Cause
from parity.readings.gradient_pair import Pair, listed
from parity.readings.rounding import Floats, magnitude, worst

SAME_FACTOR = 1e-5
"""Relative difference of two factors, or of a norm from a round one, that are still the same.

Clipping by norm divides by the norm plus 1e-6.
"""


def by_one_factor(pair: Pair) -> Cause | None:
    """Every tensor is the same number of times larger."""
    if not pair.telling:
        return None
    factor = _factor(
        np.concatenate([pair.a[name].ravel() for name in pair.a]),
        np.concatenate([pair.b[name].ravel() for name in pair.a]),
    )
    gap = pair.gap({name: factor * tensor for name, tensor in pair.a.items()})
    if factor == 0 or not pair.closes(gap):
        return None
    name, meaning, advice = _meaning(factor, pair)
    text = (
        f"gradients: all of {pair.names[1]}'s are {factor:.6g} times {pair.names[0]}'s, "
        f"{meaning}; to align them, {advice}"
    )
    return Cause(name, gap, text)


def _factor(a: Floats, b: Floats) -> float:
    """Least squares of ``factor * a = b``; 0 where there is none."""
    power = float((a * a).sum())
    return float((a * b).sum()) / power if power > 0 else 0.0


def _meaning(factor: float, pair: Pair) -> tuple[str, str, str]:
    """Name, meaning and advice of a factor between all gradients."""
    size = max(abs(factor), 1 / abs(factor))
    classes = np.atleast_1d(list(pair.a.values())[-1]).shape[-1]
    larger = pair.names[1] if abs(factor) > 1 else pair.names[0]
    smaller = pair.names[0] if abs(factor) > 1 else pair.names[1]
    if _near(factor, -1):
        return "sign of the gradients", "that is of the other sign", "minimise on both sides"
    if _near(size, pair.batch_size):
        meaning = f"the batch size: {larger} sums the loss over the batch, {smaller} takes its mean"
        return "loss sum against mean", meaning, "take the mean: reduction='mean' in torch"
    norm = min(_norm(pair.a), _norm(pair.b))
    if factor > 0 and not _near(size, round(size)) and (round_norm := _round(norm)):
        meaning = f"as {smaller} clips the global norm to {round_norm:g}"
        return "global norm clipped", meaning, _CLIPPING
    if _near(size, classes):
        meaning = f"the number of classes: {smaller} takes the loss's mean over the classes too"
        return "loss averaged over classes", meaning, "divide the loss by the batch size only"
    meaning = f"as {larger} scales its loss or {smaller} divides it"
    return "loss scaled", meaning, "undo the scaling before the step: GradScaler.unscale_, loss / n"


_CLIPPING = "give both the same clipping: gradient_clip_val in Lightning, global_clipnorm in Keras"


def _norm(tensors: dict[str, Floats]) -> float:
    return float(np.sqrt(sum((tensor**2).sum() for tensor in tensors.values())))


def _near(x: float, y: float) -> bool:
    return abs(x - y) <= SAME_FACTOR * abs(y)


def _round(x: float) -> float | None:
    """The number of two digits that `x` is, if it is one."""
    nearest = float(f"{x:.1e}")
    return nearest if nearest > 0 and _near(x, nearest) else None


def by_tensor(pair: Pair) -> Cause | None:
    """Each tensor has a factor of its own: clipped by its norm where the norms come out alike."""
    factors = {name: _factor(pair.a[name], pair.b[name]) for name in pair.telling}
    parted = [name for name in pair.parted if name in factors]
    if not parted or any(pair.a[name].size < 2 or factors[name] == 0 for name in parted):
        return None
    gap = pair.gap({name: factors[name] * pair.a[name] for name in parted})
    if not pair.closes(gap):
        return None
    return _clipped_by_norm(pair, factors, parted, gap) or _scaled(pair, factors, parted, gap)


def _clipped_by_norm(
    pair: Pair, factors: dict[str, float], parted: list[str], gap: float
) -> Cause | None:
    if all(factors[name] > 1 for name in parted):
        pair, factors = pair.swapped, {name: 1 / factor for name, factor in factors.items()}
    norms = {name: float(np.linalg.norm(pair.b[name])) for name in factors}
    limit = norms[parted[0]]
    alike = all(_near(norms[name], limit) and 0 < factors[name] < 1 for name in parted)
    others = all(norms[name] <= limit * (1 + SAME_FACTOR) for name in norms)
    if not alike or not others or (len(parted) == 1 and _round(limit) is None):
        return None
    text = (
        f"gradients: {pair.names[1]} clips the norm of {listed(parted)} to {limit:.4g}, each on "
        f"its own, {pair.names[0]} does not; to align them, give both the same clipping: clipnorm "
        "in Keras clips each tensor, clip_grad_norm_ in torch all together"
    )
    return Cause("clipped by tensor norm", gap, text)


def _scaled(pair: Pair, factors: dict[str, float], parted: list[str], gap: float) -> Cause:
    by_how_much = listed([f"{name} ({factors[name]:.6g} times)" for name in parted])
    text = (
        f"gradients: {pair.names[1]}'s differ from {pair.names[0]}'s by a factor for each of "
        f"{by_how_much}, and only there; to align them, look for what multiplies these gradients: "
        "a hook, a rate of its own, a mean in place of a sum"
    )
    return Cause("scaled by tensor", gap, text)


def by_value(pair: Pair) -> Cause | None:
    """One side clips every element to the same range."""
    for clipped in (pair, pair.swapped):
        limit = magnitude(*clipped.b.values())
        if limit == 0 or limit >= magnitude(*clipped.a.values()):
            continue
        gap = clipped.gap({name: np.clip(t, -limit, limit) for name, t in clipped.a.items()})
        if not clipped.closes(gap):
            continue
        many = sum(int((np.abs(tensor) > limit).sum()) for tensor in clipped.a.values())
        text = (
            f"gradients: {clipped.names[1]} clips each element to +-{limit:.4g}, {many} of them, "
            f"{clipped.names[0]} does not; to align them, clip on both sides or neither: clipvalue "
            "in Keras, clip_grad_value_ in torch"
        )
        return Cause("clipped by value", gap, text)
    return None


def masked(pair: Pair) -> Cause | None:
    """Whole columns or rows are zero on one side, and the rest is the same but for a factor."""
    for side in (pair, pair.swapped):
        instead, said = {}, []
        for name in side.parted:
            found = _mask(side.a[name], side.b[name], side.allowed)
            if found is None:
                break
            instead[name], share = found
            said.append(f"{name} ({share:.0%})")
        gap = side.gap(instead)
        if not said or len(instead) < len(side.parted) or not side.closes(gap):
            continue
        text = (
            f"gradients: {side.names[1]} has columns or rows of zeros where {side.names[0]} has "
            f"none, in {listed(said)}; to align them, switch dropout off or to the same mask on "
            "both sides"
        )
        return Cause("dropout in the gradients", gap, text)
    return None


def _mask(a: Floats, b: Floats, allowed: float) -> tuple[Floats, float] | None:
    """What `a` becomes when the lines that are zero in `b` only are dropped, and their share."""
    for axis in range(a.ndim):
        rest = tuple(other for other in range(a.ndim) if other != axis)
        alive, kept = (np.abs(tensor).max(axis=rest, keepdims=True) > 0 for tensor in (a, b))
        dropped = alive & ~kept
        if not dropped.any() or not (alive & kept).any():
            continue
        left = np.where(dropped, 0.0, a)
        scaled = _factor(left, b) * left
        if worst(scaled, b) <= allowed:
            return scaled, float(dropped.sum() / alive.sum())
    return None
