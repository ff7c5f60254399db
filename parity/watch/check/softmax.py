"""Causes in a softmax: over what it should not be taken, or where none belongs."""

import numpy as np

from parity.watch.check.cause import Belief, Cause, Change, Match, Remedy
from parity.watch.check.head import fitting, line
from parity.watch.check.program import Program
from parity.watch.check.training import MULTIPLIES

BOTH = 0.02
"""Share of the samples from which on it is no mistake that they have several labels, or none."""


def one_unit_softmax(program: Program) -> Match | None:
    """A share of the whole among one is always 1."""
    alone = {"softmax": 1, "log_softmax": 0}.get(program.last)
    if alone is None or (program.columns != 1 and (program.answers != alone).any()):
        return None
    return Match(
        "a softmax over a single unit answers 1, whatever it is fed",
        f"the network ends in one unit and {program.last}",
        line(program),
        remedy=fitting(program),
    )


def softmax_over_batch(program: Program) -> Match | None:
    """Columns that add up to 1 where rows should."""
    values = program.answers
    if program.last not in ("softmax", "log_softmax") or program.outputs.ndim != 2:
        return None
    values = np.exp(values) if program.last == "log_softmax" else values
    if len(values) < 3 or values.shape[1] < 2 or not np.isfinite(values).all():
        return None
    if np.abs(values.sum(axis=0) - 1).max() > 1e-3:
        return None
    if np.abs(values.sum(axis=1) - 1).max() < 1e-3:
        return None
    return Match(
        "the softmax is taken over the samples of a batch instead of over the classes",
        f"each of {values.shape[1]} columns adds up to 1, and the rows to "
        f"{values.sum(axis=1).min():.2g} to {values.sum(axis=1).max():.2g}",
        program.words(torch="Use dim=1, or none with nn.CrossEntropyLoss()", keras="Use axis=-1"),
        remedy=fitting(program),
    )


def one_output(program: Program) -> Match | None:
    """The crossentropy over a single class is 0, whatever is answered."""
    loss = program.loss
    if loss is None or loss.kind != "categorical" or program.columns != 1:
        return None
    if program.last in ("softmax", "log_softmax") or len(program.different) > 2:
        return None
    return Match(
        f"{loss.name} tells several classes apart, and the network has a single output",
        "over one output every share is 1 and the loss 0, whatever the network answers",
        program.words(
            torch="Use nn.BCEWithLogitsLoss() on y.float() of the same shape, or end in "
            "nn.Linear(..., 2)",
            keras='End in Dense(1, activation="sigmoid"), and use loss="binary_crossentropy"',
        ),
        remedy=Remedy("with one logit and the binary crossentropy", head="binary"),
    )


def several_labels(program: Program) -> Match | None:
    """A softmax makes labels exclude each other, and some samples have several."""
    values, columns = program.numbers, program.columns
    if values is None or columns is None or program.same_as_inputs:
        return None
    if values.ndim != 2 or values.shape[1] != columns:
        return None
    loss = program.loss
    if loss is None or loss.kind not in ("categorical", "binary") or columns < 2:
        return None
    ends = program.last in ("softmax", "log_softmax")
    if not (ends or loss.kind == "categorical") or not np.isin(values, (0, 1)).all():
        return None
    labels = values.sum(axis=1)
    several = float((labels > 1).mean())
    if several < BOTH:
        return None
    return Match(
        "a softmax lets labels exclude each other, and samples have several",
        f"{several:.0%} of the samples have more than one label, {labels.max():.0f} at most",
        program.words(
            torch="End without an activation, and use nn.BCEWithLogitsLoss()",
            keras='End in Dense(..., activation="sigmoid"), and use loss="binary_crossentropy"',
        ),
        remedy=Remedy("with a logit for each label and the binary crossentropy", head="several"),
    )


def hidden_softmax(program: Program) -> Match | None:
    """A softmax between two layers leaves next to nothing of what is to be told apart."""
    count = sum(
        own.function == "softmax"
        and own.follows
        and after.follows
        and before.kind in MULTIPLIES
        and after.kind in MULTIPLIES
        for before, own, after in zip(
            program.layers, program.layers[1:], program.layers[2:], strict=False
        )
    )
    if not count:
        return None
    return Match(
        "softmax is the activation of hidden layers",
        f"{count} hidden layer{'s' * (count > 1)} end{'s' * (count == 1)} in softmax: their values "
        "add up to 1, and hardly differ from sample to sample",
        "Use ReLU in the hidden layers; softmax belongs to the last one",
        Belief.LIKELY,
        Remedy("with ReLU in the hidden layers", changes=Change.RELU),
    )


def softmax_of_softmax(program: Program) -> Match | None:
    """Shares of shares: nearly the same for every class, the largest of ten is 0.23 at most."""
    pairs = zip(program.layers, program.layers[1:], strict=False)
    soft = ("softmax", "log_softmax")
    if not any(a.function == "softmax" and b.function in soft and b.follows for a, b in pairs):
        return None
    # Torch takes logits without either; a Keras model goes on ending in a softmax.
    both = program.framework == "torch"
    first = Remedy("with ReLU in the place of the first", changes=Change.RELU)
    return Match(
        "softmax is applied twice in the network",
        "one softmax is fed what another gives: shares between 0 and 1, whose own shares are all "
        "alike, as good as",
        line(program) if both and program.loss is not None else "Leave one of the two out",
        remedy=fitting(program) if both else first,
    )


CAUSES = (
    Cause("one unit softmax", one_unit_softmax, explains=("fewer outputs", "distance for classes")),
    Cause("softmax over batch", softmax_over_batch, explains=("softmax twice", "mixes")),
    Cause("one output", one_output, explains=("fewer outputs", "sigmoid for classes")),
    Cause("several labels", several_labels),
    Cause("softmax of softmax", softmax_of_softmax),
    Cause("hidden softmax", hidden_softmax),
)
