"""All that is measured of two sides, before anything is judged."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity.judge import statistics
from parity.judge.answers import Run, Side
from parity.judge.comparable import check_comparable, number_of_classes
from parity.judge.confidence import unlike_confidence
from parity.judge.equivalence import Disagreement, Estimate, paired, seed_disagreement, welch
from parity.watch.collapse import CollapseLimits, signs_of_collapse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Differences = tuple[Estimate | None, dict[int, Estimate], dict[int, Estimate]]
"""In accuracy, in each class's recall, in each class's share of the predictions."""


@dataclass(frozen=True)
class SideEvidence:
    """One side's runs, R of them.

    Attributes:
        name: Of the side.
        runs: Their names.
        confusion: int64 [R, C, C], labels by predicted; None without labels.
        accuracy: float [R]; None without labels.
        recall: float [R, C], NaN for a class without images; None without labels.
        precision: float [R, C], NaN for a class never predicted; None without labels.
        share: float [R, C], of the predictions.
        calibration_error: float [R], or None where there are no finite probabilities.
        log_likelihood: Mean negative log-likelihood, float [R], or None likewise.
        collapse: What speaks for a collapse, by name of the run; empty for healthy runs.
    """

    name: str
    runs: list[str]
    confusion: Ints | None
    accuracy: Floats | None
    recall: Floats | None
    precision: Floats | None
    share: Floats
    calibration_error: Floats | None
    log_likelihood: Floats | None
    collapse: dict[str, list[str]]


@dataclass(frozen=True)
class Pair:
    """Tests on the same images, of one run of A and one of B."""

    runs: tuple[str, str]
    agreement: float
    confusion: Ints
    mcnemar: statistics.Test | None
    bowker: statistics.Test
    stuart_maxwell: statistics.Test


@dataclass(frozen=True)
class Evidence:
    """Both sides and what differs between them.

    Attributes:
        classes: C.
        images: N.
        a: The first side.
        b: The second side; differences are B - A.
        over_seeds: Whether differences were estimated over seeds, or over the images of one pair.
        accuracy: Difference in accuracy; None without labels.
        recall: Difference in the recall of each class that has images; empty without labels.
        share: Difference in each class's share of the predictions.
        total_variation: Between the mean shares.
        jensen_shannon: Between the mean shares.
        disagreement: Between the sides against within them.
        pairs: Paired tests, first run with first run and so on.
        without: What could not be judged, and why.
    """

    classes: int
    images: int
    a: SideEvidence
    b: SideEvidence
    over_seeds: bool
    accuracy: Estimate | None
    recall: dict[int, Estimate]
    share: dict[int, Estimate]
    total_variation: float
    jensen_shannon: float
    disagreement: Disagreement
    pairs: list[Pair]
    without: list[str]


def gather(a: Side, b: Side, limits: CollapseLimits) -> Evidence:
    """Measure everything.

    Raises:
        CannotCompareError: different images, labels, classes, data or orders.
    """
    runs = [*a.runs, *b.runs]
    check_comparable(a, b)
    labels = runs[0].labels
    classes = number_of_classes(runs)
    first, second = (_describe(side, classes, labels, limits) for side in (a, b))
    over_seeds = min(len(a.runs), len(b.runs)) > 1
    without = []
    if labels is None:
        without.append("no labels: accuracy, recall and calibration cannot be judged")
    if not over_seeds:
        without.append(
            "one run on a side: this judges these two models, not the two ways to train them"
        )
    without += [
        f"{side.name}, {run.name}: {run.broken:,} of {len(run.predicted):,} answers "
        f"{'is' if run.broken == 1 else 'are'} not finite; such a one counts as the class of its "
        "largest finite score"
        for side in (a, b)
        for run in side.runs
        if run.broken
    ]
    without += unlike_confidence(a, b)
    if over_seeds:
        accuracy, recall, share = _over_seeds(first, second)
    else:
        accuracy, recall, share = _over_images(a.runs[0], b.runs[0], classes)
    shares = first.share.mean(axis=0), second.share.mean(axis=0)
    return Evidence(
        classes=classes,
        images=len(runs[0].predicted),
        a=first,
        b=second,
        over_seeds=over_seeds,
        accuracy=accuracy,
        recall=recall,
        share=share,
        total_variation=statistics.total_variation(*shares),
        jensen_shannon=statistics.jensen_shannon(*shares),
        disagreement=seed_disagreement(
            [run.predicted for run in a.runs], [run.predicted for run in b.runs]
        ),
        pairs=[_pair(x, y, classes, labels) for x, y in zip(a.runs, b.runs, strict=False)],
        without=without,
    )


def _over_seeds(a: SideEvidence, b: SideEvidence) -> Differences:
    """One value a seed."""
    share = {c: welch(a.share[:, c], b.share[:, c]) for c in range(a.share.shape[1])}
    if a.accuracy is None or b.accuracy is None or a.recall is None or b.recall is None:
        return None, {}, share
    seen = np.flatnonzero(~np.isnan(a.recall[0]))
    recall = {int(c): welch(a.recall[:, c], b.recall[:, c]) for c in seen}
    return welch(a.accuracy, b.accuracy), recall, share


def _over_images(a: Run, b: Run, classes: int) -> Differences:
    """One value an image, of a single pair of runs."""
    images = len(a.predicted)
    table = statistics.confusion(a.predicted, b.predicted, classes)
    gained, lost = table.sum(axis=0) - np.diag(table), table.sum(axis=1) - np.diag(table)
    share = {c: paired(int(gained[c]), int(lost[c]), images) for c in range(classes)}
    if a.labels is None:
        return None, {}, share
    right_a, right_b = a.predicted == a.labels, b.predicted == a.labels
    gained, lost, support = (
        np.bincount(a.labels[which], minlength=classes)
        for which in (right_b & ~right_a, right_a & ~right_b, np.ones(images, bool))
    )
    recall = {
        int(c): paired(int(gained[c]), int(lost[c]), int(support[c]))
        for c in np.flatnonzero(support)
    }
    return paired(int(gained.sum()), int(lost.sum()), images), recall, share


def _describe(
    side: Side, classes: int, labels: Ints | None, limits: CollapseLimits
) -> SideEvidence:
    runs = side.runs
    collapse = {}
    for run in runs:
        outputs = {"logits": run.logits, "probabilities": run.probabilities}
        signs = signs_of_collapse(run.predicted, classes, labels=labels, limits=limits, **outputs)
        if signs:
            collapse[run.name] = signs
    counts = np.stack([np.bincount(run.predicted, minlength=classes) for run in runs])
    share = counts / len(runs[0].predicted)
    names = [run.name for run in runs]
    if labels is None:
        return SideEvidence(side.name, names, None, None, None, None, share, None, None, collapse)
    tables = np.stack([statistics.confusion(labels, run.predicted, classes) for run in runs])
    calibration = likelihood = None
    known = [run.probabilities for run in runs if run.probabilities is not None]
    if len(known) == len(runs) and all(np.isfinite(p).all() for p in known):
        calibration = np.array([statistics.expected_calibration_error(p, labels) for p in known])
        likelihood = np.array([statistics.negative_log_likelihood(p, labels) for p in known])
    return SideEvidence(
        name=side.name,
        runs=names,
        confusion=tables,
        accuracy=np.trace(tables, axis1=1, axis2=2) / len(labels),
        recall=np.stack([statistics.recall(table) for table in tables]),
        precision=np.stack([statistics.precision(table) for table in tables]),
        share=share,
        calibration_error=calibration,
        log_likelihood=likelihood,
        collapse=collapse,
    )


def _pair(a: Run, b: Run, classes: int, labels: Ints | None) -> Pair:
    table = statistics.confusion(a.predicted, b.predicted, classes)
    return Pair(
        runs=(a.name, b.name),
        agreement=float(np.trace(table) / table.sum()),
        confusion=table,
        mcnemar=None
        if labels is None
        else statistics.mcnemar(a.predicted == labels, b.predicted == labels),
        bowker=statistics.bowker(table),
        stuart_maxwell=statistics.stuart_maxwell(table),
    )
