"""Which kind of file is it? By its content, since names lie; what holds no predictions is named."""

import codecs
import re
import zipfile
from pathlib import Path
from typing import Literal

from parity.files import NPY, NPZ, opened
from parity.idx_files import is_idx
from parity.judge.printed import is_printed

Kind = Literal["npy", "npz", "torch", "hdf5", "mat", "json", "packed", "text", "idx"]

INSTEAD = (
    "save what the model answers to the test images, in file order: "
    "np.savez('predictions.npz', labels=..., logits=...)"
)
BY_PANDAS = ", which pandas reads and its to_csv makes a table of"
HDF5, MATLAB = b"\x89HDF\r\n\x1a\n", b"MATLAB "
HDF5_OF_MATLAB = b"MATLAB 7.3"
"""Written by MATLAB, HDF5 begins so; its arrays lie the other way round."""
HEADS = {
    **dict.fromkeys(
        (b"\x80", b"(dp", b"(lp", b"cnumpy"),  # of every protocol
        "a pickle, which is never opened here, since it could run code",
    ),
    b"PAR1": f"a Parquet file{BY_PANDAS}",
    b"\xd0\xcf\x11\xe0": "a workbook or document of Microsoft Office",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"%PDF": "a PDF",
    b"ARROW1": f"a Feather file{BY_PANDAS}",
    b"version https://git-lfs": "a pointer of Git LFS, and not the file: git lfs pull fetches it",
    b"<": "HTML or XML",
    b"SQLite format 3": "a database of SQLite",
    b"7z\xbc\xaf": "an archive of 7-Zip",
    b"Rar!": "an archive of RAR",
    **dict.fromkeys((b"RDX", b"X\n\0\0\0"), "data of R, of which R's own write.csv makes a table"),
}
"""What a file is that begins with these bytes."""
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
ZSTD = b"(\xb5/\xfd"
MEMBERS = {
    "constants.pkl": "a TorchScript model",
    "model.weights.h5": "a model that Keras has written",
    "xl/workbook.xml": "an Excel workbook; in Excel, save it as CSV",
}
"""What an archive is that has a file of this name, in whatever folder."""


class ArchiveError(ValueError):
    """An archive of several files, which may be a packed folder."""


def kind_of(path: Path) -> Kind:
    """How to read a file.

    Raises:
        ValueError: no such file, or a file that holds no predictions; the message says what it is
            and what to do instead.
    """
    with opened(path, most=2**62) as file:  # a model may be large, and is not read
        head = file.read(270)
    if not head:
        raise ValueError(f"empty; {INSTEAD}")
    if head.startswith(NPY):
        return "npy"
    if head.startswith(NPZ):
        return _archive(path)
    if head.startswith(tuple(PACKED)):
        return "packed"
    if head.startswith(ZSTD):
        raise ValueError("compressed by zstd; unpack it first")
    if head[257:262] == b"ustar":
        raise ArchiveError("an archive of tar; unpack it first")
    if is_idx(head):
        return "idx"
    if head.startswith((HDF5, HDF5_OF_MATLAB)):
        return "hdf5"
    if head.startswith(MATLAB):
        return "mat"
    for start, what in HEADS.items():
        if head.startswith(start):
            raise ValueError(f"{what}; {INSTEAD}")
    if head[3:8] == bytes(5) and head[:3] != bytes(3) and head[8:9] != b"{":
        raise ValueError(f"records of TensorFlow (TFRecord) or a log of TensorBoard; {INSTEAD}")
    if head[8:9] == b"{" and head[5:8] == b"\0\0\0":
        return "torch"  # tensors in safetensors
    begin = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if re.match(rb"\[[^\[\]]*\][ \t]*[A-Za-z]", begin):  # "[1/300] predicted: 3", a line of a log
        return "text"
    said = begin.startswith((b"{", b"[")) or is_printed(begin.decode("utf-8", "replace"))
    return "json" if said else "text"


def _archive(path: Path) -> Literal["npz", "torch", "packed"]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception as error:  # damaged archives raise a dozen kinds
        raise ValueError(f"damaged: its list of contents cannot be read ({error})") from error
    for name in names:
        if (what := MEMBERS.get(name) or MEMBERS.get(name.rpartition("/")[2])) is not None:
            raise ValueError(f"{what}; {INSTEAD}")
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    if any(name.endswith("/data.pkl") for name in names):
        return "torch"
    if "mimetype" in names and "content.xml" in names:
        raise ValueError("a spreadsheet or text of OpenDocument; save the sheet as CSV")
    if len([name for name in names if counts(name)]) == 1:
        return "packed"
    some = f" ({', '.join(names)[:200]}): unpack it first" if names else ""
    raise ArchiveError(f"an archive of other files than arrays{some}; {INSTEAD}")


def counts(name: str) -> bool:
    """Whether a member of an archive is a file of a user's, not a folder or of macOS."""
    return not name.endswith(("/", ".DS_Store")) and not name.startswith("__MACOSX/")
