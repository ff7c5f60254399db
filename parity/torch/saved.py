"""What people keep of a model's answers by ``torch.save``, or in safetensors, as arrays by name."""

import codecs
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load
from torch import Tensor

from parity.errors import line_of
from parity.files import MOST_ARRAYS, MOST_BYTES, MOST_JSON_BYTES, NUMBERS, opened

WEIGHTS = re.compile(r"(?:^|[./])bias$|\.weight$")
"""How modules call their own tensors."""
BEHIND = "give the program that builds the model before the file, as MODULE:FUNCTION@FILE"


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Tensors and lists, by the last part of their names where it is one's alone.

    Nothing but tensors and plain values is read (``weights_only``). Lists of tensors are batches,
    one after the other; tensors in a list of two or more things have no names but their places.

    Raises:
        ValueError: it is damaged, too large, a model, weights, or needs code to be read.
    """
    with opened(path) as file:
        packed = file.read(2) == b"PK"
    try:
        found = dict(_flattened("", _unpacked(path) if packed else load(path.read_bytes()), set()))
    except Exception as error:  # zipfile, pickle and safetensors raise a dozen kinds
        raise ValueError(_refusal(error)) from error
    if any(map(WEIGHTS.search, found)):
        raise ValueError(f"the weights of a model, which are no answers; {BEHIND}")
    if len(found) > MOST_ARRAYS:
        raise ValueError(f"{len(found):,} tensors; expected at most {MOST_ARRAYS}")
    last = [name.rpartition("/")[2] for name in found]
    return {
        name if last.count(name) == 1 else full: array
        for name, (full, array) in zip(last, found.items(), strict=True)
    }


def _unpacked(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        size = sum(member.file_size for member in members)
        plain = sum(m.file_size for m in members if m.filename.endswith("data.pkl"))
        if size > MOST_BYTES or plain > MOST_JSON_BYTES:
            raise ValueError(f"{size:,} bytes, {plain:,} of them no tensors; expected less")
        if (damaged := archive.testzip()) is not None:  # torch does not look at the checksums
            raise ValueError(f"damaged: the checksum of {damaged} differs")
    with torch.serialization.safe_globals(_arrays_of_numpy()):
        return torch.load(path, map_location="cpu", weights_only=True)


def _arrays_of_numpy() -> list[Any]:
    """What NumPy's arrays of numbers are made of, by the names that NumPy 1 and 2 write."""
    rebuild, encode = np.zeros(0).__reduce__()[0], codecs.encode
    types = {type(np.dtype(code)) for code in np.typecodes["AllInteger"] + "?efd"}
    former = [(rebuild, "numpy.core.multiarray._reconstruct")]
    return [*types, *former, rebuild, np.ndarray, np.dtype, encode]


def _refusal(error: Exception) -> str:
    if isinstance(error, UnpicklingError):
        return (
            "a model, or other objects than tensors, which only code could read; keep tensors: "
            "torch.save({'logits': ..., 'labels': ...}, 'predictions.pt'), or, of a model, its "
            f"state_dict(): {BEHIND}"
        )
    said = line_of(error)
    return said if isinstance(error, ValueError) else f"tensors that cannot be read ({said})"


def _flattened(name: str, said: Any, seen: set[int]) -> Iterator[tuple[str, NDArray[Any]]]:
    if isinstance(said, dict) and id(said) not in seen:  # a few bytes can be many of the same
        seen.add(id(said))
        for key, value in said.items():
            yield from _flattened(f"{name}/{key}" if name else str(key), value, seen)
    elif isinstance(said, Tensor):
        yield name, _array(said)
    elif isinstance(said, np.ndarray) and said.dtype.kind in NUMBERS:
        yield name, said
    elif isinstance(said, list | tuple) and said:
        if not name and len({type(each) for each in said}) == 1 and len(said) > 1:
            said = _by_part(said)
        if isinstance(said, dict):
            yield from _flattened(name, said, seen)
        elif (whole := _whole(said, named=bool(name))) is not None:
            yield name, whole
        elif not name:
            for place, value in enumerate(said):
                yield from _flattened(f"arr_{place}", value, seen)


def _by_part(said: list[Any] | tuple[Any, ...]) -> Any:
    """Batches of several parts each, as (logits, labels), as the batches of each part by name."""
    if isinstance(said[0], dict) and len({tuple(batch) for batch in said}) == 1:
        return {key: [batch[key] for batch in said] for key in said[0]}
    if isinstance(said[0], list | tuple) and len({len(batch) for batch in said}) == 1:
        return {f"arr_{n}": [batch[n] for batch in said] for n in range(len(said[0]))}
    return said


def _whole(said: list[Any] | tuple[Any, ...], *, named: bool) -> NDArray[Any] | None:
    """A list of numbers, of text, or of batches, as one array; None of other lists.

    Raises:
        ValueError: batches of one size that have no name, and may be answers of several models.
    """
    if all(isinstance(each, Tensor) for each in said):
        batches = [_array(each) for each in said]
        if all(each.ndim == 0 for each in batches):
            return np.array(batches)
        sizes = [len(each) if each.ndim else 0 for each in batches]
        alike = len({each.shape[1:] for each in batches}) == 1
        full = len(set(sizes[:-1])) == 1 and 0 < sizes[-1] <= sizes[0]
        if not (alike and full and (named or len(sizes) > 2)):
            return None
        if not named and sizes[-1] == sizes[0]:
            raise ValueError(
                f"{len(sizes)} tensors of shape {batches[0].shape}: batches, or answers of several "
                "models? give torch.cat of batches"
            )
        return np.concatenate(batches)
    kinds = {type(each) for each in said}
    return np.array(said) if kinds <= {int, float, bool} or kinds == {str} else None


def _array(tensor: Tensor) -> NDArray[Any]:
    """Of any type NumPy has; of half precision as float32.

    Raises:
        ValueError: it is not dense, or claims to be larger than its bytes.
    """
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
        raise ValueError(f"a tensor of type {tensor.dtype}, {tensor.layout}; expected plain ones")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueError(f"a tensor of shape {tuple(tensor.shape)}, which holds less than that")
    known = tensor.detach()
    return np.asarray((known.float() if known.dtype == torch.bfloat16 else known).numpy())
