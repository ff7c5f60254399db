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
ASKED, NOISE, SMOOTH = 500, 0.1, 0.5
"""Images that are asked, and correlation of neighbouring pixels up to which they are none, and from
which on they are some: of digits it is 0.8."""
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
    """Images that a reshape made of others, which lie along the last axis of the same numbers.

    Asked once none is learned.
    """
    x = program.inputs
    if x is None or not program.pictures or x.ndim not in (2, 3, 4) or not np.isfinite(x).all():
        return None
    shape = x.shape[1:] if x.ndim > 2 else (round(x.shape[1] ** 0.5), -1)
    shown = x.reshape(len(x), *(shape if x.ndim == 4 else (*shape, 1)))
    if x.ndim == 4 and program.framework == "torch":
        shown = np.moveaxis(shown, 1, -1)
    height, width, colours = shown.shape[1:]
    if min(height, width) < SIDE or (like := _like_neighbours(shown)) > NOISE:
        return None
    last = np.moveaxis(x.reshape(height, width, colours, -1), -1, 0)
    first = np.moveaxis(x.reshape(colours, height, width, -1), (-1, 0), (0, -1))
    meant = max(map(_like_neighbours, (last, first)))
    if meant < SMOOTH:
        return None
    return Match(
        "the images are scrambled: samples along the last axis were reshaped, and not moved",
        f"the correlation of neighbouring pixels is {like:.2f}, as in noise; moved, {meant:.2f}",
        "Put the samples first with np.moveaxis(x, -1, 0), before any reshape",
        Belief.LIKELY,
    )


def _like_neighbours(images: Array) -> float:
    """Correlation of neighbouring pixels, of images [N, H, W, C]."""
    some = images[sample(len(images), ASKED)].astype(np.float64)
    some -= some.mean(axis=(1, 2), keepdims=True)
    beside = [(some[:, 1:] * some[:, :-1]).mean(), (some[:, :, 1:] * some[:, :, :-1]).mean()]
    return float(max(beside) / max((some**2).mean(), 1e-12))


def _rough(x: Array, channels_first: bool) -> Array:
    """How much neighbours differ along both axes, of each image, [N]."""
    axes = (2, 3) if channels_first else (1, 2)
    parts = [np.abs(np.diff(x, axis=axis)).mean(axis=(1, 2, 3)) for axis in axes]
    rough: Array = parts[0] + parts[1]
    return rough


CAUSES = (Cause("reshaped", reshaped), Cause("other first", other_first))
