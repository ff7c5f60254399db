"""Reads the user's own pictures with a trained model."""

import csv
import glob
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import Trainer
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lightning_mnist.batches import EVALUATION_BATCH, BatchLoader
from lightning_mnist.errors import InputError
from lightning_mnist.module import DigitClassifier
from lightning_mnist.own_images import read_digit
from parity.run_record import written_whole


def predict_files(
    trainer: Trainer,
    model: DigitClassifier,
    patterns: list[str],
    output: str | None,
    preview: str | None,
) -> int:
    """Print file, digit and confidence for each picture; name those that cannot be read.

    Args:
        trainer: Chooses the device.
        model: Trained; it brings its own preprocessing.
        patterns: Paths or globs.
        output: A .csv or .json for digit, confidence and all ten probabilities.
        preview: A .png for what the network saw.

    Returns:
        0, or 1 where a picture could not be read.

    Raises:
        InputError: `output` or `preview` has another ending or cannot be written.
    """
    for flag, target, endings in (
        ("--output", output, (".csv", ".json")),
        ("--preview", preview, (".png",)),
    ):
        if target is not None and Path(target).suffix not in endings:
            raise InputError(f"{flag} {target}: expected a name ending in {' or '.join(endings)}")
    paths, failures = _expand(patterns)
    images: dict[Path, NDArray[np.uint8]] = {}
    for path in paths:
        try:
            images[path] = read_digit(path)
        except InputError as error:
            failures.append(str(error))
    if images:
        pixels = np.stack(list(images.values()))
        ids = torch.arange(len(pixels))
        unlabelled = torch.full_like(ids, -1)
        loader = BatchLoader(torch.from_numpy(pixels), unlabelled, ids, EVALUATION_BATCH)
        batches = trainer.predict(model, loader)
        assert batches is not None
        probabilities = torch.cat([torch.as_tensor(batch) for batch in batches]).tolist()
        readings = [Reading(str(path), p) for path, p in zip(images, probabilities, strict=True)]
        _show(readings)
        try:
            if output is not None:
                _write(readings, Path(output))
            if preview is not None:
                _draw(readings, pixels, Path(preview))
        except OSError as error:
            raise InputError(f"the result cannot be written ({error})") from error
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return 1 if failures else 0


@dataclass(frozen=True)
class Reading:
    """What the model says of one picture: the file and ten probabilities."""

    file: str
    probabilities: list[float]

    @property
    def confidence(self) -> float:
        """The largest probability."""
        return max(self.probabilities)

    @property
    def digit(self) -> int:
        """The class of the largest probability."""
        return self.probabilities.index(self.confidence)


def _expand(patterns: list[str]) -> tuple[list[Path], list[str]]:
    """Files in the order given, each once, and a sentence for each pattern that finds none."""
    paths: dict[Path, None] = {}
    failures = []
    for pattern in patterns:
        # A name that exists is meant as it stands, brackets and all.
        found = [pattern] if Path(pattern).exists() else sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute too
        if not found:
            failures.append(f"{pattern}: no such file; expected a picture of a digit")
        paths |= dict.fromkeys(map(Path, found))
    return list(paths), failures


def _show(readings: list[Reading]) -> None:
    table = Table("file", "digit", "confidence")
    for reading in readings:
        table.add_row(escape(reading.file), str(reading.digit), f"{reading.confidence:.1%}")
    Console().print(table)


def _write(readings: list[Reading], path: Path) -> None:
    rows = [
        {
            "file": reading.file,
            "digit": reading.digit,
            "confidence": reading.confidence,
            **{f"p{digit}": p for digit, p in enumerate(reading.probabilities)},
        }
        for reading in readings
    ]
    with (
        written_whole(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        if path.suffix == ".json":
            json.dump(rows, file, indent=2)
            return
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _draw(readings: list[Reading], pixels: NDArray[np.uint8], path: Path) -> None:
    from lightning_mnist.plots import draw_digits  # slow to import

    captions = [f"{Path(r.file).name}\n{r.digit} ({r.confidence:.0%})" for r in readings]
    draw_digits(pixels, captions, path, title="what the network saw")
