"""One run as its folder has it: whole, or damaged and why."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from lightning_mnist.errors import InputError
from lightning_mnist.runs.recipe import in_short
from parity.run_record import RECORD_FILE, RunRecord, RunRecordError

INSIDE = {"checkpoints", "views", "tensorboard"}
"""Folders of a run that hold no other run."""


@dataclass(frozen=True)
class Run:
    """A run directory of either side; `damage` says what is wrong with a record that is None."""

    folder: Path
    record: RunRecord | None
    damage: str = ""

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """Read what is there; a damaged record is kept as one."""
        path = folder / RECORD_FILE
        try:
            return cls(folder, RunRecord.load(path))
        except RunRecordError as error:
            return cls(folder, None, str(error).removeprefix(f"{path}: "))

    @cached_property
    def date(self) -> datetime:
        """When it began, local time; where a record does not say, when it was last written."""
        if self.record and self.record.provenance:
            try:
                return datetime.fromisoformat(self.record.provenance.started).astimezone()
            except (ValueError, OverflowError, OSError):
                pass  # somebody has edited it
        return datetime.fromtimestamp((self.folder / RECORD_FILE).lstat().st_mtime).astimezone()

    @property
    def recipe(self) -> str:
        """What was trained, in a few words; of a test, the command."""
        if self.record is None:
            return ""
        short = in_short(self.record.recipe)
        return short if self.record.command == "fit" else f"{self.record.command} {short}".strip()

    @property
    def data(self) -> str:
        """The name of the data set."""
        return str(self.record.data.get("name", "")) if self.record else ""

    @property
    def epochs(self) -> int:
        """Finished epochs."""
        return len(self.record.history) if self.record else 0

    @property
    def accuracy(self) -> float | None:
        """Of the test set, where it has been measured."""
        value: Any = self.record.metrics.get("accuracy") if self.record else None
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if number and math.isfinite(value) else None

    @property
    def seconds(self) -> float | None:
        """That training and testing took; of a run without durations, those of its epochs."""
        if self.record is None:
            return None
        known = [*self.record.durations.values()]
        known = known or [epoch.get("seconds", math.nan) for epoch in self.record.history]
        return sum(known) if known and all(map(math.isfinite, known)) else None

    @cached_property
    def state(self) -> str:
        """Finished, running, stopped and why, or what is wrong with the record."""
        record = self.record
        if record is None:
            return f"damaged: {self.damage}"
        if record.finished:
            return "finished"
        if record.stopped is not None:
            return f"stopped: {record.stopped.removeprefix('stopped ')}"
        lives = record.provenance.lives if record.provenance else None
        if lives is None:
            where = f" on {record.provenance.host}" if record.provenance else ""
            return f"not finished{where}"
        return "running" if lives else "stopped: its process has ended without a word"


def find_runs(folder: Path) -> list[Run]:
    """All runs in and below a folder.

    Raises:
        InputError: no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected one that holds runs")
    return [Run.read(path) for path in _folders(folder)]


def find_run(name: str, folder: Path) -> Run:
    """The run of a path, or of a name below `folder`.

    Raises:
        InputError: there is none, or several have that name.
    """
    if (Path(name) / RECORD_FILE).is_file():
        return Run.read(Path(name))
    found = [path for path in _folders(folder) if name in (path.name, str(path))]
    if len(found) == 1:
        return Run.read(found[0])
    if found:
        raise InputError(f"{name}: {' and '.join(map(str, found[:3]))} are called so; give a path")
    raise InputError(
        f"{name}: no run of that path, or of that name below {folder}; "
        "python -m lightning_mnist runs lists what is there"
    )


def _folders(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        if RECORD_FILE in files:
            yield Path(place)
        folders[:] = sorted(name for name in folders if name not in INSIDE)
