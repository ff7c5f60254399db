"""The diagnosis: each cause is named where its figures are, and nowhere else."""

import dataclasses
from graphlib import TopologicalSorter
from typing import Any

import numpy as np
import pytest

from parity.watch.diagnosis import RULES, Case, diagnose, unexplained
from parity.watch.diagnosis.rule import EVIDENCE, SCORES
from parity.watch.diagnosis.rule import LABELS as LABELS_KNOWN
from parity.watch.fingerprint import Fingerprint
from parity.watch.symptoms import Symptoms
from tests.conftest import ROOT
from tests.parity.diagnosis.cases import (
    AS_INTENDED,
    EXPECTED,
    FREQUENCIES_OF_1,
    GOOD,
    LABELS,
    OTHERS,
    SCALED_TWICE,
    SOFTMAX,
    Row,
    case,
    layers,
    learned_nothing,
    logits_for,
    misread,
    sound,
    with_one,
)
from tests.parity.diagnosis.rules import ROWS


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_cause_is_named_first_with_figures_and_advice(row: Row) -> None:
    first, *others = diagnose(row.ill)
    assert row.cause in first.cause
    assert row.figures in first.figures
    assert len(first.advice) > 20
    assert str(first).startswith(f"{first.cause}: {first.figures}. {first.advice}.")
    assert others == []
    assert unexplained(row.ill, [first]) is None


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_just_not_it_is_not_named(row: Row) -> None:
    findings = diagnose(row.near)
    named = [finding.cause for finding in findings]
    named += [item.cause for finding in findings for item in finding.consequences]
    assert not [cause for cause in named if row.cause in cause]


def test_every_rule_is_tested() -> None:
    names = [rule.name for rule in RULES]
    assert {row.rule for row in ROWS.values()} == set(names)
    assert len(set(names)) == len(names)


def test_what_follows_from_what_has_no_ring_and_no_unknown_name() -> None:
    explained = {rule.name: set(rule.explains) for rule in RULES}
    assert set().union(*explained.values()) <= set(explained)
    TopologicalSorter(explained).prepare()


def test_a_consequence_is_said_as_one() -> None:
    """Raw pixels, which kill the units, which leave nothing but the class frequencies."""
    raw = Fingerprint.of(EXPECTED * 255)
    ill = learned_nothing(
        FREQUENCIES_OF_1, trained_on=raw, seen=raw, learning_rate=0.9, optimizer="SGD",
        layers=layers(dead=0.99),
    )  # fmt: skip
    (cause,) = diagnose(ill)
    assert cause.cause == "in training, the pixels were not scaled"
    assert [item.cause.partition(":")[0] for item in cause.consequences] == [
        "the learning rate is too high", "dead ReLUs",
        "the network has learned only how often each class occurs",
    ]  # fmt: skip
    assert "And so dead ReLUs" in str(cause)


def test_of_two_causes_that_which_explains_more_comes_first() -> None:
    ill = learned_nothing(FREQUENCIES_OF_1, layers=layers(dead=0.99), repeat_difference=0.1)
    assert [finding.cause.partition(":")[0] for finding in diagnose(ill)] == [
        "dead ReLUs", "dropout was left on",
    ]  # fmt: skip


def test_a_healthy_model_needs_no_cause() -> None:
    for healthy in (case(), case(GOOD.astype(np.float64)), case(logits_for(LABELS))):
        assert diagnose(healthy) == []
        assert unexplained(healthy, []) is None
        assert not healthy.wrong


@pytest.mark.parametrize("missed", [0.02, 0.2], ids="misses {}".format)
@pytest.mark.parametrize("share", [0.5, 0.8, 0.9, 0.95, 0.99], ids="majority {}".format)
def test_a_healthy_model_of_two_classes_needs_no_cause_however_rare_one_is(
    share: float, missed: float
) -> None:
    """Right on all but a few, be a class as rare as it will: accuracy is far above chance."""
    labels = (np.arange(5000) >= share * 5000).astype(int)
    lost = np.random.default_rng(2).random(5000) < missed
    predicted = np.where((labels == 1) & lost, 0, labels)
    counts = np.bincount(labels).tolist()
    best = float((predicted == labels).mean())
    healthy = case(logits_for(predicted, 2), labels, class_counts=counts, best_accuracy=best)
    assert [finding.cause for finding in diagnose(healthy)] == []


def test_a_model_that_finds_half_of_what_is_rare_is_not_weak() -> None:
    """It is right on a few more than the majority class alone would be."""
    labels = (np.arange(5000) >= 4850).astype(int)
    half = Case(logits_for(np.where(np.arange(5000) < 4925, 0, labels), 2), labels)
    assert not half.wrong
    assert Case(logits_for(np.zeros(5000, int), 2), labels).wrong


