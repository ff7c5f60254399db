"""The pictures of a run, drawn without a display and written whole."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lightning_mnist.scores import Scores
from parity.writing import written_whole

DPI = 110


def draw_curves(history: Sequence[dict[str, float]], path: Path, *, title: str) -> None:
    """Loss and accuracy of each epoch, training beside validation."""
    figure = Figure(figsize=(10, 4))
    figure.subplots_adjust(left=0.08, right=0.98, bottom=0.13, top=0.88, wspace=0.22)
    figure.suptitle(title, parse_math=False)
    epochs = [row["epoch"] for row in history]
    for axes, quantity in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for phase, label, style in (("train", "training", "o--"), ("val", "validation", "o-")):
            values = [row.get(f"{phase}_{quantity}", np.nan) for row in history]
            axes.plot(epochs, values, style, markersize=4, label=label)
        axes.set(xlabel="epoch", ylabel=quantity)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    _save(figure, path)


def draw_rates(
    rates: NDArray[np.float64], losses: NDArray[np.float64], chosen: float, path: Path
) -> None:
    """Mean loss [N] by learning rate [N], of which one is marked."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.semilogx(rates, losses)
    axes.plot(
        [chosen], [np.interp(chosen, rates, losses)], "o", label=f"falls fastest: {chosen:.2g}"
    )
    axes.set(xlabel="learning rate", ylabel="training loss, moving mean")
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, path)


def draw_confusion(scores: Scores, path: Path, *, title: str) -> None:
    """True digit by predicted digit: counts, shaded by their share of the true digit."""
    figure = Figure(figsize=(7, 6.4))
    figure.subplots_adjust(left=0.09, right=0.99, bottom=0.08, top=0.9)
    axes = figure.subplots()
    axes.set_title(f"{title}\naccuracy {scores.accuracy:.2%}", parse_math=False)
    share = scores.confusion / np.maximum(scores.support, 1)[:, None]
    # Mistakes are a few in a thousand: on a linear scale they would all be white.
    image = axes.imshow(np.sqrt(share), cmap="Blues", vmin=0, vmax=1)
    classes = range(len(scores.confusion))
    for row in classes:
        for column in classes:
            if count := scores.confusion[row, column]:
                color = "white" if share[row, column] > 0.4 else "black"
                axes.text(column, row, f"{count:,}", ha="center", va="center", color=color)
    axes.set(xlabel="predicted digit", ylabel="true digit", xticks=classes, yticks=classes)
    bar = figure.colorbar(image, ax=axes, label="share of the true digit", shrink=0.8)
    bar.set_ticks(
        np.sqrt([0, 0.01, 0.1, 0.5, 1]).tolist(), labels=["0", "1%", "10%", "50%", "100%"]
    )
    _save(figure, path)


def draw_mistakes(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    logits: NDArray[np.float32],
    path: Path,
    *,
    title: str,
    most: int = 40,
) -> None:
    """The worst mistakes first: images whose true digit got the least probability.

    Images uint8 [N, H, W], labels int64 [N] and logits float32 [N, C]; at most `most` are drawn.
    """
    probabilities = torch.from_numpy(logits).double().softmax(dim=1).numpy()
    predicted = logits.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(probabilities[wrong, labels[wrong]], kind="stable")][:most]
    captions = [
        f"{labels[i]} read as {predicted[i]}\n{probabilities[i, predicted[i]]:.0%}, #{i}"
        for i in worst
    ]
    heading = f"{title}: {len(wrong):,} mistakes in {len(labels):,}, the {len(worst)} worst"
    draw_digits(images[worst], captions, path, title=heading)


def draw_digits(
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
    captions: Sequence[str],
    path: Path,
    *,
    title: str,
) -> None:
    """A sheet of digits uint8 [N, H, W], or N of square shapes of their own, with a caption each.

    On one pair of axes, in inches: a pair for each digit takes six times as long.
    """
    columns = min(8, max(1, len(images)))
    rows = max(1, -(-len(images) // columns))
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    side, caption_height = 1.15, 0.16 * lines
    cell_width, cell_height = side + 0.2, side + caption_height + 0.2
    width, height = max(4.0, columns * cell_width), 0.5 + rows * cell_height
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.text(width / 2, 0.25, title, ha="center", va="center", fontsize=12, parse_math=False)
    start = (width - columns * cell_width) / 2 + 0.1
    for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left = start + place % columns * cell_width
        top = 0.5 + place // columns * cell_height + caption_height
        extent = (left, left + side, top + side, top)
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, extent=extent)
        axes.text(left + side / 2, top - 0.04, caption, ha="center", va="bottom", fontsize=8)
    axes.set(xlim=(0, width), ylim=(height, 0))
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=DPI)
