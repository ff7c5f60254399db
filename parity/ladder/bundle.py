"""A side's answers in a file, so that two sides can be compared where neither can run.

A side is recorded alone, or beside the bundle of another: then it is given the weights and the
batches that the other was given. The file is a zip of ``.npy`` arrays and of ``index.json``, what
was asked and which arrays were answered. Nothing in it is unpickled.
"""

import hashlib
import io
import json
import zipfile
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from parity.arrays import Table
from parity.errors import ParityError
from parity.files import opened
from parity.ladder.climber import Climber, NotRecordedError
from parity.writing import written_whole

INDEX = "index.json"
WHERE = ("path",)
"""Arguments that say where something lies on one machine, not what is asked."""
MOST_BYTES = 2**30
"""Of a bundle's arrays together: fifteen times the weights of a network of eight million."""
Key = tuple[str, str, str]


class BundleError(ParityError):
    """A file that is no bundle, or not one of the same climb."""


@dataclass(frozen=True)
class Answer:
    """What was asked, and the names of the arrays that were answered."""

    asked: Key
    arrays: list[str]


@dataclass(frozen=True)
class About:
    """What a bundle says of itself.

    Attributes:
        name: Of its side.
        batch_size: Of the climb.
        beside: Whether it was recorded beside another.
        answers: In the order in which they were given.
    """

    name: str
    batch_size: Annotated[int, msgspec.Meta(ge=1)]
    beside: bool
    answers: list[Answer] = field(default_factory=list)
    format: Literal["parity bundle"] = "parity bundle"
    version: Literal[1] = 1


def key_of(call: str, table: Table | None, arguments: dict[str, Any]) -> Key:
    """What is asked, in short: its name, its arguments and a SHA-256 of its arrays."""
    digest = hashlib.sha256()
    for name in sorted(table or {}):
        values = np.ascontiguousarray((table or {})[name])
        digest.update(f"{name} {values.dtype} {values.shape}".encode())
        digest.update(values.tobytes())
    told = {name: value for name, value in arguments.items() if name not in WHERE}
    return call, json.dumps(told, sort_keys=True), digest.hexdigest()


class Recorder(Climber):
    """A side whose answers are kept as they are given."""

    def __init__(self, side: Climber) -> None:
        self.name = side.name
        self.side = side
        self.keys: list[Key] = []
        self.answers: list[Table] = []
        self.waiting: Key | None = None

    def send(self, call: str, table: Table | None = None, **arguments: Any) -> None:
        """Ask the side."""
        self.waiting = key_of(call, table, arguments)
        self.side.send(call, table, **arguments)

    def receive(self) -> Table:
        """Its answer; the last one again where nothing new was asked. The first is of building."""
        if self.waiting is not None or not self.answers:
            self.keys.append(self.waiting or ("open", "{}", ""))
            self.answers.append(self.side.receive())
            self.waiting = None
        return dict(self.answers[-1])

    def save(self, path: Path, batch_size: int, *, beside: bool) -> None:
        """Write the bundle, whole or not at all."""
        about = About(self.name, batch_size, beside)
        with (
            written_whole(path) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for number, (key, table) in enumerate(zip(self.keys, self.answers, strict=True)):
                about.answers.append(Answer(key, list(table)))
                for place, values in enumerate(table.values()):
                    buffer = io.BytesIO()
                    np.save(buffer, values, allow_pickle=False)
                    archive.writestr(f"{number}/{place}.npy", buffer.getvalue())
            archive.writestr(INDEX, msgspec.json.encode(about))


class Shadow:
    """A side that gives whatever another has just given: with it a side is recorded alone."""

    def __init__(self, of: Recorder) -> None:
        self.name = of.name
        self.of = of

    def send(self, call: str, table: Table | None = None, **arguments: Any) -> None:
        """Nothing to do: the other is asked the same."""

    def receive(self) -> Table:
        """What the other answers."""
        return self.of.receive()

    def ask(self, call: str, table: Table | None = None, **arguments: Any) -> Table:
        """What the other answers."""
        return self.of.ask(call, table, **arguments)


class Replay(Climber):
    """A side that answers as it once did.

    Args:
        path: A bundle.

    Raises:
        BundleError: another file, or a damaged one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with opened(path, MOST_BYTES) as file, zipfile.ZipFile(file) as archive:
                if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                    raise BundleError(f"{path}: more than {MOST_BYTES:,} bytes of arrays")
                self.about = msgspec.json.decode(archive.read(INDEX), type=About)
                self.answers = _answers(archive, self.about.answers)
        except BundleError:
            raise
        except Exception as error:  # zipfile, zlib, json and NumPy raise a dozen kinds
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise BundleError(
                f"{path}: cannot be read as a bundle ({said[:200]}); expected what python -m "
                "parity record wrote"
            ) from error
        self.name = self.about.name
        self.asked: Key = ("open", "{}", "")

    def send(self, call: str, table: Table | None = None, **arguments: Any) -> None:
        """Note what is asked."""
        self.asked = key_of(call, table, arguments)

    def receive(self) -> Table:
        """What was answered then.

        Raises:
            NotRecordedError: it was not asked then.
        """
        known = self.answers.get(self.asked)
        if not known:
            raise NotRecordedError(
                f"{self.path}: {self.name} was not asked this when it was recorded "
                f"({self.asked[0]}); record the one beside the other: python -m parity record "
                "MODULE:FUNCTION --beside OTHER.zip --out THIS.zip"
            )
        return dict(known.popleft() if len(known) > 1 else known[0])


def _answers(archive: zipfile.ZipFile, told: list[Answer]) -> dict[Key, deque[Table]]:
    found: dict[Key, deque[Table]] = {}
    for number, entry in enumerate(told):
        table = {
            name: np.load(io.BytesIO(archive.read(f"{number}/{place}.npy")), allow_pickle=False)
            for place, name in enumerate(entry.arrays)
        }
        found.setdefault(entry.asked, deque()).append(table)
    return found
