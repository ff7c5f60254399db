"""Tells what looks like no digit: letters, scribbles, textures, in MNIST's form.

A network that knows ten digits answers with one of them whatever it sees, and often surely. So
another, small one has learned to tell digits from drawings of other things (Hendrycks et al., Deep
Anomaly Detection with Outlier Exposure, 2019). Its weights ship with the package;
``python -m tests.train_strangers`` has made them.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("strangers.safetensors")
LIMIT = -0.7
"""Score above which an image looks like no digit; 0.8 % of MNIST's test images are above it."""


class StrangerDetector(nn.Sequential):
    """Images float [N, 1, 28, 28] in [0, 1] to scores [N, 1]: the higher, the less like a digit."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 16, 5, stride=2, padding=2),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(16 * 7 * 7, 48),
            nn.ReLU(),
            nn.Linear(48, 1),
        )


def strangers(images: Tensor) -> Tensor:
    """Which of the images uint8 [N, 28, 28], in MNIST's form, look like no digit: bool [N]."""
    detector = StrangerDetector().eval()
    detector.load_state_dict({name: weight.float() for name, weight in load_file(WEIGHTS).items()})
    with torch.inference_mode():
        scores: Tensor = detector(images[:, None].float() / 255)
    return scores[:, 0] > LIMIT
