"""What a network, or its loss, refuses in torch: the change with which it takes it is told."""

import io
from contextlib import redirect_stderr, suppress
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.torch import CollapseGuard, check
from tests.programs.test_loops_torch import sgd
from tests.programs.torch_programs import mlp

ROWS, IMAGES, WORDS = torch.randn(20, 5), torch.randn(20, 8, 8), torch.randint(0, 9, (20, 4))
NAMES, TEXTS = torch.arange(20) % 3, nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 9))
CONV = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3))
COLOURS = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(72, 3))


class Last(nn.LSTM):
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[0][:, -1]


@pytest.mark.parametrize(
    ("model", "x", "line"),
    [
        (mlp(5, 4, 3), ROWS.double(), "x.to(torch.float32)"),
        (mlp(5, 4, 3), ROWS.byte(), "x.to(torch.float32)"),
        (mlp(64, 4, 3), IMAGES, "x.flatten(1)"),
        (CONV, IMAGES, "x.unsqueeze(1)"),
        (CONV, IMAGES.double(), "x.to(torch.float32).unsqueeze(1)"),
        (COLOURS, torch.randn(20, 8, 8, 3), "x.movedim(-1, 1)"),
        (Last(1, 3, batch_first=True), ROWS, "x.unsqueeze(-1)"),
        (TEXTS, WORDS.float(), "x.long()"),
        (mlp(6, 4, 3), ROWS, ""),
    ],
)
def test_what_a_network_would_take_is_told(model: nn.Module, x: Tensor, line: str) -> None:
    (found,) = check(model, x, NAMES)
    assert found.cause == "the network cannot take these samples"
    assert found.advice == f"With {line} it takes them" if line else "[20, 5]" in found.advice


@pytest.mark.parametrize(
    ("model", "x", "y", "loss", "line"),
    [
        (mlp(5, 4, 3), ROWS, NAMES.float(), F.cross_entropy, "y.long()"),
        (mlp(5, 4, 3), ROWS, NAMES[:, None], F.cross_entropy, "y.squeeze(1)"),
        (mlp(5, 4, 3), ROWS, F.one_hot(NAMES), F.cross_entropy, "y.float()"),
        (
            mlp(5, 4, 1),
            ROWS,
            NAMES % 2,
            nn.BCEWithLogitsLoss(),
            "y.view_as(outputs).float()",
        ),
        (TEXTS, WORDS, WORDS, F.cross_entropy, "outputs.movedim(-1, 1)"),
        (mlp(5, 4, 3), ROWS, torch.randn(20, 2), F.cross_entropy, ""),
    ],
)
def test_what_a_loss_would_take_is_told(
    model: nn.Module, x: Tensor, y: Tensor, loss: Any, line: str
) -> None:
    optimizer = sgd(model, 0.1)
    with (
        redirect_stderr(io.StringIO()) as printed,
        suppress(RuntimeError, ValueError),
        CollapseGuard(model, optimizer, x, y),
    ):
        loss(model(x), y).backward()
    said = printed.getvalue()
    assert "1. the loss cannot take these outputs and targets: " in said
    assert f"With {line} it takes them" in said if line else "Compare with what they are" in said
