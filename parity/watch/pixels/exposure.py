"""How far grey levels were changed, measured on the images that are seen (NumPy only)."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from parity.watch.pixels import light
from parity.watch.pixels.look import Floats, Look
from parity.watch.pixels.turns import Step

HARDLY = 0.12
"""Of full ink: cutting off what is fainter can hardly be told from other curves of grey."""
SPARSE = 16
"""Of so many pixels, in the order of their levels, one is looked at."""
STRETCHES = (0.06, 0.12, 0.2)
"""Of full ink: below this is paper, once the contrast is stretched."""
Family = Callable[[Floats, float], Floats]
"""Ink, and how much is done, to ink."""


def exposures(now: Look, seen: Look) -> Iterator[Step]:
    """Changes of the grey levels after which the ink is as pale as it is seen."""
    # Of how many pixels have which level all else follows: every so many of them tell it.
    ink, target = np.sort(now.ink.clip(0, 1), axis=None)[::SPARSE], paleness(seen.ink)
    threshold = float(np.quantile(ink, 1 - float((seen.ink > 0.5).mean())))
    yield _step(light.TWO_LEVELS, partial(light.cut, threshold=threshold))
    power = matching(light.gamma, ink, target, 1 / 8, 8)
    if abs(np.log(power)) > 0.1:
        yield _step(light.gamma_words(power), partial(light.gamma, power=power))
    if seen.depth < 0:  # a gamma of what was inverted before
        power = matching(light.gamma_of_paper, ink, target, 8, 1 / 8)
        if abs(np.log(power)) > 0.1:
            yield _step(light.gamma_words(power), partial(light.gamma_of_paper, power=power))
    gain = matching(light.overexposed, ink, target, 16, 1)
    yield _step(light.OVEREXPOSED, partial(light.overexposed, gain=gain))
    for lost in STRETCHES:
        gain = matching(light.overexposed, light.underexposed(ink, lost), target, 16, 1)
        do = partial(_stretched, lost=lost, gain=gain)
        yield Step("light", light.SHARPER, do, measured=True, like=light.EXPOSED)
    lost = matching(light.underexposed, ink, target, 0.01, 0.9)
    if lost > HARDLY:
        yield _step(light.UNDEREXPOSED, partial(light.underexposed, lost=lost))
    count = round(2 ** seen.mean("levels"))
    if light.FEWEST <= count <= light.MOST:
        for fewer in (light.few_levels, light.fewer_bits, light.fewer_bits_inverted):
            yield _step(light.FEW_LEVELS, partial(fewer, count=count))
    yield from _standardised(now)
    added = round((seen.paper - now.paper) / now.depth * 255)
    if 5 < abs(added) < 250:
        more = light.wrapped(lambda levels: levels + added)
        yield _step(f"{light.WRAPPED} uint8: {added} added", more)


def _standardised(now: Look) -> Iterator[Step]:
    """By the images' own mean and deviation, and then stored or used as what they are not."""
    mean, deviation = float(now.ink.mean()), float(now.ink.std())
    if deviation == 0:
        return

    def whole(ink: Floats) -> Floats:
        result: Floats = np.trunc((ink - mean) / deviation)
        return result / max(float(np.trunc((1 - mean) / deviation)), 1.0)

    yield _step(light.INTEGERS, whole)
    yield _step(
        f"{light.WRAPPED} uint8: standardised values",
        light.wrapped(lambda levels: np.trunc((levels - 255 * mean) / deviation)),
    )
    yield _step("had the mean image subtracted", lambda ink: ink - ink.mean(axis=0))
    yield _step("were standardised pixel by pixel", _pixel_by_pixel)


def _stretched(ink: Floats, lost: float, gain: float) -> Floats:
    """Cut off at both ends."""
    return light.overexposed(light.underexposed(ink, lost), gain)


def _pixel_by_pixel(ink: Floats) -> Floats:
    """What never changes is left at 0."""
    deviation = ink.std(axis=0)
    result: Floats = (ink - ink.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    return result


def _step(words: str, do: Callable[[Floats], Floats]) -> Step:
    return Step("light", words, do, measured=True)


def paleness(ink: Floats) -> float:
    """The mean by the mean of the squares, however much ink there is: 1 where all is full ink."""
    ink = ink.clip(0, 1)
    return float(ink.sum()) / max(float((ink**2).sum()), 1e-9)


def matching(family: Family, ink: Floats, target: float, least: float, most: float) -> float:
    """How much to do for a paleness, which rises from `least` to `most`: by halving."""
    for _ in range(12):
        middle = float((least * most) ** 0.5)
        if paleness(family(ink, middle)) < target:
            least = middle
        else:
            most = middle
    return middle