def test_a_healthy_model_of_a_hundred_unbalanced_classes_needs_no_cause() -> None:
    labels = np.random.default_rng(3).choice(100, 5000, p=np.arange(1, 101) / 5050)
    predicted = misread(labels, 0.15, 100)
    counts = np.bincount(labels, minlength=100).tolist()
    healthy = case(logits_for(predicted, 100), labels, class_counts=counts, best_accuracy=0.86)
    assert diagnose(healthy) == []


def test_a_weak_model_gets_no_cause_that_its_figures_do_not_show() -> None:
    weak = case(logits_for(misread(LABELS, 0.6)), best_accuracy=0.42)
    assert weak.ill
    assert diagnose(weak) == []
    assert str(unexplained(weak, [])).startswith("the cause is not in these files")


def test_what_is_worse_than_in_training_has_a_cause_or_it_is_said_that_it_is_not_here() -> None:
    look = {"broken": 0, "loss": 0.2, "gain": 0.86}
    fallen = case(logits_for(misread(LABELS, 0.15)), validation_counts=[400] * 10, readings=[look])
    assert fallen.fallen
    assert diagnose(fallen) == []
    assert "--images" in str(unexplained(fallen, []))
    bare = Case(logits_for(np.where(LABELS == 9, 4, LABELS)), LABELS)
    assert bare.signs == ["never predicts 1 of 10 classes (9)"]
    assert diagnose(bare) == []
    assert unexplained(bare, []) == (
        "the cause is not in these files; give me the run directory of its training, with "
        "symptoms.json"
    )


def test_a_difference_that_chance_explains_is_none() -> None:
    """The best of many epochs, on forty images, is better than it is worth."""
    predicted = misread(LABELS, 0.12)
    assert not case(logits_for(predicted), best_accuracy=0.97, validation_counts=[4] * 10).fallen
    assert case(logits_for(predicted), best_accuracy=0.97, validation_counts=[400] * 10).fallen


def test_a_young_network_may_not_use_all_classes_yet() -> None:
    half = logits_for(LABELS % 5)
    assert case(half, best_accuracy=0.5).signs
    young = case(half, best_accuracy=0.5, step=9)
    assert not young.signs
    assert diagnose(young) == []
    assert case(logits_for(0 * LABELS), best_accuracy=0.1, step=9).signs


def test_without_symptoms_only_what_the_answers_can_tell() -> None:
    """And what the answers tell is told."""
    alone = {rule.name for rule in RULES if set(rule.needs) <= {LABELS_KNOWN, SCORES}}
    said = set()
    for row in ROWS.values():
        bare = Case(row.ill.logits, row.ill.labels)
        with np.errstate(all="ignore"):
            said |= {rule.name for rule in RULES if rule.match(bare) is not None}
    assert said == alone


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_without_its_evidence_a_cause_is_not_named(row: Row) -> None:
    (rule,) = (rule for rule in RULES if rule.name == row.rule)
    if LABELS_KNOWN in rule.needs:
        unlabelled = Case(row.ill.logits, None, row.ill.symptoms)
        diagnose(unlabelled)  # without an error
        assert rule.match(unlabelled) is None
    if set(rule.needs) - {LABELS_KNOWN, SCORES}:
        assert rule.match(Case(row.ill.logits, row.ill.labels)) is None


def test_classes_alone_tell_of_names_and_order_only() -> None:
    said = logits_for(LABELS[::-1])
    found = diagnose(Case(said, LABELS, classes_only=True))
    assert [item.cause for item in found] == ["labels are shifted by 1"] or found
    for row in ROWS.values():
        diagnose(Case(row.ill.logits, row.ill.labels, row.ill.symptoms, classes_only=True))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("changes", [{}, {"learning_rate": 3.0}, {"train_loss": np.nan}], ids=str)
def test_logits_that_are_not_finite_are_a_finding_and_no_error(
    value: float, changes: dict[str, float]
) -> None:
    for logits in (with_one(GOOD, value), np.full_like(GOOD, value)):
        for known in (Symptoms(), sound(**changes), sound(**changes, best_accuracy=0.1)):
            assert diagnose(Case(logits, LABELS, known))
            assert diagnose(Case(logits, None, known))


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_pixels_of_training_are_the_first_cause_of_whatever_follows(row: Row) -> None:
    symptoms = dataclasses.replace(row.ill.symptoms, trained_on=SCALED_TWICE, intended=AS_INTENDED)
    first, *_ = diagnose(Case(row.ill.logits, row.ill.labels, symptoms))
    assert first.cause == "in training, the pixels were scaled twice" or row.rule in (
        "softmax over the batch", "missing classes", "raw range", "stale", "permuted", "misaligned",
    )  # fmt: skip


