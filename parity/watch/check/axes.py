"""Causes in the axes of images: a shape that was changed where axes had to be moved."""

import numpy as np

from parity.watch.check.cause import Belief, Cause, Match, Remedy
from parity.watch.check.data import numeric
from parity.watch.check.parts import ROWS
from parity.watch.check.program import Array, Program
from parity.watch.fingerprint import sample

COLOURS = (3, 4)
"""Channels of images, which may be taken for rows or columns."""
SIDE = 8
"""Rows and columns from which on neighbours tell an image."""
SMOOTHER = 0.75
"""Of the differences between neighbours, what the other order of the axes leaves at most where it
is the right one. Of photographs and digits it leaves 0.02 to 0.7; where the order is right as it
is, 1.1 to 4 times as much, and of noise all."""
ASKED, NOISE = 500, 0.1
"""Images that are asked, and correlation of neighbouring pixels up to which they are none."""
MOST = 0.75
"""Share of the samples that must show it."""


def as_axes_moved(x: Array, channels_first: bool) -> Array:
    """The same values in memory, read in the other order and brought to this one.

    Args:
        x: Images, [N, C, H, W] or [N, H, W, C].
        channels_first: Which of these they are.
    """
    if channels_first:
        count, channels, *places = x.shape
        return np.moveaxis(x.reshape(count, *places, channels), -1, 1)
    count, *places, channels = x.shape
    return np.moveaxis(x.reshape(count, channels, *places), 1, -1)


def reshaped(program: Program) -> Match | None:
    """Images whose colours became places: neighbours would be alike in the other order."""
    fed = numeric(program)
    if fed is None or fed.ndim != 4 or fed.shape[-1] not in COLOURS or len(fed) < ROWS:
        return None
    if min(fed.shape[1:3]) < SIDE:
        return None
    first = program.framework == "torch"
    values = np.ascontiguousarray(np.moveaxis(fed, -1, 1) if first else fed).astype(np.float32)
    moved = as_axes_moved(values, first)
    before, after = _rough(values, first), _rough(moved, first)
    smoother = after < SMOOTHER * before
    if smoother.mean() < MOST:
        return None
    axes = "[N, C, H, W]" if first else "[N, H, W, C]"
    others = "[N, H, W, C]" if first else "[N, C, H, W]"
    raw = program.inputs is not None and program.inputs.shape[1:] == values.shape[1:]
    return Match(
        "colours and places of the images are mixed up",
        f"read as {others} in memory, neighbouring pixels differ by "
        f"{np.median(after / before):.0%} of what they do now: a reshape made them {axes}, which "
        "leaves all values where they are",
        program.words(
            torch="Move the axes: x.permute(0, 3, 1, 2), not x.view() or x.reshape()",
            keras="Move the axes: np.moveaxis(x, 1, -1), not x.reshape()",
        ),
        remedy=Remedy("with axes moved", features="axes moved") if raw else None,
    )


def other_first(program: Program) -> Match | None:
    """Images whose channels are where the network looks for rows or columns."""
    fed = numeric(program)
    if fed is None or fed.ndim != 4 or fed.shape[-1] < SIDE:
        return None
    if not any(fed.shape[n] in (1, *COLOURS) and fed.shape[3 - n] == fed.shape[3] for n in (1, 2)):
        return None
    return Match(
        "colours and places of the images are mixed up",
        f"the first layer takes {fed.shape[1]} by {fed.shape[2]} places of {fed.shape[3]} channels",
        program.words(
            torch="Move the axes: x.permute(0, 3, 1, 2)",
            keras="Move the axes: np.moveaxis(x, 1, -1)",
        ),
    )


def scrambled(program: Program) -> Match | None:
    """Images whose pixels have nothing to do with those beside them; asked once none is learned."""
    x = program.inputs
    if x is None or not program.pictures or x.ndim not in (2, 3, 4) or not np.isfinite(x).all():
        return None
    if x.ndim == 2:
        x = x.reshape(len(x), round(x.shape[1] ** 0.5), -1)
    some = x[sample(len(x), ASKED)].astype(np.float64)
    if x.ndim == 4 and program.framework == "torch":
        some = np.moveaxis(some, 1, -1)
    some -= some.mean(axis=(1, 2), keepdims=True)
    beside = [(some[:, 1:] * some[:, :-1]).mean(), (some[:, :, 1:] * some[:, :, :-1]).mean()]
    like = max(beside) / max((some**2).mean(), 1e-12)
    if min(some.shape[1:3]) < SIDE or like > NOISE:
        return None
    return Match(
        "the images are scrambled: neighbouring pixels have nothing to do with each other",
        f"their correlation is {like:.2f}, as in noise",
        "Look at one of them. Where the samples lie along another axis, move it and do not "
        "reshape: np.moveaxis(x, -1, 0)",
        Belief.LIKELY,
    )


def _rough(x: Array, channels_first: bool) -> Array:
    """How much neighbours differ along both axes, of each image, [N]."""
    axes = (2, 3) if channels_first else (1, 2)
    parts = [np.abs(np.diff(x, axis=axis)).mean(axis=(1, 2, 3)) for axis in axes]
    rough: Array = parts[0] + parts[1]
    return rough


CAUSES = (Cause("reshaped", reshaped), Cause("other first", other_first))
