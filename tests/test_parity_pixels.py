"""What was done to images: rightly told, or "I do not know", and never something else.

`tests/pixel_kinds.py` is the table. Healthy pairs, on which nothing was done, get no word.
"""

from pathlib import Path

import numpy as np
import pytest

from lightning_mnist import sources
from lightning_mnist.sources import RawDigits
from parity.watch.fingerprint import Fingerprint
from parity.watch.pixels.change import Change, change
from tests.conftest import mostly_slow
from tests.pixel_kinds import COMPOSED, KINDS, SINGLE, told_wrongly

DIGITS = sources.load("digits", Path("nowhere"))
FAST = (
    "inverted", "gamma 0.5", "twice x in uint8", "noise", "sharpened", "sobel", "thicker",
    "moved", "mirrored", "smaller", "left half blank", "frame", "one permutation",
    "a permutation each", "rows shuffled", "a header in front", "averaged", "half are inverted",
    "inverted, noisy", "inverted, shuffled", "smaller, moved",
)  # fmt: skip
NAMED = (
    *FAST[:-6], "-1 to 1", "16 bits", "int8", "two levels", "gamma 2", "blur", "thinner",
    "transposed", "top half blank", "averaged", "inverted, blurred", "inverted, smaller",
)  # fmt: skip
"""Of which "I do not know" would be too little."""


def trained(data: RawDigits, seed: int) -> Fingerprint:
    rng = np.random.default_rng(seed)
    count = len(data.train_images)
    return Fingerprint.of(data.train_images[rng.choice(count, min(1200, count), False)] / 255)


def told(name: str, data: RawDigits, seed: int, count: int = 300) -> Change | None:
    """What is said of other images than those of training, after something was done to them."""
    rng = np.random.default_rng(seed)
    images = data.test_images[rng.choice(len(data.test_images), count, False)] / 255
    fed = np.asarray(KINDS[name][0](images, rng))
    return change(trained(data, seed), Fingerprint.of(fed))


@pytest.mark.parametrize("name", mostly_slow(KINDS, *FAST))
def test_what_was_done_is_told_rightly_or_not_at_all(name: str) -> None:
    said = told(name, DIGITS, 0)
    assert not told_wrongly(said, KINDS[name][1]), str(said)
    if name in NAMED:
        assert said is not None
        assert said.known, str(said)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", KINDS)
def test_it_is_told_rightly_of_mnist_too(name: str, seed: int, mnist_root: Path) -> None:
    said = told(name, sources.load("mnist", mnist_root), seed)
    assert not told_wrongly(said, KINDS[name][1]), str(said)


@pytest.mark.slow
@pytest.mark.parametrize("count", [15, 40])
@pytest.mark.parametrize("name", KINDS)
def test_few_images_are_told_rightly_or_not_at_all(name: str, count: int) -> None:
    """Nothing may be seen in them; nothing wrong may be told."""
    said = told(name, DIGITS, 1, count)
    assert said is None or not told_wrongly(said, KINDS[name][1]), str(said)


def test_there_are_as_many_kinds_as_people_have() -> None:
    assert len(SINGLE) >= 40
    assert len(COMPOSED) >= 20
