"""How sure models are: told beside a verdict or a diagnosis, and no part of either."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

import parity
from parity.judge.answers import Run, Side
from parity.judge.confidence import sure_and_right, unlike_confidence
from tests.conftest import Here

RNG = np.random.default_rng(2)
LOGITS = 2 * RNG.normal(size=(2000, 10))
LABELS = np.array([RNG.choice(10, p=row) for row in softmax(LOGITS, axis=1)])  # as sure as right
Array = np.ndarray[Any, Any]


def side(name: str, *logits: Array) -> Side:
    runs = [
        Run(f"{name}{n}", z.argmax(axis=1), LABELS, np.arange(len(z)), z, softmax(z, axis=1))
        for n, z in enumerate(logits)
    ]
    return Side(name, runs)


def test_scores_of_another_temperature_are_told_beside_the_verdict() -> None:
    outcome = parity.compare(side("A", LOGITS), side("B", LOGITS / 3))
    assert outcome.verdict is parity.Verdict.EQUIVALENT
    (said,) = unlike_confidence(side("A", LOGITS), side("B", LOGITS / 3))
    assert said.endswith("its scores are those of A, times 0.333 (temperature)")


@pytest.mark.parametrize("other", [LOGITS, LOGITS + RNG.normal(0, 0.1, LOGITS.shape), 1.1 * LOGITS])
def test_models_that_are_as_sure_get_no_word(other: Array) -> None:
    assert unlike_confidence(side("A", LOGITS), side("B", other)) == []


def test_seeds_of_one_side_that_differ_as_much_say_nothing() -> None:
    assert unlike_confidence(side("A", LOGITS, LOGITS / 3), side("B", LOGITS, LOGITS / 3)) == []
    assert unlike_confidence(side("A", LOGITS, 0.9 * LOGITS), side("B", LOGITS / 3, LOGITS / 4))


def test_softmax_twice_on_one_side_is_no_temperature() -> None:
    (said,) = unlike_confidence(side("A", 5 * LOGITS), side("B", softmax(5 * LOGITS, axis=1)))
    assert "on average" in said
    assert "temperature" not in said


@pytest.mark.parametrize(("factor", "said"), [(0.2, "unsure of itself"), (6.0, "too sure")])
def test_the_temperature_that_is_lacking_is_found(factor: float, said: str) -> None:
    (words,) = sure_and_right(log_softmax(factor * LOGITS, axis=1), LABELS)
    assert words.startswith(said)
    assert float(words.split("times ")[1].split()[0]) == pytest.approx(1 / factor, rel=0.1)
    assert sure_and_right(log_softmax(LOGITS, axis=1), LABELS) == []
    assert sure_and_right(log_softmax(factor * LOGITS, axis=1)[:50], LABELS[:50]) == []


def test_diagnose_says_so_and_finds_nothing_wrong(tmp_path: Path, parity_here: Here) -> None:
    sure = 3 * LOGITS + 12 * np.eye(10)[LABELS]
    np.savez(tmp_path / "theirs.npz", labels=LABELS, logits=sure / 60)
    done = parity_here("diagnose", tmp_path / "theirs.npz")
    assert done.code == 0
    assert "unsure of itself: a mean confidence of" in done.out
