"""The public face: two sides in, a verdict with everything behind it out."""

from dataclasses import dataclass
from pathlib import Path

from parity.evidence import Evidence, gather
from parity.loading import Side, load_side
from parity.verdict import Judgement, Thresholds, Verdict, judge


@dataclass(frozen=True)
class Comparison:
    """Two sides, what was measured of them, and what is said of it."""

    a: Side
    b: Side
    thresholds: Thresholds
    evidence: Evidence
    judgement: Judgement

    @property
    def verdict(self) -> Verdict:
        """EQUIVALENT, DIFFERENT, COLLAPSED or INCONCLUSIVE."""
        return self.judgement.verdict


def compare(
    a: Side | Path | str, b: Side | Path | str, thresholds: Thresholds | None = None
) -> Comparison:
    """Compare two sides.

    Args:
        a: A run directory, a folder of run directories (one a seed), a prediction file in .npz or
            .csv, or a loaded `Side`.
        b: The other side; differences are B - A.
        thresholds: What counts as different.

    Raises:
        RunRecordError: a file is missing, unreadable or breaks the contract.
        CannotCompareError: the sides do not answer the same questions.
    """
    thresholds = thresholds or Thresholds()
    first, second = (side if isinstance(side, Side) else load_side(Path(side)) for side in (a, b))
    if first.name == second.name:
        first = Side(f"{first.name} (A)", first.runs)
        second = Side(f"{second.name} (B)", second.runs)
    evidence = gather(first, second, thresholds.collapse)
    return Comparison(first, second, thresholds, evidence, judge(evidence, thresholds))


def assert_parity(
    a: Side | Path | str, b: Side | Path | str, thresholds: Thresholds | None = None
) -> Comparison:
    """Compare two sides in a test suite.

    Raises:
        AssertionError: the verdict is not EQUIVALENT; the message has verdict and reasons.
    """
    comparison = compare(a, b, thresholds)
    if comparison.verdict is not Verdict.EQUIVALENT:
        reasons = "".join(f"\n  {n}. {r}" for n, r in enumerate(comparison.judgement.reasons, 1))
        raise AssertionError(f"{comparison.verdict.name}{reasons}")
    return comparison
