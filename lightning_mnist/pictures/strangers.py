"""Tells what looks like no digit: letters, scribbles, textures, in MNIST's form.

A network that knows ten digits answers with one of them whatever it sees, and often surely. So
another, small one has learned to tell digits from drawings of other things (Hendrycks et al., Deep
Anomaly Detection with Outlier Exposure, 2019). Its weights ship with the package;
``tests.by_hand.train_strangers`` says how they came about.
"""

from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("strangers.safetensors")
SAME = 0.05
"""Probability, at least, that the detector and a network give the same digit of an image."""


class StrangerDetector(nn.Sequential):
    """Images float [N, 1, 28, 28] in [0, 1] to logits [N, 11], of ten digits and of no digit."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 24, 5, stride=2, padding=2),
            nn.BatchNorm2d(24),
            nn.ReLU(),
            nn.Conv2d(24, 48, 3, stride=2, padding=1),
            nn.BatchNorm2d(48),
            nn.ReLU(),
            nn.Conv2d(48, 48, 3, padding=1),
            nn.BatchNorm2d(48),
            nn.ReLU(),
            nn.Conv2d(48, 96, 3, stride=2, padding=1),
            nn.BatchNorm2d(96),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(96 * 4 * 4, 64),
            nn.ReLU(),
            nn.Linear(64, 11),
        )


def strangeness(detector: StrangerDetector, images: Tensor) -> Tensor:
    """The log odds float [N] that images uint8 [N, 28, 28] show no digit."""
    return _strangeness(_logits(detector, images))


def doubted(images: Tensor, probabilities: Tensor) -> Tensor:
    """Images that look like no digit, or like another one than a network says: bool [N].

    The weights are such that the log odds of showing no digit are above 0 for 0.55 % of MNIST's
    validation images.

    Args:
        images: uint8 [N, 28, 28], in MNIST's form.
        probabilities: Of the ten digits, float [N, 10], as the network gives them.
    """
    with torch.inference_mode():
        logits = _logits(_detector(), images)
        same = (logits[:, :10].softmax(dim=1) * probabilities).sum(dim=1)
        return (_strangeness(logits) > 0) | (same < SAME)


def _logits(detector: StrangerDetector, images: Tensor) -> Tensor:
    logits: Tensor = detector(images[:, None].float() / 255)
    return logits


def _strangeness(logits: Tensor) -> Tensor:
    return logits[:, 10] - logits[:, :10].logsumexp(dim=1)


@cache
def _detector() -> StrangerDetector:
    detector = StrangerDetector().eval()
    detector.load_state_dict({name: weight.float() for name, weight in load_file(WEIGHTS).items()})
    return detector
