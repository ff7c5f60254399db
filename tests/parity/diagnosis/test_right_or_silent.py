"""Kinds that were once given a wrong cause or reason: right now, or silent."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

import parity
from lightning_mnist.data import sources
from parity.judge.answers import Run, Side
from parity.judge.case_files import load_case
from parity.judge.loading import load_run
from parity.watch.diagnosis import Case, diagnose, unexplained
from parity.watch.fingerprint import Fingerprint
from parity.watch.pixels.change import change

Array = np.ndarray[Any, Any]
SAMPLES, CLASSES = load_digits(return_X_y=True)
SAMPLES = SAMPLES / 16
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 10, 2000)
GOOD = 4 * np.eye(10)[np.where(RNG.random(2000) < 0.9, LABELS, RNG.integers(0, 10, 2000))]
GOOD = GOOD + RNG.normal(0, 1, GOOD.shape)
"""Logits of a model that is right on nine of ten images."""
SURE = 12 * np.eye(10)[LABELS] - 6 + RNG.normal(0, 0.1, GOOD.shape)
"""Logits of a model that is right on all."""
SHARES = softmax(GOOD, axis=1)
ORDER = np.random.default_rng(1).permutation(784)


def causes(logits: Array, labels: Array = LABELS, **known: Any) -> list[str]:
    return [finding.cause for finding in diagnose(Case(logits, labels, **known))]


def by_batches(logits: Array, size: int) -> Array:
    parts = [logits[start : start + size] for start in range(0, len(logits), size)]
    return np.concatenate([softmax(part, axis=0) for part in parts])


NO_RELU: dict[str, Array] = {
    "the smallest is 0": GOOD - GOOD.min(axis=1, keepdims=True),
    "from 0 to 1": (GOOD - GOOD.min(axis=1, keepdims=True)) / np.ptp(GOOD, axis=1, keepdims=True),
    "the three largest": np.where(GOOD.argsort(axis=1).argsort(axis=1) < 7, 0, GOOD - GOOD.min()),
    "rounded sigmoids": (1 / (1 + np.exp(3 - 3 * GOOD))).round(2),
    "exponentials that underflow": np.exp(2.5 * GOOD - 12).astype(np.float16),
    "votes of trees that may abstain": RNG.binomial(9, SHARES).astype(float),
    "quantised": np.round(2 * GOOD).clip(0),
}


@pytest.mark.parametrize("name", NO_RELU)
def test_zeros_of_another_kind_are_no_relu(name: str) -> None:
    assert causes(NO_RELU[name]) == []


def test_answers_that_are_all_0_tell_nothing() -> None:
    nothing = Case(np.zeros((2000, 10)), LABELS)
    assert diagnose(nothing) == []
    assert "give me" in (unexplained(nothing, []) or "")


@pytest.mark.parametrize("scale", [1, 0.3])
def test_a_relu_is_named_also_where_it_cuts_at_six(scale: float) -> None:
    assert causes((scale * GOOD).clip(0, 6 * scale)) == ["ReLU is applied to the logits"]


OVER_IMAGES: dict[str, Array] = {
    "float16": by_batches(GOOD, 100).astype(np.float16),
    "four decimals": by_batches(GOOD, 50).round(4),
    "a smaller last batch": by_batches(GOOD, 300),
    "hardly trained": by_batches(GOOD / 20, 64),
}
NO_BATCHES: dict[str, Array] = {
    "all of a size": GOOD + 1e4,
    "as large as batches": GOOD - GOOD.min() + 200,
    "sigmoids of a sure model": 1 / (1 + np.exp(-SURE)),
    "a sound softmax": SHARES,
    "in another order": by_batches(GOOD, 100)[RNG.permutation(2000)],
}


@pytest.mark.parametrize("name", OVER_IMAGES)
def test_a_softmax_over_images_is_named(name: str) -> None:
    (cause,) = causes(OVER_IMAGES[name])
    assert "over the images of a batch" in cause


@pytest.mark.parametrize("name", NO_BATCHES)
def test_columns_that_add_up_otherwise_are_no_softmax_over_images(name: str) -> None:
    assert causes(NO_BATCHES[name]) == []


@pytest.mark.parametrize("of", ["logits", "classes"])
def test_images_of_one_class_are_no_collapse_and_no_other_order(of: str) -> None:
    ones = Case(SURE[LABELS == 1], LABELS[LABELS == 1], classes_only=of == "classes")
    good = Case(GOOD[LABELS == 1], LABELS[LABELS == 1], classes_only=of == "classes")
    for case in (ones, good):
        assert diagnose(case) == []
        assert not case.wrong


@pytest.mark.parametrize("of_another", [0, 60])
def test_labels_of_nearly_one_class_are_no_other_order(of_another: int) -> None:
    """Of them as many are right by chance, whatever a network sees."""
    alike = np.random.default_rng(5).normal(size=(10, 10))
    labels = np.repeat([3, 8], [1000, of_another])
    logits = 3 * np.eye(10)[labels] + alike[labels] + RNG.normal(0, 1, (len(labels), 10))
    assert causes(logits, labels) == []


def test_two_classes_are_swapped_also_where_one_is_rare() -> None:
    labels = (np.arange(1000) % 20 == 0).astype(int)
    seen = np.where(np.arange(1000) % 40 == 0, 1, 0)  # half of the rare ones, and no others
    assert causes(4 * np.eye(2)[1 - seen], labels) == ["classes 0 and 1 are swapped"]
    assert causes(4 * np.eye(2)[seen], labels) == []
    assert causes(4 * np.eye(2)[RNG.integers(0, 2, 1000)], labels) == []


def test_who_never_names_the_only_class_is_wrong() -> None:
    other = Case(SURE[LABELS == 1], np.full(int((LABELS == 1).sum()), 7))
    assert other.wrong
    assert diagnose(other) == []


@pytest.mark.parametrize(
    ("labels", "cause", "how"),
    [
        ((LABELS + 1) % 10, "labels are shifted by 1", "the answers are 1 less"),
        ((LABELS - 1) % 10, "labels are shifted by 1", "the answers are 1 more"),
        ((LABELS + 3) % 10, "labels are shifted by 3", "the answers are 3 less"),
        ((LABELS + 1).clip(max=9), "labels are shifted by 1", "the answers are 1 less"),
        (9 - LABELS, "classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 are permuted", "renamed"),
    ],
)
def test_shifted_labels_are_told_by_the_shorter_way(labels: Array, cause: str, how: str) -> None:
    (found,) = diagnose(Case(GOOD, labels))
    assert found.cause == cause
    assert found.figures.endswith(how)


@pytest.mark.parametrize(("answers", "how"), [(1, "1 more"), (-1, "1 less")])
def test_a_shift_that_ends_at_the_last_class_is_one(answers: int, how: str) -> None:
    moved = (GOOD.argmax(axis=1) + answers).clip(0, 9)
    (found,) = diagnose(Case(4 * np.eye(10)[moved], LABELS))
    assert found.cause == "labels are shifted by 1"
    assert found.figures.endswith(f"the answers are {how}, as far as they go")


def test_what_is_no_permutation_is_not_called_one() -> None:
    few = LABELS < 4
    renamed = np.array([0, 1, 7, 5])[LABELS[few]]
    (cause,) = causes(GOOD[few], renamed)
    assert cause == "classes have other names: 5, 7 are answered as 3, 2"
    one = np.array([0, 1, 2, 8])[LABELS[few]]  # threes that are called eights, or eights misread
    assert causes(GOOD[few], one) == []


def untrained(seed: int) -> Array:
    """Logits of a network with initial weights."""
    rng = np.random.default_rng(seed)
    hidden = np.maximum(SAMPLES @ rng.uniform(-0.2, 0.2, (64, 64)), 0)
    return np.asarray(hidden @ rng.uniform(-0.15, 0.15, (64, 10)) + rng.uniform(-0.1, 0.1, 10))


def test_initial_weights_are_named_however_many_images_there_are() -> None:
    """On many images they are hardly ever exactly at chance."""
    named = 0
    for seed in range(10):
        logits = np.tile(untrained(seed), (6, 1))
        named += any("initial" in cause for cause in causes(logits, np.tile(CLASSES, 6)))
    assert named >= 7


def test_logits_with_nothing_in_common_are_not_those_of_initial_weights() -> None:
    """Training, even a little of it, makes all grow but what all logits of an image share."""
    for seed in range(10):
        logits = untrained(seed)
        grown = logits + 1.5 * (logits - logits.mean(axis=1, keepdims=True))
        assert causes(grown, CLASSES) == []
        assert causes(log_softmax(logits, axis=1), CLASSES) == []


def digits(kind: Callable[[Array], Array], part: slice) -> Fingerprint:
    images = SAMPLES[part].reshape(-1, 8, 8).repeat(4, axis=1).repeat(4, axis=2)[:, 2:30, 2:30]
    return Fingerprint.of(kind(images))


def mixed(images: Array, order: Array = ORDER) -> Array:
    return np.asarray(images.reshape(len(images), -1)[:, order].reshape(images.shape))


def mixed_each(images: Array) -> Array:
    flat = images.reshape(len(images), -1)
    return np.random.default_rng(3).permuted(flat, axis=1).reshape(images.shape)


def noise(images: Array) -> Array:
    return np.asarray(np.random.default_rng(len(images)).random(images.shape))


SAME: dict[str, Callable[[Array], Array]] = {
    "one order": mixed,
    "an order each": mixed_each,
    "noise": noise,
    "specks": lambda images: np.asarray(noise(images) < 0.1, float),
}


@pytest.mark.parametrize("name", SAME)
def test_images_without_neighbours_that_are_alike_have_no_other_order(name: str) -> None:
    first, second = (digits(SAME[name], part) for part in (slice(0, None, 2), slice(1, None, 2)))
    assert change(first, second) is None


@pytest.mark.slow
def test_of_two_orders_the_mean_image_tells(mnist_root: Path) -> None:
    mnist = sources.load("mnist", mnist_root)
    other = np.random.default_rng(9).permutation(784)
    first = Fingerprint.of(mixed(mnist.train_images[:2000]))
    for order, cause in ((ORDER, "None"), (other, "are in another order, the same one")):
        assert cause in str(change(first, Fingerprint.of(mixed(mnist.test_images, order))))


@cache
def sound() -> tuple[Array, Array, Array]:
    """Shares of two sound models and of one that has learned random labels; half of the digits."""
    models = (
        LogisticRegression(max_iter=500),
        MLPClassifier((16,), max_iter=200, tol=1e-3, random_state=0, learning_rate_init=0.01),
    )
    asked, learned = SAMPLES[::2], SAMPLES[1::2]
    first, second = (m.fit(learned, CLASSES[1::2]).predict_proba(asked) for m in models)
    guessed = np.random.default_rng(0).permutation(CLASSES[1::2])
    return first, second, models[1].fit(learned, guessed).predict_proba(asked)


def compared(a: Array, b: Array) -> parity.Verdict:
    labels = CLASSES[::2]
    first, second = (
        Side(n, [Run(n, p.argmax(axis=1), labels, np.arange(len(labels)), None, p)])
        for n, p in (("A", a), ("B", b))
    )
    return parity.compare(first, second).verdict


@pytest.mark.parametrize("seed", range(4))
def test_another_models_answers_in_another_order_are_known_by_what_they_doubt(seed: int) -> None:
    first, second, _ = sound()
    order = np.random.default_rng(seed).permutation(len(second))
    with pytest.raises(parity.CannotCompareError, match="side B's answers are side A's in another"):
        compared(first, second[order])
    with pytest.raises(parity.CannotCompareError, match="side A's answers are side B's in another"):
        compared(second[order], first)


def test_models_that_doubt_otherwise_are_in_no_other_order() -> None:
    first, second, random = sound()
    assert compared(first, random) is parity.Verdict.COLLAPSED
    renamed = second[:, np.roll(np.arange(10), 3)]
    assert compared(first, renamed) is parity.Verdict.COLLAPSED
    assert compared(first, second) is not parity.Verdict.COLLAPSED


def test_labels_that_differ_are_refused_for_what_they_are() -> None:
    first, second, _ = sound()
    labels, ids = CLASSES[::2], np.arange(len(first))
    a = Side("A", [Run("A", first.argmax(axis=1), labels, ids)])
    for other, said in (
        (labels + 1, r"number the classes differently: the labels of B are those of A \+1"),
        (labels[::-1].copy(), "the same, in another order"),
    ):
        b = Side("B", [Run("B", second.argmax(axis=1), other, ids)])
        with pytest.raises(parity.CannotCompareError, match=said):
            parity.compare(a, b)


def table(path: Path, names: str, shares: Array, form: str) -> Path:
    rows = [names] + [
        ",".join([str(label), *(form.format(value) for value in row)])
        for label, row in zip(LABELS[:200], shares[:200], strict=True)
    ]
    path.write_text("\n".join(rows))
    return path


@pytest.mark.parametrize("form", ["{:.1e}", "{:.2e}", "{:.3g}", "{:.2g}", "{:.2f}"])
@pytest.mark.parametrize("name", ["p{}", "probability_of_{}", "prob for class {}"])
def test_shares_of_few_digits_are_shares(form: str, name: str, tmp_path: Path) -> None:
    names = "label," + ",".join(name.format(n) for n in range(10))
    run = load_run(table(tmp_path / "theirs.csv", names, SHARES, form))
    assert run.probabilities is not None
    np.testing.assert_allclose(run.probabilities, SHARES[:200], atol=0.06)


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        (by_batches(GOOD, 25), "over the images of a batch"),
        (1 / (1 + np.exp(-GOOD)), ""),
        (np.where(np.arange(len(SHARES))[:, None] < 180, SHARES, 0), "never filled"),
    ],
    ids=["softmax over the batch", "sigmoid", "a last batch of zeros"],
)
def test_what_are_no_shares_is_named_for_what_it_is(
    shares: Array, said: str, tmp_path: Path
) -> None:
    names = "label," + ",".join(f"p{n}" for n in range(10))
    for form in ("{:.6f}", "{:.2e}"):
        case = load_case(table(tmp_path / "theirs.csv", names, shares, form), [])
        causes = [finding.cause for finding in diagnose(case)]
        assert len(causes) == bool(said), causes
        assert said in "".join(causes)
