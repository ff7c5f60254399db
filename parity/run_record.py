"""The file contract: what a training run leaves behind, for any framework.

A run directory holds ``record.json`` (what was run), ``predictions.npz`` (what came out for the
test set), ``views/NAME.npz`` (the same for each view of the test set that was asked for), the model
and ``config.yaml``. Both sides write through this module and `parity` reads through it, so the
names of the keys are defined here and nowhere else.
"""

import dataclasses
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from parity.errors import ParityError
from parity.files import read_json, read_npz
from parity.json_text import known, sealed, unsealed
from parity.provenance import Provenance
from parity.seal import seal
from parity.writing import write_file, written_whole

Answers = Literal["logits", "probabilities"]
SCHEMA_VERSION = 1
RECORD_FILE = "record.json"
PREDICTIONS_FILE = "predictions.npz"
CONFIG_FILE = "config.yaml"
VIEWS_FOLDER = "views"
VIEWS_PICTURE = "views.png"


class RunRecordError(ParityError, ValueError):
    """A file that breaks the contract: the message names the file and what was expected."""


def view_files(run_dir: Path) -> dict[str, Path]:
    """The predictions for views of the test set that `run_dir` holds, by the view's name."""
    files = sorted((run_dir / VIEWS_FOLDER).glob("*.npz"))
    return {file.stem: file for file in files if not file.name.startswith(".")}  # half written


