"""Pixels and classes that differ between training and test: which of the two is the cause."""

from typing import Any

import numpy as np
import pytest

from parity.watch.diagnosis import Case, diagnose
from parity.watch.fingerprint import Fingerprint
from tests.parity.diagnosis.cases import (
    CHANCE,
    DIGITS,
    EXPECTED,
    GOOD,
    LABELS,
    OTHERS,
    case,
    logits_for,
    sound,
)


def test_images_of_other_classes_are_not_other_pixels() -> None:
    """Trained on ones above all, and asked for every digit: the images look otherwise anyhow."""
    order = np.argsort(DIGITS.train_labels != 1, kind="stable")[:160]
    trained = (DIGITS.train_images[order] / 255).astype(np.float32)
    counts = np.bincount(DIGITS.train_labels[order], minlength=10)
    predicted = np.where(np.arange(1000) % 5 < 3, 1, LABELS)
    told = diagnose(
        Case(
            logits_for(predicted),
            LABELS,
            sound(
                class_counts=counts.tolist(),
                trained_on=Fingerprint.of(trained),
                intended=Fingerprint.of(trained),
                seen=Fingerprint.of(OTHERS),
                best_accuracy=0.94,
                validation_counts=(counts // 10 + 1).tolist(),
            ),
        )
    )
    assert not any("pixels" in finding.cause for finding in told), told


def test_grey_levels_are_told_whatever_the_images_show() -> None:
    order = np.argsort(DIGITS.train_labels != 1, kind="stable")[:160]
    trained = (DIGITS.train_images[order] / 255).astype(np.float32)
    counts = np.bincount(DIGITS.train_labels[order], minlength=10)
    told = diagnose(
        Case(
            logits_for(np.ones_like(LABELS)),
            LABELS,
            sound(
                class_counts=counts.tolist(),
                trained_on=Fingerprint.of(trained),
                intended=Fingerprint.of(trained),
                seen=Fingerprint.of(OTHERS / 255),
            ),
        )
    )
    assert any(f.cause.startswith("the pixels were scaled twice") for f in told), told


def stored(most: int) -> dict[str, Any]:
    """What is known of pixels where the file has grey levels 0 to `most`, divided by 255."""
    raw, others = ((images * most).round() for images in (EXPECTED, OTHERS))
    fed = Fingerprint.of((raw / 255).astype(np.float32))
    return {
        "raw": Fingerprint.of(raw.astype(np.uint8)),
        "intended": Fingerprint.of(raw / 255),
        "trained_on": fed,
        "seen": Fingerprint.of((others / 255).astype(np.float32)),
    }


@pytest.mark.parametrize("most", [1, 2, 3, 7, 15, 16, 31])
@pytest.mark.parametrize("logits", [GOOD, CHANCE], ids=["good", "at chance"])
def test_a_file_of_few_grey_levels_is_named_however_well_it_is_learned(
    most: int, logits: np.ndarray
) -> None:
    (finding,) = diagnose(case(logits, **stored(most)))
    assert finding.cause.startswith(f"the file's pixels are 0 to {most}")


@pytest.mark.parametrize("most", [100, 127, 200, 255])
def test_a_file_that_is_merely_dim_is_left_alone(most: int) -> None:
    assert diagnose(case(**stored(most))) == []


COUNTS: dict[str, list[int]] = {
    "one in two": [900, *[100] * 9],
    "one class, nearly alone": [6, 6, 6, 2000, *[6] * 6],
    "two frequent ones": [900, 900, *[20] * 8],
    "half of them rare": [*[400] * 5, *[15] * 5],
    "the first one rare": [5, 5, 5, 5, *[300] * 6],
    "by rank": [2 ** (10 - c) for c in range(10)],
}


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("steps", [9, 2000])
def test_a_model_that_leans_to_what_was_frequent_is_told_why(name: str, steps: int) -> None:
    """Classes are read the better the more often they were shown, else as the likeliest."""
    counts = np.array(COUNTS[name])
    recall = 0.97 * (counts / counts.max()) ** 0.3
    rng = np.random.default_rng(5)
    top = int(counts.argmax())
    answers = np.where(rng.random(1000) < recall[LABELS], LABELS, top)
    best = float(counts / counts.sum() @ np.where(np.arange(10) == top, 1, recall))
    validated = (counts // 10 + 1).tolist()
    known: dict[str, Any] = {
        "class_counts": COUNTS[name],
        "validation_counts": validated,
        "step": steps,
    }
    found = diagnose(case(logits_for(answers), best_accuracy=best, **known))
    assert [finding.cause for finding in found] == [
        "the classes are not as frequent in training as in the test set"
    ]
    even: dict[str, Any] = {
        "class_counts": [100] * 10,
        "validation_counts": [20] * 10,
        "step": steps,
    }
    assert diagnose(case(logits_for(answers), best_accuracy=best, **even)) == []
