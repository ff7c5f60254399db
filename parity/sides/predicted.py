"""What models answer to a test set, in files as anyone keeps them: `compare` reads no others."""

import json
import sys
from pathlib import Path

import numpy as np

from parity.arrays import Array
from parity.files import read_npz
from parity.judge.answers import answers
from parity.judge.case_files import case_of
from parity.judge.roles import of_arrays
from parity.judge.stored import has_model
from parity.run_record import PREDICTIONS_FILE
from parity.sides.jobs import SideFailedError
from parity.sides.remote import Remote
from parity.sides.runner import export_data
from parity.watch.diagnosis.figures import log_softmax, right_and_loss
from parity.watch.fingerprint import sample
from parity.watch.symptoms import Symptoms

TRIAL = 500
"""Samples on which scales are tried."""
BYTE, HALF = 255, 0.5
"""The largest byte; the share of right answers below which no scale need be the model's own."""
SCALES = {
    "0 to 1": (255.0, 0.0),
    "0 to 255": (1.0, 0.0),
    "-1 to 1": (127.5, 1.0),
    "standardised as MNIST's": (255 * 0.3081, 0.1307 / 0.3081),
}
"""What programs make of bytes: divided by the one, less the other."""
LEAST = 1e-7
"""Of a sigmoid; a smaller one is as sure."""


def is_model(given: Path) -> bool:
    """Whether it is an entry point or keeps a whole model; other files are taken for answers."""
    if given.exists():
        return given.is_file() and (given.suffix in (".keras", ".py") or has_model(given))
    return ":" in str(given) or given.suffix == ".keras"


def as_files(given: list[Path], source: str, root: str | None, folder: Path) -> list[Path]:
    """The same, but for models, in place of which are the folders of their answers.

    Args:
        given: Paths, and models as of `parity.sides.models`.
        source: The data set: auto, mnist, digits, or an ``.npz`` of any samples and labels.
        root: Folder of MNIST's files.
        folder: For what is made.

    Raises:
        SideFailedError: the data or a model cannot be read, or the model does not take them.
    """
    if not any(map(is_model, given)):
        return given
    data = Path(source) if source.endswith(".npz") else export_data(folder / "data", source, root)
    try:
        arrays = read_npz(data)
        if not {"x_test", "y_test"} <= arrays.keys():
            raise ValueError("expected x_test, y_test and, to try scales on, x_train and y_train")
    except ValueError as error:
        raise SideFailedError(f"{data}: {error}") from None
    return [
        _predicted(str(path), arrays, folder / str(place)) if is_model(path) else path
        for place, path in enumerate(given)
    ]


def _predicted(model: str, data: dict[str, Array], folder: Path) -> Path:
    """A folder, called as the model, with its answers to the test part."""
    with Remote(model, folder / "process", "parity.sides.models") as remote:
        about = json.loads(str(remote.ask("open", model=model)["about"]))
        x, y = data["x_test"], data["y_test"]
        words = about["takes"] is not None and about["takes"][1] == "int64"
        if x.dtype.kind in "ui" and not words and 0 <= x.min() <= x.max() <= BYTE:
            part = "train" if {"x_train", "y_train"} <= data.keys() else "test"
            x = _scaled(x, _likeliest(remote, data[f"x_{part}"], data[f"y_{part}"], part))
        scores = remote.ask("predict", {"x": x})["scores"]
    if scores.size == x.size != y.size and scores[0].size > y.max() + 1:
        raise SideFailedError(f"{model}: gives as many values as it is fed; expected class scores")
    named = folder / Path(model).name
    named.mkdir(parents=True)
    np.savez(named / PREDICTIONS_FILE, labels=y, scores=scores)
    return named


def _likeliest(remote: Remote, x: Array, y: Array, part: str) -> str:
    """The scale at which the model's answers to some samples are likeliest; says it."""
    chosen = sample(len(x), TRIAL)
    tried = {}
    for scale in SCALES:
        scores = remote.ask("predict", {"x": _scaled(x[chosen], scale)})["scores"]
        tried[scale] = _right_and_loss(scores, y[chosen], remote.name)
    best = min(tried, key=lambda scale: tried[scale][1])
    others = ", ".join(f"{s} {right:.0%}" for s, (right, _) in tried.items() if s != best)
    doubt = ". Trained on others, that alone may be what is wrong" * (tried[best][0] < HALF)
    print(
        f"note: {remote.name} is fed values {best}, the likeliest: of {len(chosen)} samples of "
        f"x_{part} it reads {tried[best][0]:.0%} right ({others}){doubt}; floats in --data.source "
        "FILE.npz are fed as they are",
        file=sys.stderr,
    )
    return best


def _scaled(x: Array, scale: str) -> Array:
    divisor, less = SCALES[scale]
    return (x / divisor - less).astype(np.float32)


def _right_and_loss(scores: Array, labels: Array, model: str) -> tuple[float, float]:
    try:
        run = answers(model, of_arrays({"labels": labels, "scores": scores}))
    except ValueError as error:
        raise SideFailedError(f"{model}: {error}") from None
    case = case_of(run, Symptoms())
    logs = case.log_probabilities
    if run.logits is not None and run.probabilities is None:  # of sigmoids
        logs = log_softmax(np.log(run.logits.astype(np.float64).clip(LEAST)))
    assert case.labels is not None
    return right_and_loss(logs, case.labels)
