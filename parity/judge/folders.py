"""The arrays of a data set: of one file, of a folder of files or pictures, of a packed folder."""

import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from parity.arrays import Array
from parity.errors import line_of
from parity.files import MOST_ARRAYS, MOST_EXPECTED_BYTES
from parity.judge.contents import content_of
from parity.judge.image_files import pixels_of
from parity.judge.kinds import ArchiveError
from parity.judge.names import CLASSES, LABELS, TRUTH, names_images, words_of
from parity.judge.tables import Table
from parity.picture_files import FORMATS, open_picture

PARTS = {
    "train": r"train|\.tra$", "test": r"test|t10k|\.tes$", "val": r"val(id|$|[^a-z])|\bdev",
}  # fmt: skip
MOST_FILES = 200_000
"""Of an archive: a data set of pictures."""


def arrays_of(path: Path) -> dict[str, Array]:
    """The arrays of a file, a folder or an archive, by file and name.

    Raises:
        ValueError: nothing can be read.
    """
    if path.is_dir():
        return _of_folder(path)
    try:
        return _of_file(path)
    except ArchiveError:
        with _extracted(path) as folder:
            return _of_folder(folder)


def part_of(name: str) -> str:
    """What a name, or else its file or folder, says: train, test, val or nothing."""
    for piece in reversed(name.lower().split("/")):
        said = [part for part, words in PARTS.items() if re.search(words, piece)]
        if len(said) == 1:
            return said[0]
    return ""


def called_labels(name: str) -> bool:
    """Whether an array is called so by its own name, or by that of its file."""
    own = name.rpartition("/")[2] or Path(name.rstrip("/")).stem
    return bool(words_of(own) & (LABELS | TRUTH | CLASSES))


@contextmanager
def _extracted(path: Path) -> Iterator[Path]:
    """A temporary folder of what an archive holds, of zip or tar.

    Raises:
        ValueError: it is damaged, encrypted, or holds too much.
    """
    with TemporaryDirectory() as folder:
        try:
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as packed:
                    _check(member.file_size for member in packed.infolist())
                    packed.extractall(folder)  # noqa: S202 - which leaves out ".."
            else:
                with tarfile.open(path) as packed:
                    _check(member.size for member in packed)
                    packed.extractall(folder, filter="data")
        except Exception as error:  # zipfile, tarfile and zlib raise a dozen kinds
            raise ValueError(f"cannot be unpacked ({line_of(error)}); unpack it first") from error
        yield Path(folder)


def _check(sizes: Iterator[int]) -> None:
    for count, size in enumerate(accumulate(sizes)):
        if size > MOST_EXPECTED_BYTES or count == MOST_FILES:
            limits = f"{MOST_EXPECTED_BYTES:,} bytes or {MOST_FILES:,} files"
            raise ValueError(f"an archive of more than {limits}")


def _of_file(file: Path) -> dict[str, Array]:
    """The arrays of a file by name; of a table its pixels and what else it has."""
    content = content_of(file, MOST_EXPECTED_BYTES)
    if not isinstance(content, Table):
        return content
    if content.values.shape[1] == 1:  # the labels of images in another file
        return {"": next(iter(content.texts.values()), content.values[:, 0])}
    images, others = pixels_of(content)
    names = content.names or [""] * content.values.shape[1]
    beside = {names[n]: content.texts.get(names[n], content.values[:, n]) for n in others}
    if len(beside) > 1:  # the numbers of rows count, or mean nothing
        beside = {name: a for name, a in beside.items() if called_labels(name)}
    arrays = {"images": images, **beside}
    for text in content.texts.values():
        if len(parts := {*(said := [part_of(t) for t in text.tolist()])} - {""}) > 1:
            rows = np.array(said)
            return {f"{p}/{n}": a[rows == p] for p in sorted(parts) for n, a in arrays.items()}
    return arrays


def _of_folder(folder: Path) -> dict[str, Array]:
    """The arrays of all files in it, by file and name; or its pictures, by folder."""
    Image.init()
    found = sorted(p for p in folder.rglob("[!.]*") if p.is_file() and "__MACOSX" not in p.parts)
    pictures = [p for p in found if Image.EXTENSION.get(p.suffix.lower()) in FORMATS]
    if pictures:
        return _of_pictures(pictures, folder, _said_in([*{*found} - {*pictures}]))
    if not 0 < len(found) <= MOST_ARRAYS:
        raise ValueError(f"a folder of {len(found):,} files")
    arrays: dict[str, Array] = {}
    for file in found:
        name = str(file.relative_to(folder))
        try:
            read = _of_file(file).items()
        except ValueError as error:
            if part_of(name):  # a README, or a submission, says nothing of images
                raise ValueError(f"{name}: {error}") from error
            continue
        for own, array in read:
            part = part_of(f"{name}/{own}")
            again = (np.array_equal(array, a) for n, a in arrays.items() if part_of(n) == part)
            if not any(again):  # some sets hold each file twice
                arrays[f"{name}/{own}"] = array
    return arrays


def _said_in(files: Sequence[Path]) -> dict[tuple[str, str], str]:
    """The class of each picture by part and name, with or without its ending, of tables."""
    said: dict[tuple[str, str], str] = {}
    for file in files:
        table = None
        with suppress(ValueError):  # a README
            table = content_of(file)
        if not isinstance(table, Table) or table.names is None:
            continue
        columns = {name: table.column(name) for name in table.names}
        labels = [a for n, a in columns.items() if called_labels(n) and (a[1:] != a[0]).any()]
        names = [a for n, a in columns.items() if names_images(n) and len({*a}) == len(a)]
        if len(labels) == len(names) == 1:
            each = (map(str, a if a.dtype.kind in "US" else a.astype(int)) for a in names + labels)
            said |= {(part_of(file.name), Path(n).name): c for n, c in zip(*each, strict=True)}
    return said


def _of_pictures(
    pictures: Sequence[Path], folder: Path, said: Mapping[tuple[str, str], str]
) -> dict[str, Array]:
    """Grey levels of pictures by part, whose classes their folders are called by, or a table.

    Raises:
        ValueError: pictures of several sizes.
    """
    arrays: dict[str, list[Array]] = {}
    labels: dict[str, list[str]] = {}
    of_all = all(("", file.name) in said or ("", file.stem) in said for file in pictures)
    for file in pictures:
        part = part_of(str(file.parent.relative_to(folder)))
        parts = (part, "") if of_all else (part,)  # of some alone it may be a submission
        keys = [(p, n) for p in parts for n in (file.name, file.stem)]
        label = next((said[key] for key in keys if key in said), file.parent.name)
        with open_picture(file) as picture:
            arrays.setdefault(f"{part}/images", []).append(np.asarray(picture.convert("L")))
        labels.setdefault(f"{part}/labels", []).append(label)
    if any(len({image.shape for image in images}) > 1 for images in arrays.values()):
        raise ValueError("pictures of several sizes")
    several = {name: said for name, said in labels.items() if len({*said}) > 1}
    return {name: np.array(each) for name, each in (arrays | several).items()}  # one folder: none
