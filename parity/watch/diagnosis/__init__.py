"""From symptoms to named causes (numpy only): right, or silent.

Each cause is a hypothesis with the evidence that only it explains. What another cause explains is
said as its consequence, and where nothing is borne out, so is that: `unexplained`.
"""

from dataclasses import replace

import numpy as np

from parity.watch.diagnosis import answers, inputs, labels, learning, order, rows, scores
from parity.watch.diagnosis.case import Case, Finding
from parity.watch.diagnosis.rule import EVIDENCE, Rule

__all__ = ["RULES", "Case", "Finding", "diagnose", "unexplained"]

RULES: tuple[Rule, ...] = (
    *inputs.RULES,
    *labels.RULES,
    *learning.RULES,
    *order.RULES,
    *rows.RULES,
    *scores.RULES,
    *answers.RULES,
)


def diagnose(case: Case) -> list[Finding]:
    """Every cause that the figures bear out, that which explains most first; none if all is well.

    What one of them explains is among its consequences.
    """
    with np.errstate(all="ignore"):  # logits that are not finite are a finding, not an error
        found = {
            rule: Finding(match.cause, match.figures, rule.remedy)
            for rule in RULES
            if (match := rule.match(case)) is not None
        }
    following = {rule: _following(rule, found) for rule in found}
    explained = {consequence for rules in following.values() for consequence in rules}
    causes = sorted(found.keys() - explained, key=lambda c: (-len(following[c]), RULES.index(c)))
    return [
        replace(found[cause], consequences=tuple(found[rule] for rule in following[cause]))
        for cause in causes
    ]


def _following(rule: Rule, found: dict[Rule, Finding]) -> list[Rule]:
    """Of what was found, what follows from the rule, also by way of others, in the rules' order."""
    names, reached = set(rule.explains), set[str]()
    while names - reached:
        reached |= names
        names |= {name for other in found if other.name in reached for name in other.explains}
    return [other for other in found if other.name in reached]


def unexplained(case: Case, findings: list[Finding]) -> str | None:
    """What to hand in, where something is wrong and no cause was found; None otherwise."""
    if findings or not case.wrong:
        return None
    missing = [item for item in EVIDENCE if not item.known(case)]
    wanted = list(dict.fromkeys(item.where for item in missing))
    if not wanted:
        return (
            "the cause is not in these files: pixels, classes, steps, rates and weights show "
            "nothing; give me the images that are misread (--images), and look at the code between "
            "them and the model"
        )
    return f"the cause is not in these files; give me {' and '.join(wanted)}"
