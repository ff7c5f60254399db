"""Answers that were kept by ``torch.save`` or in safetensors."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from parity.judge.loading import load_run
from parity.run_record import RunRecordError
from tests.parity.judge.test_foreign_files import ANSWERS, LABELS, LOGITS, C, N

SCORES, TRUTH = torch.tensor(LOGITS, dtype=torch.float32), torch.tensor(LABELS)
SAVED: dict[str, Any] = {
    "tensors by name": {"logits": SCORES.requires_grad_(), "labels": TRUTH},
    "classes beside a loss": {"preds": SCORES.argmax(1), "targets": TRUTH, "loss": 0.3, "epoch": 3},
    "a pair": (SCORES, TRUTH),
    "batches by name": {"outputs": SCORES.split(16), "y_true": list(TRUTH.split(16))},
    "lists of numbers": {"y_pred": ANSWERS.tolist(), "y_true": LABELS.tolist()},
    "numbers one by one": {"y_pred": list(SCORES.argmax(1)), "y_true": list(TRUTH)},
    "batch by batch": list(zip(SCORES.split(16), TRUTH.split(16), strict=True)),
    "batch by batch, by name": [
        {"logits": x, "y": y} for x, y in zip(SCORES.split(15), TRUTH.split(15), strict=True)
    ],
    "of the test": {"test": {"logits": SCORES, "labels": TRUTH}, "train_loss": [0.3, 0.2]},
    "arrays of NumPy": {"logits": LOGITS, "labels": LABELS},
    "half precision": {"logits": SCORES.bfloat16(), "labels": TRUTH},
}


@pytest.mark.parametrize("name", SAVED)
def test_tensors_are_read(name: str, tmp_path: Path) -> None:
    torch.save(SAVED[name], tmp_path / "theirs.pt")
    run = load_run(tmp_path / "theirs.pt")
    np.testing.assert_array_equal(run.labels, LABELS)
    assert (run.predicted == ANSWERS).mean() > (0.9 if name == "half precision" else 0.999)


def test_answers_alone_are_read(tmp_path: Path) -> None:
    torch.save(SCORES, tmp_path / "tensor.pt")
    torch.save(list(SCORES.split(16)), tmp_path / "predict.pt")  # as Lightning's Trainer gives them
    for name in ("tensor.pt", "predict.pt"):
        np.testing.assert_array_equal(load_run(tmp_path / name).predicted, ANSWERS)
    save_file({"logits": SCORES.detach(), "labels": TRUTH}, tmp_path / "theirs.safetensors")
    np.testing.assert_array_equal(load_run(tmp_path / "theirs.safetensors").labels, LABELS)


class Scheme:
    """What only code could read."""


def shared(depth: int) -> dict[str, Any]:
    """A few bytes that say a great deal."""
    return {"a": (inner := shared(depth - 1)), "b": inner} if depth else {}


@pytest.mark.parametrize(
    ("saved", "said"),
    [
        (
            nn.Linear(3, 2).state_dict(),
            r"no answers; give the program .* MODULE:FUNCTION@FILE; save what",
        ),
        ({"state_dict": nn.Linear(3, 2).state_dict(), "epoch": 3}, "the weights of a model"),
        (nn.Linear(3, 2), "a model, or other objects than tensors"),
        ({"logits": LOGITS.astype(object)}, "other objects than tensors"),
        ({"logits": Scheme()}, "a model, or other objects than tensors"),
        (list(SCORES.split(N // 4)), "batches, or answers of several models"),
        (torch.zeros(1).expand(10**9, C), "which holds less than that"),
        (torch.eye(C).to_sparse(), "expected plain ones"),
        ({str(n): torch.zeros(1) for n in range(200)}, "200 tensors; expected at most 100"),
        (shared(60), "no outputs"),
        ({"text": "x" * 2**25}, "of them no tensors; expected less"),
    ],
)
def test_all_else_is_refused(saved: Any, said: str, tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "theirs.pt")
    with pytest.raises(RunRecordError, match=said):
        load_run(tmp_path / "theirs.pt")


def test_a_flipped_bit_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "theirs.pt"
    torch.save(SCORES, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(RunRecordError, match="damaged: the checksum of"):
        load_run(path)
