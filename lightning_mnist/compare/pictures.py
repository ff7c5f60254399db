"""The picture of a comparison: what each run came to, and how it got there."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lightning_mnist.compare.runs import Run
from lightning_mnist.trainings.page import as_png


def draw(runs: Mapping[str, Sequence[Run]], order: Sequence[str]) -> bytes:
    """Runs of each recipe, in this order, and the mean curve of each, as a PNG."""
    figure = Figure(figsize=(12, max(4.0, 1.5 + 0.35 * len(order))), layout="constrained")
    points, curves = figure.subplots(1, 2, width_ratios=(2, 3))
    for place, name in enumerate(order):
        done = [run for run in runs[name] if run.finished]
        color = f"C{place % 10}"
        accuracies = [run.accuracy for run in done]
        points.scatter(accuracies, [place] * len(done), s=16, color=color, alpha=0.6)
        if done:
            points.plot([np.mean(accuracies)], [place], "|", color=color, markersize=18)
            epochs, train, val = _curves(done)
            style = ("-", "--", ":")[place // 10 % 3]
            curves.plot(epochs, val, style, color=color, label=name)
            curves.plot(epochs, train, style, color=color, alpha=0.3)
    points.set_yticks(range(len(order)), labels=order, parse_math=False)
    points.invert_yaxis()
    points.set_xlabel("validation accuracy after the last epoch, mean |")
    curves.set(xlabel="epoch", ylabel="accuracy: validation, and pale while training")
    curves.xaxis.set_major_locator(MaxNLocator(integer=True))
    curves.legend(fontsize=8)
    for axes in (points, curves):
        axes.grid(alpha=0.3)
    return as_png(figure)


def _curves(runs: Sequence[Run]) -> tuple[range, np.ndarray, np.ndarray]:
    """Epochs that all have, and the mean accuracies [E] in training and in validation."""
    epochs = min(len(run.history) for run in runs)

    def mean(name: str) -> np.ndarray:
        rows = [[row.get(name, np.nan) for row in run.history[:epochs]] for run in runs]
        return np.asarray(np.mean(rows, axis=0))

    return range(1, epochs + 1), mean("train_accuracy"), mean("val_accuracy")
