"""The collapse guard of the reference's own trainings and tests."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_reference.answers import logits_of
from keras_reference.data import Digits
from parity.keras import CollapseGuard, fed, kernels
from parity.run_record import Predictions
from parity.watch.alarm import Reaction
from parity.watch.fingerprint import sample
from parity.watch.guard import Guard


def collapse_guard(
    run_dir: Path,
    reaction: Reaction,
    digits: Digits,
    targets: NDArray[Any],
    preprocessing: dict[str, Any],
    val_size: int,
    *,
    augmented: bool,
) -> CollapseGuard | None:
    """The callback that watches a training at validation images; None where it is switched off.

    Keras keeps the last training images for validation. Targets are as the loss takes them, and
    preprocessing as the run record has it.
    """
    if reaction == "off":
        return None
    guard = Guard(run_dir, reaction)
    guard.symptoms.augmented = augmented
    x, y = digits.x_train, targets
    return CollapseGuard(
        x[:-val_size],
        y[:-val_size],
        validation=(x[-val_size:], y[-val_size:]),
        preprocessing=preprocessing,
        guard=guard,
    )


def look_at_test(guard: Guard, network: keras.Model, digits: Digits, answers: Predictions) -> None:
    """Have the guard see how the test set was answered."""
    images = digits.x_test[sample(len(digits.x_test))]
    again = [np.asarray(network.predict_on_batch(images)) for _ in range(2)]
    guard.after_test(
        labels=digits.y_test,
        logits=logits_of(answers),
        seen=fed(network, images).reshape(-1, 28, 28),
        weights=kernels(network, images),
        repeat_difference=float(np.abs(again[1] - again[0]).max()),
    )
