"""What is said before the first step (NumPy only)."""

import sys
from collections.abc import Sequence

from parity.watch.check.cause import Match
from parity.watch.diagnosis import Finding


def findings_of(matches: Sequence[Match]) -> list[Finding]:
    """Causes as findings."""
    return [Finding(match.cause, match.figures, match.advice) for match in matches]


def say(findings: Sequence[Finding], tried: Sequence[str] = ()) -> None:
    """Print findings as people read them; nothing where there are none."""
    if not findings:
        return
    found = "one thing looks" if len(findings) == 1 else f"{len(findings)} things look"
    lines = [f"warning: before the first step, {found} wrong"]
    lines += [f"  {n}. {finding}" for n, finding in enumerate(findings, 1)]
    lines += [f"  {line}" for line in tried]
    print("\n".join(lines), file=sys.stderr)
