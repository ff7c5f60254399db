"""What `diagnose` looks at: a run, and images that a user hands in."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from parity.judge.answers import Run
from parity.judge.loading import load_run
from parity.judge.shapes import unit_of
from parity.run_record import PREDICTIONS_FILE, RunRecordError
from parity.watch.diagnosis import Case
from parity.watch.fingerprint import Fingerprint
from parity.watch.guard import COLLAPSE_FILE
from parity.watch.symptoms import SYMPTOMS_FILE, Symptoms

KEYS = ("images", "x_test")


def load_case(path: Path, images: Sequence[Path]) -> Case:
    """Read a run directory, also one that the guard has stopped, or a prediction file.

    Args:
        path: Of the directory or the file; symptoms are looked for beside the file.
        images: What the model is fed, in place of what the run has noted: raw, in the data type of
            the raw training images, or as the network gets it.

    Raises:
        RunRecordError: a file is missing, unreadable or breaks the contract.
    """
    if not path.exists():
        raise RunRecordError(f"{path}: no such run or file")
    folder = path if path.is_dir() else path.parent
    if path.is_dir():
        # Where the guard stopped the run there are no predictions.
        names = [n for n in (PREDICTIONS_FILE, COLLAPSE_FILE) if (path / n).exists()]
        if not names:
            raise RunRecordError(
                f"{path}: no run; expected {PREDICTIONS_FILE} or {COLLAPSE_FILE} in it"
            )
        path = path / names[0]
    run = load_run(path)
    file = folder / SYMPTOMS_FILE
    symptoms = Symptoms.load(file) if file.exists() or images else Symptoms()
    if images:
        try:
            seen = Fingerprint.of(load_images(images))
        except ValueError as error:
            raise RunRecordError(f"--images: {error}") from error
        reference = symptoms.raw if seen.dtype == "uint8" else symptoms.trained_on
        if reference is None:
            raise RunRecordError(f"{file}: symptoms without training images to compare --images to")
        symptoms = replace(symptoms, trained_on=reference, intended=None, seen=seen)
    return case_of(run, symptoms)


def case_of(run: Run, symptoms: Symptoms) -> Case:
    """A run's answers as logits, whatever it has given, and what else is known of it."""
    if run.logits is not None:
        return Case(run.logits, run.labels, symptoms)
    if run.probabilities is None:
        classes = 1 + max(int(c.max()) for c in (run.predicted, run.labels) if c is not None)
        said = 20 * (np.eye(max(classes, 2))[run.predicted] - 0.5)
        return Case(said, run.labels, symptoms, classes_only=True)
    # A share rounded to 0 is less than half of the last decimal.
    finite = run.probabilities[np.isfinite(run.probabilities).all(axis=1)]
    least = max(unit_of(finite) / 2 if len(finite) else 0.0, 1e-30)
    return Case(np.log(run.probabilities.clip(least)), run.labels, symptoms)


def load_images(paths: Sequence[Path]) -> NDArray[Any]:
    """Images [N, H, W] of one ``.npy`` or ``.npz`` file, or of pictures of one size.

    An ``.npz`` holds them as "images" or "x_test". Pictures become grey, uint8.

    Raises:
        RunRecordError: a file is missing, unreadable or holds something else.
    """
    first = paths[0]
    try:
        if first.suffix in (".npy", ".npz"):
            if len(paths) > 1:
                raise RunRecordError("several arrays; expected one, or pictures")
            return _array(first)
        pictures = [_picture(path) for path in paths]
    except RunRecordError as error:
        raise RunRecordError(f"--images {first}: {error}") from None
    except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        kind = "picture" if isinstance(error, UnidentifiedImageError) else "file"
        raise RunRecordError(f"--images: cannot read a {kind} ({error})") from error
    if len({picture.shape for picture in pictures}) > 1:
        raise RunRecordError("--images: pictures of several sizes; expected one")
    return np.stack(pictures)


def _picture(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"))


def _array(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            images = loaded
        else:
            key = next((key for key in KEYS if key in loaded), None)
            if key is None:
                raise RunRecordError(f"expected an array called {' or '.join(KEYS)}")
            images = loaded[key]
    if images.ndim != 3 or images.dtype.kind not in "uif" or not len(images):
        raise RunRecordError(f"{images.dtype} of shape {images.shape}; expected numbers [N, H, W]")
    return images
