"""What can be compared: run directories, folders of them, and prediction files of anyone's."""

import csv
import zipfile
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from parity.run_record import (
    PREDICTIONS_FILE,
    RECORD_FILE,
    RunRecord,
    RunRecordError,
    view_files,
)

Ints = NDArray[np.int64]
OUTPUTS = ("logits", "probabilities", "predictions")


@dataclass(frozen=True)
class Run:
    """One trained model's answers to a test set.

    Attributes:
        name: Of its folder or file.
        predicted: int64 [N], 0 to C - 1.
        labels: int64 [N], or None where the file has none.
        sample_ids: int64 [N].
        logits: float [N, C], or None.
        probabilities: float64 [N, C], from the logits where there are logits, or None.
        record: What was run, or None for a bare file.
        views: What it answers to other versions of the test set, by name.
    """

    name: str
    predicted: Ints
    labels: Ints | None
    sample_ids: Ints
    logits: NDArray[Any] | None = None
    probabilities: NDArray[np.float64] | None = None
    record: RunRecord | None = None
    views: dict[str, "Run"] = field(default_factory=dict)

    @property
    def columns(self) -> int | None:
        """Number of classes, where the file says it."""
        return None if self.probabilities is None else self.probabilities.shape[1]


@dataclass(frozen=True)
class Side:
    """The runs of one side, one for each seed."""

    name: str
    runs: list[Run]


def load_side(path: Path) -> Side:
    """Read a run directory, a folder of run directories, or a ``.npz`` or ``.csv`` file.

    Raises:
        RunRecordError: nothing there, or a file that breaks the contract.
    """
    if path.is_file() or (path / PREDICTIONS_FILE).is_file():
        return Side(path.name, [load_run(path)])
    folders = [file.parent for file in path.glob(f"*/{PREDICTIONS_FILE}")]
    folders.sort(key=lambda folder: (len(folder.name), folder.name))  # seed2 before seed10
    if not folders:
        raise RunRecordError(
            f"{path}: nothing to compare; expected a run directory, a folder of run directories, "
            f"or predictions in a .npz or .csv file"
        )
    return Side(path.name, [load_run(folder) for folder in folders])


def load_run(path: Path) -> Run:
    """Read one run: a directory with ``predictions.npz``, with its views, or a prediction file.

    Raises:
        RunRecordError: a file that is missing, unreadable or breaks the contract.
    """
    if not path.is_dir():
        return _read(path.name, path)
    run = _read(path.name, path / PREDICTIONS_FILE)
    record = RunRecord.load(path / RECORD_FILE) if (path / RECORD_FILE).exists() else None
    views = {view: _read(path.name, file) for view, file in view_files(path).items()}
    return replace(run, record=record, views=views)


