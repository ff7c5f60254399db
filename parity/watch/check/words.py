"""What is said before the first step (NumPy only)."""

import sys
from collections.abc import Sequence

from parity.watch.check.cause import Match
from parity.watch.diagnosis import Finding


def listed(names: Sequence[str]) -> str:
    """At most three of them."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def findings_of(matches: Sequence[Match]) -> list[Finding]:
    """Causes as findings."""
    return [Finding(match.cause, match.figures, match.advice) for match in matches]


def beyond(number: int, rows: int, line: str) -> Finding:
    """An embedding that is asked for a number which it does not have.

    Args:
        number: That it is asked for.
        rows: How many it has.
        line: How it is made, with the place of their number.
    """
    return Finding(
        "an embedding has fewer rows than there are numbers to look up",
        f"it has {rows:,}, for 0 to {rows - 1:,}, and is asked for {number:,}",
        f"Make it {line.format(number + 1)}, or more, and count the padding too"
        if number >= 0
        else "Number what is looked up from 0",
    )


def say(findings: Sequence[Finding], tried: Sequence[str] = (), *, what: str = "") -> None:
    """Print findings as people read them; nothing where there are none.

    Args:
        findings: In order.
        tried: What trials have brought.
        what: What is the matter; else that they were seen before the first step.
    """
    if not findings:
        return
    found = "one thing looks" if len(findings) == 1 else f"{len(findings)} things look"
    lines = [f"warning: {what or f'before the first step, {found} wrong'}"]
    lines += [f"  {n}. {finding}" for n, finding in enumerate(findings, 1)]
    lines += [f"  {line}" for line in tried]
    print("\n".join(lines), file=sys.stderr)
