"""The pictures of a search: history, importances, slices, cost."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, ScalarFormatter
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from lightning_mnist.search.results import Trial
from lightning_mnist.trainings.page import as_png

COLUMNS = 4
LEAST = 0.01
FINISHED, PRUNED = "tab:blue", "tab:gray"


def draw(trials: Sequence[Trial], importances: dict[str, float]) -> dict[str, bytes]:
    """All pictures, by name, as the bytes of a PNG."""
    figures = {
        "history": _history(trials),
        "importances": _importances(importances),
        "slices": _slices(trials),
        "cost": _cost(trials),
    }
    return {name: as_png(figure) for name, figure in figures.items()}


def _history(trials: Sequence[Trial]) -> Figure:
    figure, axes = _figure(9, 3.6)
    _scatter(axes, trials, [trial.number for trial in trials])
    finished = [trial for trial in trials if trial.finished]
    best = np.minimum.accumulate([_error(trial) for trial in finished])
    axes.step([t.number for t in finished], best, where="post", color="tab:red", label="best")
    axes.set_xlabel("trial")
    axes.legend()
    return figure


def _cost(trials: Sequence[Trial]) -> Figure:
    figure, axes = _figure(9, 3.6)
    _scatter(axes, trials, [trial.seconds for trial in trials])
    axes.set_xlabel("seconds")
    axes.legend()
    return figure


def _importances(importances: dict[str, float]) -> Figure:
    figure, axes = _figure(9, 0.8 + 0.3 * max(1, len(importances)))
    names = list(importances)[::-1]
    axes.barh(names, [importances[name] for name in names])
    axes.set(xlabel="importance", ylabel="")
    return figure


def _slices(trials: Sequence[Trial]) -> Figure:
    values: dict[str, BaseDistribution] = {}
    for trial in trials:
        values |= trial.distributions
    columns = min(COLUMNS, max(1, len(values)))
    rows = max(1, -(-len(values) // columns))
    figure = Figure(figsize=(3.2 * columns, 2.8 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for (name, distribution), axes in zip(values.items(), panels, strict=False):
        shown = [trial for trial in trials if name in trial.params]
        _scatter(axes, shown, _places(shown, name, distribution, axes))
        axes.set_title(name, fontsize=9, parse_math=False)
    for axes in list(panels):
        axes.set_axis_off()
    return figure


def _places(
    trials: Sequence[Trial], name: str, distribution: BaseDistribution, axes: Axes
) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        choices = [str(choice) for choice in distribution.choices]
        axes.set_xticks(range(len(choices)), labels=map(_short, choices), rotation=30, fontsize=7)
        return [choices.index(str(trial.params[name])) for trial in trials]
    if getattr(distribution, "log", False):
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    elif isinstance(distribution, IntDistribution):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return [trial.params[name] for trial in trials]


def _short(choice: str) -> str:
    """A class without its module; 0.9 is none."""
    parts = choice.split(".")
    return parts[-1] if all(part.isidentifier() for part in parts) else choice


def _scatter(axes: Axes, trials: Sequence[Trial], places: Sequence[Any]) -> None:
    """Trials that were trained, the pruned ones at what they had come to."""
    for finished, color, label in ((False, PRUNED, "pruned"), (True, FINISHED, "finished")):
        points = [
            (place, _error(trial))
            for place, trial in zip(places, trials, strict=True)
            if trial.value is not None and trial.finished is finished
        ]
        x, y = zip(*points, strict=True) if points else ((), ())
        axes.scatter(x, y, s=16, color=color, label=label)
    axes.set(ylabel="validation error, %", yscale="log")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(ScalarFormatter())
    axes.tick_params(which="both", labelsize=8)
    axes.grid(alpha=0.3)


def _error(trial: Trial) -> float:
    """In per cent; none at all is drawn as little."""
    return max(100 * (1 - (trial.value or 0.0)), LEAST)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes: Axes = figure.subplots()
    return figure, axes
