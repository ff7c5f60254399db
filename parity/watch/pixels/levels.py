"""How grey levels were scaled, moved and inverted, and what people call it (NumPy only)."""

from collections.abc import Callable
from functools import partial

import numpy as np

from parity.watch.fingerprint import Fingerprint
from parity.watch.pixels.figures import FEATURES
from parity.watch.pixels.look import Floats, Look, edges

INVERTED = "were inverted: ink and paper have changed places"
LITTLE_CONTRAST = 0.1
"""Images whose mean differs less from the paper, in standard deviations, have neither polarity nor
shape; MNIST's differ by 0.42."""
CLOSE = 0.15
"""Relative difference of scales, and share of the range, that is no difference; thin or blurred
strokes seldom reach full ink, so that other steps may leave twice as much."""
EXACT = 0.02
"""The same share where nothing else was done, and all paper is of one level, before and now."""
FEWEST = 10
"""Images whose sums, and whose papers, are not alike by chance."""
CERTAIN = 0.98
"""Share of the variance of papers that the images' means explain, at least, where they cause it."""
_FACTORS = {
    255.0: ("were not scaled", "inverted and not scaled"),
    1 / 255: ("were scaled twice", "inverted and scaled twice"),
    255.0**2: ("were multiplied by 255 instead of divided", "inverted and multiplied by 255"),
}
_DEEP = {
    65535.0: "are of 16 bits: 0 to 65,535",
    65280.0: "have their bytes swapped: 0 to 65,280 in steps of 256",
}
"""By the highest value of images whose lowest is 0."""


def inverts(then: Look, now: Look) -> bool | None:
    """Whether ink and paper have changed places; None where there is no telling."""
    if min(abs(then.contrast), abs(now.contrast)) < LITTLE_CONTRAST:
        return None
    return then.depth * now.depth < 0


def on_one_paper(then: Look, now: Look) -> bool:
    """Whether the paper varies as little: no scale and no shift makes several levels of one."""
    varied = now.mean("uneven") - then.mean("uneven")
    return varied <= FEATURES["uneven"].least or _about_own_means(now.ink)


def _about_own_means(ink: Floats) -> bool:
    """Whether each image's paper comes the nearer to its mean: is the higher, the more ink it has.

    Where levels are equalised it is the lower, in nearly as straight a line.
    """
    if len(ink) < FEWEST:
        return False
    papers = np.median(edges(ink), axis=1)
    (variance, both), (_, own) = np.cov(ink.mean(axis=(1, 2)) - papers, papers)
    return bool(both > 0 and both**2 > CERTAIN * variance * own)


def level_words(
    then: Look,
    now: Look,
    expected: Fingerprint,
    seen: Fingerprint,
    close: float = CLOSE,
    *,
    exact: bool = False,
) -> str | None:
    """What ``factor * x + offset`` leads from one to the other; None where it is close to x.

    Args:
        then: Images as they would be with their grey levels as they were.
        now: As they are.
        expected: Of the images as they should be, for their range.
        seen: Of the images as they are.
        close: Relative difference of scales, and share of the range, that is no difference.
        exact: Whether all else is so alike that less of the range counts, if it is all images'.
    """
    factor = now.depth / then.depth
    if inverts(then, now) is None:
        factor = abs(factor)
    offset = now.paper - factor * then.paper
    width = expected.maximum - expected.minimum
    for words, by_itself in _ONE_BY_ONE.items():
        if by_itself(seen) and not by_itself(expected):
            return ("were inverted and " if factor < 0 else "were ") + words
    if _about_own_means(now.ink) and not _about_own_means(then.ink):
        own = f"scaled by {abs(factor):.3g} one by one: the contrast, about each image's mean"
        return ("were inverted and " if factor < 0 else "were ") + own
    untouched = exact and _of_one_paper(expected) and _of_one_paper(seen)
    apart = EXACT if untouched else min(close, CLOSE)  # paper is what it is, whatever the pen
    if abs(factor - 1) < close and abs(now.paper - then.paper) < apart * width:
        return None
    if abs(factor + 1) < close:
        return INVERTED
    if (known := _by_a_known_factor(factor, width, seen, close)) is not None:
        return known
    inversion = "were inverted and " if factor < 0 else "were "
    seen_low = min(factor * end + offset for end in (expected.minimum, expected.maximum))
    if abs(abs(factor) * width - 2) < 0.1 and abs(seen_low + 1) < 0.1:
        return inversion + "scaled to -1 to 1"
    if seen_low < expected.minimum - close * width:
        return inversion + f"standardised differently: {factor:.3g} x {offset:+.3g}"
    return (
        inversion
        + f"scaled by {abs(factor):.3g}"
        + (f" and moved by {offset:+.3g}" if abs(offset) > apart * width else "")
    )


def _by_a_known_factor(factor: float, width: float, seen: Fingerprint, close: float) -> str | None:
    if seen.minimum == 0 and seen.maximum in _DEEP and width <= 255:
        words = _DEEP[seen.maximum]
        if abs(abs(factor) * width / seen.maximum - 1) < close:
            return words if factor > 0 else f"{words}, and were inverted"
    for known, (same, inverted) in _FACTORS.items():
        if abs(abs(factor) / known - 1) < close:
            return same if factor > 0 else f"were {inverted}"
    return None


def _of_one_paper(images: Fingerprint) -> bool:
    """Whether the paper is of the very same level in nearly all images, as no camera has it."""
    papers = np.median(edges(images.examples), axis=1)
    return float(np.mean(np.abs(papers - np.median(papers)) < 0.5 * images.level)) > 0.9


def _centred(images: Fingerprint) -> bool:
    """Whether each image has a mean of 0, and some of its levels lie below."""
    return images.minimum < -2 * images.level and bool(
        (np.abs(images.examples.mean(axis=(1, 2))) < 2 * images.level).all()
    )


def _standardised(images: Fingerprint) -> bool:
    """Whether each image has a mean of 0 and a deviation of 1."""
    deviations = images.examples.std(axis=(1, 2))
    return _centred(images) and bool((np.abs(deviations - 1) < 2 * images.level).all())


def _of_one(power: int, images: Fingerprint) -> bool:
    """Whether that power of each image's pixels adds up to the same.

    Of few images only to 1; of those whose paper is not 0, too, for paper makes most of a sum.
    """
    examples = images.examples  # which are unpacked
    sums, highest = (examples**power).sum(axis=(1, 2)), examples.max(axis=(1, 2))
    only_1 = len(sums) < FEWEST or abs(float(np.median(examples))) > images.level
    each = 1.0 if only_1 else float(np.median(sums))
    alike = np.abs(sums - each) < 0.04 * each
    return bool(alike.all()) and len(sums) > 1 and np.ptp(highest) > 0


def of_own_range(images: Fingerprint) -> Floats:
    """The examples; of those that were divided one by one, each divided by its highest value."""
    examples = images.examples
    if not any(_of_one(power, images) for power in (1, 2)):
        return examples
    result: Floats = examples / examples.max(axis=(1, 2), keepdims=True)
    return result


_ONE_BY_ONE: dict[str, Callable[[Fingerprint], bool]] = {
    "standardised one by one: each image by its own mean and deviation": _standardised,
    "centred one by one: each image by its own mean": _centred,
    "divided one by one: each image by its own length": partial(_of_one, 2),
    "divided one by one: each image by its own sum or mean": partial(_of_one, 1),
}
