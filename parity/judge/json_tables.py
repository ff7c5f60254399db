"""Tables in JSON: a list of rows, an object of columns, one row a line, or only numbers."""

import codecs
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from parity.files import MOST_JSON_BYTES, opened
from parity.judge.cells import value
from parity.judge.kinds import INSTEAD
from parity.judge.tables import Table

Columns = dict[str, list[Any]]
DECODER = msgspec.json.Decoder()


def read_json_table(path: Path) -> Table:
    """Read the columns of a JSON file; single values beside them, such as a loss, are left out.

    Raises:
        ValueError: the file cannot be read, is no JSON, or holds no table.
    """
    with opened(path, MOST_JSON_BYTES) as file:
        said = _decoded(file.read().removeprefix(codecs.BOM_UTF8))
    if isinstance(said, list) and said and not isinstance(said[0], dict):
        return Table(None, _array("the list", said))
    columns = _columns(said)
    names: list[str] = []
    arrays: list[NDArray[np.float64]] = []
    for name, cells in columns.items():
        array = _array(name, cells)
        several = array.shape[1] > 1
        names += [f"{name}_{n}" for n in range(array.shape[1])] if several else [name]
        arrays.append(array)
    if not arrays or not len(arrays[0]) or len({len(array) for array in arrays}) > 1:
        raise ValueError(f"JSON; {INSTEAD}")
    return Table(names, np.concatenate(arrays, axis=1))


def _decoded(content: bytes) -> Any:
    try:
        return DECODER.decode(content)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None
    except ValueError:
        pass
    try:
        return DECODER.decode_lines(content)
    except (ValueError, RecursionError) as error:
        what = "JSON, or an array as it is printed"
        raise ValueError(f"{what}, that cannot be read ({error}); {INSTEAD}") from error


def _columns(said: Any, *, within: bool = False) -> Columns:
    """By name, of any of the forms that pandas and others write."""
    if isinstance(said, list):
        names = list(said[0]) if said else []
        if any(not isinstance(row, dict) or list(row) != names for row in said):
            raise ValueError(f"JSON of rows that are not alike; {INSTEAD}")
        return {name: [row[name] for row in said] for name in names}
    if not isinstance(said, dict):
        raise ValueError(f"JSON; {INSTEAD}")
    if isinstance(said.get("columns"), list) and isinstance(said.get("data"), list):
        rows = [row for row in said["data"] if isinstance(row, list)]
        return {
            str(name): [row[n] for row in rows]
            for n, name in enumerate(said["columns"])
            if all(n < len(row) for row in rows)
        }
    found = {name: _listed(values) for name, values in said.items()}
    columns = {name: values for name, values in found.items() if values is not None}
    inner = [values for values in said.values() if isinstance(values, dict)]
    if len(inner) == 1 and not columns and not within:
        return _columns(inner[0], within=True)  # beside what is said of the model
    rows = list(columns.values())
    if len(rows) == 1 and rows[0] and all(isinstance(row, dict) for row in rows[0]):
        return _columns(rows[0])
    return columns


def _listed(values: Any) -> list[Any] | None:
    """A column as a list, or by the numbers of its rows; None where it is none."""
    if isinstance(values, dict) and values and all(key.isdecimal() for key in values):
        return list(values.values())
    return values if isinstance(values, list) else None


def _array(name: str, cells: list[Any]) -> NDArray[np.float64]:
    """Float64 [N, K] of cells that are numbers, names of classes, or lists of K numbers.

    Raises:
        ValueError: lists of several lengths, or of other things.
    """
    rows = [_row(cell) for cell in cells]
    if len({len(row) for row in rows}) > 1:
        raise ValueError(
            f"JSON: {name[:100]} has rows of {min(map(len, rows))} to "
            f"{max(map(len, rows))} values; expected as many in each"
        )
    return np.array(rows, np.float64).reshape(len(rows), -1)


def _row(cell: Any) -> list[float]:
    while isinstance(cell, list) and len(cell) == 1:
        cell = cell[0]
    if isinstance(cell, list) and any(isinstance(each, list | dict) for each in cell):
        what = "objects" if any(isinstance(each, dict) for each in cell) else "lists"
        raise ValueError(
            f"JSON of {what} within lists, as of batches, or of classes by rank; expected one list "
            "of numbers an image, in the order of the classes"
        )
    return [_number(each) for each in cell] if isinstance(cell, list) else [_number(cell)]


def _number(cell: Any) -> float:
    """NaN of what is missing, or text."""
    if isinstance(cell, bool | int | float):
        return float(cell)
    said = value(cell) if isinstance(cell, str) else None
    return np.nan if said is None else said
