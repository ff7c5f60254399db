"""A program that learns nothing where a plain loop, or a usual loss, learns much (NumPy only)."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from parity.watch.check import Belief, Match, Program
from parity.watch.check.axes import scrambled
from parity.watch.check.head import fitting
from parity.watch.check.program import Array
from parity.watch.check.telling import MANY, shifted, unrelated
from parity.watch.fingerprint import sample
from parity.watch.trials.material import FEW
from parity.watch.trials.ranking import AS_IT_IS, HELPS, SECONDS, STEPS, Trial, Tried, told
from parity.watch.trials.stall import MUCH, NOTHING, SHORT, chance, floor, reads

EPOCHS = 5
"""Epochs from which on a training was not only to be tried."""
SEVERAL = 3
"""Classes from which on their samples are no noise."""
USUAL_BATCH, LARGE = 128, 256
"""Samples of a batch up to which smaller ones are no advice, and from which on it is large."""
SHARES = ("softmax", "log_softmax", "sigmoid")
"""Activations of a network that answers with probabilities."""


def too_few(program: Program, step: int, least: int = 0) -> Match | None:
    """Steps that are few though epochs are many, for want of batches of less than `least`."""
    count = len(program.targets) if program.whole and program.targets is not None else 0
    batch = min(program.batch or 0, count)
    if step >= SHORT or count < FEW or batch < least or step * batch < EPOCHS * count:
        return None
    return Match(
        f"the training is too short: it took {step} steps",
        f"each batch has {batch:,} of {count:,} samples",
        ("Use batches of 32 to 128, or many" if batch > USUAL_BATCH else "Train for")
        + " more epochs",
        Belief.LIKELY,
    )


def in_few_steps(
    program: Program, trial: Callable[[], Trial | None], outputs: Array, targets: Array, step: int
) -> Tried | None:
    """That large batches left too few steps, where as many epochs of small ones bring much.

    Args:
        program: That has learned something.
        trial: Makes what trains copies.
        outputs: Of the network now, [N, ...].
        targets: Of the same samples.
        step: Its steps.
    """
    short = too_few(program, step, LARGE)
    now = None if short is None else reads(program, outputs, targets)
    copies = None if now is None or now > 1 - MUCH else trial()
    if short is None or now is None or copies is None:
        return None
    score, steps = copies.run(AS_IT_IS, STEPS, SECONDS)
    if score < now + MUCH:
        return None
    reached = f"the same network {told(copies.task, score)} after {steps} steps of small batches"
    return Tried([short], [f"tried: {reached}; as it is, {now:.0%}"], score - now, now)


def departed(
    program: Program,
    targets: Array,
    found: Tried,
    around: Sequence[Match],
    step: int,
    trial: Trial | None = None,
) -> Tried | None:
    """That a copy in a plain loop learns much as it is; None where it does not.

    Args:
        program: That has learned nothing.
        targets: Of the samples that it was asked for.
        found: What trials have brought.
        around: What the program does that the copy does not.
        step: Its steps.
        trial: Tells whether as many steps are too few.
    """
    short = too_few(program, step)
    if short is not None and trial is not None:
        score, _ = trial.run(AS_IT_IS, step, SECONDS)
        short = None if score >= floor(program, targets) + MUCH else short
    least = MUCH if short is None else 2 * HELPS
    if found.base is None or program.task is None or found.base < floor(program, targets) + least:
        return None
    matches = list(around) if short is None else [short]
    if not matches:
        return None
    reads = told(program.task, found.base)
    loss = "its loss" if program.loss is None else f"{program.loss.name} alone"
    line = f"tried: with {loss} in a plain loop the same network {reads} after {STEPS} steps"
    return Tried(matches, [line], found.base, found.base)


def untaught(program: Program, trial: Trial | None, targets: Array) -> Tried | None:
    """A loss of the program's own, of classes or of numbers, where a usual one learns much.

    What ends otherwise than in probabilities need not tell the classes at all, nor need numbers be
    the answers, unless the loss falls below 0, as no likelihood of classes and no distance does.

    Args:
        program: That has learned nothing.
        trial: Trains copies.
        targets: Of the samples that it was asked for.
    """
    remedy, root = fitting(program), program.course.root
    if program.loss is not None or trial is None or remedy is None:
        return None
    numbers, negative = program.task == "values", root is not None and root < 0
    if numbers:
        asks = program.outputs[0].size == targets[0].size and negative
    else:
        names = len(program.different)
        fits = program.columns in (names, 1 if names == 2 else None)
        asks = program.classes is not None and fits and (program.last in SHARES or negative)
    if not asks:
        return None
    score = 0.0
    with suppress(Exception):  # a model is anyone's code
        score, _ = trial.run(remedy, STEPS, SECONDS)
    if score < floor(program, targets) + MUCH:
        return None
    called = "" if root is None else f"; backward() was first called on {root:.3g}"
    match = Match(
        "the program's own loss teaches the network nothing of its targets",
        f"it is none of the framework's, and the answers tell them no better than before{called}",
        program.words(
            torch="Use nn.MSELoss()" if numbers else "Use nn.CrossEntropyLoss() on logits",
            keras=f'Use loss="{"mse" if numbers else "sparse_categorical_crossentropy"}"',
        )
        + f", or look at its sign: it is {'(y - p) ** 2' if numbers else '-log(p)'}",
        Belief.LIKELY,
    )
    reads = told(program.task, score) if program.task else ""
    return Tried([match], [f"tried: {remedy.words} the same network {reads}"], score)


def unpaired(program: Program, trial: Callable[[], Trial | None], *, little: bool) -> Tried | None:
    """Targets that have nothing to do with their rows, where a copy learns nothing either.

    Unless they tell of the rows beside them, it is said of numbers and of yes or no only where they
    were learned by heart: rates of return and clicks are hardly told by anything, and are learned
    all the same; and of pictures, which convolutions tell, wherever in them something is, and
    neighbours do not, where they are none.

    Args:
        program: That has trained.
        trial: Makes what trains copies.
        little: Whether it has learned little, and not much of what it was trained on.
    """
    x, y = program.inputs, program.targets
    if x is None or y is None or not program.whole or len(x) != len(y):
        return None
    if program.loss is None:
        return None
    match = shifted(program, x, y)
    asks = not little or (program.task == "classes" and len(program.different) >= SEVERAL)
    if match is None and asks and program.pictures:
        match = scrambled(program)
    elif match is None and asks and x.ndim == 2:
        some = sample(len(x), MANY)
        match = unrelated(program, x[some], y[some])
    copies = None if match is None else trial()
    if match is None or copies is None:
        return None
    score, _ = copies.run(AS_IT_IS, STEPS, SECONDS)
    if score >= chance(program, y) + NOTHING:
        return None
    line = f"tried: of samples that were held out the same network {told(copies.task, score)}"
    return Tried([match], [f"{line} after {STEPS} steps"])
