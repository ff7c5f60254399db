"""From evidence to a verdict, with numbered reasons."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from parity.judge.equivalence import Estimate, holm, paired
from parity.judge.evidence import Evidence, SideEvidence
from parity.judge.planning import in_words, seeds_needed
from parity.watch import collapse
from parity.watch.collapse import CollapseLimits

GUESSED_SEEDS = 5
"""Seeds a side to ask for where nothing is known of the spread between them."""


class Verdict(Enum):
    """What is said of two sides; the value is the exit code."""

    EQUIVALENT = 0
    DIFFERENT = 1
    COLLAPSED = collapse.COLLAPSED
    INCONCLUSIVE = 4


@dataclass(frozen=True)
class Thresholds:
    """What counts as different. Each default suits 10,000 test images.

    Attributes:
        accuracy_margin: Difference in mean accuracy that does not matter: half a point.
        recall_margin: Difference in a class's mean recall that does not matter: three points, as a
            class of 1,000 images and five seeds a side can decide.
        share_margin: Difference in a class's mean share of the predictions that does not matter:
            one point.
        disagreement_margin: Share of images on which the sides may disagree beyond what seeds of
            one side do: one point.
        alpha: Probability of calling different sides equivalent, and, over all classes together,
            of calling equivalent sides different.
        lost_recall: Mean recall below which a class that is still predicted counts as lost, and
            never above chance, 1 / C. Two classes swapped leave about 0.01 of each.
        collapse: When a sign of collapse is believed.
    """

    accuracy_margin: float = 0.005
    recall_margin: float = 0.03
    share_margin: float = 0.01
    disagreement_margin: float = 0.01
    alpha: float = 0.05
    lost_recall: float = 0.05
    collapse: CollapseLimits = field(default_factory=CollapseLimits)

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            highest = 0.5 if name == "alpha" else 1
            if name != "collapse" and not 0 < value < highest:
                raise ValueError(f"{name} is {value}; expected a share between 0 and {highest}")

    def changed(self) -> list[str]:
        """Each threshold that is not its default, in words."""
        return [
            f"{item.name} is {getattr(self, item.name):g}, {item.default:g} by default"
            for item in dataclasses.fields(self)
            if item.name != "collapse" and getattr(self, item.name) != item.default
        ] + ([] if self.collapse == CollapseLimits() else ["the limits of collapse are changed"])


@dataclass(frozen=True)
class Judgement:
    """A verdict, its reasons in order of weight, and how many seeds a side would decide."""

    verdict: Verdict
    reasons: list[str]
    seeds_needed: int | None = None


SEVERITY = (Verdict.COLLAPSED, Verdict.DIFFERENT, Verdict.INCONCLUSIVE, Verdict.EQUIVALENT)


def worst(judgements: Mapping[str, Judgement]) -> Judgement:
    """What is said of several views of a test set together: the worst, and where it was seen."""
    if len(judgements) == 1:
        (only,) = judgements.values()
        return only
    verdict = min((each.verdict for each in judgements.values()), key=SEVERITY.index)
    found = {name: each for name, each in judgements.items() if each.verdict is verdict}
    reasons = [f"{name}: {reason}" for name, each in found.items() for reason in each.reasons]
    needed = [each.seeds_needed for each in found.values() if each.seeds_needed is not None]
    return Judgement(verdict, reasons, max(needed, default=None))


def judge(evidence: Evidence, thresholds: Thresholds) -> Judgement:
    """Absolute guards first, then differences that matter, then equivalence."""
    collapsed = [
        f"{side.name}, {run}: {sign}"
        for side in (evidence.a, evidence.b)
        for run, signs in side.collapse.items()
        for sign in signs
    ]
    lost_a, lost_b = (_lost_classes(side, thresholds) for side in (evidence.a, evidence.b))
    collapsed += [
        f"both sides have lost class {c}: they find fewer than {thresholds.lost_recall:.0%} of it"
        for c in sorted(lost_a & lost_b)
    ]
    if collapsed:
        return Judgement(Verdict.COLLAPSED, collapsed)
    different = _differences(evidence, thresholds)
    different += [
        f"only one side has lost class {c}: it finds fewer than {thresholds.lost_recall:.0%} of it"
        for c in sorted(lost_a ^ lost_b)
    ]
    if different:
        return Judgement(Verdict.DIFFERENT, different)
    return _equivalence(evidence, thresholds)


def _lost_classes(side: SideEvidence, thresholds: Thresholds) -> set[int]:
    """Classes of some size that a side's runs, taken together, find less often than by chance."""
    if side.recall is None or side.confusion is None:
        return set()
    enough = side.confusion[0].sum(axis=1) >= thresholds.collapse.support
    limit = min(thresholds.lost_recall, 1 / side.recall.shape[1])
    return set(np.flatnonzero(enough & (side.recall.mean(axis=0) < limit)).tolist())


