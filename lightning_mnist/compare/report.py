"""What a comparison leaves: its figures as JSON, a picture, a page, and a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from rich.console import Console
from rich.table import Table

from lightning_mnist.compare.runs import Run
from lightning_mnist.compare.statistics import LEVEL, Difference, differences
from lightning_mnist.resuming.resume import by_flag
from lightning_mnist.terminal import show
from lightning_mnist.trainings.page import SOFTWARE, as_png
from parity.json_text import write_json
from parity.pages import write_page
from parity.provenance import command_line, versions_of
from parity.writing import write_file

FIGURES, PICTURE, PAGE = "compare.json", "compare.png", "compare.html"


@dataclass(frozen=True)
class Summary:
    """A recipe over its seeds; accuracies in 0..1, on the validation images unless said.

    `seeds` trainings have come to their end, `failed` have not. `deviation` is that of the
    accuracies from seed to seed, None with fewer than two; `train` the mean accuracy on training
    images, and `gap` by how much it is higher.
    """

    name: str
    seeds: int
    failed: int
    mean: float | None
    deviation: float | None
    train: float | None
    gap: float | None
    seconds: float | None
    parameters: int


def summarise(name: str, runs: Sequence[Run]) -> Summary:
    """The figures of a recipe; its order of seeds does not matter."""
    done = [run for run in runs if run.finished]

    def mean(values: list[float]) -> float | None:
        return float(np.mean(values)) if values else None

    accuracies = [run.accuracy for run in done]
    return Summary(
        name=name,
        seeds=len(done),
        failed=len(runs) - len(done),
        mean=mean(accuracies),
        deviation=float(np.std(accuracies, ddof=1)) if len(done) > 1 else None,
        train=mean([run.train_accuracy for run in done if run.train_accuracy is not None]),
        gap=mean([run.gap for run in done]),
        seconds=mean([run.seconds for run in done]),
        parameters=max((run.parameters for run in done), default=0),
    )


def report(runs: Mapping[str, Sequence[Run]], out: Path) -> None:
    """Write the files into `out`, and show the table; runs are in the order of the seeds."""
    summaries = [summarise(name, of_it) for name, of_it in runs.items()]
    summaries.sort(key=lambda summary: -(summary.mean or 0.0))
    whole = {
        name: [run.accuracy for run in of_it]
        for name, of_it in runs.items()
        if all(run.finished for run in of_it)
    }
    data = next(iter(runs.values()))[0].data
    pairs = differences(whole, data["val"])
    run = {
        "command": command_line("lightning_mnist"),
        "versions": versions_of(*SOFTWARE, "scipy"),
        "data": data,
    }
    described = {
        **run,
        "level": LEVEL,
        "recipes": [vars(summary) for summary in summaries],
        "differences": [vars(pair) for pair in pairs],
        "runs": [
            {name: value for name, value in vars(run).items() if name not in ("recipe", "data")}
            for of_it in runs.values()
            for run in of_it
        ],
    }
    write_json(out / FIGURES, described)
    picture = _draw(runs, [summary.name for summary in summaries])
    write_file(out / PICTURE, picture)
    recipes = {name: of_it[0].recipe for name, of_it in runs.items()}
    write_page(
        out / PAGE,
        "lightning_mnist",
        "compare/compare.html.j2",
        **run,
        level=LEVEL,
        summaries=summaries,
        pairs=pairs,
        left_out=[name for name in runs if name not in whole],
        picture=picture,
        settings=settings(recipes),
        names=list(runs),
    )
    _show(summaries, pairs, out)


def settings(recipes: Mapping[str, dict[str, Any]]) -> dict[str, list[str]]:
    """The flags in which recipes differ: the value of each, in their order."""
    flat = [by_flag(recipe) for recipe in recipes.values()]
    names = dict.fromkeys(name for flags in flat for name in flags)
    values = {name: [str(flags.get(name, "-")) for flags in flat] for name in names}
    return {name: row for name, row in values.items() if len(set(row)) > 1}


def _draw(runs: Mapping[str, Sequence[Run]], order: Sequence[str]) -> bytes:
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


def _show(summaries: Sequence[Summary], pairs: Sequence[Difference], out: Path) -> None:
    table = Table(title="on the validation images", title_justify="left")
    table.add_column("recipe")
    for column in ("seeds", "mean", "deviation", "training", "gap", "parameters", "seconds"):
        table.add_column(column, justify="right")
    for row in summaries:
        shares = (row.mean, row.deviation, row.train, row.gap)
        said = [str(row.seeds), *("-" if s is None else f"{s:.2%}" for s in shares)]
        seconds = "-" if row.seconds is None else f"{row.seconds:.1f}"
        table.add_row(row.name, *said, f"{row.parameters:,}", seconds)
    console = Console()
    show(table, console)
    real = [pair for pair in pairs if pair.real]
    for pair in real:
        print(
            f"{pair.first} is better than {pair.second}: by {100 * pair.mean:.2f} points, "
            f"p = {pair.p:.2g}"
        )
    if pairs and not real:
        print("no difference is real: more --seeds would tell smaller ones")
    print(out / PAGE)
