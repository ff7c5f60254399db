"""A diagnosis in the terminal."""

from rich.console import Console
from rich.markup import escape

from parity.judge.confidence import sure_and_right
from parity.watch.diagnosis import Case, Finding, unexplained
from parity.watch.symptoms import Symptoms

MOST_NAMES = 20
"""Of classes, that are shown."""


def show_findings(name: str, case: Case, findings: list[Finding], console: Console) -> None:
    """Print how a model does, and every cause, that which explains most first."""

    def say(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    accuracy = "" if case.accuracy is None else f", accuracy {case.accuracy:.2%}"
    say(f"[bold]{escape(name)}[/]: {len(case.logits):,} images{accuracy}, {_state(case, findings)}")
    if case.names is not None:
        named = ", ".join(f"{n} is {name}" for n, name in enumerate(case.names[:MOST_NAMES]))
        more = len(case.names) - MOST_NAMES
        say(f"  classes by name: {escape(named)}" + (f" and {more:,} more" if more > 0 else ""))
    for sign in case.signs:
        say(f"  sign of collapse: {escape(sign)}")
    if case.fallen:
        say(f"  in training, {case.symptoms.best_accuracy:.2%} of the validation images were right")
    for number, finding in enumerate(findings, 1):
        say(f"  {number}. [bold]{escape(finding.cause)}[/]")
        say(f"     {escape(finding.figures)}")
        say(f"     change: {escape(finding.advice)}")
        for item in finding.consequences:
            say(f"     and so: {escape(item.cause)} ({escape(item.figures)})")
    if not findings and not case.wrong and case.labels is not None and case.loss is not None:
        for said in sure_and_right(case.log_probabilities, case.labels):
            say(f"  {said}")
    if (wanted := unexplained(case, findings)) is not None:
        say(f"  {escape(wanted)}")
    elif not findings:
        say(f"  {_no_cause(case)}")
    if not case.symptoms.layers and case.symptoms.raw is None:
        known = case.symptoms != Symptoms()
        lacking = "nothing is known of its training" if known else "there is no symptoms.json"
        say(f"  judged by the answers alone: {lacking}")


def _state(case: Case, findings: list[Finding]) -> str:
    if case.signs:
        return "collapsed"
    if case.fallen:
        return "worse than in training"
    if case.ill:
        return "weak"
    return "at fault all the same" if findings else "nothing wrong was found"


def _no_cause(case: Case) -> str:
    """What may be said of a model in which nothing wrong was found, and no more."""
    if case.still_learning and case.unfinished is not None:
        return (
            "training ended while it was still learning: in the second half of its "
            f"{case.symptoms.step:,} steps the loss fell from {case.unfinished[0]:.3g} to "
            f"{case.unfinished[1]:.3g}; train on before judging it"
        )
    if case.young:
        return f"training ended after {case.symptoms.step:,} steps, too few to judge it by"
    if case.accuracy is None:
        return "whether the answers are right, only labels can tell"
    if case.symptoms.best_accuracy is None:
        return "whether it could do better, only the run directory of its training can tell"
    return f"it does as well as in training ({case.symptoms.best_accuracy:.2%})"
