"""Two sides in, a verdict with everything behind it out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from parity.judge.aligning import aligned
from parity.judge.answers import Side
from parity.judge.case_files import case_of
from parity.judge.comparable import CannotCompareError
from parity.judge.evidence import Evidence, gather
from parity.judge.verdict import Judgement, Thresholds, Verdict, judge, worst
from parity.watch.diagnosis import diagnose
from parity.watch.symptoms import Symptoms

CLEAN = "clean"
"""The test set itself, as a view."""


@dataclass(frozen=True)
class View:
    """A version of the test set: what was measured on it and, where it is judged, what is said."""

    name: str
    evidence: Evidence
    judgement: Judgement | None


@dataclass(frozen=True)
class Outcome:
    """Two sides, what was measured of them, and what is said of it.

    Views are the test set itself, then its other versions that all runs have answered; the
    judgement is the worst of all that are judged.
    """

    a: Side
    b: Side
    thresholds: Thresholds
    views: list[View]
    judgement: Judgement

    @property
    def evidence(self) -> Evidence:
        """What was measured on the test set itself."""
        return self.views[0].evidence

    @property
    def verdict(self) -> Verdict:
        """EQUIVALENT, DIFFERENT, COLLAPSED or INCONCLUSIVE."""
        return self.judgement.verdict


def judge_sides(a: Side, b: Side, thresholds: Thresholds, views: Sequence[str] = ()) -> Outcome:
    """Measure and judge two sides; arguments as of `parity.compare`.

    Raises:
        CannotCompareError: the sides do not answer the same questions.
    """
    if a.name == b.name:
        a, b = Side(f"{a.name} (A)", a.runs), Side(f"{b.name} (B)", b.runs)
    judged = {CLEAN, *views}
    compared = []
    for name, (seen_a, seen_b) in _views(a, b, views).items():
        seen_a, seen_b, done = aligned(seen_a, seen_b)
        if name == CLEAN:
            a, b = seen_a, seen_b
        evidence = gather(seen_a, seen_b, thresholds.collapse)
        evidence = replace(evidence, without=[*evidence.without, *done])
        judgement = judge(evidence, thresholds) if name in judged else None
        compared.append(View(name, evidence, judgement))
    judgements = {view.name: view.judgement for view in compared if view.judgement is not None}
    judgement = worst(judgements)
    if judgement.verdict in (Verdict.COLLAPSED, Verdict.DIFFERENT):
        judgement = replace(judgement, reasons=[*_causes(a, b), *judgement.reasons])
    return Outcome(a, b, thresholds, compared, judgement)


def _causes(a: Side, b: Side) -> list[str]:
    """What the answers of each run alone tell of why they are wrong."""
    return [
        f"{side.name}, {run.name}: {finding.cause}: {finding.figures}"
        for side in (a, b)
        for run in side.runs
        for finding in diagnose(case_of(run, Symptoms()))
    ]


def _views(a: Side, b: Side, needed: Sequence[str]) -> dict[str, tuple[Side, Side]]:
    """Both sides' answers to the test set, then to each of its versions that all runs have."""
    runs = [*a.runs, *b.runs]
    for run in runs:
        if missing := [name for name in needed if name != CLEAN and name not in run.views]:
            raise CannotCompareError(
                f"{run.name} has no predictions for the view {missing[0]}; expected "
                f"views/{missing[0]}.npz in its folder: train or test with --views all"
            )
    common = [name for name in runs[0].views if all(name in run.views for run in runs)]
    sides = {CLEAN: (a, b)}
    for name in common:
        if name != CLEAN:
            of_a, of_b = (Side(s.name, [run.views[name] for run in s.runs]) for s in (a, b))
            sides[name] = of_a, of_b
    return sides
