"""Causes at the end of the network: its last activation, and the loss that follows it."""

from dataclasses import replace

import numpy as np

from parity.watch.check.cause import Cause, Match, Remedy
from parity.watch.check.data import LARGE
from parity.watch.check.program import Program

SQUASHING = ("relu", "relu6", "tanh", "elu", "selu", "leaky_relu", "gelu", "silu", "softsign")
"""Activations of hidden layers."""
RANGES = {
    "relu": (0.0, np.inf),
    "relu6": (0.0, 6.0),
    "softplus": (0.0, np.inf),
    "exponential": (0.0, np.inf),
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
}
"""What an activation can give, at most."""


def fitting(program: Program) -> Remedy | None:
    """Last layer and loss that fit the targets."""
    what = {
        "classes": "logits and the crossentropy over the classes",
        "binary": "one logit and the binary crossentropy",
        "several": "a logit for each label and the binary crossentropy",
        "values": "no activation at the end and the squared error",
    }
    task = program.task
    return None if task is None else Remedy(f"with {what[task]}", head=task)


def line(program: Program) -> str:
    """The end of the network and its loss, as they should be."""
    count = _count(program)
    if program.task == "binary":
        return program.words(
            torch="End in nn.Linear(..., 1) without an activation, and use nn.BCEWithLogitsLoss() "
            "on y.float() of the same shape",
            keras='End in Dense(1, activation="sigmoid"), and use loss="binary_crossentropy"',
        )
    if program.task == "several":
        return program.words(
            torch="End without an activation, and use nn.BCEWithLogitsLoss()",
            keras='End in Dense(..., activation="sigmoid"), and use loss="binary_crossentropy"',
        )
    if program.task == "values":
        return program.words(
            torch="End without an activation, and use nn.MSELoss()",
            keras='End in Dense without an activation, and use loss="mse"',
        )
    sparse = "" if program.one_hot else "sparse_"
    return program.words(
        torch=f"End in nn.Linear(..., {count}) without an activation, and use "
        "nn.CrossEntropyLoss(), which takes logits",
        keras=f'End in Dense({count}, activation="softmax"), and use '
        f'loss="{sparse}categorical_crossentropy"',
    )


def _count(program: Program) -> str:
    """How many classes there are."""
    if program.classes is None or program.task != "classes":
        return str(program.columns or "classes")
    return str(max(int(program.classes.max()) + 1, 2))


def logits_wanted(program: Program) -> Match | None:
    """Probabilities for a loss that takes logits: the softmax or sigmoid is applied twice."""
    loss = program.loss
    if loss is None or loss.takes != "logits" or program.answers.shape[1] < 1:
        return None
    twice = program.last == "softmax" and program.adds_up
    twice |= program.last == "sigmoid"
    if not twice:
        return None
    undone = "; Keras undoes it here, with a warning, and not everywhere" if loss.undoes else ""
    return Match(
        f"{program.last} is applied twice: once in the network, once in the loss",
        f"{loss.name} takes logits, and the network ends in {program.last}: its answers are "
        f"{program.answers.min():.2g} to {program.answers.max():.2g}{undone}",
        program.words(
            torch=f"Leave {program.last} out of the network; apply it to answers only",
            keras="Leave from_logits=True out, or the last activation",
        ),
        remedy=fitting(program),
    )


def log_probabilities_wanted(program: Program) -> Match | None:
    """The negative log-likelihood of what are no logarithms of probabilities."""
    loss, values = program.loss, program.answers
    if loss is None or loss.takes != "log probabilities" or program.last == "log_softmax":
        return None
    with np.errstate(over="ignore"):
        fits = np.abs(np.exp(values).sum(axis=1) - 1).max() < 1e-3 and values.max() <= 1e-6
    if fits or not np.isfinite(values).all():
        return None
    what = "probabilities" if program.adds_up else "logits"
    return Match(
        f"{loss.name} is given {what}, and takes the logarithms of probabilities",
        f"exp(outputs) adds up to {np.exp(values.clip(-50, 50)).sum(axis=1).mean():.3g} a sample "
        "instead of 1",
        "Give it F.log_softmax(logits, dim=1), and the targets as probabilities"
        if loss.name == "KLDivLoss"
        else "Use nn.CrossEntropyLoss() on logits, or end in nn.LogSoftmax(dim=1)",
        remedy=fitting(program),
    )


