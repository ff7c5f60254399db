"""The pictures of a report: PNG bytes that read well on a light and on a dark page."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from parity.judge import statistics
from parity.judge.outcome import Outcome
from parity.pages.figures import COLORS, INK, canvas, png, styled


def draw_accuracy(comparison: Outcome) -> bytes:
    """Each seed's accuracy with its Wilson interval, and each side's mean."""
    figure, axes = canvas((7, 3.2))
    images = comparison.evidence.images
    for number, side in enumerate((comparison.evidence.a, comparison.evidence.b)):
        assert side.accuracy is not None
        low, high = statistics.wilson_interval(side.accuracy * images, images)
        places = np.arange(len(side.runs)) + number * (len(side.runs) + 1)
        errors = 100 * np.stack([side.accuracy - low, high - side.accuracy]).clip(min=0)
        axes.errorbar(
            places, 100 * side.accuracy, errors, fmt="o", color=COLORS[number], capsize=3,
            label=f"{side.name}: mean {side.accuracy.mean():.2%}",
        )  # fmt: skip
        axes.hlines(
            100 * side.accuracy.mean(), places[0] - 0.4, places[-1] + 0.4, color=COLORS[number]
        )
    axes.set(ylabel="accuracy, %", xticks=[])
    return png(figure, axes)


def draw_classes(comparison: Outcome, quantity: str) -> bytes:
    """Per-class "share" of the predictions or "recall", side by side, with the seeds' range."""
    figure, axes = canvas((7, 3.2))
    classes = min(comparison.evidence.classes, 30)
    for number, side in enumerate((comparison.evidence.a, comparison.evidence.b)):
        values = 100 * getattr(side, quantity)[:, :classes]
        mean = values.mean(axis=0)
        errors = np.stack([mean - values.min(axis=0), values.max(axis=0) - mean]).clip(min=0)
        axes.bar(
            np.arange(classes) + 0.4 * number - 0.2, mean, 0.38, yerr=errors, color=COLORS[number],
            ecolor=INK, label=side.name,
        )  # fmt: skip
    if quantity == "recall":
        sides = (comparison.evidence.a, comparison.evidence.b)
        lowest = min(np.nanmin(side.recall) for side in sides if side.recall is not None)
        axes.set_ylim(max(0.0, 100 * float(lowest) - 3), 100.5)
    axes.set(xlabel="class", ylabel="%", xticks=range(classes))
    return png(figure, axes)


def draw_confusion(comparison: Outcome) -> bytes:
    """What B predicts where A predicts something else, summed over the pairs of runs."""
    figure, axes = canvas((5, 4.6))
    table = np.sum([pair.confusion for pair in comparison.evidence.pairs], axis=0)
    off = table.astype(float)
    np.fill_diagonal(off, np.nan)
    axes.imshow(off, cmap="Blues")
    if len(table) <= 12:
        highest = np.nanmax(off) or 1
        for row, column in np.argwhere(off > 0):
            color = "white" if off[row, column] > highest / 2 else "black"
            count = str(table[row, column])
            axes.text(column, row, count, ha="center", va="center", color=color, size=8)
        axes.set(xticks=range(len(table)), yticks=range(len(table)))
    axes.set(xlabel=f"{comparison.b.name} predicts", ylabel=f"{comparison.a.name} predicts")
    return png(figure)


def draw_curves(comparison: Outcome) -> bytes | None:
    """Validation loss and accuracy of every run that has a history."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    grid = [styled(axes) for axes in figure.subplots(1, 2)]
    drawn = False
    for number, side in enumerate((comparison.a, comparison.b)):
        for run in side.runs:
            history = run.record.history if run.record else []
            epochs = [row.get("epoch", n) for n, row in enumerate(history, 1)]
            for axes, quantity in zip(grid, ("loss", "accuracy"), strict=True):
                for phase, style in (("train", ":"), ("val", "-")):
                    values = _floats(history, f"{phase}_{quantity}")
                    label = f"{side.name}, {phase}" if run is side.runs[0] else None
                    axes.plot(epochs, values, style, color=COLORS[number], alpha=0.7, label=label)
                    drawn = drawn or bool(values)
                axes.set(xlabel="epoch", ylabel=quantity)
    return png(figure, *grid) if drawn else None


def draw_gallery(comparison: Outcome, images: NDArray[np.uint8], most: int = 24) -> bytes | None:
    """Images that one side gets right and the other wrong, the most confident mistakes first."""
    a, b = comparison.a.runs[0], comparison.b.runs[0]
    if a.labels is None:
        return None
    split = np.flatnonzero((a.predicted == a.labels) != (b.predicted == b.labels))
    if not len(split):
        return None
    certainty = [
        np.zeros(len(a.predicted)) if run.probabilities is None else run.probabilities.max(axis=1)
        for run in (a, b)
    ]
    a_is_right = a.predicted[split] == a.labels[split]
    wrong = np.where(a_is_right, certainty[1][split], certainty[0][split])
    chosen = split[np.argsort(-wrong, kind="stable")][:most]
    columns = min(6, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = Figure(figsize=(1.35 * columns, 1.75 * rows), layout="constrained")
    grid: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in grid:
        axes.set_axis_off()
    for axes, index in zip(grid, chosen, strict=False):
        axes.imshow(images[index], cmap="gray", vmin=0, vmax=255)
        said = "\n".join(
            f"{'AB'[number]}: {run.predicted[index]}"
            + ("" if run.probabilities is None else f" ({run.probabilities[index].max():.0%})")
            for number, run in enumerate((a, b))
        )
        axes.set_title(f"#{index} is {a.labels[index]}\n{said}", fontsize=7, color=INK)
    return png(figure)


def _floats(history: Sequence[dict[str, Any]], key: str) -> list[float]:
    return [np.nan if row.get(key) is None else float(row[key]) for row in history]