def _differences(evidence: Evidence, thresholds: Thresholds) -> list[str]:
    """What lies beyond its margin, surely."""
    reasons = []
    accuracy = evidence.accuracy
    if accuracy is not None:
        p = accuracy.p_beyond(thresholds.accuracy_margin)
        if p < thresholds.alpha:
            reasons.append(
                f"accuracy differs by more than {_points(thresholds.accuracy_margin)}: "
                f"{_estimate(accuracy, thresholds)} (p = {p:.2g})"
            )
    for name, estimates, margin in _by_class(evidence, thresholds):
        adjusted = holm([estimate.p_beyond(margin) for estimate in estimates.values()])
        for c, p in zip(estimates, adjusted, strict=True):
            if p < thresholds.alpha:
                reasons.append(
                    f"class {c}: {name} differs by more than {_points(margin)}: "
                    f"{_estimate(estimates[c], thresholds)} (Holm-adjusted p = {p:.2g})"
                )
    found = evidence.disagreement
    excess = found.between - found.within
    if found.p < thresholds.alpha and excess > thresholds.disagreement_margin:
        reasons.append(
            f"the sides disagree on {found.between:.2%} of the images, seeds of one side on "
            f"{found.within:.2%}: more than {_points(thresholds.disagreement_margin)} more "
            f"(p = {found.p:.2g})"
        )
    return reasons


def _equivalence(evidence: Evidence, thresholds: Thresholds) -> Judgement:
    """All within their margins, or what is still open.

    Each must pass at alpha by itself, and so no correction is due (Berger, Hsu 1996).
    """
    still_open = [
        (name, estimate, margin)
        for name, estimate, margin in _checks(evidence, thresholds)
        if estimate.p_within(margin) >= thresholds.alpha
    ]
    reasons = [
        f"{name}: too little evidence that it lies within {_points(margin)}: "
        f"{_estimate(estimate, thresholds)}"
        for name, estimate, margin in still_open
    ]
    excess = evidence.disagreement.between - evidence.disagreement.within
    if excess > thresholds.disagreement_margin:
        reasons.append(
            f"the sides disagree on {excess:.2%} of the images more than seeds of one side do, "
            "which with so few seeds may be chance"
        )
    if not reasons:
        return Judgement(Verdict.EQUIVALENT, _agreements(evidence, thresholds))
    runs = min(len(evidence.a.runs), len(evidence.b.runs))
    if not evidence.over_seeds:
        needed = max(runs + 1, GUESSED_SEEDS)
        guess = ", at a guess: so few show nothing of the spread between seeds"
        said = f"about {needed} seeds a side would decide{guess}"
        return Judgement(Verdict.INCONCLUSIVE, [*reasons, said], needed)
    groups = [([e], thresholds.accuracy_margin) for e in [evidence.accuracy] if e is not None]
    groups += [(list(found.values()), m) for _, found, m in _by_class(evidence, thresholds)]
    plan = seeds_needed(groups, runs, thresholds.alpha)
    return Judgement(Verdict.INCONCLUSIVE, [*reasons, in_words(plan)], plan)


def _checks(evidence: Evidence, thresholds: Thresholds) -> list[tuple[str, Estimate, float]]:
    """What must be shown to lie within a margin: its name, the estimate, the margin."""
    found: list[tuple[str, Estimate, float]] = []
    if evidence.accuracy is not None:
        found.append(("accuracy", evidence.accuracy, thresholds.accuracy_margin))
    elif not evidence.over_seeds:
        # Two models' accuracies differ by no more than the share of images they disagree on.
        differing = round(evidence.disagreement.between * evidence.images)
        estimate = paired(differing, 0, evidence.images)
        found.append(("disagreement", estimate, thresholds.accuracy_margin))
    for name, estimates, margin in _by_class(evidence, thresholds):
        found += [(f"{name} of class {c}", e, margin) for c, e in estimates.items()]
    return found


def _by_class(
    evidence: Evidence, thresholds: Thresholds
) -> list[tuple[str, dict[int, Estimate], float]]:
    """What is estimated for each class: its name, the estimates, the margin."""
    return [
        ("recall", evidence.recall, thresholds.recall_margin),
        ("share of predictions", evidence.share, thresholds.share_margin),
    ]


def _agreements(evidence: Evidence, thresholds: Thresholds) -> list[str]:
    reasons = []
    if evidence.accuracy is not None:
        reasons.append(
            f"accuracy lies within {_points(thresholds.accuracy_margin)}: "
            f"{_estimate(evidence.accuracy, thresholds)}"
        )
    for name, estimates, margin in _by_class(evidence, thresholds):
        if estimates:
            c = max(estimates, key=lambda c: abs(estimates[c].difference))
            reasons.append(
                f"every class's {name} lies within {_points(margin)}; class {c} differs most: "
                f"{_estimate(estimates[c], thresholds)}"
            )
    found = evidence.disagreement
    within = "" if np.isnan(found.within) else f", seeds of one side on {found.within:.2%}"
    reasons.append(f"the sides disagree on {found.between:.2%} of the images{within}")
    return reasons


def _points(share: float) -> str:
    points = f"{100 * share:.2g}"
    return f"{points} point{'s' * (points != '1')}"


def _estimate(estimate: Estimate, thresholds: Thresholds) -> str:
    low, high = np.clip(estimate.interval(thresholds.alpha), -1, 1)  # of shares, however few images
    interval = f"{1 - 2 * thresholds.alpha:.0%} interval {100 * low:+.2f} to {100 * high:+.2f}"
    return f"{100 * estimate.difference:+.2f} points ({interval})"
