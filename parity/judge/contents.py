"""What a file of numbers holds, whichever program wrote it: a table, or arrays by name."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from parity.files import MOST_ARRAYS, MOST_BYTES, opened, read_npy, read_npz
from parity.idx_files import parse_idx
from parity.judge.json_tables import read_json_table, with_objects
from parity.judge.kinds import INSTEAD, kind_of
from parity.judge.names import role_of
from parity.judge.packed import unpacked
from parity.judge.stored import read_hdf5, read_mat
from parity.judge.tables import Table, read_table

Arrays = dict[str, NDArray[Any]]
ANSWERED = {"logits", "probabilities", "predictions", "scores"}
"""What the name of a file says that holds answers."""


def arrays_in(folder: Path) -> list[Path]:
    """The arrays that a folder keeps, one a file: NumPy's, or answers and labels of any kind."""
    files = sorted(file for file in folder.glob("[!.]*") if file.is_file())
    said = {file: role_of(file.stem) for file in files}
    both = "labels" in said.values() and {*said.values()} & ANSWERED
    called = {file for file in files if both and said[file] in (*ANSWERED, "labels")}
    return [file for file in files if file.suffix == ".npy" or file in called][:MOST_ARRAYS]


def _lone(file: Path) -> NDArray[Any]:
    """The one array of a file; of a table, what does not number its rows.

    Raises:
        ValueError: it holds several, or cannot be read.
    """
    content = content_of(file)
    if isinstance(content, Table):
        names = content.names or [""] * content.values.shape[1]
        rows = [n for n, name in enumerate(names) if role_of(name) in ("ids", "besides")]
        kept = [n for n in range(len(names)) if n not in rows] or rows
        texts = [content.texts[names[n]] for n in kept if names[n] in content.texts]
        return texts[0] if texts else content.values[:, kept].squeeze()
    if len(content) != 1:
        raise ValueError(f"{file.name} holds {len(content)} arrays; expected one")
    return next(iter(content.values()))


def content_of(file: Path, most: int = MOST_BYTES) -> Table | Arrays:
    """A table; or arrays of numbers and text, of an archive or folder.

    Those of an archive have `most` bytes together; an array alone has no name.

    Raises:
        ValueError: no such file, or one that is damaged, too large, or holds other things.
    """
    if file.is_dir():  # as an .npz is, unpacked
        return {array.stem: _lone(array) for array in arrays_in(file)}
    kind = kind_of(file)
    if kind == "packed":
        with unpacked(file) as whole:
            if kind_of(whole) == "packed":
                raise ValueError("packed twice; unpack it first")
            return content_of(whole, most)
    if kind == "json":
        return read_json_table(file)
    if kind == "text":
        return with_objects(read_table(file))
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
