"""Causes in how answers were gathered: the same batch twice, rows and columns never filled."""

import numpy as np

from parity.watch.diagnosis import rule
from parity.watch.diagnosis.case import LIMITS, Case, Ints
from parity.watch.diagnosis.figures import above_majority, in_rows
from parity.watch.diagnosis.rule import Match, Rule

BLOCK = 8
"""Different rows that come again in the same sequence, bit by bit, and are no chance."""
EMPTY = 4
"""Rows without an answer, one after the other, that are no chance."""


def not_finite(case: Case) -> Match | None:
    """Logits that are not numbers: of all images, or of some beside others that are read well."""
    bad = (~np.isfinite(case.logits)).any(axis=1)
    rows, others = np.flatnonzero(bad), np.flatnonzero(~bad)
    if not len(rows):
        return None
    mute = (~np.isfinite(case.logits)).all(axis=0)
    if not mute.all() and np.isfinite(case.logits[:, ~mute]).all():
        classes = ", ".join(map(str, np.flatnonzero(mute)[:5]))
        said = f"those of the other {(~mute).sum()} classes are, for each of {len(bad):,} images"
        return Match(f"the score of class {classes} is never finite", said)
    sound = bad.mean() < 0.5
    if case.labels is not None and case.label_shares is not None and len(others) > LIMITS.support:
        right = (case.predicted == case.labels)[others].mean()
        sound |= right >= above_majority(case.label_shares, 0.5)
    if not sound:
        said = f"those of {bad.mean():.1%} of the images, whose predicted class means nothing"
        return Match(rule.DIVERGED, said)
    return Match(
        "some images are answered with values that are not finite",
        f"{len(rows):,} of {len(bad):,}, in {in_rows(rows)}; the network is not broken as a whole",
    )


def repeated(case: Case) -> Match | None:
    """Blocks of answers that stand there already, though the images are others.

    Images that come twice have the same labels, too.
    """
    assert case.labels is not None
    before = _before(case)
    lag = np.where(before >= 0, np.arange(len(before)) - before, 0)
    ends = np.flatnonzero(np.diff(lag)) + 1
    found = 0
    first = ""
    for start, end in zip([0, *ends], [*ends, len(lag)], strict=True):
        step = int(lag[start])
        rows = np.arange(start, end)
        if step < BLOCK or len(rows) < BLOCK or len(np.unique(before[rows] % step)) < BLOCK:
            continue
        if (case.labels[rows] == case.labels[rows - step]).mean() > 0.5:
            continue
        found += len(rows)
        first = first or (
            f"rows {start} to {end - 1} hold, bit by bit, what rows {start - step} to "
            f"{end - 1 - step} hold, and have other labels"
        )
    if not found:
        return None
    return Match(
        "answers of one batch stand where those of others should",
        f"{first}; in all, so do {found:,} of {len(lag):,} rows",
    )


def _before(case: Case) -> Ints:
    """Where each row of answers stood the last time, int64 [N]; -1 where it is new."""
    weights = np.random.default_rng(0).normal(size=case.classes)
    _, keys = np.unique((case.logits * weights).sum(axis=1), return_inverse=True)
    order = np.argsort(keys, kind="stable")
    before = np.full(len(keys), -1)
    again = keys[order[1:]] == keys[order[:-1]]
    before[order[1:][again]] = order[:-1][again]
    same = (case.logits[before] == case.logits).all(axis=1)
    return np.where(same, before, -1)


def unfilled(case: Case) -> Match | None:
    """One block of rows in which all classes have the same score, and no such row elsewhere."""
    empty = np.flatnonzero(np.ptp(case.logits, axis=1) == 0)
    count, rows = len(case.logits), len(empty)
    if not case.finite or rows < EMPTY or count - rows < max(rows, 5 * EMPTY):
        return None
    if empty[-1] - empty[0] + 1 != rows:
        return None
    return Match(
        "rows of answers were never filled",
        f"in rows {empty[0]} to {empty[-1]} of {count - 1} all classes have the same score, "
        "and nowhere else",
    )


def mute(case: Case) -> Match | None:
    """A class whose score does not depend on the image, beside others that do."""
    assert case.labels is not None
    logits = case.logits
    if not case.finite or case.classes < 3 or logits.min() >= 0:
        return None  # behind a ReLU, votes and shares
    still = np.ptp(logits, axis=0) == 0
    others = logits[:, ~still]
    if len(np.unique(others)) < 0.5 * others.size:
        return None  # rounded, and so may be the small shares of a class
    if np.abs(np.exp(logits.astype(np.float64)).sum(axis=1) - 1).max() < 1e-3:
        return None  # logarithms of shares
    asked = np.bincount(case.labels, minlength=case.classes)[: case.classes] >= LIMITS.support
    classes = np.flatnonzero(still & asked)
    if not len(classes) or still.mean() > 0.5:
        return None
    names = ", ".join(map(str, classes[:5]))
    return Match(
        f"the score of class {names} is the same for every image",
        f"{logits[0, classes[0]]:.3g} each time, and {asked.sum() - len(classes)} other classes "
        f"have scores that differ; {int(np.isin(case.labels, classes).sum()):,} images are of it",
    )


RULES = (
    Rule(
        "not finite",
        (),
        not_finite,
        "Look for pixels that are not numbers, rows never filled, or a loss that overflows",
        also_of_sound_models=True,
    ),
    Rule(
        "repeated",
        (rule.SCORES, rule.LABELS),
        repeated,
        "Copy each batch's answers where they are gathered, and gather each batch once",
        explains=("shuffled", "class frequencies", "untrained"),
        also_of_sound_models=True,
    ),
    Rule(
        "unfilled",
        (rule.SCORES,),
        unfilled,
        "Predict all images: also those of a last batch that is smaller than the others",
        also_of_sound_models=True,
    ),
    Rule(
        "mute",
        (rule.SCORES, rule.LABELS),
        mute,
        "Look at this unit of the last layer and at what writes into its column, such as a mask",
        also_of_sound_models=True,
    ),
)
