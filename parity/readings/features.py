"""What sides make of features that are no grey levels: tables, tokens, images of floats (NumPy)."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from parity.arrays import Array, Floats
from parity.readings import up_sampling
from parity.readings.activations import FIXED, written
from parity.readings.case import Case
from parity.readings.cause import Cause
from parity.readings.readings import Reading, compare
from parity.readings.rounding import noise, worst
from parity.readings.rows import fit, line, normalised

ORDER, SCALE, OWN = "order of the features", "scale of the features", "standardisation of each one"
CLIPPED, FUNCTION, BATCH = "clipped features", "function of the features", "figures of the batch"
ROWS = "normalisation of each row"
ADVICE = {
    ORDER: "bring the axes and what is along them into one order: channels RGB or BGR, columns",
    SCALE: "scale and move the features alike, before both networks or in both",
    OWN: "standardise each by the same mean and deviation, those of the training data",
    CLIPPED: "clip on both sides or on neither",
    FUNCTION: "apply the same function on both sides",
    ROWS: "normalise each row on both sides or on neither",
    BATCH: "standardise by figures of the training data, not of whatever batch comes",
}
FEWEST = 4
"""Samples in which each feature must vary, for a line of its own to be told."""
MOST_COLUMNS = 256


def explain(case: Case, raw: Array, a: Array, b: Array) -> list[Cause]:
    """Name how either side's features come from the raw ones, and in what that differs.

    `raw`, [B, ...], is what both were given, `a` and `b`, of as many numbers, what their first
    layers are fed.
    """
    if a.size == b.size != raw.size and raw.ndim == a.ndim == b.ndim == 4:
        return _resized(case, raw, a, b)
    if not raw.size == a.size == b.size or raw.ndim < 2:
        return []
    x = np.asarray(raw, np.float64)
    sides = a.reshape(x.shape), b.reshape(x.shape)
    allowed = max(noise(side) for side in (x, a, b))

    def readings(seen: Array) -> Iterator[Reading]:
        return _readings(x, np.asarray(seen, np.float64))

    return compare("features", sides, readings, ADVICE, allowed, case.names)


def _resized(case: Case, raw: Array, a: Array, b: Array) -> list[Cause]:
    """The same of images [B, H, W, C], or with the channels first, brought to another size."""
    x = np.asarray(raw, np.float64)
    x = x if x.shape[-1] == a.shape[-1] else np.moveaxis(x, 1, -1)
    if a.shape != b.shape or x.shape[-1] != a.shape[-1]:
        return []
    allowed = max(noise(side) for side in (x, a, b))
    advice = {**ADVICE, **up_sampling.ADVICE}
    return compare("images", (a, b), partial(up_sampling.resized, x), advice, allowed, case.names)


def _readings(x: Floats, seen: Floats) -> Iterator[Reading]:
    for place, moved in _arranged(x, seen):
        usual = {ORDER: f"feeds them {place}"}
        words = f"feeds x {place}" if place != AS_THEY_ARE else "feeds x"
        yield Reading(usual | {SCALE: "as they are"}, moved, words)
        factor, offset = line(moved, seen)
        said = _line(factor, offset)
        yield Reading(usual | {SCALE: said}, factor * moved + offset, f"{words}, {said}")
        low, high = float(seen.min()), float(seen.max())
        for least, most in ((low, high), (low, np.inf), (-np.inf, high)):
            said = f"{words} clipped to {least:.6g} to {most:.6g}"
            yield Reading(usual | {CLIPPED: said}, np.clip(moved, least, most), said)
        yield from _functions(usual, words, moved)
        for name, rows in normalised(moved.reshape(len(x), -1), seen.reshape(len(x), -1)):
            said = f"{words}, {name} of each row"
            yield Reading(usual | {SCALE: "as they are", ROWS: said}, rows.reshape(x.shape), said)
        yield from _each(usual, words, moved, seen)


AS_THEY_ARE = "as they are"


def _line(factor: float, offset: float) -> str:
    if abs(factor - 1) < 1e-9:
        return f"{offset:+.6g}"
    return f"{written(factor)} times" + (f" {offset:+.6g}" if abs(offset) > 1e-9 else "")


def _arranged(x: Floats, seen: Floats) -> Iterator[tuple[str, Floats]]:
    """What stands where, the usual first."""
    yield AS_THEY_ARE, x
    for axis in range(1, x.ndim):
        what = f"with axis {axis} in reverse"
        if axis == x.ndim - 1 and x.ndim > 2:
            what = "with the channels in reverse"
        yield what, np.flip(x, axis)
        for step in (1, -1):
            yield f"with axis {axis} rolled by {step}", np.roll(x, step, axis)
    if x.ndim > 2 and x.shape[1] == x.shape[2]:
        yield "with axes 1 and 2 swapped", x.swapaxes(1, 2)
        yield "turned by a quarter", np.rot90(x, 1, (1, 2))
        yield "turned by three quarters", np.rot90(x, 3, (1, 2))
    if x.ndim > 2:
        turned = x.reshape(len(x), x.shape[-1], *x.shape[1:-1])
        yield "cut anew into channels, as by view or reshape", np.moveaxis(turned, 1, -1)
        yield "with its channels first, cut anew", np.moveaxis(x, -1, 1).reshape(x.shape)
    order = _order(x, seen)
    if order is not None:
        yield f"with the last axis in the order {', '.join(map(str, order[:6]))}", x[..., order]


def _order(x: Floats, seen: Floats) -> list[int] | None:
    """Of the last axis, where each of its columns is one of the raw ones."""
    columns, found = x.shape[-1], []
    if not 1 < columns <= MOST_COLUMNS:
        return None
    for place in range(columns):
        gaps = [worst(x[..., other], seen[..., place]) for other in range(columns)]
        nearest = int(np.argmin(gaps))
        if not gaps[nearest] <= noise(seen):
            return None
        found.append(nearest)
    return found if sorted(found) == [*range(columns)] and found != [*range(columns)] else None


def _functions(usual: dict[str, str], words: str, x: Floats) -> Iterator[Reading]:
    more: dict[str, Callable[[Floats], Floats]] = {
        "log(1 + x)": np.log1p, "log(x)": np.log, "square root": np.sqrt, "rounding": np.round,
        "rounding down": np.floor,
    }  # fmt: skip
    for name, function in {**FIXED, **more}.items():
        said = f"{words} through {name.partition(',')[0]}"
        yield Reading(usual | {FUNCTION: said}, np.asarray(function(x)), said)


def _each(usual: dict[str, str], words: str, x: Floats, seen: Floats) -> Iterator[Reading]:
    """Each feature, or each channel, by a line of its own."""
    kinds: dict[str, int | tuple[int, ...]] = {"feature": 0}
    if x.ndim > 2:
        kinds = {"channel": tuple(range(x.ndim - 1)), **kinds}
    for kind, axes in kinds.items():
        size = x.shape[0] if axes == 0 else x.size // x.shape[-1]
        if size < FEWEST:
            continue
        mean = x.mean(axis=axes, keepdims=True)
        for ddof, named in ((0, "deviation"), (1, "sample deviation")):
            spread = x.std(axis=axes, keepdims=True, ddof=ddof)
            said = f"{words}, each {kind} less the batch's mean and divided by its {named}"
            yield Reading(usual | {BATCH: said}, (x - mean) / np.where(spread > 0, spread, 1), said)
        rows = x if axes == 0 else x.reshape(-1, x.shape[-1])
        factor, offset = fit(rows, seen.reshape(rows.shape), 0)
        first = _line(float(factor.flat[0]), float(offset.flat[0]))
        said = f"{words}, each {kind} moved and scaled by figures of its own, the first {first}"
        yield Reading(usual | {OWN: said}, (factor * rows + offset).reshape(x.shape), said)
