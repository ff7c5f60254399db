"""Arrays as HDF5 and MATLAB store them, by name; text and objects are left out."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from scipy.io import loadmat, whosmat

from parity.errors import line_of
from parity.files import MOST_ARRAYS, MOST_BYTES, NUMBERS, opened
from parity.judge.kinds import HDF5_OF_MATLAB, INSTEAD

Arrays = dict[str, NDArray[Any]]
MATLAB_NUMBERS = {
    "double", "single", "logical", *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64))
}  # fmt: skip
OF_KERAS = {"layer_names", "keras_version", "model_config"}
"""Attributes of models and weights in HDF5."""


class _RefusedError(Exception):
    """What is wrong with a file that is not damaged."""


def read_mat(path: Path) -> Arrays:
    """The arrays of a MATLAB file up to version 7, columns and rows of one as [N].

    Raises:
        ValueError: it is damaged, too large, or holds no arrays of numbers.
    """
    opened(path).close()
    try:
        said = whosmat(path)
        shapes = {name: shape for name, shape, kind in said if kind in MATLAB_NUMBERS}
        if said and not shapes:
            raise _RefusedError(
                f"{said[0][0]} is a {said[0][2]}; in MATLAB, save(file, '-struct', 'name') keeps "
                "the fields of a struct, and double(x) gives classes as numbers"
            )
        _check({name: 8 * math.prod(shape) for name, shape in shapes.items()})
        found = loadmat(path, variable_names=list(shapes))
    except _RefusedError as refusal:
        raise ValueError(str(refusal)) from None
    except Exception as error:  # SciPy raises a dozen kinds on damaged files
        raise ValueError(f"a damaged file of MATLAB ({line_of(error)})") from error
    return {name: _column(found[name]) for name in shapes if found[name].dtype.kind in NUMBERS}


def read_hdf5(path: Path) -> Arrays:
    """The arrays of an HDF5 file, by the last part of their names where it is one array's alone.

    Raises:
        ValueError: it is damaged, too large, a model or a table of pandas, or holds no arrays of
            numbers; or h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise ValueError(f"an HDF5 file; install h5py to have it read, or {INSTEAD}") from error
    with opened(path) as file:
        transposed = file.read(len(HDF5_OF_MATLAB)) == HDF5_OF_MATLAB
    found: dict[str, Any] = {}

    def visit(name: str, thing: Any) -> None:
        if "pandas_type" in thing.attrs:
            raise _RefusedError("a table of pandas in HDF5; save it by to_csv")
        if isinstance(thing, h5py.Dataset) and thing.dtype.kind in NUMBERS and thing.shape:
            if thing.external or thing.is_virtual:
                raise _RefusedError(f"{name} is not within the file")
            found[name] = thing

    try:
        with h5py.File(path, "r") as whole:
            if OF_KERAS & set(whole.attrs) or {"layers", "model_weights"} & set(whole):
                raise _RefusedError(
                    "weights that Keras has written, without their model: give the program that "
                    f"builds it before the file, as MODULE:FUNCTION@FILE, or {INSTEAD}"
                )
            whole.visititems(visit)
            _check({name: thing.nbytes for name, thing in found.items()})
            last = [name.rpartition("/")[2] for name in found]
            arrays = {n if last.count(n) == 1 else name: found[name][()]
                      for n, name in zip(last, found, strict=True)}  # fmt: skip
    except _RefusedError as refusal:
        raise ValueError(str(refusal)) from None
    except Exception as error:  # h5py raises a dozen kinds on damaged files
        raise ValueError(f"a damaged HDF5 file ({line_of(error)})") from error
    return {name: _column(a.T) if transposed else a for name, a in arrays.items()}


def has_model(path: Path) -> bool:
    """Whether it is an HDF5 file in which Keras keeps a whole model, its layers and weights."""
    try:
        import h5py

        with opened(path, 2**62) as file, h5py.File(file, "r") as whole:
            return "model_config" in whole.attrs
    except Exception:  # of another kind, or damaged: `read_hdf5` says so
        return False


def _check(sizes: Mapping[str, int]) -> None:
    if not sizes:
        raise _RefusedError("no arrays of numbers in it")
    if len(sizes) > MOST_ARRAYS:
        raise _RefusedError(f"{len(sizes):,} arrays; expected at most {MOST_ARRAYS}")
    if (size := sum(sizes.values())) > MOST_BYTES:
        raise _RefusedError(f"{size:,} bytes of arrays; expected at most {MOST_BYTES:,}")


def _column(array: NDArray[Any]) -> NDArray[Any]:
    """A vector, which MATLAB knows as a matrix only."""
    return array.reshape(-1) if array.ndim == 2 and 1 in array.shape else array
