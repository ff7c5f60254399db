"""The verdict: right on every row of known mistakes, and silent on healthy sides."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

import parity
from parity import Thresholds, Verdict
from parity.judge.answers import Run, Side
from parity.judge.comparable import CannotCompareError
from parity.watch.collapse import signs_of_collapse
from tests.support.parity_sides import healthy, leaking, side, swapped, worse

LABELS, LIGHTNING, KERAS = healthy()
RNG = np.random.default_rng(0)
ONES = np.ones((5, 10_000), int)

ROWS: dict[str, tuple[Any, Verdict, str]] = {
    "healthy": (KERAS[:5], Verdict.EQUIVALENT, "accuracy lies within 0.5 points"),
    "95 % right": ([worse(p, 0.95, RNG) for p in KERAS[:5]], Verdict.DIFFERENT, "accuracy differs"),
    "4 and 9 swapped": (swapped(KERAS[:5], 4, 9), Verdict.DIFFERENT, "class 4: recall differs"),
    "10 % leak into 1": (
        [leaking(p, 0.1, 1, RNG) for p in KERAS[:5]], Verdict.DIFFERENT, "class 1: share",
    ),
    "all 1s": (ONES, Verdict.COLLAPSED, "100.00% of the predictions are class 1"),
    "one seed of five all 1s": (
        [*KERAS[:4], ONES[0]], Verdict.COLLAPSED, "B, seed4: 100.00% of the predictions",
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("seeds", [5, 1])
def test_every_known_mistake_gets_its_verdict(row: str, seeds: int) -> None:
    predicted, verdict, reason = ROWS[row]
    if row == "one seed of five all 1s" and seeds == 1:
        predicted = predicted[-1:]
        reason = "B, seed0: 100.00%"
    comparison = parity.compare(side("A", LIGHTNING[5 : 5 + seeds]), side("B", predicted[:seeds]))
    if row == "healthy" and seeds == 1:
        # One model a side: a class's recall has 1,000 images, too few for three points.
        assert comparison.verdict in (Verdict.EQUIVALENT, Verdict.INCONCLUSIVE)
        return
    assert comparison.verdict is verdict, comparison.judgement.reasons
    assert any(reason in said for said in comparison.judgement.reasons)


def test_two_collapsed_sides_agree_perfectly_and_are_collapsed() -> None:
    comparison = parity.compare(side("A", ONES), side("B", ONES))
    assert comparison.evidence.disagreement.between == 0
    assert comparison.verdict is Verdict.COLLAPSED
    assert "never predicts 9 of 10 classes" in " ".join(comparison.judgement.reasons)


def test_two_sides_that_lost_the_same_class_are_not_equivalent() -> None:
    both = [swapped(runs, 4, 9) for runs in (LIGHTNING[:5], KERAS[:5])]
    comparison = parity.compare(side("A", both[0]), side("B", both[1]))
    assert comparison.verdict is Verdict.COLLAPSED
    assert "both sides have lost class 4" in " ".join(comparison.judgement.reasons)
    assert "classes 4 and 9 are swapped" in comparison.judgement.reasons[0]


def test_logits_that_are_not_finite_are_a_collapse() -> None:
    logits = np.full((10_000, 10), np.nan)
    runs = [Run("seed0", np.zeros(10_000, int), LABELS, np.arange(10_000), logits, logits)]
    comparison = parity.compare(side("A", LIGHTNING[:1]), Side("B", runs))
    assert comparison.verdict is Verdict.COLLAPSED
    assert "logits of 10,000 of 10,000 images are not finite" in comparison.judgement.reasons[1]


def test_two_seeds_and_a_tight_margin_are_too_little_evidence() -> None:
    tight = Thresholds(accuracy_margin=0.001)
    comparison = parity.compare(side("A", LIGHTNING[:2]), side("B", KERAS[:2]), tight)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.judgement.seeds_needed is not None
    assert comparison.judgement.seeds_needed > 2
    assert f"about {comparison.judgement.seeds_needed} seeds" in comparison.judgement.reasons[-1]
    assert comparison.thresholds.changed() == ["accuracy_margin is 0.001, 0.005 by default"]


def test_sides_that_are_right_as_often_on_other_images_are_different() -> None:
    """Same accuracy, same shares: only the paired tests can see it."""
    a, b = LABELS.copy(), LABELS.copy()
    a[:200], b[200:400] = (a[:200] + 1) % 10, (b[200:400] + 1) % 10
    sides = [[np.where(RNG.random(10_000) < 0.002, 0, p) for _ in range(5)] for p in (a, b)]
    comparison = parity.compare(side("A", sides[0]), side("B", sides[1]))
    assert comparison.verdict is Verdict.DIFFERENT
    assert "the sides disagree on" in comparison.judgement.reasons[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": (LABELS + 1) % 10}, "other labels"),
        ({"sample_ids": np.arange(10_000) + 1}, "other sample_ids"),
    ],
    ids=["labels", "ids"],
)
def test_other_questions_cannot_be_compared(change: dict[str, Any], said: str) -> None:
    values: dict[str, Any] = {"labels": LABELS, "sample_ids": np.arange(10_000)} | change
    other = Side("B", [Run("seed0", KERAS[0], **values)])
    with pytest.raises(CannotCompareError, match=said):
        parity.compare(side("A", LIGHTNING[:1]), other)


def test_fewer_images_cannot_be_compared() -> None:
    with pytest.raises(CannotCompareError, match="10,000 images, seed0 9,999"):
        parity.compare(side("A", LIGHTNING[:1]), side("B", KERAS[:1, :-1], LABELS[:-1]))


def test_no_false_alarm_in_100_random_splits_of_healthy_seeds() -> None:
    """At most 2 % may be DIFFERENT or COLLAPSED: sides mixed, and one against the other."""
    rng = np.random.default_rng(1)
    pooled = np.concatenate([LIGHTNING, KERAS])
    verdicts: Counter[Verdict] = Counter()
    for number in range(100):
        if number % 2:
            a, b = LIGHTNING[rng.permutation(15)[:5]], KERAS[rng.permutation(15)[:5]]
        else:
            a, b = np.split(pooled[rng.permutation(30)[:10]], 2)
        verdicts[parity.compare(side("A", a), side("B", b)).verdict] += 1
    assert verdicts[Verdict.DIFFERENT] + verdicts[Verdict.COLLAPSED] <= 2
    assert verdicts[Verdict.EQUIVALENT] >= 95


def test_a_loss_of_eight_tenths_of_a_point_is_found_nine_times_in_ten() -> None:
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(30):
        a, b = LIGHTNING[rng.permutation(15)[:5]], KERAS[rng.permutation(15)[:5]]
        lossy = [worse(p, (p == LABELS).mean() - 0.008, rng) for p in b]
        found += parity.compare(side("A", a), side("B", lossy)).verdict is Verdict.DIFFERENT
    assert found >= 27


def test_without_labels_the_sides_are_compared_with_each_other_only() -> None:
    def unlabelled(name: str, predicted: np.ndarray) -> Side:
        ids = np.arange(predicted.shape[1])
        return Side(name, [Run(f"seed{n}", p, None, ids) for n, p in enumerate(predicted)])

    same = parity.compare(unlabelled("A", LIGHTNING[:5]), unlabelled("B", KERAS[:5]))
    assert same.verdict is Verdict.EQUIVALENT
    assert "no labels: accuracy" in same.evidence.without[0]
    copied = parity.compare(unlabelled("A", LIGHTNING[:1]), unlabelled("B", LIGHTNING[:1]))
    assert copied.verdict is Verdict.EQUIVALENT
    one = parity.compare(unlabelled("A", LIGHTNING[:1]), unlabelled("B", KERAS[:1]))
    assert one.verdict is Verdict.INCONCLUSIVE  # they disagree on 2 % of the images
    swapping = unlabelled("B", swapped(KERAS[:5], 1, 8))
    other = parity.compare(unlabelled("A", LIGHTNING[:5]), swapping)
    assert other.verdict is Verdict.DIFFERENT


@pytest.mark.parametrize("classes", [2, pytest.param(1000, marks=pytest.mark.slow)])
def test_any_number_of_classes(classes: int) -> None:
    labels = RNG.integers(0, classes, 20_000)
    guesses = RNG.integers(0, classes, (10, 20_000))
    runs = np.where(RNG.random(guesses.shape) < 0.03, guesses, labels)
    loose = Thresholds(recall_margin=0.5)
    comparison = parity.compare(side("A", runs[:5], labels), side("B", runs[5:], labels), loose)
    assert comparison.evidence.classes == classes
    assert comparison.verdict is Verdict.EQUIVALENT


def test_a_million_predictions() -> None:
    labels = RNG.integers(0, 10, 1_000_000)
    runs = [np.where(RNG.random(1_000_000) < 0.03, 0, labels) for _ in range(4)]
    comparison = parity.compare(side("A", runs[:2], labels), side("B", runs[2:], labels))
    assert comparison.verdict is Verdict.EQUIVALENT


def test_a_single_image_decides_nothing() -> None:
    one = np.array([1])
    comparison = parity.compare(side("A", [one], one), side("B", [one], one))
    assert comparison.verdict is Verdict.INCONCLUSIVE


def test_assert_parity_passes_or_says_why() -> None:
    assert parity.assert_parity(side("A", LIGHTNING[:5]), side("B", KERAS[:5]))
    with pytest.raises(AssertionError, match=r"COLLAPSED\n  1\. B, seed0: 100.00%"):
        parity.assert_parity(side("A", LIGHTNING[:5]), side("B", ONES))


@pytest.mark.parametrize("share", [0.5, 0.8, 0.9])
def test_a_good_model_of_unbalanced_data_has_not_collapsed(share: float) -> None:
    labels = (RNG.random(1000) > share).astype(int)
    predicted = np.where(RNG.random(1000) < 0.05, 1 - labels, labels)
    assert signs_of_collapse(predicted, 2, labels=labels) == []
    majority = np.zeros(1000, int)
    assert signs_of_collapse(majority, 2, labels=labels)


def test_outputs_that_hardly_depend_on_the_image_are_a_sign() -> None:
    noise = RNG.normal(0, 1e-3, (10_000, 10))
    probabilities = np.full((10_000, 10), 0.1) + noise - noise.mean(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    (sign, *_) = signs_of_collapse(predicted, 10, probabilities=probabilities)
    assert "hardly depend on the image" in sign


@pytest.mark.parametrize(("name", "highest"), [("accuracy_margin", "1"), ("alpha", "0.5")])
def test_thresholds_are_shares(name: str, highest: str) -> None:
    for value in (0, 0.5 if name == "alpha" else 1, -1):
        wrong: dict[str, Any] = {name: value}
        with pytest.raises(ValueError, match=f"{name} is {value}; .* between 0 and {highest}"):
            Thresholds(**wrong)


def test_a_hard_or_rare_class_is_not_a_collapse() -> None:
    """Two weak but alike models of unbalanced data: 100 classes, one of them hopeless."""
    labels = np.concatenate([RNG.integers(1, 100, 19_900), np.zeros(100, int)])
    guesses = RNG.integers(0, 100, (10, 20_000))
    runs = np.where((RNG.random(guesses.shape) < 0.4) & (labels > 0), labels, guesses)
    assert [signs_of_collapse(run, 100, labels=labels) for run in runs] == [[]] * 10
    rare = np.where(np.arange(10_000) < 40, 1, 0) + np.where(np.arange(10_000) > 5000, 2, 0)
    never = np.where(rare == 1, 0, rare)
    assert signs_of_collapse(never, 3, labels=rare) == []


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (np.delete(np.arange(102), [40, 41]), "expected .* lacks sample_id 40, the first of 2"),
        (np.delete(np.arange(100), 40), "100 images, seed0 99; .*: seed0 lacks sample_id 40$"),
    ],
)
def test_an_image_that_only_one_side_has_is_named(ids: np.ndarray, said: str) -> None:
    answers = np.arange(100) % 10
    first = Side("A", [Run("a", answers, answers, np.arange(100))])
    some = ids % 10
    with pytest.raises(CannotCompareError, match=said):
        parity.compare(first, Side("B", [Run("seed0", some, some, ids)]))
