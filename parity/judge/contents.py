"""What a file of numbers holds, whichever program wrote it: a table, or arrays by name."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from parity.files import MOST_ARRAYS, MOST_BYTES, opened, read_npy, read_npz
from parity.idx_files import parse_idx
from parity.judge.json_tables import read_json_table
from parity.judge.kinds import INSTEAD, kind_of
from parity.judge.packed import unpacked
from parity.judge.stored import read_hdf5, read_mat
from parity.judge.tables import Table, read_table

Arrays = dict[str, NDArray[Any]]


def arrays_in(folder: Path) -> list[Path]:
    """The arrays of NumPy that a folder keeps, one a file."""
    return sorted(folder.glob("[!.]*.npy"))[:MOST_ARRAYS]


def content_of(file: Path, most: int = MOST_BYTES) -> Table | Arrays:
    """A table; or arrays of numbers and text, of an archive or folder.

    Those of an archive have `most` bytes together; an array alone has no name.

    Raises:
        ValueError: no such file, or one that is damaged, too large, or holds other things.
    """
    if file.is_dir():  # as an .npz is, unpacked
        return {array.stem: read_npy(array) for array in arrays_in(file)}
    kind = kind_of(file)
    if kind == "packed":
        with unpacked(file) as whole:
            if kind_of(whole) == "packed":
                raise ValueError("packed twice; unpack it first")
            return content_of(whole, most)
    if kind == "json":
        return read_json_table(file)
    if kind == "text":
        return read_table(file)
    if kind == "idx":
        with opened(file) as idx:
            return {"": parse_idx(idx.read())}
    if kind == "npy":
        array = read_npy(file, fields=True)
        return {name: array[name] for name in array.dtype.names or ()} or {"": array}
    if kind == "npz":
        return read_npz(file, text=True, most=most)
    if kind == "torch":
        try:
            from parity.torch.saved import read_tensors  # takes a second to import
        except ImportError as error:
            raise ValueError(
                f"a file of torch; install torch to have it read; {INSTEAD}"
            ) from error
        try:
            return read_tensors(file)
        except ValueError as error:
            raise ValueError(f"{error}; {INSTEAD}") from error
    return read_mat(file) if kind == "mat" else read_hdf5(file)
