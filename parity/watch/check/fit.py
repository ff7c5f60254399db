"""Causes in how loss, outputs and targets go together."""

import numpy as np

from parity.watch.check.cause import Belief, Cause, Match, Remedy
from parity.watch.check.head import fitting, line
from parity.watch.check.parts import ROWS
from parity.watch.check.program import Array, Program

EACH = 10
"""Samples of a class, on average, from which on it is no chance that a class has none."""
MANY = 100
"""Samples, taken evenly from all, from which on it is no chance that they are of one class."""


def strings(program: Program) -> Match | None:
    """Names where numbers are wanted."""
    values = program.targets
    if values is None or values.dtype.kind not in "OSU" or values.size == 0:
        return None
    if values.dtype.kind == "O" and not isinstance(values.ravel()[0], str | bytes):
        return None
    some = ", ".join(repr(str(name)) for name in np.unique(values.astype(str))[:3])
    return Match(
        "the targets are texts, not numbers",
        f"{some}, ...",
        "Number the classes from 0: names, y = np.unique(y, return_inverse=True)",
    )


def not_finite(program: Program) -> Match | None:
    """Targets that are not numbers."""
    values = program.numbers
    bad = 0 if values is None else int((~np.isfinite(values)).sum())
    if values is None or not bad:
        return None
    return Match(
        "some targets are not finite",
        f"{bad:,} of {values.size:,} are NaN or infinite",
        "Leave these samples out, and look at where they come from",
    )


def all_alike(program: Program) -> Match | None:
    """Nothing to tell apart."""
    values = program.numbers
    if values is None or len(values) < ROWS or program.same_as_inputs or program.loss is None:
        return None  # a loss of one's own may ask for none
    loss, many = program.loss, program.framework == "torch" and len(values) >= MANY
    even = loss is not None and not (loss.weights or loss.of_yes)  # no rare class is known of
    enough = program.whole or (many and even)
    known = program.fair and enough  # else others may be of a rare class
    if not known or not np.isfinite(values).all() or (values != values[:1]).any():
        return None
    what = ", ".join(f"{value:g}" for value in values[:1].ravel()[:10])
    return Match(
        "all targets are alike",
        f"{len(values):,} samples{'' if program.whole else ' were looked at'}, and each has the "
        f"target {what}",
        "Look at how the targets are read and filtered"
        + ("" if program.whole else "; weight a class in the loss that is as rare as that"),
    )


def numbers_for_rows(program: Program) -> Match | None:
    """One column for a loss that compares several, or the reverse."""
    loss, values = program.loss, program.numbers
    if loss is None or values is None or program.columns is None:
        return None
    given = f"the targets have shape {_shape(program.targets)}"
    shapes = f"{given}, the outputs {program.columns} columns"
    if loss.kind == "binary" and program.task == "binary" and program.columns > 1:
        return Match(
            f"{loss.name} is given {program.columns} outputs for each yes or no",
            shapes,
            line(program),
            remedy=fitting(program),
        )
    if loss.kind != "categorical":
        return None
    if loss.targets == "rows" and values.ndim == 1 and program.columns > 1:
        return Match(
            f"{loss.name} is given class numbers, and takes one-hot rows",
            shapes,
            'Use loss="sparse_categorical_crossentropy", or keras.utils.to_categorical(y)',
            remedy=Remedy("with the sparse crossentropy", head="classes"),
        )
    if loss.targets == "numbers" and program.one_hot and values.ndim == 2:
        return Match(
            f"{loss.name} is given one-hot rows, and takes class numbers",
            f"{given}, each row a single 1",
            program.words(
                torch="Give it y.argmax(dim=1)",
                keras='Use loss="categorical_crossentropy", or y.argmax(axis=1)',
            ),
            remedy=Remedy("with class numbers", head="classes"),
        )
    return None


def numbers_for_classes(program: Program) -> Match | None:
    """Targets between whole numbers for a loss over classes."""
    loss, values = program.loss, program.numbers
    if loss is None or values is None or loss.kind != "categorical" or values.ndim != 1:
        return None
    if program.labels is not None or not np.isfinite(values).all():
        return None
    return Match(
        f"{loss.name} tells classes apart, and the targets are no classes",
        f"they lie between whole numbers: {', '.join(f'{value:.3g}' for value in values[:3])}, ...",
        "For numbers, end in one unit without an activation and use the squared error",
        remedy=Remedy("with one plain output and the squared error", head="values"),
    )


