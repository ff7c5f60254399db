"""Answers in another order: named, and not taken for a collapse or for a bad model."""

from typing import Any

import numpy as np
import pytest

import parity
from parity.judge.answers import Run, Side
from parity.judge.comparable import check_comparable
from tests.support.parity_sides import healthy, leaking, side, swapped

LABELS, LIGHTNING, KERAS = healthy()
RNG = np.random.default_rng(0)
ORDER = RNG.permutation(len(LABELS))


def sure(name: str, predicted: np.ndarray, truth: np.ndarray, order: Any = None) -> Side:
    """A side that also says how sure it is, in the order that is given."""
    runs = []
    for seed, answers in enumerate(predicted):
        confidence = RNG.beta(20, 1, len(answers))[:, None]
        shares = np.where(np.eye(10)[answers] == 1, confidence, (1 - confidence) / 9)
        if order is not None:
            answers, shares = answers[order], shares[order]
        ids = np.arange(len(truth))
        runs.append(Run(f"seed{seed}", answers, truth, ids, None, shares))
    return Side(name, runs)


@pytest.mark.parametrize("count", [200, 540, 10_000])
@pytest.mark.parametrize("seeds", [1, 4])
def test_answers_in_another_order_are_named(count: int, seeds: int) -> None:
    order, truth = RNG.permutation(count), LABELS[:count]
    a = sure("A", LIGHTNING[:seeds, :count], truth)
    b = sure("B", KERAS[:seeds, :count], truth, order)
    with pytest.raises(parity.CannotCompareError, match="side B's answers are side A's in another"):
        parity.compare(a, b)
    with pytest.raises(parity.CannotCompareError, match="side A's answers are side B's in another"):
        parity.compare(b, a)


def test_classes_alone_show_it_too() -> None:
    """Of a copy for certain; of another seed of the same training mostly."""
    found = 0
    for number in range(15):
        for copied, answers in ((True, LIGHTNING[number]), (False, KERAS[number])):
            b = side("B", [answers[RNG.permutation(len(LABELS))]])
            try:
                verdict = parity.compare(side("A", LIGHTNING[number : number + 1]), b).verdict
            except parity.CannotCompareError:
                found += 1
            else:
                assert not copied
                assert verdict is parity.Verdict.COLLAPSED
    assert found >= 22


def test_without_labels_the_same_answers_in_another_order_are_named_too() -> None:
    a, b = (
        Side(name, [Run("seed0", answers, None, np.arange(len(LABELS)))])
        for name, answers in (("A", LIGHTNING[0]), ("B", LIGHTNING[0][ORDER]))
    )
    with pytest.raises(parity.CannotCompareError, match="not shuffled alike"):
        parity.compare(a, b)


def test_one_seed_in_another_order_is_named() -> None:
    best = max(KERAS[:3], key=lambda answers: (answers == LABELS).mean())
    shuffled = [*KERAS[:3], best[ORDER]]
    with pytest.raises(parity.CannotCompareError, match="seed3 names each class as often"):
        parity.compare(side("A", KERAS[:3]), side("B", shuffled))


def test_labels_in_another_order_are_named() -> None:
    with pytest.raises(parity.CannotCompareError, match="the same, in another order; not shuffled"):
        parity.compare(side("A", LIGHTNING[:1]), side("B", KERAS[:1][:, ORDER], LABELS[ORDER]))


OTHERS: dict[str, Any] = {
    "all 1s": lambda: np.ones_like(KERAS[:5]),
    "guesses": lambda: RNG.integers(0, 10, (5, len(LABELS))),
    "4 and 9 swapped": lambda: swapped(KERAS[:5], 4, 9),
    "shifted by one": lambda: (KERAS[:5] + 1) % 10,
    "leaking": lambda: [leaking(p, 0.9, 1, RNG) for p in KERAS[:5]],
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_wrong_in_another_way_is_not_taken_for_an_order(name: str) -> None:
    comparison = parity.compare(side("A", LIGHTNING[:5]), side("B", OTHERS[name]()))
    assert comparison.verdict in (parity.Verdict.DIFFERENT, parity.Verdict.COLLAPSED)


@pytest.mark.parametrize("fixed", [0, 1, 2])
def test_permuted_classes_that_are_equally_frequent_are_no_order(fixed: int) -> None:
    """One that is left in its place among ten makes as many agree as chance does."""
    truth = np.arange(500) % 10
    renamed = np.r_[np.arange(fixed), np.roll(np.arange(fixed, 10), 1)]
    check_comparable(side("A", [truth], truth), side("B", [renamed[truth]], truth))


def test_guesses_as_frequent_as_the_classes_are_hardly_ever_taken_for_an_order() -> None:
    taken = 0
    for guesses in RNG.choice(LABELS, (100, len(LABELS))):
        try:
            check_comparable(side("A", LIGHTNING[:1]), side("B", [guesses]))
        except parity.CannotCompareError:
            taken += 1
    assert taken <= 8


def test_few_images_show_no_order() -> None:
    few = LABELS[:50]
    comparison = parity.compare(side("A", [few], few), side("B", [np.sort(few)], few))
    assert comparison.verdict is not parity.Verdict.EQUIVALENT
