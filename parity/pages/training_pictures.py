"""The pictures of a training's page; None where there is nothing to draw."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from parity.pages.figures import COLORS, INK, canvas, png

Array = NDArray[Any]
IMAGES, LINES, BARS = 12, 6, 40
"""Samples and bars in one picture, at most."""
WIDE = (7.0, 3.0)


def draw_fed(fed: Array | None, pictured: bool) -> bytes | None:
    """Samples as the first layer is fed them: images, curves, or the range of each feature."""
    if fed is None or fed.dtype.kind not in "iufb" or fed.ndim < 2 or not np.isfinite(fed).any():
        return None
    if pictured and (images := _images(fed)) is not None:
        return _gallery(images)
    if fed.ndim == 3 and fed.shape[1] > 1:
        return _curves(fed)
    return _ranges(fed) if fed.ndim == 2 else None


def _images(fed: Array) -> Array | None:
    """[N, H, W] or [N, H, W, 3]; None where they are of another shape."""
    values = fed.astype(np.float64)
    if values.ndim == 2:
        side = round(values.shape[1] ** 0.5)
        return values.reshape(-1, side, side) if side * side == values.shape[1] else None
    if values.ndim == 4:
        values = values if values.shape[3] == 3 else values[..., 0]
    return values if values.ndim in (3, 4) else None


def _gallery(images: Array) -> bytes:
    """Black is the lowest value of all, white the highest."""
    count = min(IMAGES, len(images))
    figure = Figure(figsize=(1.1 * min(count, 6), 1.1 * -(-count // 6)), layout="constrained")
    grid: list[Axes] = list(figure.subplots(-(-count // 6), min(count, 6), squeeze=False).flat)
    low, high = float(np.nanmin(images)), float(np.nanmax(images))
    for axes in grid:
        axes.set_axis_off()
    for number, axes in enumerate(grid[:count]):
        shown = images[number]
        if shown.ndim == 3:
            axes.imshow(((shown - low) / ((high - low) or 1)).clip(0, 1))
        else:
            axes.imshow(shown, cmap="gray", vmin=low, vmax=high)
    return png(figure)


def _curves(fed: Array) -> bytes:
    figure, axes = canvas(WIDE)
    for number, sample in enumerate(fed[:LINES, :, 0]):
        axes.plot(sample, color=COLORS[0], alpha=0.9 - 0.1 * number)
    axes.set(xlabel="step of the sequence", ylabel="first feature")
    return png(figure)


def _ranges(fed: Array) -> bytes:
    figure, axes = canvas(WIDE)
    values = fed[:, :BARS].astype(np.float64)
    places, mean, deviation = np.arange(values.shape[1]), values.mean(axis=0), values.std(axis=0)
    axes.vlines(
        places, values.min(axis=0), values.max(axis=0), color=INK, label="lowest to highest"
    )
    axes.errorbar(places, mean, deviation, fmt="o", color=COLORS[0], label="mean and deviation")
    axes.set(xlabel="feature", ylabel="value")
    return png(figure, axes)


def draw_targets(targets: Array | None, labels: Array | None) -> bytes | None:
    """How frequent each class is, or how numbers are spread."""
    figure, axes = canvas(WIDE)
    if labels is not None and len(labels):
        names, counts = np.unique(labels, return_counts=True)
        axes.bar([str(name) for name in names[:BARS]], counts[:BARS], color=COLORS[0])
        axes.set(xlabel="class", ylabel="samples")
        return png(figure)
    if targets is None or targets.dtype.kind not in "iufb":
        return None
    values = targets.astype(np.float64).ravel()
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    axes.hist(values, bins=30, color=COLORS[0])
    axes.set(xlabel="target", ylabel="how often")
    return png(figure)


def draw_answers(
    steps: Sequence[int], shares: Sequence[Sequence[float]], quantiles: Sequence[Sequence[float]]
) -> bytes | None:
    """Share of each class among the answers at each look, or the range of the answers."""
    places = range(len(steps))
    if len(steps) < 2 or not (shares or quantiles):
        return None
    figure, axes = canvas(WIDE)
    if shares:
        values = 100 * np.array(shares).T
        cycle = ("#3b82c4", "#e07b2e", "#4c9f70", "#b05cc6", "#c9a227", "#d1495b", "#5aa9b8")
        colors = [cycle[n % len(cycle)] for n in range(len(values))]
        axes.stackplot(places, values, colors=colors, alpha=0.85, edgecolor="white", linewidth=0.4)
        for name, band, top in zip(range(len(values)), values, values.cumsum(axis=0), strict=True):
            widest = int(band.argmax())
            if band[-1] >= 4:
                end = (places[-1] + 0.05, top[-1] - band[-1] / 2)
                axes.annotate(str(name), end, color=INK, va="center", size=8, annotation_clip=False)
            elif band[widest] >= 15:
                place = (min(max(widest, 0.1), places[-1] - 0.1), top[widest] - band[widest] / 2)
                axes.annotate(str(name), place, color="white", ha="center", va="center", size=9)
        axes.set(ylabel="share of the answers, %", ylim=(0, 100))
    else:
        low, lower, middle, upper, high = np.array(quantiles, float).T
        axes.fill_between(places, low, high, color=COLORS[0], alpha=0.2, label="all answers")
        axes.fill_between(places, lower, upper, color=COLORS[0], alpha=0.4, label="8 of 10")
        axes.plot(places, middle, color=COLORS[0], label="median")
        axes.set(ylabel="answer")
    _steps(axes, steps)
    return png(figure, *([] if shares else [axes]))


def _steps(axes: Axes, steps: Sequence[int]) -> None:
    """Name the looks by their steps."""
    every = max(1, len(steps) // 12)
    axes.set_xticks(range(0, len(steps), every), [f"{step:,}" for step in steps[::every]])
    axes.set(xlabel="step", xlim=(0, len(steps) - 1))


def draw_losses(
    steps: Sequence[int], losses: Sequence[float | None], blind: float | None
) -> bytes | None:
    """The crossentropy at each look, and that of knowing nothing."""
    values = np.array([np.nan if loss is None else loss for loss in losses], float)
    if len(values) < 2 or not np.isfinite(values).any():
        return None
    figure, axes = canvas(WIDE)
    axes.plot(values, "o-", color=COLORS[0], label="the network")
    if blind:
        axes.axhline(blind, color=COLORS[1], label="knowing only how frequent classes are")
    axes.set(ylabel="loss, nats")
    _steps(axes, steps)
    return png(figure, axes)


def draw_dead(steps: Sequence[int], dead: dict[str, list[float]]) -> bytes | None:
    """Share of the ReLU units that are 0 for every sample, by layer."""
    if len(steps) < 2 or not dead:
        return None
    figure, axes = canvas(WIDE)
    for number, (name, values) in enumerate(list(dead.items())[:BARS]):
        style = ("-", "--", ":", "-.")[number // 2 % 4]
        axes.plot(100 * np.array(values), style, color=COLORS[number % 2], label=f"after {name}")
    axes.set(ylabel="dead units, %", ylim=(-3, 103))
    _steps(axes, steps)
    return png(figure, *([axes] if len(dead) <= 8 else []))


def _plain(value: float, place: float) -> str:
    return f"{value:g}"


def _narrow(found: Sequence[tuple[str, float]]) -> bool:
    """Whether all lie within a power of ten, so that its ends may not be in the picture."""
    values = [value for _, value in found]
    return max(values) < 10 * min(values)


def draw_spread(spread: Sequence[tuple[str, float]]) -> bytes | None:
    """What differs between samples behind each layer, before the first step."""
    found = [(kind, value) for kind, value in spread if value > 0 and np.isfinite(value)][:BARS]
    if len(found) < 2:
        return None
    figure, axes = canvas(WIDE)
    places = range(len(found))
    axes.bar(places, [value for _, value in found], color=COLORS[0])
    axes.set(yscale="log", ylabel="deviation between samples")
    axes.tick_params(which="both", colors=INK)
    axes.yaxis.set_major_formatter(_plain)
    axes.yaxis.set_minor_formatter(_plain if _narrow(found) else "")
    axes.set_xticks(places, [kind.replace("_", " ") for kind, _ in found], rotation=40, ha="right")
    return png(figure)