def _read(name: str, file: Path) -> Run:
    try:
        arrays = _read_csv(file) if file.suffix == ".csv" else _read_npz(file)
        return _checked(name, arrays)
    except RunRecordError as error:
        raise RunRecordError(f"{file}: {error}") from None


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    known = {"labels", "sample_ids", *OUTPUTS}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            odd = set(archive) - known
            if odd:
                raise RunRecordError(
                    f"unknown arrays {', '.join(sorted(odd))}; expected {', '.join(sorted(known))}"
                )
            return {name: archive[name] for name in archive}
    except RunRecordError:
        raise
    except (
        OSError, EOFError, ValueError, TypeError, AttributeError, zlib.error, zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise RunRecordError(f"cannot be read as .npz without pickles ({error})") from error


def _read_csv(path: Path) -> dict[str, NDArray[Any]]:
    """Columns ``label`` (optional), then ``prediction`` or ``p0`` to ``p<C-1>``."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header = [name.strip() for name in next(csv.reader(file), [])]
            values = np.loadtxt(file, delimiter=",", ndmin=2) if header else np.zeros((0, 0))
    except (OSError, ValueError) as error:
        raise RunRecordError(f"cannot be read as CSV of numbers ({error})") from error
    outputs = header[1:] if header[:1] == ["label"] else header
    columns = [f"p{number}" for number in range(len(outputs))]
    if outputs != ["prediction"] and (outputs != columns or not outputs):
        raise RunRecordError(
            f"columns {', '.join(header) or 'missing'}; expected label, then prediction or p0, "
            "p1, ... (label may be left out)"
        )
    if values.shape[1] != len(header):
        raise RunRecordError(f"rows of {values.shape[1]} values; expected {len(header)}")
    arrays: dict[str, NDArray[Any]] = {}
    if header[0] == "label":
        arrays["labels"] = _whole(values[:, 0], "label")
        values = values[:, 1:]
    if outputs == ["prediction"]:
        arrays["predictions"] = _whole(values[:, 0], "prediction")
    else:
        arrays["probabilities"] = values
    return arrays


def _whole(values: NDArray[np.float64], name: str) -> Ints:
    if not np.array_equal(values, np.round(values)):
        raise RunRecordError(f"column {name} holds values that are not whole; expected classes")
    return values.astype(np.int64)


def _checked(name: str, arrays: dict[str, NDArray[Any]]) -> Run:
    given = [output for output in OUTPUTS if output in arrays]
    if len(given) != 1:
        raise RunRecordError(
            f"{' and '.join(given) or 'no outputs'}; expected one of {', '.join(OUTPUTS)}"
        )
    outputs = arrays[given[0]]
    count = len(outputs) if outputs.ndim else 0
    dimensions = 1 if given[0] == "predictions" else 2
    if outputs.ndim != dimensions or count == 0 or (dimensions == 2 and outputs.shape[1] < 2):
        raise RunRecordError(
            f"{given[0]} of shape {outputs.shape}; expected "
            f"{'[N]' if dimensions == 1 else '[N, C]'} with at least 1 image and 2 classes"
        )
    labels = _classes(arrays.get("labels"), "labels", count)
    ids = _classes(arrays.get("sample_ids", np.arange(count)), "sample_ids", count)
    assert ids is not None
    if len(np.unique(ids)) != count:
        raise RunRecordError("sample_ids occur more than once; expected every sample once")
    if given[0] == "predictions":
        predicted = _classes(outputs, "predictions", count)
        assert predicted is not None
        return Run(name, predicted, labels, ids)
    if not np.issubdtype(outputs.dtype, np.floating):
        raise RunRecordError(f"{given[0]} of type {outputs.dtype}; expected floating point")
    if labels is not None and labels.max() >= outputs.shape[1]:
        raise RunRecordError(
            f"labels up to {labels.max()}; expected 0 to {outputs.shape[1] - 1}, one for each "
            f"column of {given[0]}"
        )
    predicted = outputs.argmax(axis=1).astype(np.int64)
    if given[0] == "logits":
        with np.errstate(all="ignore"):  # not finite is for the judge to say
            probabilities = softmax(outputs.astype(np.float64), axis=1)
        return Run(name, predicted, labels, ids, outputs, probabilities)
    sums = outputs.sum(axis=1)
    if np.isfinite(outputs).all() and (outputs.min() < 0 or abs(sums - 1).max() > 1e-3):
        raise RunRecordError(
            "probabilities that are negative or do not add up to 1; scores before a softmax are "
            "called logits"
        )
    return Run(name, predicted, labels, ids, None, outputs.astype(np.float64))


def _classes(values: NDArray[Any] | None, name: str, count: int) -> Ints | None:
    if values is None:
        return None
    if values.shape != (count,) or not np.issubdtype(values.dtype, np.integer):
        raise RunRecordError(
            f"{name} of type {values.dtype} and shape {values.shape}; expected {count} integers"
        )
    if values.min() < 0:
        raise RunRecordError(f"{name} down to {values.min()}; expected none below 0")
    return values.astype(np.int64)