def probabilities_wanted(program: Program) -> Match | None:
    """Logits for a loss that takes probabilities."""
    loss, values = program.loss, program.answers
    if loss is None or loss.takes != "probabilities" or program.last in SQUASHING:
        return None
    if program.last in ("sigmoid", "softmax", "hard_sigmoid", "hardsigmoid"):
        return None
    if not np.isfinite(values).all():
        return None
    ends = program.layers[-1].kind if program.ends and program.layers else ""
    normal = ends == "batch_norm"  # before its first step it gives what it is given
    fits = not normal and (program.shares if loss.kind == "binary" else values.min() >= 0)
    if fits and program.last != "linear":
        return None  # computed in a way that is not seen
    return Match(
        f"{loss.name} is given logits, and takes probabilities",
        f"the network ends in {'batch normalisation' if normal else 'no activation'}, and answers "
        + ("about 0 in training" if normal else f"{values.min():.3g} to {values.max():.3g}"),
        program.words(
            torch="Use nn.BCEWithLogitsLoss(), which takes logits, or end in nn.Sigmoid()",
            keras='Give the last layer activation="'
            + ("softmax" if loss.kind == "categorical" else "sigmoid")
            + '", or the loss from_logits=True',
        ),
        remedy=fitting(program),
    )


def sigmoid_for_classes(program: Program) -> Match | None:
    """Sigmoids, each on its own, where one of several classes is right."""
    loss = program.loss
    categorical = loss is not None and loss.kind == "categorical" and loss.takes == "probabilities"
    if program.last != "sigmoid" or (program.columns or 0) < 2 or not categorical:
        return None
    return Match(
        "the last layer has sigmoids, though the classes exclude each other",
        f"{program.columns} sigmoids before {loss.name if loss else ''}",
        line(program),
        remedy=fitting(program),
    )


def hidden_activation(program: Program) -> Match | None:
    """A ReLU, a tanh or the like at the end of a network that tells classes."""
    loss = program.loss
    if program.last not in SQUASHING or loss is None or loss.kind not in ("categorical", "binary"):
        return None
    return Match(
        f"{program.last} is applied to the outputs",
        f"the network ends in {program.last}, before {loss.name}; its answers are "
        f"{program.answers.min():.3g} to {program.answers.max():.3g}",
        line(program) if program.task else f"Leave {program.last} out of the last layer",
        remedy=fitting(program),
    )


def out_of_range(program: Program) -> Match | None:
    """Numbers as targets that the last activation cannot give."""
    values, reach = program.numbers, RANGES.get(program.last)
    distance = program.loss is not None and program.loss.kind == "distance"
    if values is None or reach is None or not distance or program.task != "values":
        return None
    with np.errstate(invalid="ignore"):
        outside = float(((values < reach[0] - 1e-6) | (values > reach[1] + 1e-6)).mean())
    if outside < 0.01:
        return None
    far = np.nanmax(np.maximum(reach[0] - values, values - reach[1]))
    if far < 0.1 * (min(reach[1], np.nanmax(values)) - reach[0]):
        return None  # a little noise beyond the ends
    remedy = fitting(program)
    if remedy is not None and np.sqrt(np.nanmean(values**2)) > LARGE:
        words = "with no activation at the end and standardised targets"
        remedy = replace(remedy, words=words, targets="standardised")
    return Match(
        f"the last activation, {program.last}, cannot give the targets",
        f"{outside:.0%} of them, which are {np.nanmin(values):.3g} to {np.nanmax(values):.3g}, lie "
        f"outside {reach[0]:g} to {reach[1]:g}",
        line(program) + ", or bring the targets into its range",
        remedy=remedy,
    )


def swapped(program: Program) -> Match | None:
    """Targets for answers, and the reverse."""
    loss = program.loss
    if not program.swapped or (loss is not None and loss.kind == "distance"):
        return None
    return Match(
        f"{loss.name if loss else 'the loss'} is given its arguments in the wrong order",
        "the targets come first, and what the network answers second",
        program.words(
            torch="Call loss(model(x), y): the answers first",
            keras="Define it as loss(y_true, y_pred): Keras goes by their places, not their names",
        ),
        remedy=fitting(program),
    )


CAUSES = (
    Cause("swapped", swapped, explains=("broken",)),
    Cause("softmax twice", logits_wanted),
    Cause("no logarithms", log_probabilities_wanted),
    Cause("no probabilities", probabilities_wanted),
    Cause("sigmoid for classes", sigmoid_for_classes),
    Cause("hidden activation", hidden_activation, explains=("no probabilities", "no logarithms")),
    Cause("out of range", out_of_range, explains=("targets unscaled",)),
)
