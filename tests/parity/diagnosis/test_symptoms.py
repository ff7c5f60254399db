"""Symptoms in their file: read as written, damaged ones refused by name."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.run_record import RunRecordError
from parity.watch.symptoms import SYMPTOMS_FILE, Layer, Symptoms
from tests.parity.diagnosis.cases import sound

FULL = sound(collapsed_at=(0, 8), signs=["every ReLU unit after 2.weight is dead"])


@pytest.mark.parametrize(
    "symptoms",
    [FULL, Symptoms()],
    ids=["full", "empty"],
)
def test_symptoms_are_read_as_they_were_written(symptoms: Symptoms, tmp_path: Path) -> None:
    symptoms.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [SYMPTOMS_FILE]
    assert Symptoms.load(tmp_path / SYMPTOMS_FILE) == symptoms


def test_what_is_not_finite_is_saved_as_null(tmp_path: Path) -> None:
    layer = Layer("layer 1", initial_deviation=0.1, change=float("nan"))
    Symptoms(train_loss=float("inf"), layers=[layer]).save(tmp_path)
    text = (tmp_path / SYMPTOMS_FILE).read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    read = Symptoms.load(tmp_path / SYMPTOMS_FILE)
    assert read.train_loss is None
    assert np.isnan(read.layers[0].change)


def without(name: str) -> dict[str, Any]:
    values = dataclasses.asdict(FULL)
    del values[name]
    return values


DAMAGED: dict[str, Any] = {
    "empty": "",
    "no JSON": "{half",
    "a list": [],
    "null": None,
    "a number": 3,
    "a key is missing": without("layers"),
    "a fingerprint is missing": without("seen"),
    "an unknown key": dataclasses.asdict(FULL) | {"mood": "fine"},
    "no layers": dataclasses.asdict(FULL) | {"layers": None},
    "an unknown key of a layer": dataclasses.asdict(FULL) | {"layers": [{"name": "a", "x": 1}]},
    "a layer is a number": dataclasses.asdict(FULL) | {"layers": [1]},
    "half a fingerprint": dataclasses.asdict(FULL) | {"seen": {"layout": [], "mean": 1}},
    "a fingerprint is text": dataclasses.asdict(FULL) | {"raw": "images"},
    "half a place": dataclasses.asdict(FULL) | {"collapsed_at": [1]},
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_symptoms_are_refused_by_name(content: Any, tmp_path: Path) -> None:
    path = tmp_path / SYMPTOMS_FILE
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RunRecordError, match=r"symptoms\.json: cannot be read as symptoms \("):
        Symptoms.load(path)


def test_bytes_and_absent_symptoms_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / SYMPTOMS_FILE
    with pytest.raises(RunRecordError, match=r"symptoms\.json: cannot be read as symptoms \("):
        Symptoms.load(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunRecordError, match=r"symptoms\.json: cannot be read as symptoms \("):
        Symptoms.load(path)


def test_the_symptoms_of_a_model_stand_beside_it_or_one_folder_up(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    assert Symptoms.beside(folder / "best.ckpt") is None
    FULL.save(tmp_path / "run")
    assert Symptoms.beside(folder / "best.ckpt") == FULL
    assert Symptoms.beside(tmp_path / "run" / "model.keras") == FULL
    assert Symptoms.beside(tmp_path / "model.keras") is None
    (tmp_path / "run" / SYMPTOMS_FILE).write_text("{half")
    assert Symptoms.beside(folder / "best.ckpt") is None
