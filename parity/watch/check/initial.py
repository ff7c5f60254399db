"""Causes in the weights that a training starts from."""

import numpy as np

from parity.watch.check.cause import Belief, Cause, Change, Match, Remedy
from parity.watch.check.program import Array, Program
from parity.watch.check.training import MULTIPLIES, RECURRENT

GAINS = (0.003, 0.05, 4.0, 8.0)
"""Gains of a kernel, as `RATES`; in between signals neither die nor explode in a few layers."""
ALIKE = 1e-5
"""Gain that rounding makes of a kernel of equal weights."""
DEEP = 5
"""Frozen kernels from which on a trial says no more than they do, and takes long."""
DRAWS, EDGE = 256, 0.05
"""Weights of a kernel from which on their distribution tells, and how far off it may be."""
ERRORS = 4.0
"""Standard errors, likewise."""
ANEW = Remedy("with kernels drawn anew (Glorot)", initial="glorot")


def initial_weights(program: Program) -> Match | None:
    """Kernels that start alike, or far too large or small."""
    varies = _varies(program)
    gains = [
        layer.gain
        for layer in program.layers
        if layer.gain is not None
        and layer.kind in (*MULTIPLIES, *RECURRENT)
        and not (varies and layer.gain < ALIKE and layer.spread == 0)
    ]
    hidden = gains[:-1]  # some start with a last layer of 0
    if (hidden or gains) and min(hidden or gains) < ALIKE:
        return Match(
            "initial weights are all the same",
            f"{sum(gain < ALIKE for gain in gains)} of {len(gains)} kernels: units that start "
            "alike stay alike",
            "Leave the initialisation to the framework, or draw the kernels at random",
            remedy=ANEW,
        )
    odd = [gain for gain in hidden or gains if not GAINS[1] <= gain <= GAINS[2]]
    if not odd:
        return None
    worst = max(odd, key=lambda gain: abs(np.log(max(gain, 1e-12))))
    return Match(
        f"the initial weights are too {'small' if worst < 1 else 'large'}",
        f"those of a layer make signals {worst:.2g} times as large; about 1 keeps their size",
        "Leave the initialisation to the framework: Glorot or He",
        Belief.LIKELY if not GAINS[0] <= worst <= GAINS[3] else Belief.MAYBE,
        ANEW,
    )


def _varies(program: Program) -> bool:
    """Whether answers depend on the samples: then what starts with 0 is beside the way through."""
    values = program.answers
    return bool(np.isfinite(values).all() and np.ptp(values, axis=0).max(initial=0.0) > 0)


def dead_at_start(program: Program) -> Match | None:
    """A layer of ReLUs that no sample switches on: nothing gets through it, or back."""
    dead = [layer for layer in program.layers if layer.dead == 1]
    if not dead:
        return None
    return Match(
        "ReLU units are dead from the start",
        f"before the first step every unit of {len(dead)} layer{'s' * (len(dead) > 1)} is 0 for "
        "every sample: no gradient gets back through it",
        "Start with biases of 0 and weights as the framework draws them",
        Belief.LIKELY,
        Remedy("with kernels drawn anew (Glorot) and biases of 0", initial="glorot"),
    )


def frozen_as_drawn(program: Program) -> Match | None:
    """Frozen layers that nobody has trained."""
    # A single one may be meant to be random features, or to be trained later.
    if not program.undrawn or (program.undrawn == 1 and not program.course.ungiven):
        return None
    remedy = Remedy("with all weights trained", changes=Change.THAWED)
    if program.course.ungiven:
        return Match(
            "the optimiser was not given the weights of layers that were never trained",
            f"{program.undrawn} kernels or more get gradients, belong to no optimiser, and are as "
            "the framework draws them",
            "Give it all of them: model.parameters()",
            remedy=remedy,
        )
    return Match(
        "the frozen layers were never trained: their weights are as they were drawn",
        f"of {program.undrawn} frozen kernels all that are large enough to tell are distributed as "
        "the framework's rule draws them, which no trained one is",
        program.words(
            torch="Load trained weights, weights=ResNet18_Weights.DEFAULT or load_state_dict(), "
            "or train these layers too",
            keras='Load trained weights, as weights="imagenet", or train these layers too',
        ),
        *(
            (Belief.SURE, None)  # nobody freezes a deep network of random features on purpose
            if program.undrawn >= DEEP
            else (Belief.LIKELY, remedy)
        ),
    )


def as_uniform(kernel: Array, bound: float) -> bool:
    """Whether weights reach a bound, and are as likely everywhere within."""
    values = kernel.astype(np.float64)
    reach, deviation = np.abs(values).max() / bound, values.std() / bound * np.sqrt(3)
    return bool(1 - EDGE < reach <= 1 + 1e-6 and abs(deviation - 1) < 2 * EDGE)


def as_normal(kernel: Array, deviation: float) -> bool:
    """Whether weights have a normal distribution about 0, by their deviation and kurtosis of 3."""
    values, count = kernel.astype(np.float64) / deviation, kernel.size
    off = (
        abs(values.std() - 1) * (2 * count) ** 0.5,
        abs((values**4).mean() - 3) * (count / 96) ** 0.5,
    )
    return bool(max(off) < ERRORS)


CAUSES = (
    Cause("initial weights", initial_weights, explains=("dead at start", "saturated", "vanishing")),
    Cause("dead at start", dead_at_start),
    Cause("frozen as drawn", frozen_as_drawn),
)
