"""What convolutions and pooling do: padding, strides, kernels, what a window is reduced to."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from parity.arrays import Array, Floats
from parity.readings.activations import activations
from parity.readings.case import Case
from parity.readings.readings import Reading, Readings
from parity.readings.rounding import noise, worst

PADDING, STRIDE, BIAS, KERNEL = "padding", "stride", "bias not added", "kernel's places"
DILATION, POOLING, WINDOW, ACTIVATION = "dilation", "kind of pooling", "window", "activation"
ADVICE = {
    PADDING: (
        "pad alike: with a stride, Keras' padding='same' puts the surplus behind; in torch pad "
        "first, F.pad(x, (before, behind, before, behind)), and give padding=0"
    ),
    STRIDE: "give both the same strides",
    KERNEL: "turn it on one side: Keras keeps [height, width, in, out], torch [out, in, h, w]",
    DILATION: "give both the same dilation",
    POOLING: "take MaxPool2d with MaxPooling2D, AvgPool2d with AveragePooling2D",
    WINDOW: "give both the same pool size",
}
STRIDES, DILATIONS, MOST_SAMPLES = (1, 2, 3, 4), (1, 2), 4
Fill = dict[str, Any]
EDGES: dict[str, Fill] = {
    "": {"constant_values": 0.0},
    " with what is mirrored there": {"mode": "reflect"},
    " with copies of the edge": {"mode": "edge"},
    " with the other edge": {"mode": "wrap"},
}
"""What is padded with, in words and NumPy's; zeros go without saying."""


def convolution(case: Case, x: Floats) -> tuple[Readings, float] | None:
    """What a convolution may make of `x`, and the magnitude of what it sums; None for others.

    Args:
        case: Of a layer; `given` has its ``kernel`` [H, W, I / groups, O], or without H; of a
            depthwise one [H, W, I, multiplier].
        x: Input, float64 [B, H, W, I] or [B, W, I].
    """
    kernel = case.given.get(f"{case.where}.kernel")
    if kernel is None or x.ndim not in (3, 4) or kernel.ndim != x.ndim or "transpose" in case.where:
        return None
    kernel = np.asarray(kernel, np.float64)
    if case.where.startswith("depthwise"):
        kernel = kernel.reshape(*kernel.shape[:-2], 1, -1)
    groups = x.shape[-1] // kernel.shape[-2]
    if groups * kernel.shape[-2] != x.shape[-1] or kernel.shape[-1] % groups:
        return None
    bias = np.asarray(case.given.get(f"{case.where}.bias", np.zeros(1)), np.float64)
    size = float(np.abs(x).max() * np.abs(kernel).sum(axis=tuple(range(x.ndim - 1))).max())

    def plain(seen: Array) -> Iterator[tuple[dict[str, str], Floats]]:
        for (words, fill), (way, held) in product(EDGES.items(), turned(kernel)):
            for traits, windows in _windows(x, held.shape[:-2], seen.shape[1:-1], fill, words):
                made = _product(windows, held, groups)
                said = {**traits, KERNEL: way}
                yield said | {BIAS: "adds the bias"}, made + bias
                yield said | {BIAS: "leaves out the bias"}, made

    def of(seen: Array) -> Iterator[Reading]:
        allowed, told = noise(seen, scale=size), False
        for said, values in plain(seen):
            told = told or worst(seen, values) <= allowed
            yield Reading(said | {ACTIVATION: "no activation"}, values)
        if told:
            return
        for said, values in plain(seen):
            if values.shape == seen.shape:
                for name, applied in activations(values, seen):
                    yield Reading(said | {ACTIVATION: f"applies {name}"}, applied)

    return of, size + float(np.abs(bias).max())


def _product(windows: Floats, kernel: Floats, groups: int) -> Floats:
    """Windows [B, places, I, sizes] times a kernel [sizes, I / groups, O]: [B, places, O]."""
    axes = kernel.ndim - 2
    where = windows.shape[: -axes - 1]
    terms = windows.reshape(int(np.prod(where)), groups, -1).swapaxes(0, 1)
    held = np.moveaxis(kernel, -2, 0).reshape(terms.shape[-1], groups, -1).swapaxes(0, 1)
    made: Floats = (terms @ held).swapaxes(0, 1).reshape(*where, -1)
    return made


def turned(kernel: Floats) -> Iterator[tuple[str, Floats]]:
    """A kernel and what it becomes where its places are mistaken."""
    yield "takes its kernel upright", kernel
    places = tuple(range(kernel.ndim - 2))
    if kernel.ndim == 4 and kernel.shape[0] == kernel.shape[1]:
        yield "swaps height and width of its kernel", kernel.swapaxes(0, 1)
    yield "takes its kernel from behind", np.flip(kernel, places)


