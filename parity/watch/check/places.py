"""Causes in how many answers there are: for each sample, or for each of its places."""

from dataclasses import replace

import numpy as np

from parity.watch.check.cause import Belief, Cause, Match, Remedy
from parity.watch.check.data import numeric
from parity.watch.check.head import fitting
from parity.watch.check.parts import ROWS
from parity.watch.check.program import Program
from parity.watch.check.training import RECURRENT

ALIKE = 0.3
"""Correlation of neighbours from which on numbers are quantities."""
WORDS = 30
"""Numbers from which on they are those of words."""
PADDED = 0.7
"""Share of a sequence that is padding, in most samples, from which on little is left at its end."""


def for_each_place(program: Program) -> Match | None:
    """Answers for all places of a sample that has one target."""
    values, outputs = program.numbers, program.outputs
    if values is None or program.loss is None or outputs.ndim < 3 or program.same_as_inputs:
        return None
    rows = program.one_hot and values.shape[1:] == outputs.shape[-1:]
    places = outputs[0].size // outputs.shape[-1]
    if places < 2 or not (values.ndim == 1 or rows):
        return None
    recurrent = [layer.kind for layer in program.layers if layer.kind in RECURRENT]
    return Match(
        "the network answers for each place of a sample, and a sample has one target",
        f"it gives {places} answers for each sample, of shape {list(outputs.shape[1:])}",
        program.words(
            torch="Take the last step, out[:, -1], or the mean, before the last layer",
            keras="Leave return_sequences=True out of the last recurrent layer",
        )
        if recurrent
        else program.words(
            torch="Put nn.Flatten() before the first nn.Linear",
            keras="Put Flatten() before the first Dense",
        ),
    )


def misread(program: Program) -> Match | None:
    """Answers whose shape was changed where their axes had to be moved."""
    if not program.misread or program.loss is None:
        return None
    return Match(
        "the classes and the places of the answers are mixed up before the loss",
        f"{program.loss.name} takes axis 1 for the classes; answers of shape [B, "
        f"{', '.join(map(str, program.outputs.shape[1:]))}] were given another shape, and their "
        "axes not moved: view() and reshape() leave all values where they are in memory",
        "Move the axes: nn.CrossEntropyLoss() takes [B, C, H, W] with targets [B, H, W] as they "
        "are, and [B, T, C] after .transpose(1, 2)",
    )


def softmax_over_places(program: Program) -> Match | None:
    """Shares that add up to 1 over the places of a sample, and not over the classes."""
    loss, outputs = program.loss, program.outputs
    if program.last not in ("softmax", "log_softmax") or outputs.ndim < 3 or loss is None:
        return None
    if loss.kind != "categorical" or min(outputs.shape[-1], outputs.shape[1]) < 2:
        return None
    shares = np.exp(outputs) if program.last == "log_softmax" else outputs
    sums = [np.abs(shares.sum(axis=axis) - 1).max() for axis in (-1, *range(1, outputs.ndim - 1))]
    if not np.isfinite(shares).all() or sums[0] < 1e-3 or min(sums[1:]) > 1e-3:
        return None
    return Match(
        "the softmax is taken over the places of a sample instead of over the classes",
        f"the answers to a sample are {list(outputs.shape[1:])}, and add up to 1 along axis "
        f"{int(np.argmin(sums[1:]))}, not along the last",
        program.words(torch="Use dim=-1, or none with nn.CrossEntropyLoss()", keras="Use axis=-1"),
    )


def last_of_batch(program: Program) -> Match | None:
    """Answers for the steps of one sample instead of for the samples."""
    values, inputs, outputs = program.numbers, program.inputs, program.outputs
    if values is None or inputs is None or inputs.ndim < 2 or outputs.ndim > 2:
        return None
    recurrent = any(layer.kind in RECURRENT for layer in program.layers)
    asked = 0 if program.fed is None else len(program.fed)
    if not recurrent or values.ndim > 1 or len(outputs) in (asked, 0, len(values)):
        return None
    if len(outputs) != inputs.shape[1]:
        return None
    return Match(
        "the network answers for the steps of the last sample, and not for each sample",
        f"for {asked} samples of {inputs.shape[1]} steps it gives {len(outputs)} answers",
        "With batch_first=True the last step of each sample is out[:, -1], and out[-1] is the last "
        "sample",
    )


