"""What `diagnose` looks at: a run, and images that a user hands in."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from parity.judge.answers import Run
from parity.judge.contents import arrays_in
from parity.judge.loading import load_run
from parity.judge.pictures import load_images
from parity.judge.shapes import unit_of
from parity.run_record import PREDICTIONS_FILE, RunRecordError
from parity.watch.alarm import COLLAPSE_FILE
from parity.watch.diagnosis import Case
from parity.watch.fingerprint import Fingerprint
from parity.watch.symptoms import SYMPTOMS_FILE, Symptoms


def load_case(path: Path, images: Sequence[Path]) -> Case:
    """Read a run directory, also one that the guard has stopped, or a prediction file.

    Symptoms are looked for beside a file. Images take the place of what the run has noted: raw, as
    integers or pictures, or, as floating point, what the network gets.

    Raises:
        RunRecordError: a file is missing, unreadable or breaks the contract.
    """
    if not path.exists():
        raise RunRecordError(f"{path}: no such run or file")
    folder = path if path.is_dir() else path.parent
    if path.is_dir() and not arrays_in(path):
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
    return case_of(run, symptoms)


def case_of(run: Run, symptoms: Symptoms) -> Case:
    """A run's answers as logits, whatever it has given, and what else is known of it."""
    if run.logits is not None:
        return Case(run.logits, run.labels, symptoms, names=run.class_names)
    if run.probabilities is None:
        classes = 1 + max(int(c.max()) for c in (run.predicted, run.labels) if c is not None)
        said = 20 * (np.eye(max(classes, 2))[run.predicted] - 0.5)
        return Case(said, run.labels, symptoms, classes_only=True, names=run.class_names)
    # A share rounded to 0 is less than half of the last decimal.
    finite = run.probabilities[np.isfinite(run.probabilities).all(axis=1)]
    least = max(unit_of(finite) / 2 if len(finite) else 0.0, 1e-30)
    logits = np.log(run.probabilities.clip(least))
    return Case(logits, run.labels, symptoms, names=run.class_names)
