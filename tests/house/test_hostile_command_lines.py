"""A short form of the sweep, in this process; the long one is ``python -m tests.by_hand.sweep``."""

from pathlib import Path

import pytest

from tests.by_hand.sweep import Ended, wrong
from tests.conftest import Here, mostly_slow
from tests.support.doors import DOORS, THINGS, WRITES, Door, put
from tests.support.sound import sound_files, write_keras

FAST = [
    Door("lightning_mnist", "pixels --images {file} --output out.npz", ".png"),
    Door("lightning_mnist", "search --workers 1 -c {file}", ".yaml"),
    Door("lightning_mnist", "runs show {file}", ""),
    Door("keras_reference", "fit --data.source {file}", ".npz"),
    Door("parity", "compare {run} {file}", ".csv"),
    Door("parity", "ladder {file} {file}", ".zip"),
]
"""Doors that are reached without a framework or another process."""
DEAR = tuple(door for door in WRITES if door.package == "parity" and "compare" not in door.flags)
"""Doors that are written through after both frameworks have proven what is written."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_files(tmp_path_factory.mktemp("sound"))


@pytest.mark.parametrize("door", mostly_slow(DOORS, *FAST), ids=str)
def test_whatever_a_file_is_a_sentence_says_so(
    door: Door, sound: Path, in_process: Here, tmp_path: Path
) -> None:
    if "{keras}" in door.flags:
        pytest.importorskip("keras", reason="the extra keras is not installed")
        write_keras(sound / "model.keras")
    every = 1 if door in FAST else len(THINGS) if door in DEAR else 6
    for thing in list(THINGS)[DOORS.index(door) % every :: every]:
        file = put(thing, door.ending, tmp_path)
        done = in_process(door.package, *door.words(file, sound))
        ended = Ended(done.code, done.out, done.err, seconds=0, peak=0)
        assert wrong(door, ended) is None, f"{thing}: {ended}"
        if thing in ("pipe", "zeros", "null"):
            assert not (tmp_path / file).is_file()


def test_what_the_sweep_calls_wrong() -> None:
    door = Door("parity", "diagnose {file}", "")
    for code, err, seconds, peak in (
        (1, "error: a", 0, 0), (5, "", 0, 0), (5, "error: a\nerror: b", 0, 0),
        (5, "Traceback\nerror: a", 0, 0), (5, "error: a", 16, 0), (5, "error: a", 0, 2**31),
        (5, f"error: {'a' * 1000}", 0, 0), (-9, "error: a", 0, 0),
    ):  # fmt: skip
        assert wrong(door, Ended(code, "", err, seconds, peak))
    assert wrong(door, Ended(5, "", "error: a", 1, 2**28)) is None
