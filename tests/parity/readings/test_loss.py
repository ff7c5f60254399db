"""Losses that differ: named rightly and alone; nothing is made up."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from parity.arrays import Array
from parity.readings import loss
from parity.readings.case import Case
from parity.readings.cause import Cause
from tests.parity.readings.named import LOGITS, NAMES, only

RNG = np.random.default_rng(7)


def loss_causes(logits: Array, labels: Array, a: float, b: float) -> list[Cause]:
    given = {"logits": logits, "labels": labels}
    return loss.explain(Case(NAMES, given, {"loss": np.array(a)}, {"loss": np.array(b)}))


LABELS = RNG.integers(0, 10, 50)
TORCH_LOGITS, TORCH_LABELS = torch.tensor(LOGITS), torch.tensor(LABELS)
ONE_HOT = torch.nn.functional.one_hot(TORCH_LABELS, 10).double()
entropy = torch.nn.functional.cross_entropy
USUAL = float(entropy(TORCH_LOGITS, TORCH_LABELS))


def smoothed(amount: float, reduction: str = "mean") -> float:
    return float(entropy(TORCH_LOGITS, TORCH_LABELS, label_smoothing=amount, reduction=reduction))


def keras_loss(name: str, **settings: Any) -> float:
    keras = pytest.importorskip("keras")
    with_one_hot = not name.startswith("Sparse")
    truth = ONE_HOT.numpy() if with_one_hot else LABELS
    return float(getattr(keras.losses, name)(dtype="float64", **settings)(truth, LOGITS))


LOSSES: dict[str, tuple[Callable[[], float], str, str]] = {
    "sum": (lambda: USUAL * 50, "loss reduction", "theirs computes cross-entropy, its sum over"),
    "mean over classes": (lambda: USUAL / 10, "loss reduction", "and the 10 classes"),
    "sum over classes": (lambda: USUAL * 5, "loss reduction", "divided by the 10 classes"),
    "divisor": (lambda: USUAL * 50 / 64, "loss reduction", "divided by 64 instead of 50"),
    "smoothed": (lambda: smoothed(0.1), "label smoothing", "label smoothing 0.1"),
    "smoothed by Keras": (
        lambda: keras_loss("CategoricalCrossentropy", from_logits=True, label_smoothing=0.05),
        "label smoothing",
        "label smoothing 0.05",
    ),
    "smoothed and summed": (
        lambda: smoothed(0.2, "sum"),
        "label smoothing and loss reduction",
        "label smoothing 0.2",
    ),
    "softmax twice": (
        lambda: float(entropy(TORCH_LOGITS.softmax(1), TORCH_LABELS)),
        "softmax applied twice",
        "from_logits",
    ),
    "from_logits": (
        lambda: keras_loss("SparseCategoricalCrossentropy"),
        "logits taken for probabilities",
        "from_logits=True",
    ),
    "from_logits, one-hot": (
        lambda: keras_loss("CategoricalCrossentropy"),
        "logits taken for probabilities",
        "from_logits=True",
    ),
    "bits": (lambda: USUAL / np.log(2), "logarithm to base 2", "base 2"),
    "labels too high": (
        lambda: float(entropy(TORCH_LOGITS, (TORCH_LABELS + 1) % 10)),
        "labels off by one",
        "one too high",
    ),
    "labels too low": (
        lambda: float(entropy(TORCH_LOGITS, (TORCH_LABELS - 1) % 10)),
        "labels off by one",
        "one too low",
    ),
    "binary": (
        lambda: float(torch.nn.functional.binary_cross_entropy_with_logits(TORCH_LOGITS, ONE_HOT)),
        "binary cross-entropy and loss reduction",
        "each class's logit",
    ),
    "binary by Keras": (
        lambda: keras_loss("BinaryCrossentropy", from_logits=True),
        "binary cross-entropy and loss reduction",
        "each class's logit",
    ),
    "squared error": (
        lambda: float(torch.nn.functional.mse_loss(TORCH_LOGITS.softmax(1), ONE_HOT)),
        "squared error and loss reduction",
        "of the probabilities",
    ),
    "NLLLoss on logits": (
        lambda: float(torch.nn.functional.nll_loss(TORCH_LOGITS, TORCH_LABELS)),
        "no log-softmax",
        "negative logit",
    ),
}


@pytest.mark.parametrize("case", LOSSES)
def test_losses_are_named(case: str) -> None:
    theirs, name, said = LOSSES[case]
    only(loss_causes(LOGITS, LABELS, USUAL, theirs()), name, said, gap=1e-10)


def test_losses_are_named_in_float32() -> None:
    coarse = LOGITS.astype(np.float32)
    ours, theirs = float(np.float32(USUAL)), float(np.float32(smoothed(0.1)))
    found = loss_causes(coarse, LABELS, ours, theirs)
    only(found, "label smoothing", "label smoothing 0.1", gap=1e-5)


def test_losses_that_agree_or_cannot_be_explained_have_no_cause() -> None:
    assert loss_causes(LOGITS, LABELS, USUAL, USUAL) == []
    assert loss_causes(LOGITS, LABELS, USUAL, USUAL * (1 + 1e-15)) == []
    assert loss_causes(LOGITS, LABELS, USUAL, USUAL + 0.0123456) == []  # a penalty
    assert loss_causes(LOGITS, LABELS, USUAL, float("nan")) == []
    assert loss_causes(LOGITS, LABELS + 5, USUAL, 1.0) == []