def sha256_of_digits(
    train_images: NDArray[np.uint8],
    train_labels: NDArray[np.integer],
    test_images: NDArray[np.uint8],
    test_labels: NDArray[np.integer],
) -> str:
    """The SHA-256 of a data set, hexadecimal: equal only where both sides saw the same raw arrays.

    Each array's shape, then its values: images as uint8, labels as little-endian int64, so that
    the integer type in which a framework keeps its labels does not matter.
    """
    digest = hashlib.sha256()
    for images, labels in ((train_images, train_labels), (test_images, test_labels)):
        for array in (images.astype("u1"), labels.astype("<i8")):
            digest.update(repr(array.shape).encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Predictions:
    """What a model says of a test set, every sample once, in the order of the file.

    Attributes:
        labels: int64 [N], the true classes.
        logits: float32 [N, C], before any softmax; or probabilities, where `called` says so.
        sample_ids: int64 [N], positions in the test file, all different.
        called: What the answers are, and their name in the file.

    Raises:
        RunRecordError: shapes, dtypes, labels or sample ids that break the contract.
    """

    labels: NDArray[np.int64]
    logits: NDArray[np.float32]
    sample_ids: NDArray[np.int64]
    called: Answers = "logits"

    def __post_init__(self) -> None:
        expected = {"labels": ("int64", 1), "logits": ("float32", 2), "sample_ids": ("int64", 1)}
        for name, (dtype, ndim) in expected.items():
            array: NDArray[Any] = getattr(self, name)
            if array.dtype != dtype or array.ndim != ndim:
                raise RunRecordError(
                    f"{name} is {array.dtype} with {array.ndim} dimensions; "
                    f"expected {dtype} with {ndim}"
                )
        count, classes = self.logits.shape
        if count == 0 or len(self.labels) != count or len(self.sample_ids) != count:
            raise RunRecordError(
                f"{len(self.labels)} labels, {count} rows of logits and "
                f"{len(self.sample_ids)} sample ids; expected the same number of each, at least 1"
            )
        if self.labels.min() < 0 or self.labels.max() >= classes:
            raise RunRecordError(
                f"labels from {self.labels.min()} to {self.labels.max()}; "
                f"expected 0 to {classes - 1}, one for each column of logits"
            )
        if len(np.unique(self.sample_ids)) != count:
            raise RunRecordError("sample ids occur more than once; expected every sample once")

    @property
    def predicted(self) -> NDArray[np.int64]:
        """int64 [N], the class with the largest logit."""
        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)

    def save(self, run_dir: Path, name: str = PREDICTIONS_FILE) -> None:
        """Write ``predictions.npz``, or a file of another name, into `run_dir`."""
        with written_whole(run_dir / name) as path:
            answers: dict[str, Any] = {self.called: self.logits}
            np.savez(path, labels=self.labels, sample_ids=self.sample_ids, **answers)
            seal(path)

    def save_view(self, run_dir: Path, view: str) -> None:
        """Write ``views/VIEW.npz``, the answers to a view of the test set, into `run_dir`."""
        folder = run_dir / VIEWS_FOLDER
        folder.mkdir(exist_ok=True)
        self.save(folder, f"{view}.npz")

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Read a ``predictions.npz``.

        Raises:
            RunRecordError: the file is missing, unreadable or breaks the contract.
        """
        try:
            arrays = read_npz(path)
        except ValueError as error:
            why = f"{path}: cannot be read as an .npz file without pickles ({error})"
            raise RunRecordError(why) from error
        called: Answers = "probabilities" if "probabilities" in arrays else "logits"
        names = ("labels", called, "sample_ids")
        try:
            if missing := [name for name in names if name not in arrays]:
                raise RunRecordError(f"no {', '.join(missing)}; expected {', '.join(names)}")
            return cls(arrays["labels"], arrays[called], arrays["sample_ids"], called)
        except RunRecordError as error:
            raise RunRecordError(f"{path}: {error}") from None


@dataclass
class RunRecord:
    """What was run: enough to repeat the run, and to compare it with another.

    Attributes:
        framework: "lightning" or "keras", or a name of your own.
        command: what was run: "fit" or "test".
        versions: of Python and of the libraries that computed.
        recipe: the resolved configuration, every default spelled out.
        seed: of the split, the initial weights, the order of the samples and dropout.
        data: ``name`` and ``sha256`` of the raw arrays, and how many images each part holds.
        preprocessing: what was done between the raw pixels and the network.
        history: one mapping an epoch, ``epoch`` counted from 1.
        durations: seconds, by phase.
        metrics: of the test set.
        finished: False while the run goes on, and for ever when it was cut off.
        stopped: why it ended before its time, where it lived to say so.
        provenance: which code ran, how it was called and where; None in records from before.
    """

    framework: str
    command: str
    versions: dict[str, str]
    recipe: dict[str, Any]
    seed: int
    data: dict[str, Any]
    preprocessing: dict[str, Any]
    history: list[dict[str, float]] = field(default_factory=list)
    durations: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    finished: bool = False
    schema_version: int = SCHEMA_VERSION
    stopped: str | None = None
    provenance: Provenance | None = None

    def save(self, run_dir: Path) -> None:
        """Write ``record.json`` into `run_dir`; a number that is not finite becomes null."""
        write_file(run_dir / RECORD_FILE, sealed(dataclasses.asdict(self)))

    @classmethod
    def load(cls, path: Path) -> "RunRecord":
        """Read a ``record.json``.

        Raises:
            RunRecordError: the file is missing, is not JSON, or has other keys, types or a newer
                schema. An entry of the history that was not finite is NaN again.
        """
        try:
            values = read_json(path, object)
            names = {item.name for item in dataclasses.fields(cls)}
            later = {"stopped", "provenance"}  # a record from before lacks them
            if not isinstance(values, dict) or values.get("schema_version") != SCHEMA_VERSION:
                raise RunRecordError(f"{path}: expected a run record of schema version 1")
            values = unsealed(values)
            if odd_ones := (set(values) ^ names) - (later - set(values)):
                odd = ", ".join(sorted(odd_ones))
                raise RunRecordError(f"{path}: keys missing or unknown: {odd[:200]}")
            values["history"] = known(values["history"])
            return msgspec.convert(values, cls)
        except RunRecordError:
            raise
        except ValueError as error:
            raise RunRecordError(f"{path}: {error}") from error


def first_line(error: BaseException) -> str:
    """What an error says, in a line: why a run has `stopped`."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
