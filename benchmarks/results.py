"""The file of results, which explains itself, and the picture beside it."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.setting import Setting
from parity.json_text import write_json

SCHEMA_VERSION = 1
RESULTS_FILE = "benchmarks.json"
PICTURE_FILE = "benchmarks.png"


@dataclass
class Results:
    """What was measured, how and where.

    Attributes:
        command: As it was typed.
        data: Name and number of images.
        rounds: That counted.
        machine: Versions, processor, threads, date.
        measures: What each measure returned, by name; seconds unless the name says otherwise.
    """

    command: str
    data: dict[str, Any]
    rounds: int
    machine: dict[str, Any]
    measures: dict[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def of(cls, setting: Setting, arguments: Sequence[str]) -> "Results":
        """Nothing measured yet."""
        work = setting.work
        return cls(
            command=shlex.join(["python", "-m", "benchmarks", *arguments]),
            data={
                "name": Path(work.data).stem,
                "images": work.images,
                "val_images": work.val_images,
            },
            rounds=setting.rounds,
            machine=machine.describe(setting.threads, work.accelerator),
        )

    def save(self, out: Path) -> None:
        """Write ``benchmarks.json`` and ``benchmarks.png`` into `out`, each whole or not at all."""
        from benchmarks.plots import draw  # matplotlib is slow to import

        write_json(out / RESULTS_FILE, asdict(self))
        draw(self.measures, out / PICTURE_FILE)
