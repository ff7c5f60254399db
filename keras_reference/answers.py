"""What a model answers to images, in the terms of the file contract."""

import keras
import numpy as np
from numpy.typing import NDArray

from parity.run_record import Predictions


def answers(
    network: keras.Model, images: NDArray[np.uint8], labels: NDArray[np.int64], *, logits: bool
) -> Predictions:
    """The predictions of a network for images.

    Args:
        network: From raw images to ten scores.
        images: uint8 [N, 28, 28].
        labels: int64 [N].
        logits: Whether its scores are known to be logits. Otherwise shares that add up to 1 are
            probabilities, and other values that all lie between 0 and 1 went through a sigmoid:
            they become what it was fed.
    """
    scores = np.asarray(network.predict(images, batch_size=2048, verbose=0), np.float32)
    ids = np.arange(len(labels), dtype=np.int64)
    if logits or not (scores.min() >= 0 and scores.max() <= 1):
        return Predictions(labels, scores, ids)
    if np.allclose(scores.sum(axis=1), 1, atol=1e-3):
        return Predictions(labels, scores, ids, "probabilities")
    odds = scores.clip(1e-7, 1 - 1e-7)
    return Predictions(labels, np.log(odds / (1 - odds)), ids)


def logits_of(predictions: Predictions) -> NDArray[np.float32]:
    """Logits float32 [N, C]: those predicted, or the logarithms of probabilities."""
    if predictions.called == "logits":
        return predictions.logits
    logs: NDArray[np.float32] = np.log(predictions.logits.clip(np.finfo(np.float32).tiny))
    return logs
