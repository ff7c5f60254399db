"""A diagnosis in the terminal."""

from rich.console import Console
from rich.markup import escape

from parity.watch.diagnosis import Case, Finding
from parity.watch.symptoms import Symptoms


def show_findings(name: str, case: Case, findings: list[Finding], console: Console) -> None:
    """Print how a model does, and every cause, the likeliest first."""
    state = "collapsed" if case.signs else "ill" if case.sick else "well"
    accuracy = "" if case.accuracy is None else f", accuracy {case.accuracy:.2%}"
    console.print(
        f"[bold]{escape(name)}[/]: {len(case.logits):,} images{accuracy}, {state}", highlight=False
    )
    for sign in case.signs:
        console.print(f"  sign of collapse: {escape(sign)}", highlight=False, soft_wrap=True)
    for number, finding in enumerate(findings, 1):
        console.print(
            f"  {number}. [bold]{escape(finding.cause)}[/]", highlight=False, soft_wrap=True
        )
        console.print(f"     {escape(finding.figures)}", highlight=False, soft_wrap=True)
        console.print(f"     change: {escape(finding.advice)}", highlight=False, soft_wrap=True)
    if not findings:
        console.print(
            "  nothing that was measured points to a cause"
            + ("" if case.sick else ", and there is no need for one"),
            highlight=False,
            soft_wrap=True,
        )
    if not case.symptoms.layers:
        known = case.symptoms != Symptoms()
        lacking = "nothing is known of its training" if known else "there is no symptoms.json"
        console.print(f"  judged by the answers alone: {lacking}", highlight=False, soft_wrap=True)
