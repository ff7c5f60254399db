"""The public face: two sides in, a verdict with everything behind it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parity.judge.answers import Side
from parity.judge.comparable import CannotCompareError
from parity.judge.evidence import Evidence, gather
from parity.judge.loading import load_side
from parity.judge.verdict import Judgement, Thresholds, Verdict, judge, worst

CLEAN = "clean"
"""The test set itself, as a view."""


@dataclass(frozen=True)
class View:
    """A version of the test set: what was measured on it and, where it is judged, what is said."""

    name: str
    evidence: Evidence
    judgement: Judgement | None


@dataclass(frozen=True)
class Comparison:
    """Two sides, what was measured of them, and what is said of it.

    Attributes:
        a: The first side.
        b: The second side; differences are B - A.
        thresholds: What counts as different.
        views: The test set itself, then its other versions that all runs have answered.
        judgement: Of all judged views together: the worst.
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


def compare(
    a: Side | Path | str,
    b: Side | Path | str,
    thresholds: Thresholds | None = None,
    views: Sequence[str] = (),
) -> Comparison:
    """Compare two sides.

    Args:
        a: A run directory, a folder of run directories (one a seed), a prediction file in .npz or
            .csv, or a loaded `Side`.
        b: The other side; differences are B - A.
        thresholds: What counts as different.
        views: Versions of the test set that are judged like the test set itself. Others that the
            runs have answered are measured only.

    Raises:
        RunRecordError: a file is missing, unreadable or breaks the contract.
        CannotCompareError: the sides do not answer the same questions.
    """
    thresholds = thresholds or Thresholds()
    first, second = (side if isinstance(side, Side) else load_side(Path(side)) for side in (a, b))
    if first.name == second.name:
        first = Side(f"{first.name} (A)", first.runs)
        second = Side(f"{second.name} (B)", second.runs)
    judged = {CLEAN, *views}
    compared = []
    for name, (seen_a, seen_b) in _views(first, second, views).items():
        evidence = gather(seen_a, seen_b, thresholds.collapse)
        judgement = judge(evidence, thresholds) if name in judged else None
        compared.append(View(name, evidence, judgement))
    judgements = {view.name: view.judgement for view in compared if view.judgement is not None}
    return Comparison(first, second, thresholds, compared, worst(judgements))


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


def assert_parity(
    a: Side | Path | str,
    b: Side | Path | str,
    thresholds: Thresholds | None = None,
    views: Sequence[str] = (),
) -> Comparison:
    """Compare two sides in a test suite.

    Raises:
        AssertionError: the verdict is not EQUIVALENT; the message has verdict and reasons.
    """
    comparison = compare(a, b, thresholds, views)
    if comparison.verdict is not Verdict.EQUIVALENT:
        reasons = "".join(f"\n  {n}. {r}" for n, r in enumerate(comparison.judgement.reasons, 1))
        raise AssertionError(f"{comparison.verdict.name}{reasons}")
    return comparison
