"""Causes in what a program does around its network: how it draws, cuts off, rounds (NumPy only)."""

import numpy as np

from parity.watch.check.cause import Belief, Cause, Change, Match, Remedy
from parity.watch.check.head import fitting
from parity.watch.check.program import Program
from parity.watch.check.training import RATES, kind_of
from parity.watch.check.weighing import ONE_SIDED

SHUT = (0.5, 0.99)
"""Share of what a clamp is given that lies beyond its ends, from which on a network may not learn,
and mostly does not."""
SMALL = 0.05
"""Factor of a loss below which steps that follow its gradients may be too short; above its inverse
they may be too long."""
LEAST = 2
"""Samples from which on other targets are no label that is drawn at random."""
VARYING = 4
"""Samples read twice alike from which on other targets are no accident."""


def cuts(program: Program) -> Match | None:
    """A function without a slope between weights and answers; some are meant so."""
    found = max(program.course.cuts, key=lambda cut: (cut.outside, cut.share), default=None)
    if found is None or found.share < SHUT[0]:
        return None
    clamps = found.name.startswith("cl")
    return Match(
        f"{found.name} lets no gradient through: what comes before it cannot learn",
        f"{found.share:.0%} of what it is given lies beyond its ends"
        if clamps
        else "its slope is 0 everywhere"
        + (", and all gradients of the first step were 0" if found.outside else ""),
        "Leave it out in training, or start within its ends; a sigmoid has a slope everywhere"
        if clamps
        else "Use it on answers only, and what has a slope in training: sigmoid, softmax, their "
        "crossentropy",
        Belief.SURE
        if found.outside
        else Belief.LIKELY
        if clamps and found.share >= SHUT[1]
        else Belief.MAYBE,
        fitting(program)
        if found.outside
        else Remedy(
            f"{'without' if clamps else 'with gradients through'} {found.name}", changes=Change.OPEN
        ),
    )


def shut(program: Program) -> Match | None:
    """One that is closed whatever else is there; signals that vanish follow from it."""
    found = cuts(program)
    return found if found is not None and found.belief else None


def half_shut(program: Program) -> Match | None:
    """One that may be meant so."""
    found = cuts(program)
    return None if found is None or found.belief else found


def reach(program: Program) -> Match | None:
    """Weights for a sampler that are those of classes, and not of samples."""
    some, whole = program.course.reach
    if not 0 < some <= whole // 2:
        return None
    return Match(
        "the sampler draws the same few samples again and again",
        f"its weights are for {some:,} of {whole:,} samples",
        "Give WeightedRandomSampler a weight for each sample, weights[y], not for each class",
    )


def drawn(program: Program) -> Match | None:
    """A sampler that draws one class alone."""
    shares, found = np.array(program.course.drawn), program.classes
    if len(shares) < 2 or found is None or found.min() < 0:
        return None
    top = int(shares.argmax())
    own = float((found == top).mean())
    if shares[top] < ONE_SIDED[1] or own > ONE_SIDED[0]:
        return None
    return Match(
        f"the sampler draws hardly any class but {top}",
        f"{shares[top]:.2%} of what it draws is class {top}, and {own:.1%} of the samples are",
        "Weight each sample by the inverse of how frequent its class is: 1 / counts[y]",
        remedy=Remedy("with classes drawn equally often", changes=Change.BALANCED),
    )


def varying(program: Program) -> Match | None:
    """A data set that gives a sample another target each time."""
    others, alike = program.course.varying
    if alike < VARYING or others < alike / 2:
        return None
    return Match(
        "the data set gives the same sample another target each time it is read",
        f"{alike} samples were read twice and were the same, and the targets of {others} were not",
        "Use the same index for both in __getitem__: return self.x[i], self.y[i]",
    )


def torn(program: Program) -> Match | None:
    """A batch whose samples have other targets than each of them alone."""
    if program.course.torn < LEAST:
        return None
    return Match(
        "the collate function gives samples the targets of others",
        f"{program.course.torn} samples of a batch have another target in it than alone",
        "What it sorts, by length say, it has to sort with its targets: sort the pairs, then "
        "xs, ys = zip(*batch)",
    )


def scaled(program: Program) -> Match | None:
    """A loss that is made next to nothing, or far too large, for steps that are as long as it."""
    loss, factor = program.loss, abs(program.course.factor)
    small, large = 0 < factor < SMALL, program.course.kept and factor > 1 / SMALL
    if loss is None or not (small or large) or program.gathered > 1:
        return None
    low, _, _, high = RATES["sgd"]
    far = not low <= (program.rate or 1.0) * factor <= high
    if kind_of(program.optimizer) != "sgd" and large:
        return None  # others divide by the size of the gradients
    return Match(
        f"the loss is made too {'small' if small else 'large'} before backward()",
        f"it is called on {factor:.3g} times {loss.name}",
        "Leave the mean over the batch as it is, without a division by the number of samples"
        if small
        else "Leave the factor out; where a GradScaler makes it, call scaler.step(optimizer) and "
        "scaler.update(), not optimizer.step()",
        Belief.LIKELY if far and kind_of(program.optimizer) == "sgd" else Belief.MAYBE,
        Remedy("with the loss as it is", changes=Change.UNSCALED),
    )


def exps(program: Program) -> Match | None:
    """Rates for a loss that takes their logarithms, and so applies the exponential once more."""
    if not program.course.exps or program.loss is None:
        return None
    return Match(
        f"the exponential is applied twice: once in the network, once in {program.loss.name}",
        "the network answers rates, and with log_input=True it takes their logarithms",
        "Leave exp out of the network, or give the loss log_input=False",
    )


def turned(program: Program) -> Match | None:
    """A mask for attention the wrong way round."""
    if not program.course.turned:
        return None
    return Match(
        "the padding mask leaves out the words and keeps the padding",
        "key_padding_mask is True where the samples are not 0, and True is what attention ignores",
        "Turn it: src_key_padding_mask=(x == 0)",
    )


def no_eps(program: Program) -> Match | None:
    """Steps of 0 / 0 where a gradient is 0."""
    if not program.course.no_eps:
        return None
    return Match(
        f"{program.optimizer} cannot work in float16: small gradients make steps of 0 / 0",
        f"{program.course.no_eps} is 0 in float16",
        program.words(
            torch="Leave the weights in float32 and use torch.autocast, or bfloat16; leave out "
            "model.half()",
            keras='Set keras.mixed_precision.set_global_policy("mixed_float16"): it keeps the '
            "weights in float32",
        ),
    )


CAUSES = (
    Cause("shut", shut, explains=("vanishing",)),
    Cause("half shut", half_shut),
    Cause("reach", reach),
    Cause("drawn", drawn, explains=("imbalance",)),
    Cause("varying", varying),
    Cause("torn", torn),
    Cause("scaled", scaled),
    Cause("exps", exps),
    Cause("turned", turned),
    Cause("no eps", no_eps),
)
