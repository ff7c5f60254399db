"""Tables in JSON: a list of rows, an object of columns, one row a line, or only numbers."""

import ast
import codecs
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from parity.files import MOST_JSON_BYTES, opened
from parity.judge.cells import items, value, without_types
from parity.judge.elimination import of_the_test
from parity.judge.kinds import INSTEAD
from parity.judge.names import role_of, words_of
from parity.judge.printed import is_printed, printed
from parity.judge.tables import Table, are_names, is_kept

Columns = dict[str, list[Any]]
BOXES = frozenset({"bbox", "bboxes", "box", "boxes"})
DECODER = msgspec.json.Decoder()


def read_json_table(path: Path) -> Table:
    """Read the columns of a JSON file; single values beside them, such as a loss, are left out.

    Raises:
        ValueError: the file cannot be read, is no JSON, or holds no table.
    """
    with opened(path, MOST_JSON_BYTES) as file:
        said = _decoded(file.read().removeprefix(codecs.BOM_UTF8))
    if isinstance(said, list) and said and not isinstance(said[0], dict):
        if _by_class(said) is None:
            return Table(None, _array("the list", said))
        said = {"scores": said}
    return _table(of_the_test(_flattened(_readable(_columns(said)))))


def with_objects(table: Table) -> Table:
    """A table of text whose cells may be lists or objects, as Python or JSON write them."""
    said = {name: _objects(text) for name, text in table.texts.items()}
    if not any(said.values()):
        return table
    columns = {n: said.get(n) or table.column(n).tolist() for n in table.names or []}
    return _table(_flattened(_readable(columns)))


def _objects(texts: NDArray[np.str_]) -> list[Any] | None:
    """What cells hold that are all lists of numbers, objects, or lists of them."""
    lists = [items(text) for text in texts.tolist()]
    if None not in lists:
        return lists
    if not all(text.startswith(("{", "[{")) for text in texts):
        return None
    try:
        return [ast.literal_eval(without_types(text)) for text in texts]
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _table(columns: Columns) -> Table:
    """Columns of numbers and text.

    Raises:
        ValueError: they are no table.
    """
    if set(columns) == {"label", "score"}:  # as pipelines give the likeliest class alone
        columns = {"prediction": columns["label"]}
    names: list[str] = []
    arrays: list[NDArray[np.float64]] = []
    for name, cells in columns.items():
        array = _array(name, cells)
        several = array.shape[1] > 1
        names += [f"{name}_{n}" for n in range(array.shape[1])] if several else [name]
        arrays.append(array)
    if not arrays or not len(arrays[0]) or len({len(array) for array in arrays}) > 1:
        raise ValueError(f"JSON; {INSTEAD}")
    texts = {
        name: np.array(cells) for name, cells in columns.items()
        if is_kept(name) and all(isinstance(cell, str) for cell in cells) and are_names(name, cells)
        and any(value(cell) is None for cell in cells)
    }  # fmt: skip
    return Table(names, np.concatenate(arrays, axis=1), texts)


def _readable(columns: Columns) -> Columns:
    """With objects by class as one, and without others where the answer stands beside them.

    Raises:
        ValueError: there are boxes of objects.
    """
    if boxes := [name for name in columns if words_of(name) & BOXES]:
        raise ValueError(f"{boxes[0]}: objects that were found; expected an answer to each image")
    left = {
        name: cells for name, cells in columns.items()
        if not any(isinstance(c, list) and any(isinstance(e, dict) for e in c) for c in cells)
    }  # fmt: skip
    if "predictions" in {role_of(name) for name in left}:
        return left
    return {name: _by_class(cells) or cells for name, cells in columns.items()}


def _by_class(cells: list[Any]) -> list[Any] | None:
    """Of lists of classes with their scores, as pipelines give them: objects of scores by class.

    Where some classes are left out, the likeliest; None of other cells.
    """
    if not all(isinstance(rows, list) and all(isinstance(r, dict) for r in rows) for rows in cells):
        return None
    if not all(rows and set(row) == {"label", "score"} for rows in cells for row in rows or [{}]):
        return None
    scores = [{str(row["label"]): _number(row["score"]) for row in rows} for rows in cells]
    numbers = {value(name) for name in scores[0]}
    complete = None in numbers or numbers == set(range(len(numbers)))
    if complete and len(scores[0]) > 1 and all(row.keys() == scores[0].keys() for row in scores):
        return [dict(sorted(row.items())) for row in scores]
    return [max(row, key=row.__getitem__) for row in scores]


def _flattened(columns: Columns) -> Columns:
    """With a column NAME_KEY for each key of objects that all have the same."""
    flat: Columns = {}
    for name, cells in columns.items():
        if not all(isinstance(cell, dict) and cell.keys() == cells[0].keys() for cell in cells):
            flat[name] = cells
            continue
        flat |= {f"{name}_{key}": [cell[key] for cell in cells] for key in cells[0]}
    return flat


def _decoded(content: bytes) -> Any:
    try:
        return DECODER.decode(content)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None
    except ValueError:
        pass
    try:
        if b"NaN" in content or b"Infinity" in content:  # which Python writes, and JSON has not
            lines = content.splitlines() if content.startswith(b"{") else [content]
            rows = [json.loads(line) for line in lines if line]
            return rows if len(rows) > 1 else rows[0]
        return DECODER.decode_lines(content)
    except (ValueError, RecursionError) as error:
        if is_printed(content[:200].decode("utf-8", "replace")) and b"{" not in content[:2]:
            return printed(content.decode("utf-8", "replace"))
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
    if (by_image := _by_image(said)) is not None:
        return by_image
    found = {name: _listed(values) for name, values in said.items()}
    columns = {name: values for name, values in found.items() if values is not None}
    inner = [values for values in said.values() if isinstance(values, dict)]
    if inner and not columns and not within:  # beside what is said of the model
        parts = of_the_test({name: values for name, values in said.items() if values in inner})
        if len(parts) == 1:
            return _columns(*parts.values(), within=True)
    rows = list(columns.values())
    if len(rows) == 1 and rows[0] and all(isinstance(row, dict) for row in rows[0]):
        return _columns(rows[0])
    return columns


def _by_image(said: dict[str, Any]) -> Columns | None:
    """Answers by the image that they are to; None of other objects.

    Images are files, or as many as make numbers of classes, or of columns, unlikely.
    """
    answers = list(said.values())
    files = all(re.search(r"\.[A-Za-z]{2,5}$", key) for key in said)
    alike = len({re.sub(r"\d+", "0", key) for key in said}) == 1
    if len(said) < 3 or not (files or (alike and re.search(r"\d", next(iter(said))))):
        return None
    ids = {"id": list(said)}
    if all(isinstance(answer, dict) for answer in answers):
        rows = _columns(answers) if len({tuple(answer) for answer in answers}) == 1 else {}
        called = all(role_of(name) is not None for name in rows)
        return ids | rows if rows and called and not any(n.isdecimal() for n in rows) else None
    if all(isinstance(answer, list) for answer in answers):
        several = files or len(said) > max(map(len, answers))
        return ids | {"scores": answers} if several else None
    whole = all(isinstance(answer, int) and 0 <= answer < len(said) for answer in answers)
    named = all(isinstance(answer, str) for answer in answers)
    if not (whole or named) or len(set(map(str, answers))) == len(answers):
        return None
    return ids | {"prediction": answers}


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
