"""Letters and signs as a hand writes them, in strokes of one pen.

Those that a hand writes as it writes a digit are left out: I, l, O, S, Z.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.support.strange_figures import MIDDLE, SIDE, Drawing, Random, bent

FORMS = {
    "A": ("0b 40 8b|17 67",), "B": ("00 0b|00 60 63 05|05 75 79 4b 0b",),
    "C": ("72 40 03 08 4b 79",), "D": ("00 0b|00 51 74 78 4b 0b", "11 1b|01 40 73 78 3b 0b"),
    "E": ("70 00|00 0b|0b 7b|05 55",), "F": ("70 00|00 0b|05 55",),
    "G": ("72 40 03 08 4b 79 76|46 76", "63 40 03 09 4b 77|47 87 8b"), "H": ("00 0b|70 7b|05 75",),
    "J": ("60 68 4b 1b 08", "20 80|60 69 3b 08"), "K": ("00 0b|70 06|26 7b",),
    "L": ("00 0b|0b 6b",), "M": ("0b 00|00 47|47 80|80 8b",), "N": ("0b 00|00 7b|7b 70",),
    "P": ("00 0b|00 60 64 06",), "Q": ("40 03 08 4b 78 73 40|58 8c", "30 04 3a 74 30|49 7b"),
    "R": ("00 0b|00 60 64 06|26 7b",), "T": ("00 80|40 4b",),
    "U": ("00 07 3b 77 70", "00 08 3b 68 60|60 6b 7b"), "V": ("00 4b|4b 80",),
    "W": ("00 2b|2b 43|43 6b|6b 80",), "X": ("00 7b|70 0b",),
    "Y": ("00 45|80 45|45 4b", "00 04 37 64|60 69 3c 0b"),
    "a": ("64 33 06 2a 58 64|63 69 8b", "14 43 66 6b|67 27 09 3b 69"),
    "b": ("10 1b|17 45 78 4b 1a",), "d": ("65 35 08 3b 69|60 6b",), "e": ("07 67 53 14 08 3b 69",),
    "f": ("72 40 33 3b|05 65",),
    "g": (
        "64 32 05 27 55|63 6a 3c 0b", "42 14 47 74 42|62 6a 3d 0b", "63 31 04 37 65|63 69 4c 1b 49",
    ),
    "h": ("10 1b|17 45 67 6b",), "k": ("10 1b|64 17|38 6b",),
    "m": ("03 0b|05 23 45 4b|45 63 85 8b",), "n": ("03 0b|05 33 66 6b",),
    "p": ("12 1c|14 42 65 48 17", "14 1c|15 43 66 48 18"),
    "q": ("63 32 05 27 55|62 6c 8a", "64 33 06 28 56|63 6c|5a 8a", "53 22 05 27 55|62 5c"),
    "r": ("13 1b|16 33 64",), "t": ("30 39 5b 79|03 63",),
    "u": ("03 08 3b 68|63 6b 7b", "03 09 4b 67 63"),
    "w": ("02 2a|2a 44|44 6a|6a 82", "03 09 3a 54|54 6a 88 83"),
    "x": ("03 6b|63 0b", "03 36 6a|63 36 0a"),
    "y": ("02 07 37 64|62 69 3c 0b", "02 37|72 1c", "02 08 47 62|62 5b 2c"),
    "j": ("43 4a 2c 0b|40 41",), "&": ("7b 13 30 53 07 3b 78",),
    "€": ("71 30 05 3b 79|05 55|07 47",), "δ": ("60 31 46 5a 2b 08 25 57",),
    "λ": ("00 34 7b|45 0b",), "Я": ("60 20 14 26 66|60 6b|46 0b",),
    "Э": ("01 40 74 78 4b 0a|25 75",), "Ъ": ("20 2b|26 56 69 4b 2b|00 20",),
    "Б": ("60 10|10 1b|15 55 79 4b 1b",), "Ю": ("00 0b|06 26|50 26 5b 86 50",),
    "?": ("02 30 63 36 38|3b 3c",), "þ": ("00 0c|03 42 66 48 08",), "ß": ("0b 03 30 54 35 69 3b",),
}  # fmt: skip
"""Ways to write each: strokes, parted by a bar, through points. A point is its column, up to 8, and
its row, up to 12, each as one hexadecimal digit."""
LIKE_DIGITS = "DGqgyaQUbuЯЭЪБδλ"
"""What is most like a digit, and most often written."""
OFTEN = 0.55


def written(random: Random) -> Drawing:
    """A letter or a sign in a hand that trembles and leans."""
    often = random.random() < OFTEN
    forms = FORMS[str(random.choice(list(LIKE_DIGITS if often else FORMS)))]
    image, pen = np.zeros((SIDE, SIDE), np.uint8), int(random.integers(2, 10))
    step = np.array([random.uniform(3.4, 5.6), 5])  # pixels from column to column, row to row
    lean = random.normal(0, 0.12)
    for stroke in str(random.choice(forms)).split("|"):
        points = np.array([[int(digit, 16) for digit in point] for point in stroke.split()])
        points = through(points + random.normal(0, 0.28, points.shape))
        x, y = ((points - (4, 6)) * step).T
        line = np.round(4 * (np.column_stack([x - lean * y, y]) + MIDDLE)).astype(np.int32)
        cv2.polylines(image, [line], False, 255, pen, cv2.LINE_AA, shift=2)
    return bent(image, random) if random.random() < 0.5 else image


def through(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A smooth curve [M, 2] through points [N, 2] (Catmull and Rom, 1974); of two a line."""
    if len(points) == 2:
        return points
    ends = 2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]
    all_points, time = np.concatenate(ends), np.linspace(0, 1, 16)[:, None]
    pieces = []
    for a, b, c, d in np.lib.stride_tricks.sliding_window_view(all_points, (4, 2))[:, 0]:
        square, cube = 2 * a - 5 * b + 4 * c - d, 3 * b - a - 3 * c + d
        pieces.append((2 * b + (c - a) * time + square * time**2 + cube * time**3) / 2)
    return np.concatenate(pieces)
