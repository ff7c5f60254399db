"""What was done to images: rightly told, or "I do not know", and never something else.

`tests/support/pixel_kinds.py` is the table. Healthy pairs, on which nothing was done, get no word.
"""

from collections.abc import Callable
from functools import cache
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from lightning_mnist.data import sources
from lightning_mnist.data.sources import RawDigits
from parity.watch.fingerprint import Fingerprint
from parity.watch.pixels.change import Change, change
from parity.watch.pixels.look import Look, quantiles
from parity.watch.pixels.order import shuffled
from parity.watch.pixels.raster import ORDERS, named_order
from parity.watch.pixels.skeleton import skeleton
from tests.conftest import embedded_digits, mostly_slow
from tests.support.pixel_changes import Images, each_set_upright, each_turned, without_rows
from tests.support.pixel_kinds import COMPOSED, KINDS, SINGLE, tells_what_is_untrue, told_wrongly

DIGITS = embedded_digits()
FAST = (
    "inverted", "gamma 0.5", "thicker", "moved", "frame", "one permutation", "a permutation each",
    "rows shuffled", "moved by half a pixel", "rotated a little", "equalised locally",
    "each elsewhere", "less contrast", "inverted, noisy", "inverted, shuffled",
)  # fmt: skip
NAMED = (
    *FAST[:-2], "noise", "mirrored", "twice x in uint8", "sharpened", "sobel", "smaller",
    "left half blank", "a header in front", "-1 to 1", "16 bits", "int8", "two levels", "gamma 2",
    "blur", "thinner", "transposed", "top half blank", "averaged", "inverted, blurred",
    "inverted, smaller", "moved by parts of a pixel", "lens", "perspective", "lines",
    "opened", "closed", "edges by Canny", "four corners", "of one sum", "from below",
    "of one mean", "column by column", "uniform noise", "smeared", "turned, thicker",
    "rows lost", "contrast doubled", "edges as Pillow finds them",
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


@cache
def mnist(root: Path) -> RawDigits:
    """Read once for all tests of a process."""
    return sources.load("mnist", root)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_it_is_told_rightly_of_mnist_too(name: str, mnist_root: Path) -> None:
    said = told(name, mnist(mnist_root), 0)
    assert not told_wrongly(said, KINDS[name][1]), str(said)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count"), [*zip(KINDS, cycle([15, 40]), strict=False), ("equalised", 15)]
)
def test_few_images_are_told_rightly_or_not_at_all(name: str, count: int) -> None:
    """Nothing may be seen in them, or a part of what was done; nothing wrong may be told."""
    said = told(name, DIGITS, 1, count)
    assert said is None or not tells_what_is_untrue(said, KINDS[name][1]), str(said)


def assert_no_change(train: Images, test: Images) -> None:
    said = change(Fingerprint.of(train / 255), Fingerprint.of(test / 255))
    assert said is None, str(said)


@pytest.mark.parametrize("count", mostly_slow([5, 10, 30, 100, 300], 10, 100))
def test_other_images_are_no_change_however_few(count: int) -> None:
    rng = np.random.default_rng(count)
    for _ in range(5):
        few = DIGITS.test_images[rng.choice(540, count, False)]
        assert_no_change(DIGITS.train_images, few)


@pytest.mark.parametrize("count", mostly_slow([2, 3, 5, 8], 3))
def test_some_classes_are_no_change(count: int) -> None:
    rng = np.random.default_rng(count)
    for _ in range(3):
        some = np.isin(DIGITS.test_labels, rng.choice(10, count, False))
        assert_no_change(DIGITS.train_images, DIGITS.test_images[some])


def test_nothing_is_made_up_where_no_step_is_left_to_try() -> None:
    sevens = DIGITS.test_images[DIGITS.test_labels == 7][:6]
    for count in (35, 1):
        sixes = DIGITS.train_images[DIGITS.train_labels == 6][:count]
        said = change(Fingerprint.of(sixes / 255), Fingerprint.of(sevens / 255))
        assert said is None or not said.known, str(said)


@pytest.mark.slow
def test_other_writers_few_images_and_single_classes_of_mnist_are_no_change(
    mnist_root: Path,
) -> None:
    """The first half of its test images is of clerks, the second of pupils (LeCun 1998)."""
    data, rng = mnist(mnist_root), np.random.default_rng(0)
    halves = np.split(np.arange(10_000), 2)
    classes = [np.flatnonzero(data.test_labels == c) for c in range(10)]
    unlike = 0
    for _ in range(5):
        train = data.train_images[rng.choice(60_000, 2000, False)]
        for count in (5, 30, 300):
            assert_no_change(train, data.test_images[rng.choice(10_000, count, False)])
        for some in halves:
            assert_no_change(train, data.test_images[rng.choice(some, 200, False)])
        for some in classes:  # 1 in 50 is seen to be unlike all ten; why must not be made up
            said = change(
                Fingerprint.of(train / 255),
                Fingerprint.of(data.test_images[rng.choice(some, 200, False)] / 255),
            )
            assert said is None or not said.known, str(said)
            unlike += said is not None
    assert unlike <= 1


