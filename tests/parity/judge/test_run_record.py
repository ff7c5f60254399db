"""The file contract: what is written can be read, and nothing that breaks it can."""

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.run_record import (
    PREDICTIONS_FILE,
    RECORD_FILE,
    Predictions,
    RunRecord,
    RunRecordError,
    sha256_of_digits,
)
from parity.writing import give_another_name, written_whole


def good_arrays() -> dict[str, Any]:
    return {
        "labels": np.array([0, 2, 1]),
        "logits": np.eye(3, dtype=np.float32),
        "sample_ids": np.array([5, 3, 4]),
    }


def a_record() -> RunRecord:
    return RunRecord(
        framework="lightning",
        command="fit",
        versions={"python": "3.11"},
        recipe={"model": {"hidden": [8]}},
        seed=1,
        data={"name": "digits", "sha256": "00"},
        preprocessing={"invert": False},
    )


def test_predictions_survive_a_round_trip(tmp_path: Path) -> None:
    Predictions(**good_arrays()).save(tmp_path)
    loaded = Predictions.load(tmp_path / PREDICTIONS_FILE)
    for name, array in good_arrays().items():
        np.testing.assert_array_equal(getattr(loaded, name), array)
        assert getattr(loaded, name).dtype == array.dtype
    assert loaded.predicted.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": np.array([0, 2, 3])}, "labels from 0 to 3; expected 0 to 2"),
        ({"labels": np.array([0, -1, 2])}, "labels from -1 to 2"),
        ({"labels": np.array([0, 1])}, "2 labels, 3 rows"),
        ({"labels": np.array([0.0, 1.0, 2.0])}, "labels is float64"),
        ({"logits": np.eye(3)}, "logits is float64"),
        ({"logits": np.zeros(3, np.float32)}, "1 dimensions"),
        ({"sample_ids": np.array([5, 5, 4])}, "more than once"),
        (
            {
                "labels": np.zeros(0, np.int64),
                "logits": np.zeros((0, 3), np.float32),
                "sample_ids": np.zeros(0, np.int64),
            },
            "at least 1",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_predictions_that_break_the_contract_are_refused(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(RunRecordError, match=said):
        Predictions(**good_arrays() | change)
    path = tmp_path / "foreign.npz"
    np.savez(path, **good_arrays() | change)
    with pytest.raises(RunRecordError, match="foreign.npz: .*" + said):
        Predictions.load(path)


def test_a_file_that_is_not_predictions_is_refused(tmp_path: Path) -> None:
    missing, text, pickled, partial = (tmp_path / f"{name}.npz" for name in "abcd")
    text.write_text("no arrays")
    np.savez(pickled, **good_arrays() | {"labels": np.array([{}, {}, {}], dtype=object)})
    np.savez(partial, labels=good_arrays()["labels"])
    for path, said in (
        (missing, "cannot be read"),
        (text, "cannot be read"),
        (pickled, "without pickles"),
        (partial, "no logits, sample_ids"),
    ):
        with pytest.raises(RunRecordError, match=said):
            Predictions.load(path)


def test_a_record_survives_a_round_trip(tmp_path: Path) -> None:
    record = a_record()
    record.history = [{"epoch": 1, "val_loss": 0.5}]
    record.finished = True
    record.save(tmp_path)
    assert RunRecord.load(tmp_path / RECORD_FILE) == record


def test_a_record_keeps_no_number_that_json_cannot_hold(tmp_path: Path) -> None:
    record = a_record()
    record.history = [{"epoch": 1, "val_loss": float("nan"), "train_loss": float("inf")}]
    record.save(tmp_path)
    text = (tmp_path / RECORD_FILE).read_text()
    assert json.loads(text)["history"] == [{"epoch": 1, "val_loss": None, "train_loss": None}]
    assert "NaN" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "schema version 1"),
        ('{"schema_version": 2}', "schema version 1"),
        ('{"schema_version": 1}', "keys missing or unknown: .*seed"),
        (json.dumps(dataclasses.asdict(a_record()) | {"extra": 1}), "unknown: extra"),
    ],
)
def test_a_damaged_record_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / RECORD_FILE).write_text(text)
    with pytest.raises(RunRecordError, match=said):
        RunRecord.load(tmp_path / RECORD_FILE)


