"""A short form of the fuzzer: ``python -m tests.by_hand.fuzz`` has the long one."""

from pathlib import Path

import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")

from tests.by_hand.fuzz import cut, damage, flipped
from tests.support.fuzzed import READERS

CHECKED = [name for name, reader in READERS.items() if reader.checked]


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_gets_a_sentence_or_is_read(name: str, tmp_path: Path) -> None:
    count = damage(READERS[name], tmp_path, 40, READERS[name].by)
    assert count.refused > 5
    assert count.silent == 0 or not READERS[name].checked


@pytest.mark.parametrize("name", CHECKED)
def test_no_flipped_bit_and_no_lost_end_is_silent(name: str, tmp_path: Path) -> None:
    assert damage(READERS[name], tmp_path, 40, flipped).silent == 0
    assert damage(READERS[name], tmp_path, 10, cut).silent == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_many_damaged_files_get_a_sentence_or_are_read(name: str, tmp_path: Path) -> None:
    count = damage(READERS[name], tmp_path, 700, READERS[name].by, seed=1)
    assert count.silent == 0 or not READERS[name].checked
