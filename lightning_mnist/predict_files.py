"""Reads the user's own pictures with a trained model."""

import sys
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import Trainer
from PIL import Image, ImageOps
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lightning_mnist.calibration import Calibration
from lightning_mnist.data.batches import EVALUATION_BATCH, BatchLoader
from lightning_mnist.module import DigitClassifier
from lightning_mnist.own_images import Picture, read_pictures
from lightning_mnist.reading import UNCALIBRATED, Reading, pixels_of, readings_of
from lightning_mnist.sentences import check_ending, writing
from lightning_mnist.terminal import show
from parity.files import shown
from parity.json_text import write_json
from parity.writing import write_csv


def predict_files(
    trainer: Trainer,
    model: DigitClassifier,
    calibration: Calibration | None,
    patterns: list[str],
    output: str | None,
    preview: str | None,
) -> int:
    """Print file, digit and confidence for each picture; name those that cannot be read.

    Without a calibration, confidence is what the network says of itself. `output` is a .csv or
    .json for all that is said, `preview` a .png of what was cut out and seen.

    Returns:
        0, or 1 where a picture could not be read.

    Raises:
        InputError: `output` or `preview` has another ending or cannot be written.
    """
    if output is not None:
        check_ending("--output", Path(output), ".csv", ".json")
    if preview is not None:
        check_ending("--preview", Path(preview), ".png")
    pictures, failures = read_pictures(patterns)
    if pictures:
        if calibration is None:
            print(UNCALIBRATED, file=sys.stderr)
        readings = _read(trainer, model, calibration or Calibration(), pictures)
        _show(readings)
        with writing("the result"):
            if output is not None:
                rows = [reading.row() for reading in readings]
                write = write_json if output.endswith(".json") else write_csv
                write(Path(output), rows)
            if preview is not None:
                _draw(readings, list(pictures.values()), Path(preview))
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _read(
    trainer: Trainer,
    model: DigitClassifier,
    calibration: Calibration,
    pictures: dict[Path, Picture],
) -> list[Reading]:
    pixels = pixels_of(pictures.values())
    ids = torch.arange(len(pixels))
    loader = BatchLoader(pixels, torch.full_like(ids, -1), ids, EVALUATION_BATCH)
    batches = trainer.predict(model, loader)
    assert batches is not None
    logits = torch.cat([torch.as_tensor(batch) for batch in batches]).float().cpu()
    files = [shown(path) for path in pictures]
    return readings_of(files, list(pictures.values()), logits, calibration)


def _show(readings: list[Reading]) -> None:
    table = Table("file", "digit", "confidence", "remarks")
    for reading in readings:
        remarks = ["unsure"] * reading.unsure + list(reading.warnings)
        table.add_row(
            escape(reading.file),
            str(reading.digit),
            f"{reading.confidence:.1%}",
            "; ".join(remarks),
        )
    show(table, Console())


def _draw(readings: list[Reading], pictures: list[Picture], path: Path) -> None:
    from lightning_mnist.plots import draw_digits  # slow to import

    images, captions = [], []
    for reading, picture in zip(readings, pictures, strict=True):
        side = max(picture.cutout.shape)
        cutout = ImageOps.pad(Image.fromarray(picture.cutout), (side, side), color=128)
        images += [np.asarray(cutout), picture.pixels]
        unsure = "unsure" if reading.unsure else ""
        captions += [
            f"{Path(reading.file).name}\n{unsure}",
            f"{reading.digit}\n{reading.confidence:.0%}",
        ]
    draw_digits(images, captions, path, title="what was cut out, and what the network saw")
