"""Arrays in files of HDF5 and MATLAB, and what else lies there."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from parity.judge.loading import load_run
from parity.run_record import RunRecordError
from tests.parity.judge.test_foreign_files import ANSWERS, LABELS, LOGITS, SHARES


def hdf5(path: Path, **arrays: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name.replace("__", "/")] = array
    return path


def mat(path: Path, **arrays: Any) -> Path:
    savemat(path, arrays, do_compression=True)
    return path


def mat_7_3(path: Path, **arrays: Any) -> Path:
    """As MATLAB writes it: columns first, its own words before the HDF5."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file[name] = np.atleast_2d(array).T
    path.write_bytes(b"MATLAB 7.3 MAT-file" + path.read_bytes()[19:])
    return path


@pytest.mark.parametrize(("write", "arrays"), [
    (hdf5, {"y_true": LABELS, "y_pred": SHARES}),
    (hdf5, {"test__labels": LABELS, "test__logits": LOGITS, "train__labels": LABELS[1:],
            "train__logits": LOGITS[1:]}),
    (mat, {"labels": LABELS, "scores": LOGITS, "net": "mlp", "loss": 0.2}),
    (mat, {"YTest": LABELS[:, None], "YPred": ANSWERS[:, None].astype(np.uint8)}),
    (mat_7_3, {"labels": LABELS, "scores": SHARES}),
    # counted from 1, and a column an image, as MATLAB has them
    (mat, {"YTest": LABELS[:, None] + 1, "YPred": ANSWERS[:, None] + 1, "scores": SHARES}),
    (mat, {"scores": LOGITS, "labels": LABELS + 1}),
    (mat, {"outputs": SHARES.T, "targets": np.eye(10)[LABELS].T}),
])  # fmt: skip
def test_arrays_are_read_by_name(write: Any, arrays: dict[str, Any], tmp_path: Path) -> None:
    run = load_run(write(tmp_path / "theirs", **arrays))
    np.testing.assert_array_equal(run.predicted, ANSWERS)
    np.testing.assert_array_equal(run.labels, LABELS)


def weights(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["dense"]
        file["dense/kernel"] = LOGITS


def of_pandas(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("df").attrs["pandas_type"] = "frame"


def large(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("logits", (10**9, 10), chunks=(10**4, 10), compression="gzip")


def elsewhere(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("labels", (9,), "u1", external=[("/etc/passwd", 0, 9)])
        file["logits"] = h5py.ExternalLink("/etc/passwd", "/logits")


def cut(path: Path) -> None:
    path.write_bytes(mat(path, labels=LABELS, scores=LOGITS).read_bytes()[:400])


@pytest.mark.parametrize(("write", "said"), [
    (weights, "weights that Keras has written, without their model: give the program"),
    (of_pandas, "a table of pandas in HDF5; save it by to_csv"),
    (large, "bytes of arrays; expected at most"),
    (elsewhere, "labels is not within the file"),
    (cut, "a damaged file of MATLAB"),
    (lambda path: mat(path, results={"labels": LABELS}), "results is a struct; in MATLAB, save"),
])  # fmt: skip
def test_what_holds_no_answers_is_refused_for_what_it_is(
    write: Any, said: str, tmp_path: Path
) -> None:
    write(tmp_path / "theirs")
    with pytest.raises(RunRecordError, match=said):
        load_run(tmp_path / "theirs")


def test_json_as_python_writes_what_is_not_finite(tmp_path: Path) -> None:
    rows = [[float("nan")] * 3, [float("inf"), 0.0, 1.0], [0.5, 2.0, 1.0]]
    (tmp_path / "theirs.json").write_text(json.dumps({"labels": [0, 1, 1], "logits": rows}))
    assert load_run(tmp_path / "theirs.json").broken == 2
