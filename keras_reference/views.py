"""Named versions of the test images: what the reference makes of digits that look different."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage

from keras_reference.answers import logits_of
from keras_reference.errors import InputError
from parity.run_record import VIEWS_PICTURE, Predictions
from parity.watch.views import ViewScore
from parity.writing import written_whole

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]
SHOWN = 8  # digits of each view, in a row of the picture


def _noisy(levels: Floats) -> Floats:
    """Gaussian noise of a fifth of the range, always the same."""
    noise = np.random.default_rng(0).standard_normal(levels.shape, np.float32)
    return levels + 0.2 * 255 * noise


def _placed(levels: Floats, inverse: NDArray[np.float64], shift: float = 0.0) -> Floats:
    """Each image resampled once about its centre; paper comes in from outside.

    Args:
        levels: Grey levels [N, 28, 28].
        inverse: From rows and columns of the result to those of the source, [2, 2].
        shift: Pixels to the right and down.
    """
    _, height, width = levels.shape
    centre = (np.array([height, width]) - 1) / 2
    offset = centre - inverse @ (centre + shift)
    # What becomes of each single pixel says what becomes of any image: the map is linear.
    pixels = np.eye(height * width, dtype=np.float32).reshape(-1, height, width)
    placed = [
        ndimage.affine_transform(pixel, inverse, offset, order=1, mode="grid-constant")
        for pixel in pixels
    ]
    result: Floats = levels.reshape(len(levels), -1) @ np.reshape(placed, (height * width, -1))
    return result.reshape(levels.shape)


def _rotation(degrees: float) -> NDArray[np.float64]:
    """Inverse of an anticlockwise rotation, in rows (downwards) and columns."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cos, sin], [-sin, cos]])


VIEWS: dict[str, Callable[[Floats], Floats]] = {
    "clean": lambda levels: levels,
    "inverted": lambda levels: 255 - levels,
    "dim": lambda levels: levels * 0.25,
    "bright": lambda levels: levels * 2,
    "shrunk": lambda levels: _placed(levels, np.eye(2) / 0.7),
    "enlarged": lambda levels: _placed(levels, np.eye(2) / 1.2),
    "shifted": lambda levels: _placed(levels, np.eye(2), shift=3),
    "rotated": lambda levels: _placed(levels, _rotation(15)),
    "noisy": _noisy,
}
"""Grey levels float32 [N, 28, 28] from 0 to 255 to the same; what leaves the range is cut off."""


def seen_as(name: str, images: Images) -> Images:
    """Images uint8 [N, 28, 28] as the view of that name shows them."""
    levels = VIEWS[name](images.astype(np.float32))
    seen: Images = np.rint(levels.clip(0, 255)).astype(np.uint8)
    return seen


def chosen(names: Sequence[str]) -> list[str]:
    """The views asked for by name, or all.

    Raises:
        InputError: there is no such view.
    """
    wrong = [name for name in names if name not in (*VIEWS, "all")]
    if wrong:
        raise InputError(f"--views {' '.join(wrong)}: expected all, or some of {', '.join(VIEWS)}")
    return [name for name in VIEWS if name in names or "all" in names]


def score_views(
    answer: Callable[[Images, NDArray[np.int64]], Predictions],
    x: Images,
    y: NDArray[np.int64],
    names: list[str],
    run_dir: Path,
) -> list[ViewScore]:
    """Score a network on views, and keep its answers in `run_dir`.

    `answer` tells what a network predicts for test images uint8 [N, 28, 28] and labels int64 [N];
    `run_dir` gets the predictions of each view, and a picture of all.
    """
    scores = []
    for name in names:
        answers = answer(seen_as(name, x), y)
        answers.save_view(run_dir, name)
        scores.append(ViewScore.of(name, y, logits_of(answers)))
    _draw(scores, x[:SHOWN], run_dir / VIEWS_PICTURE)
    return scores


def _draw(scores: list[ViewScore], images: Images, path: Path) -> None:
    """A row of digits for each view."""
    figure = Figure(figsize=(1.1 * SHOWN + 2, 1.15 * len(scores)), layout="constrained")
    rows = figure.subplots(len(scores), squeeze=False)[:, 0]
    for axes, score in zip(rows, scores, strict=True):
        strip = np.concatenate(list(seen_as(score.name, images)), axis=1)
        axes.imshow(strip, cmap="gray", vmin=0, vmax=255)
        axes.set(xticks=[], yticks=[])
        caption = f"{score.name}\n{score.accuracy:.1%}"
        axes.set_ylabel(caption, rotation=0, ha="right", va="center")
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=110)
