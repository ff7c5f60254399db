"""What a loop does that a plain one on the same samples, with the same loss, does not."""

from contextlib import suppress

import numpy as np

from parity.torch.heard import Heard
from parity.torch.layouts import Array, as_array
from parity.torch.samples import Samples, arrays
from parity.watch.check import Belief, Match, Program

TIMES = 3.0
"""Ratio of sizes of what is fed and what was given from which on they are not the same samples."""
PLACES, LEAST = 32, 6
"""Values by which a sample is looked for among all; samples that must be found."""
ADDED = 0.01
"""Part of what backward is called on from which on it is no mild penalty."""


def departures(program: Program, heard: Heard, samples: Samples) -> list[Match]:
    """What the first batch bears out, if anything; said where a plain loop learns much more."""
    if heard.use is None or not (heard.asks(heard.use) or heard.itself):
        return []  # as noise that a diffusion model tells: the guard's targets are not its own
    with suppress(Exception):  # a program is anyone's code
        found = _paired(heard, samples) or _fed(heard, samples) or _added(program)
        return [] if found is None else [found]
    return []


def _paired(heard: Heard, samples: Samples) -> Match | None:
    """Samples that were given the targets of others."""
    use, fed, x, y = heard.use, heard.fed, samples.inputs, samples.targets
    if use is None or fed is None or x is None or y is None or len(x) != len(y):
        return None
    given, rows = as_array(fed).reshape(len(fed), -1), x.reshape(len(x), -1)
    targets = as_array(use.targets).reshape(len(use.targets), -1)[: len(fed)]
    wanted = y.reshape(len(y), -1)
    if given.shape[1] != rows.shape[1] or targets.shape[1] != wanted.shape[1]:
        return None
    seen = wrong = 0
    some = np.linspace(0, rows.shape[1] - 1, min(PLACES, rows.shape[1])).astype(int)
    for row, target in zip(given, targets, strict=True):
        places = np.flatnonzero((rows[:, some] == row[some]).all(axis=1))
        places = places[(rows[places] == row).all(axis=1)]
        if len(places):
            seen += 1
            wrong += not np.isclose(wanted[places], target).all(axis=1).any()
    if seen < LEAST or wrong < seen / 2:
        return None
    return Match(
        "samples and targets are not paired as they were given",
        f"{wrong} of {seen} samples of the first batch were given the target of another",
        "Use the same permutation for both: order = torch.randperm(len(x)), x[order], y[order]",
        Belief.LIKELY,
    )


def _fed(heard: Heard, samples: Samples) -> Match | None:
    """Samples that the loop has made unlike those that it has."""
    x = arrays(samples.x)
    if heard.fed is None or not isinstance(x, np.ndarray) or x.dtype.kind not in "iuf":
        return None
    fed, given = _size(as_array(heard.fed)), _size(x)
    if fed <= TIMES * given and given <= TIMES * fed:
        return None
    return Match(
        "the network is fed other values than those that the guard was given",
        f"the root mean square of the first batch was {fed:.3g}, and of the samples {given:.3g}",
        "Scale samples once, and add less noise than their own deviation",
        Belief.LIKELY,
    )


def _added(program: Program) -> Match | None:
    """Terms beside the loss."""
    root, own, terms = program.course.root, program.course.own, program.course.terms
    if root is None or program.loss is None or abs(root - own) <= ADDED * max(abs(root), abs(own)):
        return None
    name = program.loss.name
    return Match(
        f"{' and '.join(terms) if terms else 'what is added to it'} outweighs {name}",
        f"backward() was first called on {root:.3g}, of which {name} was {own:.3g}",
        "Standardise targets, or weight the other terms so that they are smaller: loss + 0.001 * "
        "penalty",
        Belief.LIKELY,
    )


def _size(values: Array) -> float:
    return float(np.sqrt((values.astype(np.float64) ** 2).mean()))