def pooling(case: Case, x: Floats) -> tuple[Readings, float] | None:
    """What a pooling layer may make of `x`, float64 [B, H, W, C] or [B, W, C]; None for others."""
    if "pool" not in case.where or x.ndim not in (3, 4):
        return None

    def of(seen: Array) -> Iterator[Reading]:
        places = tuple(range(1, x.ndim - 1))
        if seen.size == len(x) * x.shape[-1] and seen.shape[-1] == x.shape[-1]:
            whole = {"largest": x.max(axis=places), "mean": x.mean(axis=places)}
            for word, values in whole.items():
                said = {POOLING: f"takes the {word}", WINDOW: "of all places"}
                yield Reading(said, values.reshape(seen.shape))
        for width in (2, 3, 4, 5):
            sizes = (width,) * len(places)
            if seen.ndim != x.ndim or max(sizes) > min(x.shape[1:-1]) + width // 2:
                continue
            for word, fill, reduce in _REDUCTIONS:
                for traits, windows in _windows(
                    x, sizes, seen.shape[1:-1], {"constant_values": fill}
                ):
                    said = {**traits, POOLING: f"takes the {word}", WINDOW: f"of {width} x {width}"}
                    axes = tuple(range(-len(sizes), 0))
                    yield Reading(said, reduce(windows, axes))

    return of, float(np.abs(x).max())


def _present(windows: Floats, axes: tuple[int, ...]) -> Floats:
    return np.asarray(np.nanmean(windows, axis=axes))


_REDUCTIONS: tuple[tuple[str, float, Callable[[Floats, tuple[int, ...]], Floats]], ...] = (
    ("largest", -np.inf, lambda windows, axes: np.asarray(windows.max(axis=axes))),
    ("mean without what is padded", np.nan, _present),
    ("mean with zeros for what is padded", 0.0, lambda w, axes: np.asarray(w.mean(axis=axes))),
)


def _windows(
    x: Floats,
    sizes: tuple[int, ...],
    places: tuple[int, ...],
    fill: Fill,
    words: str = "",
) -> Iterator[tuple[dict[str, str], Floats]]:
    """Windows [B, places, C, sizes] of `x` for each padding and stride that give so many places."""
    if len(places) != len(sizes):
        return
    axes = tuple(range(1, x.ndim - 1))
    for steps, dilation, pads in _moves(x.shape[1:-1], sizes, places):
        widest = max(max(pair) for pair in pads)
        if words and not 0 < widest < min(x.shape[1:-1]):
            continue
        around = np.pad(x, [(0, 0), *pads, (0, 0)], **fill)
        widths = [dilation * (size - 1) + 1 for size in sizes]
        windows = sliding_window_view(around, widths, axis=axes)
        every = (slice(None), *(slice(None, None, step) for step in steps), slice(None))
        picked = windows[every + (slice(None, None, dilation),) * len(sizes)]
        padded = dict.fromkeys(f"{before} before and {behind} behind" for before, behind in pads)
        moved = steps if len(set(steps)) > 1 else steps[:1]
        traits = {
            PADDING: f"pads {', along the next axis '.join(padded)}{words}",
            STRIDE: f"moves by {' x '.join(map(str, moved))}",
            DILATION: f"takes every {dilation}. place" if dilation > 1 else "takes every place",
        }
        yield traits, picked


Moves = tuple[tuple[int, ...], int, tuple[tuple[int, int], ...]]
"""Strides by axis, the dilation, and what is padded before and behind by axis."""


def _moves(
    around: tuple[int, ...], sizes: tuple[int, ...], places: tuple[int, ...]
) -> Iterator[Moves]:
    """Those that give so many places: first those that are the same along all axes."""
    for stride, dilation in product(STRIDES, DILATIONS):
        reach = dilation * (max(sizes) - 1) + 1
        padded = [(before, behind) for before in range(reach) for behind in range(reach)]
        for pad in sorted(padded, key=lambda pad: (abs(pad[1] - pad[0]), sum(pad))):
            ways = zip(around, sizes, places, strict=True)
            if all(_places(n, size, stride, dilation, pad) == count for n, size, count in ways):
                yield (stride,) * len(sizes), dilation, (pad,) * len(sizes)
    for dilation in DILATIONS:
        each = [
            [
                (stride, pad)
                for stride, pad in product(STRIDES, _usual(size, dilation))
                if _places(n, size, stride, dilation, pad) == count
            ]
            for n, size, count in zip(around, sizes, places, strict=True)
        ]
        for chosen in product(*each):
            steps, pads = zip(*chosen, strict=True)
            if len(set(chosen)) > 1:
                yield steps, dilation, pads


def _places(n: int, size: int, stride: int, dilation: int, pad: tuple[int, int]) -> int:
    """Places of a window along an axis of `n`; 0 where it does not fit."""
    return max(0, (n + sum(pad) - dilation * (size - 1) - 1) // stride + 1)


def _usual(size: int, dilation: int) -> list[tuple[int, int]]:
    """What is padded for a window by itself: nothing, or as much as keeps the places."""
    whole = dilation * (size - 1)
    return list(dict.fromkeys([(0, 0), (whole // 2, whole - whole // 2), (whole // 2, whole // 2)]))
