"""What parity says of pixels that were prepared wrongly: measured on the page's own digits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.watch.diagnosis.inputs import RULES
from parity.watch.fingerprint import Fingerprint
from parity.watch.pixels.change import change

REMEDY = next(rule.remedy for rule in RULES if rule.name == "training pixels")


def training_words(images: NDArray[np.uint8]) -> dict[str, str]:
    """The diagnosis for each way to feed images uint8 [N, 28, 28] to a training; "" for x / 255."""
    raw = images.astype(np.float32)
    intended = Fingerprint.of(raw / 255)
    said = {"x/255": ""}
    feeds: dict[str, NDArray[Any]] = {"255-x": 255 - raw, "x": raw, "x/255/255": raw / 255 / 255}
    for name, fed in feeds.items():
        seen = Fingerprint.of(fed)
        said[name] = (
            f"in training, the pixels {change(intended, seen)}: the network was fed "
            f"{seen.describe()} where x / 255 gives {intended.describe()}. {REMEDY}."
        )
    return said
