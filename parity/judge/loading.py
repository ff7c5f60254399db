"""What can be compared: run directories, folders of them, and prediction files of anyone's."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.files import shown
from parity.judge.answers import Run, Side, answers
from parity.judge.cells import value
from parity.judge.class_names import by_number, names_classes
from parity.judge.contents import Arrays, arrays_in, content_of
from parity.judge.forms import of_some
from parity.judge.kinds import INSTEAD
from parity.judge.names import names_images, role_of
from parity.judge.roles import of_arrays, of_table
from parity.judge.shapes import of_eight_bits
from parity.judge.tables import Table
from parity.run_record import (
    PREDICTIONS_FILE,
    RECORD_FILE,
    RunRecord,
    RunRecordError,
    view_files,
)
from parity.watch.symptoms import SYMPTOMS_FILE


def load_side(path: Path) -> Side:
    """Read a run directory, a folder of run directories, or a file of predictions.

    Raises:
        RunRecordError: nothing there, or a file that breaks the contract.
    """
    if path.is_file() or (path / PREDICTIONS_FILE).is_file():
        return Side(shown(Path(path.name)), [load_run(path)])
    runs = [file.parent for file in path.glob(f"*/{PREDICTIONS_FILE}")]
    runs = runs or _seeds(path) or [path] * bool(arrays_in(path))
    runs.sort(key=lambda run: (len(run.name), run.name))  # seed2 before seed10
    if not runs:
        nothing = "nothing to compare" + ("" if path.exists() else ": no such file or folder")
        raise RunRecordError(
            f"{path}: {nothing}; expected a run directory, a folder of run directories, "
            f"or a file of predictions (.npz, .npy, .csv or .json); {INSTEAD}"
        )
    return Side(shown(Path(path.name)), [load_run(run) for run in runs])


def _seeds(folder: Path) -> list[Path]:
    """The files of a folder, where all are called alike but for numbers: a run each."""
    files = [f for f in folder.glob("*") if f.is_file() and not f.name.startswith(".")]
    names = {re.sub(r"\d+", "0", file.name) for file in files}
    return files if len(files) > 1 == len(names) else []


def load_run(path: Path) -> Run:
    """Read one run: a directory with ``predictions.npz``, with its views, or a prediction file.

    Raises:
        RunRecordError: a file that is missing, unreadable or breaks the contract.
    """
    if not path.is_dir() or (arrays_in(path) and not (path / PREDICTIONS_FILE).exists()):
        return _read(shown(Path(path.name)), path)
    run = _read(shown(Path(path.name)), path / PREDICTIONS_FILE)
    record = RunRecord.load(path / RECORD_FILE) if (path / RECORD_FILE).exists() else None
    views = {view: _read(shown(Path(path.name)), file) for view, file in view_files(path).items()}
    return replace(run, record=record, views=views)


def _read(name: str, file: Path) -> Run:
    try:
        content = content_of(file)
        arrays, texts = ({}, content.texts) if isinstance(content, Table) else _told(content)
    except ValueError as error:
        raise RunRecordError(f"{file}: cannot be read as predictions: {error}") from error
    watched = (file.parent / SYMPTOMS_FILE).exists()
    try:
        if isinstance(content, Table):
            given = of_table(content)
        else:
            numbered, class_names = by_number(arrays, texts)
            given = replace(of_arrays(numbered), class_names=class_names)
        given = of_some(given)
        run = answers(name, given, watched=watched)
    except ValueError as error:
        raise RunRecordError(f"{file}: {error}") from error
    return replace(run, class_names=given.class_names, sample_names=_images(texts, run))


def _told(arrays: Arrays) -> tuple[Arrays, Arrays]:
    """Arrays of numbers, and those of text, which are NaN among the numbers."""
    numbers, texts = {}, {}
    for name, array in arrays.items():
        said = _numbers(name, array)
        if said is not None:
            numbers[name] = said
        elif array.ndim == 1 and (names_classes(name) or names_images(name)):
            texts[name] = array.astype(str)
            numbers[name] = np.full(len(array), np.nan)
    return numbers, texts


def _numbers(name: str, array: NDArray[Any]) -> NDArray[Any] | None:
    """Numbers, also those that text names, and shares in eight bits; None of other text.

    Raises:
        ValueError: other text that is called scores.
    """
    if array.dtype.kind not in "US":
        return of_eight_bits(array)
    if role_of(name) not in ("labels", "predictions", "logits", "probabilities", "scores"):
        return None
    said = [value(str(text)) for text in array.astype(str).reshape(-1)]
    if None in said and not names_classes(name):
        raise ValueError(f"{name} with values of type {array.dtype}; expected classes 0, 1, ...")
    return None if None in said else np.array(said, np.float64).reshape(array.shape)


def _images(texts: Mapping[str, NDArray[np.str_]], run: Run) -> NDArray[np.str_] | None:
    """The first text that is another one for each image."""
    count = len(run.predicted)
    for name, text in texts.items():
        if names_images(name) and len(text) == len(np.unique(text)) == count:
            return text
    return None
