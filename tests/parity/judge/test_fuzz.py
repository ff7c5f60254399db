"""Mutated files: one kind of error or the same answers, whatever has happened to the bytes."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from parity.judge.answers import Run
from parity.judge.loading import load_run
from parity.run_record import Predictions, RunRecord, RunRecordError
from parity.watch.symptoms import Layer, Symptoms
from tests.parity.judge.test_run_record import a_record
from tests.support.mutated import mutated

N, C = 50, 4
CHECKED = ("npz", "deflated.npz", "pt")
"""Kinds of files that hold a checksum of what is in them."""


def write_npz(path: Path, save: Callable[..., None] = np.savez) -> None:
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, C, N), rng.normal(size=(N, C)).astype(np.float32)
    save(path, labels=labels, logits=logits, sample_ids=np.arange(N))


def write_csv(path: Path) -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(C), N).round(3)
    rows = [f"{n % C}," + ",".join(map(str, row)) for n, row in enumerate(shares.tolist())]
    path.write_text("label," + ",".join(f"p{n}" for n in range(C)) + "\n" + "\n".join(rows) + "\n")


def write_pt(path: Path, **arrays: np.ndarray) -> None:
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path)


def write_record(path: Path) -> None:
    path.write_text(json.dumps(dataclasses.asdict(a_record())))


def write_symptoms(path: Path) -> None:
    layers = [Layer("dense", 0.1)]
    known = Symptoms(layers=layers, class_counts=[3, 4], collapsed_at=(1, 2))
    path.write_text(json.dumps(dataclasses.asdict(known)))


KINDS: dict[str, tuple[Callable[[Path], None], Callable[[Path], object]]] = {
    "npz": (write_npz, load_run),
    "deflated.npz": (lambda path: write_npz(path, np.savez_compressed), load_run),
    "predictions.npz": (write_npz, Predictions.load),
    "npy": (lambda path: np.save(path, np.eye(C)[np.arange(N) % C]), load_run),
    "csv": (write_csv, load_run),
    "pt": (lambda path: write_npz(path, write_pt), load_run),
    "record.json": (write_record, RunRecord.load),
    "symptoms.json": (write_symptoms, Symptoms.load),
}


def same(a: object, b: object) -> bool:
    if not isinstance(a, Run) or not isinstance(b, Run):
        return True
    outputs = [run.probabilities if run.logits is None else run.logits for run in (a, b)]
    return np.array_equal(a.predicted, b.predicted) and np.array_equal(*outputs)  # type: ignore[arg-type]


def fuzz(kind: str, times: int, folder: Path) -> None:
    write, read = KINDS[kind]
    path = folder / f"sound.{kind}"
    write(path)
    content, sound = path.read_bytes(), read(path)
    rng = np.random.default_rng(0)
    said = []
    path = folder / f"mutated.{kind}"
    for _ in range(times):
        path.write_bytes(mutated(content, rng))
        try:
            result = read(path)
        except RunRecordError as error:
            said.append(str(error))
        else:
            assert kind not in CHECKED or same(sound, result)
    assert len(said) > times / 4
    assert max(map(len, said)) < 1000


@pytest.mark.parametrize("kind", KINDS)
def test_a_mutated_file_gets_a_sentence_or_is_read(kind: str, tmp_path: Path) -> None:
    fuzz(kind, 200, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_mutated_files_get_a_sentence_or_are_read(kind: str, tmp_path: Path) -> None:
    fuzz(kind, 5_000, tmp_path)
