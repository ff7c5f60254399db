"""The diagnosis: each cause is named where its figures are, and nowhere else."""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightning_mnist import sources
from parity.run_record import RunRecordError
from parity.watch.diagnosis import RULES, Case, Finding, answers, diagnose, inputs, learning
from parity.watch.fingerprint import Fingerprint
from parity.watch.symptoms import SYMPTOMS_FILE, Layer, Symptoms

DIGITS = sources.load("digits", Path("nowhere"))
EXPECTED = (DIGITS.train_images / 255).astype(np.float32)
OTHERS = (DIGITS.test_images / 255).astype(np.float32)
RNG = np.random.default_rng(0)
LABELS = np.arange(1000) % 10


def logits_for(predicted: np.ndarray, classes: int = 10) -> np.ndarray:
    """What a network would say that is sure of these answers."""
    noise = np.random.default_rng(0).normal(0, 0.5, (len(predicted), classes))
    return (6 * np.eye(classes)[predicted] + noise - 2).astype(np.float32)


def misread(labels: np.ndarray, share: float, classes: int = 10) -> np.ndarray:
    """The labels with a share of them changed to any other class."""
    rng = np.random.default_rng(1)
    other = (labels + rng.integers(1, classes, len(labels))) % classes
    return np.where(rng.random(len(labels)) < share, other, labels)


def renamed(**new_names: int) -> np.ndarray:
    """A good model's logits, where class "c4" is called by another name."""
    table = np.arange(10)
    for name, new in new_names.items():
        table[int(name[1:])] = new
    return logits_for(table[misread(LABELS, 0.04)])


def with_one(logits: np.ndarray, value: float) -> np.ndarray:
    logits = logits.copy()
    logits[5, 5] = value
    return logits


GOOD = logits_for(misread(LABELS, 0.04))
CHANCE = RNG.normal(0, 0.5, (1000, 10)).astype(np.float32)
AWFUL = 30 * CHANCE
"""As often right as by chance, and very sure of it."""
FREQUENCIES = np.log(np.full(10, 0.1)) + RNG.normal(0, 1e-3, (1000, 10))
SOFTMAX = np.exp(GOOD) / np.exp(GOOD).sum(axis=1, keepdims=True)
SIGMOID = 1 / (1 + np.exp(-GOOD))


def layers(**second: Any) -> list[Layer]:
    """Two sound layers, the second one changed."""
    sound_layer = Layer("0.weight", 0.04, 0.6, 0.6, dead_at_start=0.0, dead=0.02)
    return [sound_layer, dataclasses.replace(sound_layer, name="2.weight", **second)]


def sound(**changes: Any) -> Symptoms:
    """What is measured in a healthy training of five epochs."""
    raw = Fingerprint.of(DIGITS.train_images)
    healthy = Symptoms(
        class_counts=[120, 130] * 5,
        early_gap=0.2,
        raw=raw,
        intended=Fingerprint.of(DIGITS.train_images / 255),
        trained_on=Fingerprint.of(EXPECTED),
        seen=Fingerprint.of(OTHERS),
        optimizer="Adam",
        learning_rate=0.001,
        epoch=5,
        step=200,
        train_loss=0.1,
        train_accuracy=0.97,
        best_accuracy=0.96,
        layers=layers(),
        repeat_difference=0.0,
    )
    return dataclasses.replace(healthy, **changes)


def case(logits: np.ndarray = GOOD, labels: np.ndarray | None = LABELS, **changes: Any) -> Case:
    return Case(logits, labels, sound(**changes))


def learned_nothing(logits: np.ndarray = CHANCE, **changes: Any) -> Case:
    """A network at chance from the first epoch to the last."""
    known = {"best_accuracy": 0.12, "train_accuracy": 0.11, "train_loss": 2.3}
    return case(logits, **(known | changes))


@dataclass(frozen=True)
class Row:
    """A rule, what sets it off, what it then says, and what just does not set it off.

    Attributes:
        rule: The rule.
        ill: Which it must speak on, before all others.
        cause: Part of what is named.
        figures: Part of the figures.
        near: On which it must be silent.
    """

    rule: Callable[[Case], Finding | None]
    ill: Case
    cause: str
    figures: str
    near: Case


