"""The guard without a framework: forced collapses, and learners that it must leave alone."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.judge.loading import load_run
from parity.watch.alarm import COLLAPSE_FILE, Alarm, CollapsedError
from parity.watch.diagnosis import Case, Finding, rule
from parity.watch.guard import Guard
from parity.watch.reading import Reading
from parity.watch.symptoms import SYMPTOMS_FILE, Symptoms

LABELS = np.arange(200) % 10
ALIVE = {"layer 1": 0.25}
DEAD = {"layer 1": 1.0}
FIRST = np.arange(16.0).reshape(4, 4)
"""Initial weights of the first layer."""


def logits(noise: float, right: float = 0.0, labels: np.ndarray = LABELS) -> np.ndarray:
    """Random logits, raised by `right` at the true class."""
    values = np.random.default_rng(0).normal(0, noise, (len(labels), 10)).astype(np.float32)
    values[np.arange(len(labels)), labels] += right
    return values


CONSTANT = logits(1e-4)
SLOW = logits(0.3)


def digits(seed: int) -> np.ndarray:
    """Something dark in the middle of white paper, uint8 [50, 28, 28]."""
    images = np.zeros((50, 28, 28), np.uint8)
    images[:, 6:22, 6:22] = np.random.default_rng(seed).integers(0, 256, (50, 16, 16))
    return images


def started(run_dir: Path, reaction: Any = "stop", *, fed: float = 1 / 255) -> Guard:
    """A guard that has seen raw images and what the network is fed: `fed` times those."""
    raw = digits(0)
    guard = Guard(run_dir, reaction)
    guard.start(
        labels=LABELS,
        classes=10,
        raw=raw,
        preprocessing={"invert": False, "standardize": "none", "mean": 0.0, "std": 1.0},
        fed=raw * fed,
        weights={"layer 1": FIRST, "layer 2": np.eye(4)},
        dead=ALIVE,
        optimizer="SGD",
    )
    return guard


def epoch(guard: Guard, step: int, answers: np.ndarray, **changes: Any) -> None:
    settings: dict[str, Any] = {
        "labels": LABELS,
        "logits": answers,
        "sample_ids": np.arange(len(answers)),
        "dead": ALIVE,
        "weights": {"layer 1": 1.5 * FIRST, "layer 2": np.eye(4)},
        "learning_rate": 0.1,
        "train_loss": 2.3,
        "train_accuracy": 0.1,
    }
    guard.after_epoch(1, step, **(settings | changes))


def early(guard: Guard, step: int, answers: np.ndarray, dead: dict[str, float]) -> None:
    guard.after_step(
        step, labels=LABELS, logits=answers, dead=dead, batch_accuracy=0.5, train_loss=2.3,
        learning_rate=0.1, weights=lambda: {"layer 1": 1.5 * FIRST, "layer 2": np.eye(4)},
    )  # fmt: skip


def test_it_looks_often_at_first_and_then_ever_more_rarely() -> None:
    assert [step for step in range(1, 300) if Guard.looks_after(step)] == [
        1, 2, 4, 8, 16, 32, 64, 128, 256,
    ]  # fmt: skip


def test_values_that_are_not_finite_stop_at_once(tmp_path: Path) -> None:
    broken = SLOW.copy()
    broken[3, 4] = np.nan
    with pytest.raises(CollapsedError, match=r"after 1 steps: logits of 1 of 200 images are not"):
        early(started(tmp_path), 1, broken, ALIVE)
    with pytest.raises(CollapsedError, match="not finite"):
        epoch(started(tmp_path), 3, np.full_like(SLOW, np.inf))


def test_what_is_measured_at_a_step_is_measured_at_that_step(tmp_path: Path) -> None:
    with pytest.raises(CollapsedError):
        early(started(tmp_path), 1, np.full_like(SLOW, np.nan), ALIVE)
    symptoms = Symptoms.load(tmp_path / SYMPTOMS_FILE)
    assert [layer.change for layer in symptoms.layers] == [0.5, 0.0]
    assert (symptoms.learning_rate, symptoms.train_loss, symptoms.step) == (0.1, 2.3, 1)
    assert "the network has diverged: its logits are not finite" in symptoms.causes


def test_a_dead_layer_stops_once_it_is_dead_twice_in_a_row(tmp_path: Path) -> None:
    guard = started(tmp_path)
    early(guard, 1, SLOW, DEAD)
    early(guard, 2, SLOW, ALIVE)  # momentum has brought it back
    early(guard, 4, SLOW, DEAD)
    with pytest.raises(CollapsedError, match="every ReLU unit after layer 1 is dead"):
        early(guard, 8, SLOW, DEAD)
    with pytest.raises(CollapsedError, match="every ReLU unit after layer 1 is dead"):
        epoch(started(tmp_path), 3, SLOW, dead=DEAD)


def test_the_same_answer_to_every_image_is_believed_late_if_the_pixels_are_sound(
    tmp_path: Path,
) -> None:
    guard = started(tmp_path)
    epoch(guard, 999, CONSTANT)
    epoch(guard, 5000, CONSTANT[:4], labels=LABELS[:4])  # an exclusive or takes its time
    with pytest.raises(CollapsedError, match=r"after 1,000 steps: .*the probabilities differ by"):
        epoch(guard, 1000, CONSTANT)


def test_and_early_if_they_are_not(tmp_path: Path) -> None:
    guard = started(tmp_path, fed=1 / 255 / 255)
    epoch(guard, 99, CONSTANT)
    with pytest.raises(CollapsedError, match=r"1\. in training, the pixels were scaled twice"):
        epoch(guard, 100, CONSTANT)


def test_a_loss_far_above_that_of_knowing_nothing_is_a_collapse(tmp_path: Path) -> None:
    wild = logits(0.3, right=-20)
    epoch(started(tmp_path), 999, wild)
    with pytest.raises(CollapsedError, match=r"the loss of 2\d.* is far above the 2\.3"):
        epoch(started(tmp_path), 1000, wild)


@pytest.mark.parametrize(
    ("labels", "answers"),
    [
        pytest.param(LABELS, SLOW, id="slow"),
        pytest.param(LABELS, logits(0.3, right=5), id="good"),
        pytest.param(LABELS, np.where(np.arange(10) == 1, 1.0, SLOW), id="one class so far"),
        pytest.param(LABELS % 2, logits(0.3, 5, LABELS % 2), id="two classes"),
        pytest.param((LABELS == 0) * 1, logits(0.3, 5, (LABELS == 0) * 1), id="nine in ten alike"),
        pytest.param(LABELS, logits(0.3, right=200), id="sure of itself"),
        pytest.param(np.zeros(200, int), logits(0.3, 5, np.zeros(200, int)), id="one class only"),
    ],
)
def test_healthy_and_slow_learners_are_left_alone(
    labels: np.ndarray, answers: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guard = started(tmp_path)
    early(guard, 1, answers, ALIVE)
    epoch(guard, 5000, answers.astype(np.float32), labels=labels)
    assert capsys.readouterr() == ("", "")
    assert not (tmp_path / COLLAPSE_FILE).exists()
    assert Symptoms.load(tmp_path / SYMPTOMS_FILE).collapsed_at is None


def test_every_look_is_noted(tmp_path: Path) -> None:
    guard = started(tmp_path)
    early(guard, 1, SLOW, ALIVE)
    epoch(guard, 12, np.where(np.arange(10) < 5, logits(0.3, right=9), -9).astype(np.float32))
    first, second = Symptoms.load(tmp_path / SYMPTOMS_FILE).readings
    assert (first["epoch"], first["step"], first["dead"]) == (0, 1, ALIVE)
    assert (second["epoch"], second["step"], second["broken"]) == (1, 12, 0)
    assert second["classes"] == 5
    assert second["gain"] == pytest.approx(0.5 - 0.1, abs=0.12)
    assert 0.6 < second["entropy"] <= np.log(5) / np.log(10) + 1e-9
    assert second["blind_loss"] == pytest.approx(np.log(10))
    assert Symptoms.load(tmp_path / SYMPTOMS_FILE).predicted_ever == list(range(10))


def test_a_reading_against_arithmetic() -> None:
    certain = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2], [0.4, 0.3, 0.3]]))
    reading = Reading.of(np.array([0, 1, 0, 2]), certain.astype(np.float32))
    assert (reading.images, reading.broken) == (4, 0)
    assert (reading.top_class, reading.top_share, reading.classes) == (0, 0.75, 2)
    assert reading.spread == pytest.approx(0.6)
    assert reading.gain == pytest.approx(0.75 - 0.5)
    assert reading.loss == pytest.approx(-np.log([0.7, 0.8, 0.5, 0.3]).mean(), rel=1e-5)
    assert reading.blind_loss == pytest.approx(-(0.5 * np.log(0.5) + 0.5 * np.log(0.25)))
    shares = np.array([0.75, 0.25])
    assert reading.entropy == pytest.approx(-(shares * np.log(shares)).sum() / np.log(3))


def test_the_evidence_is_kept(tmp_path: Path) -> None:
    with pytest.raises(CollapsedError, match="evidence: .*--guard warn goes on all the same"):
        epoch(started(tmp_path), 1000, CONSTANT)
    np.testing.assert_array_equal(load_run(tmp_path / COLLAPSE_FILE).logits, CONSTANT)
    symptoms = Symptoms.load(tmp_path / SYMPTOMS_FILE)
    assert symptoms.collapsed_at == (1, 1000)
    assert "the probabilities differ" in symptoms.signs[0]
    assert [layer.change for layer in symptoms.layers] == [0.5, 0.0]
    assert symptoms.learning_rate == 0.1


def test_warn_says_it_once_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    guard = started(tmp_path, "warn", fed=1.0)
    epoch(guard, 100, CONSTANT)
    first = capsys.readouterr().err
    assert first.startswith("warning: the network has collapsed in epoch 1, after 100 steps: ")
    assert "1. in training, the pixels were not scaled" in first
    epoch(guard, 200, CONSTANT)
    assert capsys.readouterr().err == ""
    assert Symptoms.load(tmp_path / SYMPTOMS_FILE).collapsed_at == (1, 100)


def answered(guard: Guard, answers: np.ndarray, seen: np.ndarray) -> None:
    weights = {"layer 1": 1.5 * FIRST, "layer 2": 1.2 * np.eye(4)}
    guard.after_test(
        labels=LABELS, logits=answers, seen=seen, weights=weights, repeat_difference=0.0
    )


def test_a_test_set_in_which_nothing_was_seen_is_explained_and_stops(tmp_path: Path) -> None:
    guard = started(tmp_path)
    epoch(guard, 500, logits(0.3, right=5))
    with pytest.raises(CollapsedError, match="collapsed on the test set") as raised:
        answered(guard, CONSTANT, digits(1) / 255 / 255)
    assert "1. the pixels were scaled twice since training" in str(raised.value)
    assert "2. " not in str(raised.value)
    symptoms = Symptoms.load(tmp_path / SYMPTOMS_FILE)
    assert symptoms.collapsed_at is None
    assert [layer.evaluated_change for layer in symptoms.layers] == [0.5, pytest.approx(0.2)]


def test_a_model_that_is_only_tested_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guard = Guard(tmp_path, "stop")
    answered(guard, CONSTANT, digits(1) / 255)
    said = capsys.readouterr().err
    assert said.startswith("warning: the network has collapsed on the test set: ")
    assert "the cause is not in what was measured" in said


def test_a_network_that_has_hardly_begun_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After nine steps one answer to all may still be a beginning; not so for wrong pixels."""
    guard = started(tmp_path)
    epoch(guard, 9, SLOW, weights={"layer 1": 1.5 * FIRST, "layer 2": 1.2 * np.eye(4)})
    answered(guard, CONSTANT, digits(1) / 255)
    assert "collapsed on the test set" in capsys.readouterr().err
    guard = started(tmp_path, fed=1 / 255 / 255)
    epoch(guard, 9, SLOW)
    with pytest.raises(CollapsedError, match=r"1\. in training, the pixels were scaled twice"):
        answered(guard, CONSTANT, digits(1) / 255 / 255)