def test_accuracy_that_something_else_explains_is_not_put_down_to_stale_weights() -> None:
    poor = logits_for(misread(LABELS, 0.5))
    same, inverted = case(poor), case(poor, seen=Fingerprint.of(1 - OTHERS))
    assert diagnose(same) == []
    assert [f.cause.partition(":")[0] for f in diagnose(inverted)] == ["the pixels were inverted"]


def test_what_is_known_of_a_case() -> None:
    known = Case(GOOD, LABELS)
    probabilities = np.exp(GOOD) / np.exp(GOOD).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(known.log_probabilities), probabilities, rtol=1e-4)
    as_given = Case(SOFTMAX, LABELS)  # probabilities are taken for what they are
    np.testing.assert_allclose(np.exp(as_given.log_probabilities), SOFTMAX, rtol=1e-4)
    assert known.accuracy == (GOOD.argmax(axis=1) == LABELS).mean()
    expected = -np.log(probabilities[np.arange(1000), LABELS]).mean()
    assert known.loss == pytest.approx(expected, rel=1e-4)
    assert as_given.loss == pytest.approx(expected, rel=1e-4)
    assert known.entropy == pytest.approx(np.log(10))
    assert Case(GOOD).accuracy is Case(GOOD).loss is None
    of_training = Case(GOOD, LABELS, Symptoms(class_counts=[91, *[1] * 9]))
    assert of_training.training_shares is not None
    assert of_training.training_shares[0] == 0.91
    # Counts of other classes than the network has are not this network's.
    assert Case(GOOD, LABELS, Symptoms(class_counts=[5, 5])).training_shares is None


def test_the_page_on_diagnosis_lists_every_cause_with_its_evidence() -> None:
    page = (ROOT / "docs" / "diagnosis.md").read_text(encoding="utf-8")
    rows = [
        tuple(c.strip() for c in line.split("|")[1:-1]) for line in page.splitlines() if "|" in line
    ]
    said = {rule.name: rule for rule in RULES}
    listed = {row[0]: row[1:] for row in rows if row[0] in said}
    assert list(listed) == list(said)
    for name, (evidence, when, without) in listed.items():
        rule = said[name]
        assert without
        assert evidence == (", ".join(item.name for item in rule.needs) or "the answers alone")
        expected = "always" if rule.also_of_sound_models else "wrong"
        assert when == ("training" if rule.of_training else expected)
    assert all(item.name in page and item.where in " ".join(page.split()) for item in EVIDENCE)


def test_a_network_that_still_learns_is_not_called_broken() -> None:
    """Weak after 120 steps, in the second half of which the loss fell from 2 to 1.6."""
    losses = dict(zip((1, 16, 60, 90, 120), (2.4, 2.2, 2.0, 1.8, 1.6), strict=True))
    looks = [
        {"broken": 0, "loss": loss, "blind_loss": 2.3, "gain": 0.1, "step": step}
        for step, loss in losses.items()
    ]
    weak = logits_for(misread(LABELS, 0.6))
    known: dict[str, Any] = {"step": 120, "best_accuracy": 0.4, "readings": looks}
    learning = case(weak, **known)
    assert learning.weak
    assert not learning.wrong
    assert learning.unfinished == (2.0, 1.6)
    flat = [look | {"loss": max(look["loss"], 1.9)} for look in looks]
    rising = [look | {"loss": 1.9} if look["step"] == 90 else look for look in flat]
    for course_of in (flat, rising, looks[3:], [*looks, looks[-1] | {"broken": 3}]):
        assert case(weak, **(known | {"readings": course_of})).wrong
    others: list[dict[str, Any]] = [{"best_accuracy": 0.9}, {"class_counts": [140, 0] * 5}]
    for other in others:  # they have a cause of their own
        assert case(weak, **(known | other)).wrong
    missing = case(logits_for(np.where(LABELS < 4, 2, misread(LABELS, 0.6))), **known)
    assert missing.signs == []  # it need not use every class yet


def test_classes_under_other_names_are_no_other_order() -> None:
    """Of fifty, one in fifty is right by chance; but what is answered still tells the class."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 50, 2000)
    answered = np.where(rng.random(2000) < 0.6, (labels + 7) % 50, rng.integers(0, 50, 2000))
    assert diagnose(Case(2 * logits_for(answered, 50), labels)) == []
    shuffled = rng.permutation(labels)
    assert "other images" in diagnose(Case(2 * logits_for(shuffled, 50), labels))[0].cause
