"""Three hundred healthy models, and files of all sorts: no cause is named for any of them.

Their answers and what was measured of them are simulated: real trainings are in
`tests/lightning_mnist/training/test_healthy.py`.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parity.watch.diagnosis import Case, diagnose, unexplained
from parity.watch.fingerprint import Fingerprint, intended
from parity.watch.reading import Reading
from parity.watch.symptoms import Layer, Symptoms
from tests.conftest import embedded_digits

DIGITS = embedded_digits()
RECIPES: dict[str, dict[str, Any]] = {
    "plain": {"invert": False, "standardize": "none", "mean": 0.0, "std": 1.0},
    "inverted": {"invert": True, "standardize": "none", "mean": 0.0, "std": 1.0},
    "standardised": {"invert": False, "standardize": "dataset", "mean": 0.16, "std": 0.29},
    "one by one": {"invert": True, "standardize": "image", "mean": 0.0, "std": 1.0},
}


def prints(recipe: str) -> dict[str, Fingerprint]:
    """What the guard sees of the pixels, fed in float32."""
    fed = [intended(part, RECIPES[recipe]) for part in (DIGITS.train_images, DIGITS.test_images)]
    return {
        "raw": Fingerprint.of(DIGITS.train_images),
        "intended": Fingerprint.of(fed[0]),
        "trained_on": Fingerprint.of(fed[0].astype(np.float32)),
        "seen": Fingerprint.of(fed[1].astype(np.float32)),
    }


@pytest.fixture(scope="module")
def pixels() -> dict[str, dict[str, Fingerprint]]:
    return {recipe: prints(recipe) for recipe in RECIPES}


def answer(rng: np.random.Generator, labels: np.ndarray, classes: int, right: float) -> np.ndarray:
    """Logits of a model that is right on so many images, and the surer the better it is."""
    said = np.where(
        rng.random(len(labels)) < right,
        labels,
        (labels + rng.integers(1, classes, len(labels))) % classes,
    )
    noise = rng.normal(0, 0.6, (len(labels), classes))
    return (rng.uniform(2, 8) * right * np.eye(classes)[said] + noise).astype(np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def drawn(seed: int, pixels: dict[str, dict[str, Fingerprint]]) -> Case:
    """A healthy case: what was trained, for how long, on what, and in what form it answers."""
    rng = np.random.default_rng(seed)
    classes = int(rng.choice([2, 3, 5, 10, 10, 10, 26]))
    shares = rng.dirichlet(np.full(classes, rng.choice([2.0, 50.0, 50.0])))
    count, validated = int(rng.choice([60, 300, 2000])), int(rng.choice([25, 100, 1000]))
    labels, val_labels = (rng.choice(classes, n, p=shares) for n in (count, validated))
    majority = float(shares.max())
    right = majority + (1 - majority) * float(rng.choice([0.6, 0.75, 0.9, 0.97, 0.995]))
    logits = answer(rng, labels, classes, right)
    if rng.random() < 0.3:  # a foreign file
        form = rng.choice(["logits", "softmax", "votes", "logarithms", "classes"])
        if form == "classes":
            return Case(np.eye(classes)[logits.argmax(axis=1)] - 0.5, labels, classes_only=True)
        shown = {
            "logits": logits, "softmax": softmax(logits), "logarithms": np.log(softmax(logits)),
            "votes": 100 * np.eye(classes)[logits.argmax(axis=1)],
        }  # fmt: skip
        return Case(shown[str(form)], labels)
    steps = int(rng.choice([3, 9, 50, 400, 5000]))
    if steps < 100:
        right = majority + (right - majority) * float(rng.choice([0.2, 0.6, 1.0]))
        logits = answer(rng, labels, classes, right)
    val_logits = answer(rng, val_labels, classes, right)
    val_right = float((val_logits.argmax(axis=1) == val_labels).mean())
    reading = Reading.of(val_labels, val_logits)
    loss = float(-np.log(softmax(val_logits))[np.arange(validated), val_labels].mean())
    ends_in_softmax = rng.random() < 0.3
    symptoms = Symptoms(
        class_counts=rng.multinomial(max(10 * validated, 500), shares).tolist(),
        validation_counts=np.bincount(val_labels, minlength=classes).tolist(),
        early_gap=float(rng.uniform(0, 0.4)),
        optimizer=str(rng.choice(["SGD", "Adam", "AdamW", "RMSprop"])),
        learning_rate=float(rng.choice([1e-4, 1e-3, 1e-2, 0.1])),
        epoch=3,
        step=steps,
        train_loss=loss,
        train_accuracy=val_right,
        best_accuracy=val_right,
        layers=[
            Layer("layer 1", 0.05, 0.3 * min(1, steps / 100), 0.3, 0.1, float(rng.uniform(0, 0.6))),
            Layer("layer 2", float(rng.choice([0.0, 0.1])), 0.5, 0.5),
        ],
        repeat_difference=float(rng.choice([0.0, 1e-6])),
        readings=[{**vars(reading), "epoch": 3, "step": steps, "dead": {}}],
    )
    fed: dict[str, Any] = pixels[str(rng.choice(list(RECIPES)))]
    answers = softmax(logits) if ends_in_softmax else logits
    return Case(answers, labels, replace(symptoms, **fed))


@pytest.mark.parametrize("chunk", range(3))
def test_a_healthy_case_gets_no_cause(
    chunk: int, pixels: dict[str, dict[str, Fingerprint]]
) -> None:
    for seed in range(100 * chunk, 100 * (chunk + 1)):
        healthy = drawn(seed, pixels)
        assert diagnose(healthy) == [], seed
        if not healthy.wrong:
            assert unexplained(healthy, []) is None


def test_most_of_them_are_not_even_called_wrong(
    pixels: dict[str, dict[str, Fingerprint]],
) -> None:
    """The others never answer a rare class, say: then it is said that the cause is not there."""
    wrong = [seed for seed in range(300) if drawn(seed, pixels).wrong]
    assert len(wrong) < 30, wrong