def test_a_layer_that_is_all_but_dead_stops_where_one_class_is_answered(tmp_path: Path) -> None:
    guard = started(tmp_path)
    epoch(guard, 9, SLOW, dead={"layer 1": 0.99})  # answers all sorts of things
    one_class = (SLOW + 20 * np.eye(10)[4]).astype(np.float32)
    epoch(guard, 18, one_class, dead={"layer 1": 0.9})
    with pytest.raises(CollapsedError, match="99.0% of the ReLU units after layer 1 are dead"):
        epoch(guard, 27, one_class, dead={"layer 1": 0.99})


@pytest.mark.parametrize("helps", [True, False])
def test_what_follows_from_a_cause_whose_remedy_helps_is_no_second_cause(helps: bool) -> None:
    dead, other = (
        Finding(rule.DEAD, "all", "Lower the rate"),
        Finding("sorted", "by class", "Shuffle"),
    )
    tried = "tried: with x / 255 it reads 87%" if helps else "nothing that was tried helps"
    alarm = Alarm(
        None, "stop", "warn", prove=lambda: ([Finding("bytes", "0-255", "Divide")], [tried])
    )
    with pytest.raises(CollapsedError) as stopped:
        alarm.sound(["dead"], [dead, other], "after 8 steps", stop=True)
    lines = str(stopped.value).splitlines()
    assert (lines[1] == f"  1. bytes: 0-255. Divide. And so {rule.DEAD} (all).") == helps
    assert lines[2 if helps else 3].endswith("sorted: by class. Shuffle.")


