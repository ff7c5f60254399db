"""JSON files of ours: numbers that JSON has no word for, and a SHA-256 of what they say."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from parity.writing import write_file

SHA256 = "sha256"
"""The key of a file's own SHA-256, the last."""


def sealed(values: dict[str, Any]) -> str:
    """JSON of a mapping, with the SHA-256 of what it says; numbers that are not finite are null."""
    plain = json.loads(json.dumps(finite(values), allow_nan=False))
    return json.dumps(plain | {SHA256: _digest(plain)}, indent=2) + "\n"


def write_json(path: Path, values: Any) -> None:
    """Write a file for other programs; numbers that are not finite are null."""
    write_file(path, json.dumps(finite(values), indent=2, allow_nan=False) + "\n")


def unsealed(values: dict[str, Any]) -> dict[str, Any]:
    """What was `sealed`, read again; a file of another program's has no seal.

    Raises:
        ValueError: it has changed since it was written.
    """
    values = dict(values)
    if SHA256 in values and values.pop(SHA256) != _digest(values):
        raise ValueError("damaged, or changed by hand: its SHA-256 is another")
    return values


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def finite(value: Any) -> Any:
    """`value` with NumPy's numbers as Python's, and None for every one that JSON cannot hold."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def known(value: Any) -> Any:
    """What `finite` has written, read again: NaN for every None."""
    if isinstance(value, dict):
        return {key: known(item) for key, item in value.items()}
    if isinstance(value, list):
        return [known(item) for item in value]
    return math.nan if value is None else value