ROWS = {
    "training pixels": Row(
        inputs.training_pixels,
        case(trained_on=Fingerprint.of(EXPECTED * 255), seen=Fingerprint.of(OTHERS * 255)),
        "in training, the pixels were not scaled",
        "fed 0 to 255, mean 40.3, paper 0 where the recipe's preprocessing gives 0 to 1",
        case(trained_on=Fingerprint.of(OTHERS)),
    ),
    "test pixels": Row(
        inputs.test_pixels,
        case(seen=Fingerprint.of(1 - OTHERS)),
        "the pixels were inverted: ink and paper have changed places since training",
        "trained on 0 to 1, mean 0.158, paper 0 and is fed 0 to 1, mean 0.8",
        case(trained_on=Fingerprint.of(1 - EXPECTED), seen=Fingerprint.of(1 - OTHERS)),
    ),
    "a class is missing": Row(
        inputs.missing_classes,
        case(class_counts=[100] * 7 + [0, 100, 0]),
        "training images of some classes are missing",
        "classes 7, 9 occur in the test set, and 8 of 10 in training",
        case(class_counts=[100] * 7 + [1, 100, 1]),
    ),
    "a class is missing in the test set too": Row(
        inputs.missing_classes,
        case(class_counts=[100] * 9 + [0]),
        "training images of some classes are missing",
        "classes 9 occur",
        case(logits_for(LABELS % 9), LABELS % 9, class_counts=[100] * 9 + [0]),
    ),
    "sorted": Row(
        inputs.sorted_training,
        case(early_gap=0.55),
        "sorted by class",
        "right on 55% more of a training batch",
        case(early_gap=0.49),
    ),
    "rate of zero": Row(
        learning.rate_of_zero,
        learned_nothing(learning_rate=0, layers=layers(change=0.0)),
        "the learning rate is zero",
        "200 steps at a rate of 0",
        learned_nothing(learning_rate=1e-9),
    ),
    "zero weights": Row(
        learning.zero_weights,
        learned_nothing(layers=layers(initial_deviation=0.0, dead_at_start=1.0, dead=1.0)),
        "initial weights are all the same",
        "2.weight started with a standard deviation of 0",
        learned_nothing(layers=layers(initial_deviation=1e-6)),
    ),
    "dead at the start": Row(
        learning.dead_at_start,
        learned_nothing(layers=layers(dead_at_start=0.9, dead=1.0, change=0.0)),
        "dead from the start",
        "units after 2.weight were 0 for every image before the first step",
        learned_nothing(layers=layers(dead_at_start=0.89)),
    ),
    "frozen": Row(
        learning.frozen,
        case(layers=layers(change=0.0, evaluated_change=0.0)),
        "weights are never updated",
        "2.weight is what it was 200 steps ago",
        case(layers=layers(change=1e-9)),
    ),
    "all layers frozen": Row(
        learning.frozen,
        learned_nothing(layers=[Layer("a", 0.1), Layer("b", 0.1)]),
        "weights are never updated",
        "a, b are what they were 200 steps ago",
        case(layers=[Layer("a", 0.1), Layer("b", 0.1)], step=0),
    ),
    "initial weights tested": Row(
        answers.stale,
        case(CHANCE, layers=layers(evaluated_change=0.0)),
        "stale weights",
        "the weights that answered are the initial ones",
        case(layers=layers(evaluated_change=0.1)),
    ),
    "other weights tested": Row(
        answers.stale,
        case(logits_for(misread(LABELS, 0.3)), best_accuracy=0.96),
        "stale weights",
        "96.0% of the validation images were right in training, 7",
        case(logits_for(misread(LABELS, 0.1)), best_accuracy=0.96),
    ),
    "dropout on": Row(
        answers.not_repeatable,
        case(repeat_difference=0.5),
        "dropout was left on",
        "logits that differ by up to 0.5",
        case(repeat_difference=1e-3),
    ),
    "softmax": Row(
        answers.squashed,
        case(SOFTMAX),
        "softmax is applied twice",
        "and add up to 1 within",
        case(np.log(SOFTMAX)),
    ),
    "sigmoid": Row(
        answers.squashed,
        case(SIGMOID),
        "sigmoid is applied twice",
        "the logits lie between 0.0",
        case(with_one(SIGMOID, 1.001)),
    ),
    "ReLU": Row(
        answers.rectified,
        case(GOOD.clip(min=0)),
        "ReLU is applied to the logits",
        "none is negative, and ",
        case(with_one(GOOD.clip(min=0), -1e-3)),
    ),
    "ReLU that cuts little": Row(
        answers.rectified,
        case(np.where(np.arange(10_000).reshape(1000, 10) % 40, 3 + GOOD.clip(min=-2), 0)),
        "ReLU is applied to the logits",
        "2.5% of them are exactly 0",
        case(np.where(np.arange(10_000).reshape(1000, 10) % 60, 3 + GOOD.clip(min=-2), 0)),
    ),
    "labels plus one": Row(
        answers.permuted,
        case(logits_for((misread(LABELS, 0.04) + 1) % 10)),
        "labels are shifted by 1",
        "once the answers are renamed",
        case(renamed(c3=4)),  # both are called 4: no renaming mends it
    ),
    "two classes swapped": Row(
        answers.permuted,
        case(renamed(c4=9, c9=4)),
        "classes 4 and 9 are swapped",
        "% right as they are, 9",
        case(logits_for(np.where(RNG.random(1000) < 0.4, renamed(c4=9, c9=4).argmax(1), LABELS))),
    ),
    "three classes in a ring": Row(
        answers.permuted,
        case(renamed(c1=5, c5=8, c8=1)),
        "classes 1, 5, 8 are permuted",
        "% right as they are, 9",
        case(logits_for((misread(LABELS, 0.6) + 1) % 10)),
    ),
    "rate too high": Row(
        learning.rate_too_high,
        learned_nothing(AWFUL, learning_rate=3.0),
        "the learning rate is too high",
        "Adam at 3 has come to a loss of ",
        case(learning_rate=3.0),
    ),
    "rate too high, not finite": Row(
        learning.rate_too_high,
        learned_nothing(AWFUL * np.nan, learning_rate=0.1),
        "the learning rate is too high",
        "Adam at 0.1 has come to logits that are not finite",
        learned_nothing(AWFUL, learning_rate=0.1, optimizer="SGD"),
    ),
    "rate too low": Row(
        learning.rate_too_low,
        learned_nothing(learning_rate=1e-6, layers=[Layer("a", 0.1, 0.004), Layer("b", 0.1, 1e-5)]),
        "the learning rate is too low, or training too short",
        "200 steps at 1e-06 changed the weights by 0.004 of their norm at most",
        learned_nothing(learning_rate=1e-6, layers=[Layer("a", 0.1, 0.02), Layer("b", 0.1, 1e-5)]),
    ),
    "good with little training": Row(
        learning.rate_too_low,
        learned_nothing(layers=[Layer("a", 0.1, 0.004)]),
        "the learning rate is too low, or training too short",
        "changed the weights by 0.004 of their norm",
        case(layers=[Layer("a", 0.1, 0.004)]),
    ),
    "uphill": Row(
        learning.uphill,
        learned_nothing(AWFUL, train_loss=50.0),
        "the loss is driven up",
        "at a usual learning rate (0.001) the training loss is 50; knowing nothing costs 2.3",
        learned_nothing(AWFUL, train_loss=3.0),
    ),
    "uphill to infinity": Row(
        learning.uphill,
        learned_nothing(AWFUL * np.nan, train_loss=float("nan")),
        "the loss is driven up",
        "the training loss is nan",
        learned_nothing(train_loss=50.0),  # a good loss on the test set after a bad epoch
    ),
    "sure of itself, and right all the same": Row(
        learning.uphill,
        learned_nothing(AWFUL, train_loss=50.0),
        "the loss is driven up",
        "the training loss is 50",
        case(50 * GOOD, train_loss=50.0),
    ),
    "unrelated labels": Row(
        inputs.unrelated_labels,
        learned_nothing(),
        "the labels have nothing to do with the images",
        "is no better than the class frequencies' 2.3",
        learned_nothing(best_accuracy=0.4),
    ),
    "weights that did not move": Row(
        inputs.unrelated_labels,
        learned_nothing(),
        "the labels have nothing to do with the images",
        "no better than the class frequencies'",
        learned_nothing(layers=[Layer("a", 0.1, 0.005)]),
    ),
    "answers that do not depend on the image": Row(
        inputs.unrelated_labels,
        learned_nothing(),
        "the labels have nothing to do with the images",
        "no better than the class frequencies'",
        learned_nothing(FREQUENCIES),
    ),
    "not finite": Row(
        learning.not_finite,
        case(with_one(GOOD, np.inf)),
        "the network has diverged: its logits are not finite",
        "those of 0.1% of the images",
        case(with_one(GOOD, 1e30)),
    ),
    "dead": Row(
        learning.dead,
        learned_nothing(best_accuracy=0.25, layers=layers(dead=0.9)),
        "dead ReLUs",
        "90% after 2.weight",
        learned_nothing(best_accuracy=0.25, layers=layers(dead=0.89)),
    ),
    "dead, and well all the same": Row(
        learning.dead,
        learned_nothing(FREQUENCIES, layers=layers(dead=1.0)),
        "dead ReLUs",
        "100% after 2.weight",
        case(layers=layers(dead=1.0)),
    ),
    "class frequencies": Row(
        answers.class_frequencies,
        Case(FREQUENCIES, LABELS),
        "the network has learned only how often each class occurs",
        "of probability between images: whatever it sees, it answers with class ",
        Case(FREQUENCIES + np.where(np.arange(1000) % 2, 1.0, 0.0)[:, None] * np.eye(10)[3]),
    ),
    "class frequencies of unbalanced training": Row(
        answers.class_frequencies,
        Case(
            np.tile(np.log([0.82, *[0.02] * 9]), (1000, 1)),
            LABELS,
            Symptoms(class_counts=[820, *[20] * 9]),
        ),
        "the network has learned only how often each class occurs",
        "answers with class 0, which 82.00% of the training labels are",
        Case(np.tile(np.log([0.82, *[0.02] * 9]), (1000, 1)), LABELS),
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_cause_is_named_first_with_figures_and_advice(row: Row) -> None:
    findings = diagnose(row.ill)
    assert findings, "nothing found"
    first = findings[0]
    assert row.cause in first.cause
    assert row.figures in first.figures
    assert len(first.advice) > 20
    assert first == row.rule(row.ill)
    assert str(first) == f"{first.cause}: {first.figures}. {first.advice}."


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_just_not_it_is_not_named(row: Row) -> None:
    assert not [finding for finding in diagnose(row.near) if row.cause in finding.cause]
    assert row.rule(row.near) is None


def test_every_rule_is_tested() -> None:
    assert {row.rule for row in ROWS.values()} == set(RULES)
    assert len(set(RULES)) == len(RULES)


def test_a_healthy_model_needs_no_cause() -> None:
    assert diagnose(case()) == []
    assert diagnose(case(GOOD.astype(np.float64))) == []
    assert diagnose(case(logits_for(LABELS))) == []
    assert not case().sick


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


def test_a_healthy_model_of_a_hundred_unbalanced_classes_needs_no_cause() -> None:
    labels = np.random.default_rng(3).choice(100, 5000, p=np.arange(1, 101) / 5050)
    predicted = misread(labels, 0.15, 100)
    counts = np.bincount(labels, minlength=100).tolist()
    healthy = case(logits_for(predicted, 100), labels, class_counts=counts, best_accuracy=0.86)
    assert diagnose(healthy) == []


def test_a_weak_model_gets_no_cause_that_its_figures_do_not_show() -> None:
    weak = case(logits_for(misread(LABELS, 0.6)), best_accuracy=0.42)
    assert weak.sick
    assert diagnose(weak) == []


def test_without_symptoms_only_what_the_answers_can_tell() -> None:
    speaking = {answers.squashed, answers.rectified, answers.permuted, learning.not_finite}
    speaking |= {answers.class_frequencies}
    said = set()
    for row in ROWS.values():
        bare = Case(row.ill.logits, row.ill.labels)
        rules = {rule for rule in RULES if rule(bare) is not None}
        assert rules <= speaking
        said |= rules
    assert said == speaking


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_without_labels_nothing_is_said_that_needs_them(row: Row) -> None:
    needs_labels = {inputs.missing_classes, inputs.unrelated_labels, answers.permuted}
    unlabelled = Case(row.ill.logits, None, row.ill.symptoms)
    diagnose(unlabelled)  # and without a warning
    with np.errstate(all="ignore"):
        assert not [rule for rule in needs_labels if rule(unlabelled) is not None]


def test_a_high_rate_is_blamed_for_what_was_seen_only() -> None:
    """Without labels there is no loss; that does not make the logits not finite."""
    all_ones = np.tile(np.eye(10)[1], (1000, 1)) * 1e4 - 1
    (finding,) = (f for f in diagnose(case(all_ones, None, learning_rate=3.0)) if "rate" in f.cause)
    assert "not finite" not in finding.figures


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("share", ["one", "all"])
@pytest.mark.parametrize("changes", [{}, {"learning_rate": 3.0}, {"train_loss": np.nan}], ids=str)
def test_logits_that_are_not_finite_are_a_finding_and_no_error(
    value: float, share: str, changes: dict[str, float]
) -> None:
    logits = with_one(GOOD, value) if share == "one" else np.full_like(GOOD, value)
    for known in (Symptoms(), sound(**changes)):
        causes = [finding.cause for finding in diagnose(Case(logits, LABELS, known))]
        assert "the network has diverged: its logits are not finite" in causes
        assert diagnose(Case(logits, None, known))


def test_causes_come_before_their_consequences() -> None:
    """Raw pixels, which drive a rate that is too high until all units are dead."""
    raw = Fingerprint.of(EXPECTED * 255)
    ill = learned_nothing(
        FREQUENCIES,
        trained_on=raw,
        seen=Fingerprint.of(1 - OTHERS),
        learning_rate=0.5,
        early_gap=0.6,
        layers=layers(dead=1.0),
    )
    found = [rule for rule in RULES if rule(ill) is not None]
    assert found == [
        inputs.training_pixels,
        inputs.test_pixels,
        inputs.sorted_training,
        learning.rate_too_high,
        learning.dead,
        answers.class_frequencies,
    ]
    assert diagnose(ill) == [rule(ill) for rule in found]


@pytest.mark.parametrize("pixels", ["trained_on", "seen"])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_pixels_are_the_first_cause_of_whatever_follows(row: Row, pixels: str) -> None:
    """Those of training before those of the test."""
    wrong = Fingerprint.of(OTHERS / 255)
    symptoms = dataclasses.replace(sound(**_given(row.ill.symptoms)), **{pixels: wrong})
    first, *rest = diagnose(Case(row.ill.logits, row.ill.labels, symptoms))
    if row.rule not in (inputs.training_pixels, inputs.test_pixels):
        assert "scaled twice" in first.cause
    elif row.rule is inputs.training_pixels:
        assert first.cause.startswith("in training, the pixels were ")
    if row.rule not in (inputs.training_pixels, inputs.test_pixels, answers.stale):
        assert any(row.cause in finding.cause for finding in rest)


def _given(symptoms: Symptoms) -> dict[str, Any]:
    """What has been measured, by name."""
    empty = Symptoms()
    values = {item.name: getattr(symptoms, item.name) for item in dataclasses.fields(Symptoms)}
    return {name: value for name, value in values.items() if value != getattr(empty, name)}


def test_accuracy_that_changed_pixels_explain_is_not_put_down_to_stale_weights() -> None:
    poor = logits_for(misread(LABELS, 0.5))
    same, inverted = case(poor), case(poor, seen=Fingerprint.of(1 - OTHERS))
    assert [f.cause.partition(":")[0] for f in diagnose(same)] == ["stale weights"]
    assert [f.cause.partition(":")[0] for f in diagnose(inverted)] == ["the pixels were inverted"]
    swapped_names = case(renamed(c1=2, c2=3, c3=4, c4=1))
    assert [f.cause for f in diagnose(swapped_names)] == ["classes 1, 2, 3, 4 are permuted"]
    assert answers.stale(case(poor, seen=None)) is None


def test_what_is_known_of_a_case() -> None:
    known = Case(GOOD, LABELS)
    probabilities = np.exp(GOOD) / np.exp(GOOD).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(known.log_probabilities), probabilities, rtol=1e-4)
    assert known.accuracy == (GOOD.argmax(axis=1) == LABELS).mean()
    expected = -np.log(probabilities[np.arange(1000), LABELS]).mean()
    assert known.loss == pytest.approx(expected, rel=1e-4)
    assert known.entropy == pytest.approx(np.log(10))
    assert Case(GOOD).accuracy is Case(GOOD).loss is None
    of_training = Case(GOOD, LABELS, Symptoms(class_counts=[91, *[1] * 9]))
    assert of_training.frequencies is not None
    assert of_training.frequencies[0] == 0.91
    # Counts of other classes than the network has are not this network's.
    assert Case(GOOD, LABELS, Symptoms(class_counts=[5, 5])).entropy == pytest.approx(np.log(10))


FULL = sound(collapsed_at=(0, 8), signs=["every ReLU unit after 2.weight is dead"])


@pytest.mark.parametrize(
    "symptoms",
    [FULL, Symptoms()],
    ids=["full", "empty"],
)
def test_symptoms_are_read_as_they_were_written(symptoms: Symptoms, tmp_path: Path) -> None:
    symptoms.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [SYMPTOMS_FILE]
    assert Symptoms.load(tmp_path / SYMPTOMS_FILE) == symptoms


def test_what_is_not_finite_is_saved_as_null(tmp_path: Path) -> None:
    layer = Layer("layer 1", initial_deviation=0.1, change=float("nan"))
    Symptoms(train_loss=float("inf"), layers=[layer]).save(tmp_path)
    text = (tmp_path / SYMPTOMS_FILE).read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    read = Symptoms.load(tmp_path / SYMPTOMS_FILE)
    assert read.train_loss is None
    assert np.isnan(read.layers[0].change)


def without(name: str) -> dict[str, Any]:
    values = dataclasses.asdict(FULL)
    del values[name]
    return values


DAMAGED = {
    "empty": "",
    "no JSON": "{half",
    "a list": [],
    "null": None,
    "a number": 3,
    "a key is missing": without("layers"),
    "a fingerprint is missing": without("seen"),
    "an unknown key": dataclasses.asdict(FULL) | {"mood": "fine"},
    "no layers": dataclasses.asdict(FULL) | {"layers": None},
    "an unknown key of a layer": dataclasses.asdict(FULL) | {"layers": [{"name": "a", "x": 1}]},
    "a layer is a number": dataclasses.asdict(FULL) | {"layers": [1]},
    "half a fingerprint": dataclasses.asdict(FULL) | {"seen": {"layout": [], "mean": 1}},
    "a fingerprint is text": dataclasses.asdict(FULL) | {"raw": "images"},
    "half a place": dataclasses.asdict(FULL) | {"collapsed_at": [1]},
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_symptoms_are_refused_by_name(content: Any, tmp_path: Path) -> None:
    path = tmp_path / SYMPTOMS_FILE
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RunRecordError, match=r"symptoms\.json: cannot be read as symptoms \("):
        Symptoms.load(path)


def test_bytes_and_absent_symptoms_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / SYMPTOMS_FILE
    with pytest.raises(RunRecordError, match=r"symptoms\.json: cannot be read as symptoms \("):
        Symptoms.load(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunRecordError, match=r"symptoms\.json: cannot be read as symptoms \("):
        Symptoms.load(path)


def test_the_symptoms_of_a_model_stand_beside_it_or_one_folder_up(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    assert Symptoms.beside(folder / "best.ckpt") is None
    FULL.save(tmp_path / "run")
    assert Symptoms.beside(folder / "best.ckpt") == FULL
    assert Symptoms.beside(tmp_path / "run" / "model.keras") == FULL
    assert Symptoms.beside(tmp_path / "model.keras") is None
    (tmp_path / "run" / SYMPTOMS_FILE).write_text("{half")
    assert Symptoms.beside(folder / "best.ckpt") is None
