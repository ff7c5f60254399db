"""Causes in numbers that a loss cannot take: targets, or what the network answers."""

from dataclasses import replace

import numpy as np

from parity.watch.check.cause import Belief, Cause, Change, Match, Remedy
from parity.watch.check.head import fitting
from parity.watch.check.parts import ROWS
from parity.watch.check.program import Program

SIGNED = (
    "SoftMarginLoss",
    "HingeEmbeddingLoss",
    "CosineEmbeddingLoss",
    "MarginRankingLoss",
)
"""Losses of torch whose targets are signs."""
NEAR = 0.02
"""Part of the root mean square of targets, within which one of them is next to 0."""
SOME = 0.01
"""Share of the targets from which on a few odd ones are not meant."""


def not_binary(program: Program) -> Match | None:
    """Targets beyond 0 and 1 for a binary crossentropy, which then has no lower bound."""
    loss, values = program.loss, program.numbers
    if loss is None or loss.kind != "binary" or values is None or not np.isfinite(values).all():
        return None
    if float(((values < -1e-6) | (values > 1 + 1e-6)).mean()) < SOME:
        return None
    different = np.unique(values.ravel()[:10_000])
    two = len(different) == 2
    given = "they are " + " and ".join(f"{v:g}" for v in different) if two else (
        f"they are {values.min():.3g} to {values.max():.3g}"
    )  # fmt: skip
    remedy = fitting(program)
    if remedy is not None and two:
        words = f"with 0 and 1 for {different[0]:g} and {different[1]:g}"
        remedy = replace(remedy, words=words, targets="from 0")
    return Match(
        f"the targets lie outside 0 to 1, which is what {loss.name} takes",
        given,
        f"Divide them by {values.max():g}"
        if values.min() >= 0
        else "Bring them to 0 to 1"
        + (", or use the squared error for numbers" if not two else ": (y > 0)"),
        remedy=remedy,
    )


def no_signs(program: Program) -> Match | None:
    """No and yes as 0 and 1 for a margin loss, which multiplies by -1 and 1: 0 teaches nothing."""
    loss, values = program.loss, program.numbers
    if loss is None or loss.name not in SIGNED:
        return None
    if program.order:  # of pairs they may be made in the loop
        values = np.concatenate([each.ravel() for each in program.order])
    if values is None or not np.array_equal(np.unique(values), (0, 1)):
        return None
    return Match(
        f"{loss.name} takes -1 for no and 1 for yes, and is given 0 and 1",
        f"{float((values == 0).mean()):.0%} of the targets are 0",
        "Give it 2 * y - 1",
        remedy=None if program.numbers is None else fitting(program),
    )


def rates_below_zero(program: Program) -> Match | None:
    """The logarithm of what may be below 0."""
    loss = program.loss
    if loss is None or loss.name != "poisson" or not np.isfinite(program.answers).all():
        return None
    if program.answers.min() >= 0:
        return None
    return Match(
        f"{loss.name} takes rates above 0, and the network answers numbers below 0",
        f"its answers are {program.answers.min():.3g} to {program.answers.max():.3g}",
        'End in Dense(..., activation="softplus"), or "exponential"',
        remedy=_values(program),
    )


def ratios(program: Program) -> Match | None:
    """Errors that are measured as a share of targets about 0, or by their logarithms."""
    loss, values = program.loss, program.numbers
    if loss is None or values is None or values.dtype.kind != "f":
        return None
    if loss.name == "mean_absolute_percentage_error":
        near = np.abs(values) < NEAR * np.sqrt((values**2).mean())
        share, belief = float(near.mean()), Belief.LIKELY
        what, why = "are 0, or next to it", "it divides each error by its target"
    elif loss.name == "mean_squared_logarithmic_error":
        share, belief = float((values < 0).mean()), Belief.SURE
        what, why = "are below 0", "it takes the logarithm of each target plus 1, and cuts off at 0"
    else:
        return None
    if share < SOME:
        return None
    return Match(
        f"{loss.name} cannot measure errors of these targets",
        f"{share:.0%} of them {what}; {why}",
        'Use loss="mae" or loss="mse"',
        belief,
        _values(program),
    )


def empty_rows(program: Program) -> Match | None:
    """One-hot rows that name no class, as they are made of numbers beyond their columns."""
    loss, values = program.loss, program.numbers
    if loss is None or values is None or values.ndim != 2 or len(values) < ROWS:
        return None
    if loss.kind != "categorical" or loss.targets == "numbers" or values.shape[1] < 2:
        return None
    named = values.sum(axis=1)
    if not np.isin(values, (0, 1)).all() or named.max() != 1 or named.min() != 0:
        return None
    shifted = program.fair and not values[:, 0].any()
    return Match(
        "some one-hot rows name no class: nothing is learned of these samples",
        f"{float((named == 0).mean()):.0%} of the rows are all 0"
        + (", and none names class 0: the numbers begin at 1" if shifted else ""),
        "Number the classes from 0 before they are made rows: y - 1"
        if shifted
        else "Make rows with a column for each class: the highest number plus 1; drop no first one",
    )


def unbounded(program: Program) -> Match | None:
    """A loss of the program's own that takes the logarithm of 0."""
    if not program.unbounded:
        return None
    return Match(
        "the loss takes the logarithm of 0: it is not finite where an answer is exactly 0 or 1",
        "that is so with the targets themselves for answers, and not with answers 1e-7 off them",
        "Clip the answers in the loss: y_pred = keras.ops.clip(y_pred, 1e-7, 1 - 1e-7)",
        Belief.MAYBE,
        Remedy("with answers kept 1e-7 off 0 and 1", changes=Change.BOUNDED),
    )


def _values(program: Program) -> Remedy | None:
    return Remedy("with the squared error", head="values") if program.task == "values" else None


CAUSES = (
    Cause("not binary", not_binary, explains=("no probabilities",)),
    Cause("no signs", no_signs),
    Cause("rates below zero", rates_below_zero),
    Cause("ratios", ratios),
    Cause("empty rows", empty_rows),
    Cause("unbounded", unbounded),
)