def distance_for_classes(program: Program) -> Match | None:
    """The squared error of classes."""
    loss, found = program.loss, program.classes
    if loss is None or loss.kind != "distance" or found is None or program.columns is None:
        return None
    count = len(np.unique(found))
    if count < 2 or (program.last == "tanh" and program.task == "binary"):
        return None
    shaped = program.numbers is not None and program.numbers.ndim == 2
    meaningless = program.task == "classes" and not shaped
    return Match(
        f"{loss.name} measures distances, and the targets are classes",
        f"{count} classes"
        + (", whose numbers are no quantities" if meaningless else "")
        + f", and {program.columns} output{'s' * (program.columns > 1)}",
        line(program),
        # The squared error of one sigmoid is slow where it is surely wrong, but learns.
        Belief.SURE
        if program.task == "classes" or (program.columns > 1 and not shaped)
        else Belief.MAYBE
        if program.last in ("sigmoid", "hard_sigmoid", "hardsigmoid")
        else Belief.LIKELY,
        remedy=fitting(program),
    )


def binary_for_classes(program: Program) -> Match | None:
    """Yes or no for each class, where one of several is right."""
    loss = program.loss
    if loss is None or loss.kind != "binary" or program.task != "classes":
        return None
    if (program.columns or 0) < 3 or program.classes is None:
        return None
    return Match(
        f"{loss.name} asks yes or no for each class, and the classes exclude each other",
        f"{program.columns} outputs, and each target names one class",
        line(program),
        remedy=fitting(program),
    )


def outputs_and_classes(program: Program) -> Match | None:
    """Class numbers that the outputs cannot name."""
    found, columns = program.labels, program.columns
    loss = program.loss
    if found is None or columns is None or loss is None:
        return None
    if loss.kind != "categorical" and (loss.kind != "binary" or columns != 1):
        return None
    many = max(columns, 2)
    low, high = int(program.different[0]), int(program.different[-1])
    different = len(program.different)
    if low >= 0 and high < many:
        return None
    given = f"the targets are {low} to {high}, and {columns} output{'s' * (columns > 1)} can name "
    given += f"0 to {many - 1}"
    if different <= many and high - low < many and low > 0:
        return Match(
            f"the class numbers are shifted: they begin at {low}",
            given,
            f"Number them from 0: y - {low}",
            remedy=Remedy(f"with y - {low}", targets="from 0"),
        )
    if different <= many:
        return Match(
            "the class numbers lie outside what the outputs can name",
            f"{given}; they are {', '.join(map(str, program.different[:5]))}",
            "Number the classes from 0: names, y = np.unique(y, return_inverse=True)",
            remedy=Remedy("with classes numbered from 0", targets="from 0"),
        )
    return Match(
        "the network has fewer outputs than there are classes",
        f"{given}; there are {different} classes",
        line(program),
        remedy=Remedy(f"with {different} outputs", head="classes", targets="from 0"),
    )


def rows_and_columns(program: Program) -> Match | None:
    """One-hot rows of another length than the outputs."""
    values, columns = program.numbers, program.columns
    if values is None or columns is None or not program.one_hot or program.loss is None:
        return None
    if values.shape[1] == columns or program.loss.targets == "numbers":
        return None
    fewer = columns < values.shape[1]
    return Match(
        f"the network has {'fewer' if fewer else 'more'} outputs than there are classes",
        f"{columns} outputs, and targets of {values.shape[1]} columns",
        line(program),
        remedy=Remedy(f"with {values.shape[1]} outputs", head="classes"),
    )


def unused_outputs(program: Program) -> Match | None:
    """Outputs for classes that never occur."""
    found, columns, loss = program.labels, program.columns, program.loss
    if found is None or columns is None or not 3 <= columns <= 100 or not program.fair:
        return None
    if loss is None or loss.kind != "categorical" or found.min() < 0 or len(found) < EACH * columns:
        return None
    classes = int(found.max()) + 1
    if classes >= columns or classes == 1:
        return None
    return Match(
        "the network has more outputs than there are classes",
        f"{columns} outputs, and the {len(found):,} targets are {found.min()} to {found.max()}",
        program.words(
            torch=f"End in nn.Linear(..., {classes})", keras=f"End in Dense({classes}, ...)"
        ),
        remedy=Remedy(f"with {classes} outputs", head="classes"),
    )


def _shape(values: Array | None) -> str:
    return "" if values is None else str(["N", *values.shape[1:]]).replace("'", "")


CAUSES = (
    Cause("strings", strings, explains=("rows for numbers",)),
    Cause("targets not finite", not_finite, explains=("broken", "not binary")),
    Cause("all alike", all_alike, explains=("more outputs", "outputs and classes", "imbalance")),
    Cause("fewer outputs", outputs_and_classes, explains=("distance for classes", "not binary")),
    Cause("rows for numbers", numbers_for_rows),
    Cause("no classes", numbers_for_classes),
    Cause("rows and columns", rows_and_columns, explains=("rows for numbers",)),
    Cause(
        "binary for classes",
        binary_for_classes,
        explains=("fewer outputs", "no probabilities", "not binary"),
    ),
    Cause("distance for classes", distance_for_classes),
    Cause("more outputs", unused_outputs),
)