def broadcast(program: Program) -> Match | None:
    """Outputs [B, 1] and targets [B] make a loss of B times B differences."""
    if program.shapes is None:
        return None
    outputs, targets = program.shapes
    column, row = sorted((outputs, targets), key=len, reverse=True)
    if len(column) != len(row) + 1 or column[-1] != 1 or column[:-1] != row or row[0] < 2:
        return None
    return Match(
        "the loss compares each answer with the targets of all samples",
        f"outputs have shape {list(outputs)}, targets {list(targets)}: subtracted, they are "
        f"[{row[0]}, {row[0]}]",
        program.words(
            torch="Give both one shape: y.view(-1, 1), or model(x).squeeze(1)",
            keras="Give both one shape in the loss: y_true = ops.reshape(y_true, (-1, 1))",
        ),
        remedy=replace(
            fitting(program) or Remedy("", head="values"), words="with both of one shape"
        ),
    )


def padded_behind(program: Program) -> Match | None:
    """A recurrent layer that answers after having read nothing but padding for long."""
    values = program.inputs
    if values is None or values.ndim != 2 or values.dtype.kind not in "iuf" or len(values) < ROWS:
        return None
    kinds = [layer.kind for layer in program.layers]
    if not any(kind in RECURRENT for kind in kinds) or "embedding" not in kinds or program.masked:
        return None
    behind = (values[:, ::-1] != 0).argmax(axis=1)[values.any(axis=1)]
    share = float(sorted(behind)[len(behind) // 4]) / values.shape[1] if len(behind) else 0.0
    if share < PADDED:
        return None
    return Match(
        "sequences end in padding, which the recurrent layer reads last",
        f"in three of four samples the last {share:.0%} of {values.shape[1]} steps or more are 0",
        program.words(
            torch="Pack the sequences (nn.utils.rnn.pack_padded_sequence), or pad in front",
            keras='Set Embedding(..., mask_zero=True), or pad in front: padding="pre"',
        ),
        Belief.MAYBE if program.framework == "torch" else Belief.LIKELY,
        Remedy("with the padding in front", features="padded before"),
    )


def bare_numbers(program: Program) -> Match | None:
    """Numbers of words that are taken for quantities.

    Rows padded to one length tell them: zeros at one end, more or less of them, and none within.
    """
    fed = numeric(program)
    if fed is None or len(fed) < ROWS or (fed.ndim != 2 and fed.shape[2:] != (1,)):
        return None
    rows = fed.reshape(len(fed), -1)
    rows = rows[:, ::-1] if (rows[:, 0] == 0).mean() > (rows[:, -1] == 0).mean() else rows
    lengths = (rows != 0).sum(axis=1)
    within = np.arange(rows.shape[1]) < lengths[:, None]
    padded = (lengths < rows.shape[1]).mean() > 1 / 2 and len(np.unique(lengths)) > 2
    numbers = np.unique(rows[within])
    if not padded or (within != (rows != 0)).any() or len(numbers) < WORDS:
        return None
    pairs = within[:, 1:]  # what is counted, as sales are, is much like what comes before it
    like = np.corrcoef(rows[:, :-1][pairs], rows[:, 1:][pairs])[0, 1]
    if numbers[0] < 1 or (numbers % 1).any() or like > ALIKE:
        return None
    return Match(
        "numbers of words are taken for quantities",
        f"they are whole, 1 to {numbers[-1]:g}, with {lengths.min()} to {lengths.max()} in a row "
        "and zeros beside them, and no layer looks them up",
        program.words(
            torch=f"Begin with nn.Embedding({numbers[-1] + 1:g}, 32)",
            keras=f"Begin with Embedding({numbers[-1] + 1:g}, 32), or count the words: "
            'TextVectorization(output_mode="multi_hot")',
        ),
        Belief.LIKELY,
    )


CAUSES = (
    Cause("each place", for_each_place, explains=("all alike", "distance for classes")),
    Cause("misread", misread),
    Cause("softmax over places", softmax_over_places, explains=("softmax twice",)),
    Cause("last of batch", last_of_batch, explains=("mixes", "broadcast")),
    Cause("broadcast", broadcast),
    Cause("padded behind", padded_behind),
    Cause("bare numbers", bare_numbers, explains=("unlike scales", "unscaled")),
)