@pytest.mark.parametrize("words", ORDERS)
def test_orders_that_have_names_are_told_by_them(words: str) -> None:
    pixels = np.arange(28 * 28).reshape(28, 28)
    images = DIGITS.test_images[:100].reshape(100, -1) / 255
    fed = images[:, ORDERS[words](pixels).ravel()].reshape(-1, 28, 28)
    then, now = Look.of(DIGITS.train_images[:128] / 255), Look.of(fed)
    assert named_order(then, now) == words
    assert named_order(then, then) is None


def test_lost_rows_are_no_other_order() -> None:
    images = DIGITS.test_images[:100] / 255
    lines = without_rows(images, np.random.default_rng(0), 4)
    assert shuffled(Look.of(DIGITS.train_images[:128] / 255), Look.of(lines)) is None


def test_a_skeleton_is_one_pixel_wide_and_hangs_together() -> None:
    bar = np.zeros((1, 12, 12))
    bar[0, 3:8, 1:11] = 1
    thin = skeleton(bar, 0.5)[0]
    assert thin.sum(axis=0).max() == 1
    assert np.ptp(np.flatnonzero(thin.sum(axis=0))) + 1 == thin.sum() >= 5


def test_what_is_known_and_what_is_not_is_said_in_one_place() -> None:
    both = Change(("were inverted: ink and paper", "were moved: a bit", "were blurred"))
    assert str(both) == "were inverted, were moved and were blurred"
    assert str(Change(("were moved: a bit",))) == "were moved: a bit"
    unknown = Change(("were blurred",), known=False, rest=("edges are steeper", "noise"))
    assert str(unknown) == (
        "differ, and I do not know how it came about: edges are steeper, noise; "
        "the nearest that is known: they were blurred"
    )
    either = Change(("were blurred",), known=False, rest=("noise",), rival=("were moved: a bit",))
    assert str(either).endswith("two things was done: they were blurred, or they were moved: a bit")
    assert str(Change((), known=False, rest=("noise",))).endswith("came about: noise")


@pytest.mark.slow
def test_shuffled_pixels_of_few_images_are_no_composition() -> None:
    for count in (3, 8):
        said = told("one permutation", DIGITS, 0, count)
        assert said is None or not said.known, str(said)


@pytest.mark.slow
def test_digits_that_were_each_set_upright_are_not_slanted(mnist_root: Path) -> None:
    data = mnist(mnist_root)
    fed = each_set_upright(data.test_images[:300] / 255)
    said = change(trained(data, 0), Fingerprint.of(fed))
    assert said is not None
    assert not said.known, str(said)


@pytest.mark.slow
def test_digits_that_were_each_turned_a_little_are_not_turned_alike(mnist_root: Path) -> None:
    data, rng = mnist(mnist_root), np.random.default_rng(0)
    fed = each_turned(data.test_images[:300] / 255, rng, 15)
    said = change(trained(data, 0), Fingerprint.of(fed))
    assert "turned, bent or moved, all a little or each in its own way" in str(said)


def test_quantiles_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).normal(size=(5, 34))
    for shares in ([0.99, 0.01], [0.0, 0.5, 1.0]):
        np.testing.assert_allclose(quantiles(values, *shares), np.quantile(values, shares, axis=1))


def half(images: Images) -> np.ndarray:
    """The last ones of a file."""
    return np.arange(len(images)) >= len(images) // 2


def here_and_there(images: Images) -> np.ndarray:
    """A third of the images, in no order."""
    return np.random.default_rng(3).random(len(images)) < 1 / 3


@pytest.mark.parametrize(
    ("chosen", "where", "kind"),
    [
        (half, "of the last 50% of the images", "inverted"),
        (half, "of the last 50% of the images", "transposed"),
        (here_and_there, "here and there", "inverted"),
    ],
)
def test_what_was_done_to_some_images_is_told_of_those(
    chosen: Callable[[Images], np.ndarray], where: str, kind: str
) -> None:
    rng = np.random.default_rng(0)
    images = DIGITS.test_images[rng.choice(len(DIGITS.test_images), 300, False)] / 255
    some = chosen(images)
    images[some] = KINDS[kind][0](images[some], rng)
    said = change(trained(DIGITS, 0), Fingerprint.of(images))
    assert said is not None
    assert where in said.part
    assert said.known, str(said)
    assert not told_wrongly(said, KINDS[kind][1]), str(said)


def test_images_sorted_by_class_are_not_parted() -> None:
    order = np.argsort(DIGITS.test_labels, kind="stable")
    assert change(trained(DIGITS, 0), Fingerprint.of(DIGITS.test_images[order] / 255)) is None


def test_there_are_as_many_kinds_as_people_have() -> None:
    assert len(SINGLE) >= 40
    assert len(COMPOSED) >= 20
