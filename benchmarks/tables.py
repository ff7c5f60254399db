"""The figures in the terminal."""

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table


def show(measures: dict[str, Any], console: Console) -> None:
    """A table or more for each measure."""
    for name, values in measures.items():
        _SHOW[name](values, console)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _epoch(groups: list[dict[str, Any]], console: Console) -> None:
    for group in groups:
        title = (
            f"seconds an epoch: {group['network']}, batch {group['batch_size']}, "
            f"{group['images']:,} images, augmentation: {group['augmentation']}"
        )
        table = _table(title, "", "min", "median", "max", "ratio", "paired")
        for name, row in group["competitors"].items():
            table.add_row(name, *_seconds(row), *_ratios(row))
        console.print(table)
        for name, row in group["competitors"].items():
            if "chosen" in row:
                console.print(f"{name}: {row['chosen']}", highlight=False)
        for name, reason in group["skipped"].items():
            console.print(f"skipped: {name}, {reason}", highlight=False)


def _accuracy(values: dict[str, Any], console: Console) -> None:
    for group in values["targets"]:
        title = f"seconds from process start to {group['target']:.0%} test accuracy"
        table = _table(title, "", "min", "median", "max", "ratio", "paired", "epochs")
        for name, row in group["competitors"].items():
            epochs = " ".join(
                str(run["epochs"]) if run["reached"] else "not reached" for run in row["runs"]
            )
            table.add_row(name, *_seconds(row), *_ratios(row), epochs)
        console.print(table)


def _busy(groups: list[dict[str, Any]], console: Console) -> None:
    for group in groups:
        table = _table(
            f"seconds an epoch with one core kept busy: {group['network']}",
            "", "idle", "busy", "ratio", "paired",
        )  # fmt: skip
        for name, row in group["competitors"].items():
            medians = (f"{row[state]['median']:.3f}" for state in ("idle", "busy"))
            table.add_row(name, *medians, *_ratios(row))
        console.print(table)


def _growth(values: dict[str, list[dict[str, Any]]], console: Console) -> None:
    for quantity, points in values.items():
        what = "of whole runs" if quantity == "seeds" else "an epoch"
        columns = (*points[0]["competitors"], "ratio", "paired")
        table = _table(f"seconds {what} by {quantity}", quantity, *columns)
        for point in points:
            rows = point["competitors"]
            medians = (f"{row['median']:.3f}" for row in rows.values())
            table.add_row(f"{point[quantity]:,}", *medians, *_ratios(rows["ours"]))
        console.print(table)


def _calls(groups: list[dict[str, Any]], console: Console) -> None:
    for group in groups:
        kinds = list(next(iter(group["calls_a_step"].values())))
        table = _table(f"calls an optimiser step: {group['network']}", "", *kinds)
        for name, row in group["calls_a_step"].items():
            table.add_row(name, *(f"{row[kind]:,.1f}" for kind in kinds))
        console.print(table)


def _memory(groups: list[dict[str, Any]], console: Console) -> None:
    for group in groups:
        table = _table(f"peak memory: {group['network']}", "", "MiB")
        for name, peak in group["mib"].items():
            table.add_row(name, f"{peak:,.0f}")
        console.print(table)


def _gpu(values: dict[str, Any], console: Console) -> None:
    for name, found in values["found"].items():
        for what, value in found.items():
            console.print(f"{name}: {what} {_one(value)}", highlight=False, soft_wrap=True)
    for name, reason in values["skipped"].items():
        console.print(f"skipped: {name}, {reason}", highlight=False, soft_wrap=True)


def _one(value: Any) -> str:
    """A number, several by name, or the median of seconds."""
    if isinstance(value, dict):
        if "median" in value:
            return f"{value['median']:.3f} s"
        return ", ".join(f"{name} {_one(part)}" for name, part in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _seconds(row: dict[str, Any]) -> list[str]:
    return [f"{row[key]:.3f}" for key in ("min", "median", "max")]


def _ratios(row: dict[str, Any]) -> list[str]:
    return [f"{row[key]:.3f}" if key in row else "-" for key in ("ratio", "paired")]


_SHOW: dict[str, Callable[[Any, Console], None]] = {
    "epoch": _epoch,
    "accuracy": _accuracy,
    "busy": _busy,
    "growth": _growth,
    "calls": _calls,
    "memory": _memory,
    "gpu": _gpu,
}
