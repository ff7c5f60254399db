"""Named versions of a test set: does the model still read the digits when the picture changes?"""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from lightning_mnist.data.batches import answers_of
from lightning_mnist.data.datamodule import DigitsDataModule
from lightning_mnist.errors import InputError
from lightning_mnist.module import DigitClassifier
from lightning_mnist.terminal import show
from lightning_mnist.warp import resample
from parity.run_record import VIEWS_PICTURE, Predictions
from parity.watch.views import ViewScore, table_of

SHOWN = 8  # digits of each view, in a row of the picture
View = Callable[[Tensor], Tensor]


def _warped(*, size: float = 1.0, degrees: float = 0.0, shift: float = 0.0) -> View:
    """Images resized, turned anticlockwise and moved to the right and down by `shift` pixels."""

    def view(images: Tensor) -> Tensor:
        line = torch.arange(images.shape[1], device=images.device) - (images.shape[1] - 1) / 2
        y, x = torch.meshgrid(line - shift, line - shift, indexing="ij")
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        places = torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1) / size
        return resample(images, places.expand(len(images), -1, -1, -1))

    return view


def _noisy(images: Tensor) -> Tensor:
    """Gaussian noise of deviation 0.2, always the same."""
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return images + 0.2 * noise.to(images.device)


VIEWS: dict[str, View] = {
    "clean": lambda images: images,
    "inverted": lambda images: 1 - images,
    "dim": lambda images: images * 0.25,
    "bright": lambda images: images * 2,
    "shrunk": _warped(size=0.7),
    "enlarged": _warped(size=1.2),
    "shifted": _warped(shift=3),
    "rotated": _warped(degrees=15),
    "noisy": _noisy,
}
"""Float images [N, 28, 28] in [0, 1] to the same; what leaves the range is cut off."""


def seen_as(name: str, images: Tensor) -> Tensor:
    """Raw images uint8 [N, 28, 28] as the view of that name shows them, uint8 again."""
    changed = VIEWS[name](images.float() / 255)
    return (changed.clamp(0, 1) * 255).round().to(torch.uint8)


def chosen(names: list[str]) -> list[str]:
    """The views that a user asked for.

    Raises:
        InputError: a name that is not a view, nor "all".
    """
    unknown = [name for name in names if name not in VIEWS and name != "all"]
    if unknown:
        raise InputError(
            f"--views {' '.join(unknown)}: expected all, or some of {', '.join(VIEWS)}"
        )
    return list(VIEWS) if "all" in names else list(dict.fromkeys(names))


def report_views(
    model: DigitClassifier, data: DigitsDataModule, names: list[str], run_dir: Path
) -> list[ViewScore]:
    """Score views of the test images, print a table, and draw some of each into `run_dir`."""
    if not names:
        return []
    from lightning_mnist.plots import draw_digits  # slow to import

    scores = score_views(model, data.test_images, data.test_labels, names, run_dir)
    title = f"views of the test part of {data.description['name']}"
    show(table_of(scores, title), Console())
    rows = [seen_as(score.name, data.test_images[:SHOWN]) for score in scores]
    captions = [f"{s.name} {s.accuracy:.1%}" for s in scores for _ in range(len(rows[0]))]
    draw_digits(torch.cat(rows).cpu().numpy(), captions, run_dir / VIEWS_PICTURE, title=title)
    return scores


def score_views(
    model: DigitClassifier, images: Tensor, labels: Tensor, names: list[str], run_dir: Path
) -> list[ViewScore]:
    """Score a trained model on views of raw images [N, 28, 28]; `run_dir` gets its answers."""
    model.eval()
    scores = []
    for name in names:
        logits = answers_of(model, seen_as(name, images)).cpu().numpy()
        answers = Predictions(labels.cpu().numpy(), logits, np.arange(len(labels)))
        answers.save_view(run_dir, name)
        scores.append(ViewScore.of(name, answers.labels, answers.logits))
    return scores
