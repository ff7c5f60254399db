"""What can be compared: run directories, folders of them, and prediction files of anyone's."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.files import read_npy, read_npz, shown
from parity.judge.answers import Run, Side, answers
from parity.judge.cells import value
from parity.judge.json_tables import read_json_table
from parity.judge.kinds import INSTEAD, kind_of
from parity.judge.names import role_of
from parity.judge.packed import unpacked
from parity.judge.roles import of_arrays, of_table
from parity.judge.tables import Table, read_table
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
    folders = [file.parent for file in path.glob(f"*/{PREDICTIONS_FILE}")]
    folders.sort(key=lambda folder: (len(folder.name), folder.name))  # seed2 before seed10
    if not folders:
        nothing = "nothing to compare" + ("" if path.exists() else ": no such file or folder")
        raise RunRecordError(
            f"{path}: {nothing}; expected a run directory, a folder of run directories, "
            f"or a file of predictions (.npz, .npy, .csv or .json); {INSTEAD}"
        )
    return Side(shown(Path(path.name)), [load_run(folder) for folder in folders])


def load_run(path: Path) -> Run:
    """Read one run: a directory with ``predictions.npz``, with its views, or a prediction file.

    Raises:
        RunRecordError: a file that is missing, unreadable or breaks the contract.
    """
    if not path.is_dir():
        return _read(shown(Path(path.name)), path)
    run = _read(shown(Path(path.name)), path / PREDICTIONS_FILE)
    record = RunRecord.load(path / RECORD_FILE) if (path / RECORD_FILE).exists() else None
    views = {view: _read(shown(Path(path.name)), file) for view, file in view_files(path).items()}
    return replace(run, record=record, views=views)


def _read(name: str, file: Path) -> Run:
    try:
        arrays = _arrays(file)
    except ValueError as error:
        raise RunRecordError(f"{file}: cannot be read as predictions: {error}") from error
    watched = (file.parent / SYMPTOMS_FILE).exists()
    try:
        given = of_table(arrays) if isinstance(arrays, Table) else of_arrays(arrays)
        return answers(name, given, watched=watched)
    except ValueError as error:
        raise RunRecordError(f"{file}: {error}") from error


def _arrays(file: Path) -> Table | dict[str, NDArray[Any]]:
    kind = kind_of(file)
    if kind == "packed":
        with unpacked(file) as whole:
            if kind_of(whole) == "packed":
                raise ValueError("packed twice; unpack it first")
            return _arrays(whole)
    if kind == "json":
        return read_json_table(file)
    if kind == "text":
        return read_table(file)
    if kind == "npy":
        return {"": read_npy(file)}
    arrays = {name: _numbers(name, array) for name, array in read_npz(file, text=True).items()}
    return {name: array for name, array in arrays.items() if array is not None}


def _numbers(name: str, array: NDArray[Any]) -> NDArray[Any] | None:
    """Numbers, also those that text names; None of other text that is no answer and no truth.

    Raises:
        ValueError: other text that is called so.
    """
    if array.dtype.kind not in "US":
        return array
    if role_of(name) not in ("labels", "predictions", "logits", "probabilities", "scores"):
        return None
    said = [value(str(text)) for text in array.astype(str).reshape(-1)]
    if None in said:
        raise ValueError(f"{name} with values of type {array.dtype}; expected classes 0, 1, ...")
    return np.array(said, np.float64).reshape(array.shape)
