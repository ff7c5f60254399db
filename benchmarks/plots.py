"""One picture of everything that was measured; it reads well on a light and on a dark page."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import starmap
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from parity.pages.figures import COLORS as BLUE_AND_ORANGE
from parity.pages.figures import INK, png, styled
from parity.writing import write_file

OURS, OTHERS = BLUE_AND_ORANGE
REFERENCE = "#9a9a9a"
COLORS = {"ours": OURS, "bare loop": REFERENCE, "matrix products": REFERENCE}
COLUMNS = 2
Panel = Callable[[Axes], None]


def draw(measures: Mapping[str, Any], path: Path) -> None:
    """A panel for each group of each measure; no picture where there are none."""
    panels = [panel for name, values in measures.items() for panel in _PANELS[name](values)]
    if not panels:
        return
    rows = -(-len(panels) // COLUMNS)
    figure = Figure(figsize=(6.5 * COLUMNS, 3.4 * rows), layout="constrained")
    grid: list[Axes] = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    for axes, panel in zip(grid, panels, strict=False):
        panel(styled(axes))
        axes.title.set_color(INK)
        axes.tick_params(colors=INK, which="both")
        axes.grid(alpha=0.25, color=INK)
        axes.set_axisbelow(True)
    write_file(path, png(figure))


def _bars(title: str, label: str, rows: Mapping[str, tuple[float, float, float]]) -> Panel:
    """Horizontal bars: middle, lowest and highest value by name; the first name is on top."""

    def panel(axes: Axes) -> None:
        for place, (name, (middle, low, high)) in enumerate(rows.items()):
            color = OURS if name.startswith("ours") else COLORS.get(name, OTHERS)
            spread = [[middle - low], [high - middle]]
            axes.barh(place, middle, color=color, xerr=spread, ecolor=INK, capsize=2)
            axes.text(high, place, f"  {middle:,.3g}", va="center", color=INK, fontsize=8)
        axes.set_yticks(range(len(rows)), list(rows))
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.set_xlabel(label)
        axes.set_title(title)

    return panel


def _lines(quantity: str, points: Sequence[dict[str, Any]]) -> Panel:
    """Seconds by a quantity that grows, both on a logarithmic scale."""

    def panel(axes: Axes) -> None:
        values = [point[quantity] for point in points]
        for name in points[0]["competitors"]:
            color = COLORS.get(name, OTHERS)
            rows = [point["competitors"][name] for point in points]
            axes.plot(values, [row["median"] for row in rows], "o-", color=color, label=name)
            axes.fill_between(
                values, [row["min"] for row in rows], [row["max"] for row in rows],
                color=color, alpha=0.25,
            )  # fmt: skip
        axes.set(xscale="log", yscale="log", xlabel=quantity.replace("_", " "))
        axes.set_xticks(values, [f"{value:,}" for value in values], minor=False)
        axes.set_xticks([], minor=True)
        axes.set_ylabel("seconds of all runs" if quantity == "seeds" else "seconds an epoch")
        axes.legend(framealpha=0, labelcolor=INK)

    return panel


def _spread(rows: Mapping[str, Mapping[str, float]]) -> dict[str, tuple[float, float, float]]:
    return {name: (row["median"], row["min"], row["max"]) for name, row in rows.items()}


def _single(values: Mapping[str, float]) -> dict[str, tuple[float, float, float]]:
    return {name: (value,) * 3 for name, value in values.items()}


def _epoch(group: Mapping[str, Any]) -> Panel:
    plain = group["augmentation"] == "none"
    title = group["network"] + ("" if plain else f", {group['augmentation']}")
    return _bars(title, "seconds an epoch", _spread(group["competitors"]))


def _accuracy(group: Mapping[str, Any]) -> Panel:
    title = f"from process start to {group['target']:.0%} test accuracy"
    return _bars(title, "seconds", _spread(group["competitors"]))


def _busy(group: Mapping[str, Any]) -> Panel:
    ratios = {name: row["ratio"] for name, row in group["competitors"].items()}
    return _bars(f"{group['network']}, one core busy", "seconds, busy / idle", _single(ratios))


def _calls(group: Mapping[str, Any]) -> Panel:
    calls = {name: row["python"] for name, row in group["calls_a_step"].items()}
    return _bars(group["network"], "Python calls an optimiser step", _single(calls))


def _memory(group: Mapping[str, Any]) -> Panel:
    return _bars(group["network"], "peak memory, MiB", _single(group["mib"]))


def _gpu(values: Mapping[str, Mapping[str, Any]]) -> list[Panel]:
    epochs = {name: rows for name, rows in values["found"].items() if ", an epoch of " in name}
    return [_bars(name, "seconds an epoch", _spread(rows)) for name, rows in epochs.items()]


_PANELS: dict[str, Callable[[Any], Iterable[Panel]]] = {
    "epoch": partial(map, _epoch),
    "accuracy": lambda values: map(_accuracy, values["targets"]),
    "busy": partial(map, _busy),
    "growth": lambda values: starmap(_lines, values.items()),
    "calls": partial(map, _calls),
    "memory": partial(map, _memory),
    "gpu": _gpu,
}
