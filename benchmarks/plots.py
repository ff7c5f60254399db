"""One picture of everything that was measured; it reads well on a light and on a dark page."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from parity.writing import written_whole

OURS, OTHERS, INK = "#3b82c4", "#e07b2e", "#808080"  # legible on white and on black
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
        panel(axes)
        _style(axes)
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=110, transparent=True)


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


def _epoch(groups: Sequence[dict[str, Any]]) -> list[Panel]:
    panels = []
    for group in groups:
        rows = {
            name: (row["median"], row["min"], row["max"])
            for name, row in group["competitors"].items()
        }
        plain = group["augmentation"] == "none"
        title = group["network"] + ("" if plain else f", {group['augmentation']}")
        panels.append(_bars(title, "seconds an epoch", rows))
    return panels


def _accuracy(values: dict[str, Any]) -> list[Panel]:
    return [
        _bars(
            f"from process start to {group['target']:.0%} test accuracy",
            "seconds",
            {
                name: (row["median"], row["min"], row["max"])
                for name, row in group["competitors"].items()
            },
        )
        for group in values["targets"]
    ]


def _busy(groups: Sequence[dict[str, Any]]) -> list[Panel]:
    return [
        _bars(
            f"{group['network']}, one core busy",
            "seconds, busy / idle",
            {name: (row["ratio"],) * 3 for name, row in group["competitors"].items()},
        )
        for group in groups
    ]


def _calls(groups: Sequence[dict[str, Any]]) -> list[Panel]:
    return [
        _bars(
            group["network"],
            "Python calls an optimiser step",
            {name: (row["python"],) * 3 for name, row in group["calls_a_step"].items()},
        )
        for group in groups
    ]


def _memory(groups: Sequence[dict[str, Any]]) -> list[Panel]:
    return [
        _bars(group["network"], "peak memory, MiB", {n: (p, p, p) for n, p in group["mib"].items()})
        for group in groups
    ]


def _growth(values: Mapping[str, Sequence[dict[str, Any]]]) -> list[Panel]:
    return [_lines(quantity, points) for quantity, points in values.items()]


def _gpu(values: Mapping[str, Mapping[str, Any]]) -> list[Panel]:
    return [
        _bars(name, "seconds", {n: (r["median"], r["min"], r["max"]) for n, r in rows.items()})
        for name, rows in values["found"].items()
        if name.startswith("seconds an epoch")
    ]


def _style(axes: Axes) -> None:
    axes.tick_params(colors=INK, which="both")
    for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
        text.set_color(INK)
    for spine in axes.spines.values():
        spine.set_color(INK)
    axes.grid(alpha=0.25, color=INK)
    axes.set_axisbelow(True)


_PANELS: dict[str, Callable[[Any], list[Panel]]] = {
    "epoch": _epoch,
    "accuracy": _accuracy,
    "busy": _busy,
    "growth": _growth,
    "calls": _calls,
    "memory": _memory,
    "gpu": _gpu,
}
