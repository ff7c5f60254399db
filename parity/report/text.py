"""The short forms: the terminal, a pull request, and a test report for CI."""

from typing import Any
from xml.etree import ElementTree

from rich.console import Console
from rich.markup import escape
from rich.table import Table

STYLES = {
    "EQUIVALENT": "green",
    "DIFFERENT": "red",
    "COLLAPSED": "magenta",
    "INCONCLUSIVE": "yellow",
}
ACCURACY = ("{value:.2%}", "{low:.2%} to {high:.2%}")
VIEW_COLUMNS = ("view", "A right", "A says", "B right", "B says", "collapse", "verdict")
"""Of each side accuracy, and class and share of what it predicts most, as means over its runs."""


def show(values: dict[str, Any], console: Console) -> None:
    """Print the verdict, its reasons and a line a run."""
    verdict = values["verdict"]
    a, b = (side["name"] for side in values["sides"])
    console.print(f"[bold {STYLES[verdict]}]{verdict}[/]: {escape(a)} (A) and {escape(b)} (B)")
    for number, reason in enumerate(values["reasons"], 1):
        console.print(f"  {number}. {escape(reason)}", highlight=False)
    for note in values["not_judged"]:
        console.print(f"  note: {escape(note)}", highlight=False)
    for note in values["changed_thresholds"]:
        console.print(f"  threshold changed: {escape(note)}", highlight=False)
    table = Table()
    for column in ("run", "accuracy", "95 % interval", "signs of collapse"):
        number = column in ("accuracy", "95 % interval")
        table.add_column(column, no_wrap=number, overflow="fold")
    for row in _run_rows(values):
        table.add_row(*map(escape, row))
    console.print(table)
    if views := view_rows(values):
        table = Table(title="views of the test set", title_justify="left")
        for column in VIEW_COLUMNS:
            table.add_column(column, no_wrap=column == "verdict", overflow="fold")
        for row in views:
            table.add_row(*map(escape, row))
        console.print(table)


def markdown(values: dict[str, Any]) -> str:
    """For a pull request."""
    a, b = (side["name"] for side in values["sides"])
    lines = [f"### Parity: **{values['verdict']}**", "", f"{_code(a)} (A) and {_code(b)} (B)", ""]
    lines += [f"{number}. {_plain(reason)}" for number, reason in enumerate(values["reasons"], 1)]
    lines += [f"- Note: {_plain(note)}" for note in values["not_judged"]]
    lines += [f"- Threshold changed: {_plain(note)}" for note in values["changed_thresholds"]]
    lines += ["", "| run | accuracy | 95 % interval |", "|---|---|---|"]
    lines += [f"| {' | '.join(map(_plain, row[:3]))} |" for row in _run_rows(values)]
    if views := view_rows(values):
        lines += ["", f"| {' | '.join(VIEW_COLUMNS)} |", "|---" * len(VIEW_COLUMNS) + "|"]
        lines += [f"| {' | '.join(map(_plain, row))} |" for row in views]
    return "\n".join([*lines, "", _code(values["command"]), ""])


def view_rows(values: dict[str, Any]) -> list[list[str]]:
    """A row for each view of the test set, under `VIEW_COLUMNS`; none without views."""
    if len(values["views"]) == 1:
        return []
    rows = []
    for view in values["views"]:
        cells, collapsed = [view["name"]], []
        for name, side in zip("AB", view["sides"], strict=True):
            accuracy = "-" if side["accuracy"] is None else f"{side['accuracy']:.2%}"
            cells += [accuracy, f"{side['top_class']}: {side['top_share']:.1%}"]
            if side["collapsed_runs"]:
                collapsed.append(f"{name} {side['collapsed_runs']} of {side['runs']}")
        rows.append([*cells, ", ".join(collapsed) or "no", view["verdict"] or "-"])
    return rows


def junit(values: dict[str, Any]) -> str:
    """One test case, which passes where the verdict is EQUIVALENT."""
    a, b = (side["name"] for side in values["sides"])
    verdict = values["verdict"]
    failed = verdict in ("DIFFERENT", "COLLAPSED")
    suite = ElementTree.Element(
        "testsuite",
        name="parity",
        tests="1",
        failures=str(int(failed)),
        skipped=str(int(verdict == "INCONCLUSIVE")),
    )
    name = _printable(f"{a} and {b}")
    case = ElementTree.SubElement(suite, "testcase", classname="parity", name=name)
    text = _printable("\n".join(values["reasons"]))
    if failed:
        ElementTree.SubElement(case, "failure", message=verdict).text = text
    elif verdict == "INCONCLUSIVE":
        ElementTree.SubElement(case, "skipped", message=verdict).text = text
    else:
        ElementTree.SubElement(case, "system-out").text = text
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def _run_rows(values: dict[str, Any]) -> list[list[str]]:
    """Of each run its name, accuracy, 95 % interval and signs of collapse."""
    return [
        [f"{side['name']}, {run['name']}"]
        + [form.format(**run["accuracy"]) if "accuracy" in run else "-" for form in ACCURACY]
        + ["; ".join(run["collapse"]) or "none"]
        for side in values["sides"]
        for run in side["runs"]
    ]


def _plain(text: str) -> str:
    """`text` with nothing that Markdown or HTML would act on."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;")):
        text = text.replace(character, entity)
    return "".join(f"\\{c}" if c in "\\`*_[]" else c for c in text.replace("\n", " "))


def _code(text: str) -> str:
    return f"`{text.replace('`', chr(39))}`"


def _printable(text: str) -> str:
    """XML 1.0 has no control characters but tab and line feed."""
    return "".join(c if c in "\t\n" or c.isprintable() else "?" for c in text)
