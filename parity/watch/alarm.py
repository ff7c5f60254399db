"""What a guard does once it has seen a collapse: keep the evidence, say why, stop (numpy)."""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from parity.run_record import Predictions
from parity.watch.diagnosis import Finding
from parity.watch.diagnosis.rule import DEAD, DIVERGED
from parity.watch.symptoms import Symptoms

Reaction = Literal["stop", "warn", "off"]
Prove = Callable[[], tuple[Sequence[Finding], Sequence[str]]]
Told = Callable[[str, Sequence[Finding], Sequence[str]], object]

COLLAPSE_FILE = "collapse.npz"
"""The validation answers in which the guard saw the collapse, in the form of predictions.npz."""


class CollapsedError(RuntimeError):
    """The guard has stopped a training; the message has the signs and the diagnosis."""


@dataclass
class Alarm:
    """Where evidence goes, and how loud an alarm is.

    Attributes:
        run_dir: Where evidence is kept; None keeps none.
        reaction: "stop" raises `CollapsedError`, "warn" prints and goes on.
        go_on: What to write for the other reaction.
        writes: False on all processes but one.
    """

    run_dir: Path | None
    reaction: Reaction
    go_on: str
    writes: bool = True
    pictures: bool = True
    """Whether it is known that samples are images; tables, words and sounds are not called so."""
    prove: Prove | None = None
    """Tries what may help: causes that are proved so, and what was tried, in sentences."""
    told: Told | None = None
    """Is told what is said."""

    def keep(self, symptoms: Symptoms) -> None:
        """Write ``symptoms.json``."""
        if self.writes and self.run_dir is not None:
            symptoms.save(self.run_dir)

    def keep_answers(
        self,
        labels: NDArray[np.int64],
        logits: NDArray[np.floating[Any]],
        ids: NDArray[np.int64],
    ) -> None:
        """Write the answers that show the collapse: labels and ids int64 [N], logits [N, C]."""
        if self.writes and self.run_dir is not None:
            answers = Predictions(labels, np.asarray(logits, np.float32), ids)
            answers.save(self.run_dir, COLLAPSE_FILE)

    def sound(
        self,
        signs: Sequence[str],
        findings: Sequence[Finding],
        when: str,
        *,
        stop: bool,
    ) -> None:
        """Say what was seen, when, and why.

        Raises:
            CollapsedError: it is to stop, and the reaction is that.
        """
        proved, tried = self.prove() if self.prove is not None else ([], [])
        known = {finding.cause for finding in proved}
        findings = [finding for finding in findings if finding.cause not in known]
        if proved and any(line.startswith("tried: ") for line in tried):
            effects = [finding for finding in findings if finding.cause in (DEAD, DIVERGED)]
            findings = [finding for finding in findings if finding not in effects]
            follows = tuple(each for effect in effects for each in (effect, *effect.consequences))
            proved = [replace(proved[0], consequences=follows), *proved[1:]]
        findings = [*proved, *findings]
        if not self.pictures:
            signs = [_of_samples(sign) for sign in signs]
            findings = [_without_images(finding) for finding in findings]
        lines = [f"the network has collapsed {when}: {'; '.join(signs)}"]
        lines += [f"  {n}. {finding}" for n, finding in enumerate(findings, 1)]
        if not findings:
            lines.append("  the cause is not in what was measured")
        lines += [f"  {line}" for line in tried]
        if self.told is not None:
            self.told(lines[0], findings, tried)
        if stop and self.reaction == "stop":
            kept = "" if self.run_dir is None else f"evidence: {self.run_dir}; "
            lines.append(f"  {kept}{self.go_on} goes on all the same")
            raise CollapsedError("\n".join(lines))
        if self.writes:
            print("\n".join(["warning: " + lines[0], *lines[1:]]), file=sys.stderr)


def _of_samples(text: str) -> str:
    """The same without a word of images."""
    return re.sub(r"\bimage(s?)\b", r"sample\1", text).replace("pixels", "features")


def _without_images(found: Finding) -> Finding:
    cause, figures, advice = map(_of_samples, (found.cause, found.figures, found.advice))
    return Finding(cause, figures, advice, tuple(map(_without_images, found.consequences)))