def test_other_processes_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    guard = started(tmp_path, "warn")
    guard.alarm.writes = False
    epoch(guard, 1000, CONSTANT)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == ""


def test_classes_that_training_had_not_are_no_collapse_of_it(tmp_path: Path) -> None:
    """Two classes are told apart, and eight were never shown: the training was sound."""
    labels = np.arange(1000) % 10
    case = Case(
        8 * np.eye(10)[labels % 2],
        labels,
        Symptoms(class_counts=[500, 500, *[0] * 8], step=500, best_accuracy=1.0),
    )
    assert case.signs
    assert not case.collapsed_as_trained
    blind = dataclasses.replace(case, logits=8 * np.eye(10)[labels * 0])
    assert blind.collapsed_as_trained


def test_falling_back_on_a_frequent_class_is_no_collapse() -> None:
    """Three of five training images are a 1, and a slow learner says 1 where it is not sure."""
    labels = np.arange(1000) % 10
    sure = np.random.default_rng(0).random(1000) < 0.35
    case = Case(
        3 * np.eye(10)[np.where(sure, labels, 1)],
        labels,
        Symptoms(class_counts=[40, 640, *[40] * 8], step=500, best_accuracy=0.65),
    )
    assert case.signs
    assert not case.collapsed_as_trained
    blind = dataclasses.replace(case, logits=3 * np.eye(10)[labels * 0 + 1])
    assert blind.collapsed_as_trained


def test_what_is_kept_may_hold_numpys_numbers_and_such_as_are_not_finite(tmp_path: Path) -> None:
    numbers: Any = {"a": np.float32(0.5), "b": np.float64("nan"), "c": np.int64(3), "d": np.inf}
    Symptoms(readings=[numbers], train_loss=float("-inf")).save(tmp_path)
    kept = Symptoms.load(tmp_path / SYMPTOMS_FILE)
    assert kept.readings == [{"a": 0.5, "b": None, "c": 3, "d": None}]
    assert kept.train_loss is None
