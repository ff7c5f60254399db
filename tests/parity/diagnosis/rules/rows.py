"""Rows of the rules on the rows of the logits."""

import numpy as np

from parity.watch.diagnosis import Case
from tests.parity.diagnosis.cases import CERTAIN, GOOD, SHUFFLED_LABELS, Row, case

ROWS = {
    "a batch twice": Row(
        "repeated",
        Case(np.concatenate([CERTAIN[:96], CERTAIN[32:96], CERTAIN[160:]]), SHUFFLED_LABELS),
        "answers of one batch stand where those of others should",
        "rows 96 to 159 hold, bit by bit, what rows 32 to 95 hold",
        Case(np.tile(CERTAIN, (2, 1)), np.tile(SHUFFLED_LABELS, 2)),  # so do the images
    ),
    "no last batch": Row(
        "unfilled",
        Case(CERTAIN * (np.arange(1000) < 960)[:, None], SHUFFLED_LABELS),
        "rows of answers were never filled",
        "in rows 960 to 999 of 999 all classes have the same score, and nowhere else",
        Case(CERTAIN * (np.arange(1000) % 25 > 0)[:, None], SHUFFLED_LABELS),
    ),
    "a column that is always the same": Row(
        "mute",
        case(np.where(np.arange(10) == 4, -3, GOOD)),
        "the score of class 4 is the same for every image",
        "-3 each time, and 9 other classes have scores that differ; 100 images are of it",
        case(np.where(np.arange(10) == 4, -3, GOOD).round(1)),
    ),
}  # fmt: skip
