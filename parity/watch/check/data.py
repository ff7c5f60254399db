"""Causes in features and targets: their scale, constant and missing values."""

from typing import NamedTuple

import numpy as np

from parity.watch.check.cause import Belief, Cause, Change, Match, Remedy
from parity.watch.check.parts import NORMS, ROWS, normalised
from parity.watch.check.program import Array, Program

LARGE, VERY_LARGE = 8.0, 50.0
"""Root mean square of a feature, or of targets, beyond which training may suffer, and mostly does.
Standardised features have 1, pixels from 0 to 1 about 0.3; a network is initialised for 1 (LeCun et
al. 1998, Efficient BackProp, 4.3)."""
SMALL = 0.01
"""Deviation of all features below which training may suffer."""
TWICE = 1.01 / 255
"""The brightest of pixels that were divided by 255 twice."""
UNLIKE = 1000.0
"""Ratio between the scales of features from which on the smaller ones are not seen."""


class Scale(NamedTuple):
    """Of each feature, or of each channel of images, [F]."""

    size: Array
    """Root mean square."""
    deviation: Array


def scale_of(fed: Array) -> Scale:
    """Scales of samples [N, ..., F]."""
    values = fed.reshape(-1, fed.shape[-1]) if fed.ndim > 1 else fed[:, None]
    values = values.astype(np.float64)
    return Scale(np.sqrt((values**2).mean(axis=0)), values.std(axis=0))


def first_learned(program: Program) -> str:
    """The kind of the first layer that learns; empty where none does."""
    return next((layer.kind for layer in program.layers if layer.learns), "")


def numeric(program: Program) -> Array | None:
    """What the first layer is given, where its scale matters: neither embedded nor normalised."""
    first = first_learned(program)
    if not first or program.fed is None or first in ("embedding", *NORMS):
        return None
    fed = program.fed
    return fed if fed.dtype.kind in "iuf" and fed.size and np.isfinite(fed).all() else None


def not_finite(program: Program) -> Match | None:
    """Samples with NaN or infinity."""
    for values in (program.inputs, program.fed):
        if values is None or values.dtype.kind != "f":
            continue
        flat = values.reshape(-1)
        if np.isfinite(flat @ flat):  # a single pass, and no array of its size
            continue
        bad = ~np.isfinite(values)
        if not bad.any():
            continue
        rows = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))
        what = "NaN" if np.isnan(values).any() else "infinite"
        return Match(
            f"some features are {what}",
            f"{int(bad.sum()):,} values in {len(rows):,} of {len(values):,} samples, the first in "
            f"row {rows[0]}",
            "Leave these samples out, or fill the gaps: np.nan_to_num(x) or the column's mean",
            remedy=Remedy("with the gaps filled", features="filled"),
        )
    return None


