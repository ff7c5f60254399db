"""Rows of the rules on pixels."""

import numpy as np

from parity.watch.fingerprint import Fingerprint
from tests.parity.diagnosis.cases import DIGITS, EXPECTED, OTHERS, Row, case, learned_nothing

ROWS = {
    "training pixels": Row(
        "training pixels",
        case(trained_on=Fingerprint.of(EXPECTED * 255), seen=Fingerprint.of(OTHERS * 255)),
        "in training, the pixels were not scaled",
        "fed 0 to 255, mean 40.3, paper 0 where the recipe's preprocessing gives 0 to 1",
        case(trained_on=Fingerprint.of(OTHERS)),
    ),
    "masks of 0 and 1": Row(
        "raw range",
        case(
            raw=Fingerprint.of((EXPECTED > 0.5).astype(np.uint8)),
            intended=Fingerprint.of((EXPECTED > 0.5) / 255),
            trained_on=Fingerprint.of((EXPECTED > 0.5) / 255),
            seen=Fingerprint.of((OTHERS > 0.5) / 255),
        ),
        "the file's pixels are 0 to 1: already scaled, and divided by 255 again",
        "they go from 0 to 1, and the network was fed 0 to 0.00392",
        case(raw=Fingerprint.of((EXPECTED > 0.5).astype(np.uint8) * 255)),
    ),
    "levels 0 to 16, which are standardised": Row(
        "raw range",
        case(
            raw=Fingerprint.of((EXPECTED * 16).round().astype(np.uint8)),
            intended=Fingerprint.of((EXPECTED * 16).round() / 255),
            trained_on=Fingerprint.of((EXPECTED * 16).round() / 255),
            seen=None,
        ),
        "the file's pixels are 0 to 16, not 0 to 255, and divided by 255",
        "the network was fed 0 to 0.0627",
        case(raw=Fingerprint.of((EXPECTED * 16).round().astype(np.uint8))),
    ),
    "blank file": Row(
        "raw range",
        case(raw=Fingerprint.of(np.zeros((9, 28, 28), np.uint8)), intended=None),
        "the training images are blank",
        "every pixel of the file is 0",
        case(),
    ),
    "test pixels": Row(
        "test pixels",
        case(seen=Fingerprint.of(1 - OTHERS)),
        "the pixels were inverted: ink and paper have changed places since training",
        "trained on 0 to 1, mean 0.158, paper 0 and is fed 0 to 1, mean 0.8",
        case(trained_on=Fingerprint.of(1 - EXPECTED), seen=Fingerprint.of(1 - OTHERS)),
    ),
    "one image": Row(
        "raw range",
        learned_nothing(raw=Fingerprint.of(np.repeat(DIGITS.train_images[:1], 9, axis=0))),
        "the training images are all the same",
        "9 of them, from all over the file, do not differ",
        learned_nothing(raw=Fingerprint.of(DIGITS.train_images[:2])),
    ),
}  # fmt: skip