def test_an_error_while_writing_leaves_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("former")

    def write_half() -> None:
        with written_whole(path) as temporary:
            temporary.write_text("hal")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write_half()
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_while_writing_leaves_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("former")
    script = (
        "import os, pathlib, signal; from parity.writing import written_whole\n"
        f"with written_whole(pathlib.Path({str(path)!r})) as temporary:\n"
        "    temporary.write_text('hal'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", script], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "former"


def test_the_digest_sees_values_and_shapes_but_not_integer_types() -> None:
    images = np.arange(2 * 28 * 28).reshape(2, 28, 28).astype(np.uint8)
    labels = np.array([3, 7])
    digest = sha256_of_digits(images, labels, images, labels)
    same = sha256_of_digits(images, labels.astype(np.uint8), images, labels.astype(np.int32))
    assert digest == same
    assert len(digest) == 64
    assert digest != sha256_of_digits(images, labels[::-1], images, labels)
    assert digest != sha256_of_digits(images.reshape(2, 14, 56), labels, images, labels)


def nested(depth: int) -> str:
    return '{"schema_version": 1, "recipe": ' + '{"a": ' * depth + "1" + "}" * depth + "}"


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": True}, {"schema_version": "1"}, {"seed": "1"}, {"seed": None},
        {"seed": True}, {"history": {}}, {"history": [1]}, {"history": [{"loss": "low"}]},
        {"history": None}, {"durations": []}, {"durations": {"fit": None}}, {"data": []},
        {"data": "digits"}, {"recipe": 1}, {"versions": {"python": 3}}, {"framework": []},
        {"finished": "yes"}, {"finished": 1}, {"metrics": []}, {"preprocessing": None},
        {"command": 0},
    ],
    ids=str,
)  # fmt: skip
def test_a_record_of_wrong_types_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    text = json.dumps(dataclasses.asdict(a_record()) | change)
    (tmp_path / RECORD_FILE).write_text(text)
    with pytest.raises(RunRecordError, match=r"record\.json: "):
        RunRecord.load(tmp_path / RECORD_FILE)


@pytest.mark.parametrize(
    "text",
    [
        nested(5_000), "[" * 100_000, '"\\ud800"', '{"framework": "\\udc00"}', '{"a": 1e999}',
        '{"a": NaN}', "", "\0", " " * (2**24 + 1), '{"schema_version": 1' + "0" * 100_000 + "}",
    ],
    ids=["nested", "brackets", "surrogate", "low surrogate", "huge", "NaN", "empty", "NUL", "large",
         "long number"],
)  # fmt: skip
def test_a_record_that_is_no_json_or_too_deep_or_too_large_is_refused(
    text: str, tmp_path: Path
) -> None:
    (tmp_path / RECORD_FILE).write_text(text)
    with pytest.raises(RunRecordError, match=r"record\.json: "):
        RunRecord.load(tmp_path / RECORD_FILE)


def test_an_entry_that_was_not_finite_is_nan_again(tmp_path: Path) -> None:
    record = a_record()
    record.history = [{"epoch": 1, "val_loss": float("inf")}]
    record.save(tmp_path)
    assert np.isnan(RunRecord.load(tmp_path / RECORD_FILE).history[0]["val_loss"])


def test_a_device_or_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to(os.devnull)
    for name in ("pipe", "null"):
        with pytest.raises(OSError, match="is a device or a pipe"), written_whole(tmp_path / name):
            pass
        assert not (tmp_path / name).is_file()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["null", "pipe"]


def test_a_file_has_another_name_also_where_there_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, same, copy = (tmp_path / name for name in ("one", "same", "copy"))
    one.write_text("whole")
    give_another_name(one, same)
    assert same.samefile(one)

    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    give_another_name(one, copy)
    assert copy.read_text() == "whole"
    assert not copy.samefile(one)


def test_a_file_is_replaced_and_not_written_over(tmp_path: Path) -> None:
    """Or a kill in between would leave half of it."""
    path, former = tmp_path / "a.txt", tmp_path / "former.txt"
    path.write_text("old")
    give_another_name(path, former)
    with written_whole(path) as temporary:
        temporary.write_text("new")
    assert (path.read_text(), former.read_text()) == ("new", "old")