def bytes_as_bits(program: Program) -> Match | None:
    """Bytes whose bits were taken for those of floating point: of all magnitudes there are."""
    values = program.inputs if program.inputs is not None else program.fed
    if values is None or values.dtype.kind != "f" or not values.size:
        return None
    some = np.abs(values.reshape(-1)[:: max(1, values.size // 10_000)].astype(np.float64))
    some = some[np.isfinite(some) & (some > 0)]
    odd = float(((some < 1e-15) | (some > 1e15)).mean()) if some.size >= ROWS else 0.0
    if odd < 0.1 or some.max() / some.min() < 1e20:
        return None
    return Match(
        "the features are the bits of something else, read as floating point",
        f"they are {some.min():.2g} to {some.max():.2g} in size, {odd:.0%} of them beyond 1e-15 "
        "to 1e15",
        "Read them in the type in which they were written, np.frombuffer(..., np.uint8) for bytes, "
        "and convert them then",
    )


def constant(program: Program) -> Match | None:
    """The same sample over and over."""
    fed = program.fed
    looked_up = first_learned(program) == "embedding"
    if fed is None or len(fed) < ROWS or fed.dtype.kind not in "iuf" or fed.size == 0:
        return None
    if not np.isfinite(fed).all():
        return None
    rows = fed.reshape(len(fed), -1)
    same = (rows == rows[:1]).all(axis=0)
    if same.all():
        return Match(
            "all samples are alike",
            f"{len(rows)} samples were looked at, and the network is fed the same for each: "
            f"{rows.min():.3g} to {rows.max():.3g}",
            "Look at how the features are read and scaled: whole numbers divided by 255 as "
            "integers become 0",
        )
    words, told = rows[rows != 0], rows != 0
    ends = looked_up and (told[:, 1:] != told[:, :-1]).sum(axis=1).max() <= 1
    if ends and (words == words[0]).all():
        return Match(
            "all words are one and the same",
            f"each sample is number {words[0]:g}, again and again, and padding",
            "Look at how words are numbered: all that a vocabulary lacks is one unknown word",
        )
    if blank := [each for each in program.layers if each.frozen and each.spread == 0]:
        return Match(
            "a frozen layer gives the same for all samples",
            f"its kind is {blank[0].kind}, and its weights may not change",
            "Look at what it was given for weights: words that were not found leave a table of 0; "
            "or let it be trained",
            remedy=Remedy("with all weights trained", changes=Change.THAWED),
        )
    if (
        2 <= rows.shape[1] <= 100
        and not looked_up
        and fed.ndim == 2
        and same.mean() >= 0.5
        and not program.pictures
    ):
        return Match(
            "features are constant",
            f"{int(same.sum())} of {rows.shape[1]} columns have one value for all samples",
            "Leave these columns out, and look at how they are read",
            Belief.LIKELY if (rows[0, same] != 0).any() else Belief.SURE,
        )
    return None


def bytes_as_floats(program: Program) -> Match | None:
    """Grey levels from 0 to 255, not divided."""
    fed = numeric(program)
    if fed is None or not program.pictures:
        return None
    low, high = float(fed.min()), float(fed.max())
    if low < 0 or not 100 < high <= 255 * (1 + 1e-6):  # scaled down and up again, say
        return None
    return Match(
        "the features are bytes from 0 to 255, and are not scaled",
        f"the first layer is fed {low:g} to {high:g}, {fed.mean():.3g} on average",
        "Divide them: x = x / 255, in training and in use",
        Belief.LIKELY if normalised(program.layers) else Belief.SURE,  # which may make up for it
        Remedy("with x / 255", features="bytes"),
    )


def unlike_scales(program: Program) -> Match | None:
    """Features of which some drown the others."""
    fed = numeric(program)
    if fed is None or fed.ndim != 2 or program.pictures:
        return None
    scale = scale_of(fed)
    size = scale.size[scale.deviation > 0]
    if len(size) < 2:
        return None
    ratio = float(size.max() / size.min())
    if ratio < UNLIKE / 10 or size.max() < LARGE:
        return None
    strong = ratio >= UNLIKE / 5 and size.max() >= VERY_LARGE
    return Match(
        "the features are of very different scales",
        f"the largest has a root mean square of {size.max():.3g}, the smallest of "
        f"{size.min():.3g}: the small ones are hardly seen",
        STANDARDISE,
        Belief.LIKELY if strong else Belief.MAYBE,
        STANDARDISED,
    )


STANDARDISE = (
    "Standardise each feature: (x - x_train.mean(axis=0)) / x_train.std(axis=0), in training "
    "and in use"
)
STANDARDISED = Remedy("with standardised features", features="standardised")
SCALED_TARGETS = Remedy("with standardised targets", targets="standardised")


def unscaled(program: Program) -> Match | None:
    """Features far from 1."""
    fed = numeric(program)
    if fed is None:
        return None
    scale = scale_of(fed)
    size, deviation = float(scale.size.max()), float(scale.deviation.max())
    if deviation == 0 or (deviation >= SMALL and size <= LARGE):
        return None
    figures = f"the first layer is fed {fed.min():.3g} to {fed.max():.3g}"
    if size > LARGE:
        belief = Belief.LIKELY if size > VERY_LARGE else Belief.MAYBE
        return Match("the features are not scaled", figures, STANDARDISE, belief, STANDARDISED)
    belief = Belief.LIKELY if deviation < SMALL / 2 else Belief.MAYBE
    belief = Belief.SURE if belief and program.pictures else belief  # none are so pale
    name = "the features hardly differ from sample to sample: scaled twice, perhaps"
    figures += f", with a deviation of {deviation:.2g}"
    if program.pictures and 0 <= fed.min() <= fed.max() <= TWICE:
        advice = "Divide by 255 once, in the data or in the network"
        return Match(
            name, figures, advice, belief, Remedy("with 255 times x", features="times 255")
        )
    return Match(name, figures, STANDARDISE, belief, STANDARDISED)


def targets_unscaled(program: Program) -> Match | None:
    """Numbers far from 1 as targets of a regression."""
    values = program.numbers
    if values is None or program.task != "values" or not np.isfinite(values).all():
        return None
    if program.same_as_inputs or program.loss is None or program.loss.kind != "distance":
        return None
    size, deviation = float(np.sqrt((values**2).mean())), float(values.std())
    if deviation == 0 or (size <= LARGE and deviation >= SMALL):
        return None
    likely = size > 2 * VERY_LARGE or deviation < SMALL / 10
    return Match(
        "the targets are not scaled",
        f"they are {values.min():.3g} to {values.max():.3g}, with a deviation of {deviation:.3g}; "
        "a network starts with answers about 1",
        "Standardise them, y = (y - y_train.mean()) / y_train.std(), and turn the answers back",
        Belief.LIKELY if likely else Belief.MAYBE,
        SCALED_TARGETS,
    )


SCALES = ("unlike scales", "unscaled", "dead at start", "saturated")
CAUSES = (
    Cause("bits", bytes_as_bits, explains=("features not finite", *SCALES)),
    Cause("features not finite", not_finite, explains=SCALES),
    Cause("constant", constant, explains=SCALES),
    Cause("bytes", bytes_as_floats, explains=SCALES),
    Cause("unlike scales", unlike_scales, explains=("unscaled", "dead at start", "saturated")),
    Cause("unscaled", unscaled, explains=("dead at start", "saturated")),
    Cause("targets unscaled", targets_unscaled),
)
