"""Damaged files, over all readers: a sentence or what was meant, within seconds and a gigabyte.

``python -m tests.by_hand.fuzz [FILES]`` mutates that many files in all, 20,000 by default, as many
of each kind; ``python -m tests.by_hand.fuzz flips [FLIPS]`` flips as many bits of each kind of file
that has a checksum, 2,000 by default, and cuts off a quarter as many. Both are seeded.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

import lightning_mnist  # noqa: F401 - mends torchvision
from tests.support.fuzzed import READERS, Reader

SECONDS, BYTES = 5.0, 2**30
FILES, FLIPS = 20_000, 2_000


class Count(NamedTuple):
    """How many damaged files of a kind were refused, read as they were meant, and read wrongly."""

    refused: int
    unharmed: int
    silent: int


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    """One bit is another."""
    data = bytearray(content)
    data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    return bytes(data)


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    """Only the beginning."""
    return content[: int(rng.integers(len(content)))]


def damage(
    reader: Reader,
    folder: Path,
    times: int,
    by: Callable[[bytes, np.random.Generator], bytes],
    seed: int = 0,
) -> Count:
    """Damage a sound file many times and read it.

    Raises:
        AssertionError: a reader took too long, said too much, or raised another kind of error.
    """
    path = folder / f"file{reader.ending}"
    reader.write(path)
    content, sound = path.read_bytes(), reader.read(path)
    rng = np.random.default_rng(seed)
    refused = unharmed = silent = 0
    for number in range(times):
        harmed = by(content, rng)
        path.write_bytes(harmed)
        began = time.process_time()
        try:
            found: Any = reader.read(path)
        except reader.errors as error:
            refused += 1
            said = str(error)
            # Parsers put what YAML says on one line themselves.
            if len(said) > 2000 or ("\n" in said and not isinstance(error, yaml.YAMLError)):
                raise AssertionError(f"{reader.ending}, file {number}: {said[:3000]}") from error
        except Exception as error:
            raise AssertionError(
                f"{reader.ending}, seed {seed}, file {number}: {error!r}"
            ) from error
        else:
            alike = harmed == content or bool(np.array_equal(found, sound))
            unharmed += alike
            silent += not alike
        seconds = time.process_time() - began
        assert seconds < SECONDS, f"{reader.ending}, file {number}: {seconds:.1f} s"
    return Count(refused, unharmed, silent)


def main() -> int:
    """The number of files with a checksum that were read wrongly."""
    arguments = sys.argv[1:]
    flips = arguments[:1] == ["flips"]
    number = int(arguments[-1]) if arguments[flips:] else FLIPS if flips else FILES
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, used + BYTES))
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, reader in READERS.items():
            if flips and not reader.checked:
                continue
            ways = [(flipped, number), (cut, number // 4)] if flips else [(reader.by, number)]
            for way, times in ways:
                share = times if flips else -(-times // len(READERS))
                count = damage(reader, Path(folder), share, way)
                wrong += count.silent if reader.checked else 0
                word = "SILENT" if reader.checked else "read otherwise"
                done = f"{count.refused:,} refused, {count.unharmed:,} unharmed"
                print(f"{name}: {way.__name__}: {done}, {count.silent:,} {word}", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
