"""What `diagnose` looks at: a run, and images that a user hands in."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from parity.judge.loading import load_run
from parity.judge.pictures import load_images
from parity.run_record import PREDICTIONS_FILE, RunRecordError
from parity.watch.diagnosis import Case
from parity.watch.fingerprint import Fingerprint
from parity.watch.guard import COLLAPSE_FILE
from parity.watch.symptoms import SYMPTOMS_FILE, Symptoms


def load_case(path: Path, images: Sequence[Path]) -> Case:
    """Read a run directory, also one that the guard has stopped, or a prediction file.

    Args:
        path: Of the directory or the file; symptoms are looked for beside the file.
        images: What the model is fed, in place of what the run has noted: raw, as integers or
            pictures, or, as floating point, what the network gets.

    Raises:
        RunRecordError: a file is missing, unreadable or breaks the contract.
    """
    folder = path if path.is_dir() else path.parent
    if path.is_dir() and not (path / PREDICTIONS_FILE).exists():
        path = path / COLLAPSE_FILE  # the guard stopped the run before there were any
    run = load_run(path)
    outputs = run.logits if run.logits is not None else run.probabilities
    if outputs is None:
        raise RunRecordError(f"{path}: holds classes only; expected logits or probabilities")
    if run.logits is None:
        with np.errstate(divide="ignore"):
            outputs = np.log(outputs).clip(min=-100)
    file = folder / SYMPTOMS_FILE
    symptoms = Symptoms.load(file) if file.exists() or images else Symptoms()
    if images:
        raw = symptoms.raw
        dark = raw is None or raw.border < (raw.minimum + raw.maximum) / 2
        given = load_images(images, dark_paper=dark)
        try:
            seen = Fingerprint.of(given)
        except ValueError as error:
            raise RunRecordError(f"--images: {error}") from error
        reference = symptoms.trained_on if given.dtype.kind == "f" else raw
        if reference is None:
            raise RunRecordError(f"{file}: symptoms without training images to compare --images to")
        symptoms = replace(symptoms, trained_on=reference, intended=None, seen=seen)
    return Case(outputs, run.labels, symptoms)
