"""What a layer norm does: over which axes, with which epsilon, scale and offset or not."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from parity.arrays import Array, Floats
from parity.readings.batch_norm import EPSILONS, PARTS
from parity.readings.case import Case
from parity.readings.readings import Reading, Readings

EPSILON, AXES, CENTRE = "layer-norm epsilon", "layer-norm axes", "layer-norm mean"
VARIANCE = "layer-norm variance"
GROUP_EPSILON, GROUPS = "group-norm epsilon", "groups"
SCALE, OFFSET = "layer-norm scale", "layer-norm offset"
ADVICE = {
    EPSILON: (
        "give both the same: nn.LayerNorm(n, eps=1e-3) as Keras has, or "
        "keras.layers.LayerNormalization(epsilon=1e-5) as torch has"
    ),
    AXES: "normalise over the same axes: normalized_shape (torch), axis (Keras)",
    CENTRE: "take a layer norm or an RMS norm on both sides: the latter leaves the mean",
    VARIANCE: (
        "divide by n, and add epsilon below the root: var(-1, unbiased=False) in place of std(-1), "
        "which divides by n - 1"
    ),
    GROUP_EPSILON: "give both the same: eps=1e-3 in torch as Keras has, or epsilon=1e-5 in Keras",
    GROUPS: "normalise over the same groups of channels, num_groups in torch and groups in Keras",
    SCALE: "give both a scale",
    OFFSET: "give both an offset",
}
GROUPED = ("group_norm", "instance_norm")
NORMS = ("layer_norm", "rms_norm")
"""How such layers begin: Ba et al. 2016, and Zhang and Sennrich 2019 that leave the mean."""


def readings(case: Case, x: Floats) -> tuple[Readings, float] | None:
    """What the layer may make of `x`, float64 [B, ..., C], and its magnitude; None for others."""
    centres = case.where.startswith("layer_norm"), False
    if not case.where.startswith(NORMS) or x.shape != case.a[case.where].shape:
        return None
    scale, offset = _learned(case)
    kinds = {"the last axis": (x.ndim - 1,), "all axes but the first": tuple(range(1, x.ndim))}
    kinds |= {f"axis {axis}": (axis,) for axis in range(1, x.ndim - 1)}

    def of(seen: Array) -> Iterator[Reading]:
        for hand, centre, (words, axes), scaled, moved in product(
            _HABITS, dict.fromkeys(centres), kinds.items(), (True, False), (True, False)
        ):
            sample, outside = hand
            of_what = "deviation" if outside else "variance" if centre else "mean square"
            usual = centre and scaled and moved and axes == (x.ndim - 1,) and x.shape[-1] > 1
            if any(hand) and not usual:
                continue
            gamma, beta = (
                _along(axes, values, x) if used else neutral
                for values, used, neutral in ((scale, scaled, 1.0), (offset, moved, 0.0))
            )
            centred = x - x.mean(axis=axes, keepdims=True) if centre else x
            spread = (centred**2).mean(axis=axes, keepdims=True)
            spread = spread * x.shape[-1] / (x.shape[-1] - 1) if sample else spread
            for epsilon, values in _widened(centred * gamma, spread, beta, seen, outside=outside):
                traits = {
                    VARIANCE: "takes the sample's variance, over n - 1" if sample else "over n",
                    EPSILON: f"adds epsilon {epsilon:.4g} to the {of_what}",
                    AXES: f"normalises over {words}",
                    CENTRE: "takes out the mean" if centre else "leaves the mean",
                    SCALE: "applies the scale" if scaled else "leaves out the scale",
                    OFFSET: "adds the offset" if moved else "leaves out the offset",
                }
                yield Reading(traits, values)

    return of, float(np.abs(scale).max() * 10 + np.abs(offset).max())


_HABITS = ((False, False), (True, True), (True, False), (False, True))
"""Whether it divides by the sample's deviation, and whether epsilon is added behind the root: the
usual first, then what people write themselves."""


def _widened(
    top: Floats, spread: Floats, offset: Floats | float, seen: Array, *, outside: bool = False
) -> Iterator[tuple[float, Floats]]:
    """Epsilons, the last as `seen` tells it, and what a norm of that `spread` gives with each."""
    spread = np.sqrt(spread) if outside else spread
    with np.errstate(all="ignore"):
        ratio = top / (seen - offset)
    for epsilon in (*EPSILONS, _solved(ratio if outside else ratio**2, spread, seen - offset)):
        if np.isfinite(epsilon) and epsilon >= 0:
            with np.errstate(all="ignore"):
                divisor = spread + epsilon if outside else np.sqrt(spread + epsilon)
                values = top / divisor + offset
            yield epsilon, values


def _along(axes: tuple[int, ...], values: Floats, x: Floats) -> Floats:
    """What is learned of an axis, to be multiplied: it lies along the one that is normalised."""
    if len(axes) > 1 or values.size != x.shape[axes[0]]:
        return values
    return values.reshape(-1, *[1] * (x.ndim - 1 - axes[0]))


def grouped(case: Case, x: Floats) -> tuple[Readings, float] | None:
    """What a group norm may make of `x`, float64 [B, ..., C], and its magnitude; None for others.

    Each group of neighbouring channels is normalised by itself (Wu and He 2018).
    """
    if not case.where.startswith(GROUPED) or x.shape != case.a[case.where].shape:
        return None
    scale, offset = _learned(case)
    channels = x.shape[-1]

    def of(seen: Array) -> Iterator[Reading]:
        ways: list[tuple[str, Floats, tuple[int, ...]]]
        ways = [("each channel of the whole batch", x.reshape(-1, channels), (0,))]
        for groups in (n for n in range(1, channels + 1) if channels % n == 0):
            cut = x.reshape(len(x), -1, groups, channels // groups)
            ways.append((f"{groups} groups of channels", cut, (1, 3)))
        for words, cut, axes in ways:
            centred = (cut - cut.mean(axis=axes, keepdims=True)).reshape(x.shape)
            variance = np.broadcast_to(cut.var(axis=axes, keepdims=True), cut.shape)
            variance = variance.reshape(x.shape)
            for epsilon, values in _widened(centred * scale, variance, offset, seen):
                traits = {
                    GROUPS: f"normalises over {words}",
                    GROUP_EPSILON: f"adds epsilon {epsilon:.4g} to the variance",
                }
                yield Reading(traits, values)

    return of, float(np.abs(scale).max() * 10 + np.abs(offset).max())


def _learned(case: Case) -> tuple[Floats, Floats]:
    """Scale and offset of the layer, [C]."""
    own = {
        part: np.asarray(case.given[f"{case.where}.{word}"], np.float64)
        for part in ("scale", "offset")
        for word in PARTS[part]
        if f"{case.where}.{word}" in case.given
    }
    return own.get("scale", np.ones(1)), own.get("offset", np.zeros(1))


def _solved(widened: Floats, spread: Floats, seen: Array) -> float:
    """The epsilon that makes `spread` what was divided by, of elements [...] that say much."""
    with np.errstate(all="ignore"):
        added = widened - spread
    sound = np.isfinite(added) & (np.abs(seen) > 0.1 * np.abs(seen).max())
    return float(f"{np.median(added[sound]):.6g}") if sound.any() else float("nan")
