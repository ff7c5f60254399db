"""What a batch in torch is made of: several inputs, dictionaries, labels that nobody asks for."""

import io
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset, TensorDataset

from parity.torch import CollapseGuard, check
from parity.torch.losses import LOSSES, Use, asked
from tests.programs.test_loops_torch import plants, sgd
from tests.programs.torch_programs import mlp


class Halves(nn.Module):
    """Takes the columns of a table in two parts."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp(4, 16, 3)

    def forward(self, left: Tensor, right: Tensor) -> Any:
        return self.net(torch.cat([left, right], 1))


class Rows(Dataset[Any]):
    """A data set of one's own: it says nothing of its targets but one by one."""

    def __init__(self, made: Callable[[Tensor, Tensor], Any]) -> None:
        self.x, self.y = plants()
        self.made = made

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, place: int) -> Any:
        return self.made(self.x[place], self.y[place])


def found(model: nn.Module, made: Callable[[Tensor, Tensor], Any], **weight: Any) -> list[str]:
    """Causes that a check names."""
    loss = nn.CrossEntropyLoss(**weight)
    return [cause.cause for cause in check(model, DataLoader(Rows(made), 16), loss=loss)]


@pytest.mark.parametrize(
    "made",
    [
        lambda x, y: (x[:2], x[2:], y),
        lambda x, y: {"left": x[:2], "right": x[2:], "label": y},
        lambda x, y: ((x[:2], x[2:]), y),
    ],
)
def test_a_network_of_several_inputs_is_looked_at(made: Callable[[Tensor, Tensor], Any]) -> None:
    assert found(Halves(), made) == []

    def shifted(x: Tensor, y: Tensor) -> Any:
        return made(x, y + 1)

    assert "the class numbers are shifted: they begin at 1" in found(Halves(), shifted)


def test_what_a_network_does_not_take_is_no_input() -> None:
    assert found(mlp(4, 16, 3), lambda x, y: {"row": x, "label": y}) == []
    with pytest.raises(TypeError, match="samples are"):
        found(mlp(4, 16, 3), lambda x, y: (x, {"class": y}, 0))


@pytest.mark.parametrize(
    "made",
    [
        lambda x, y: (x, y, 0),
        lambda x, y: (x, y, "a path"),
        lambda x, y: (x, x[0], y),  # weights
        lambda x, y: (x, (100 * x[1]).long(), y),  # lengths
    ],
)
def test_targets_are_told_from_what_stands_beside_them(made: Callable[..., Any]) -> None:
    assert found(mlp(4, 16, 3), made) == []
    shifted = found(mlp(4, 16, 3), lambda x, y: made(x, y + 1))
    assert "the class numbers are shifted: they begin at 1" in shifted


def test_targets_of_several_heads_are_left_aside() -> None:
    torch.manual_seed(0)
    x, y = plants()
    model = mlp(4, 8, 2)
    optimizer = sgd(model, 0.01)
    loader = DataLoader(TensorDataset(x, (y > 0).float(), x[:, 0]), 32)
    with (
        redirect_stderr(io.StringIO()) as printed,
        CollapseGuard(model, optimizer, loader, trials=False),
    ):
        for rows, yes, number in loader:
            given = model(rows)
            loss = F.binary_cross_entropy_with_logits(given[:, 0], yes)
            (loss + F.mse_loss(given[:, 1], number)).backward()
            optimizer.step()
            optimizer.zero_grad()
    assert "warning" not in printed.getvalue()


def test_one_label_for_all_samples_of_an_own_data_set_is_named() -> None:
    assert found(mlp(4, 16, 3), lambda x, y: (x, 0 * y)) == ["all targets are alike"]
    # A class may be as rare as that, and whoever weighs it knows.
    assert found(mlp(4, 16, 3), lambda x, y: (x, 0 * y), weight=torch.tensor([1.0, 99, 99])) == []


@pytest.mark.parametrize(
    ("wanted", "used"),
    [
        (torch.rand(6, 5), False),
        (torch.rand(6, 1, 8, 8), False),
        (F.one_hot(torch.arange(6) % 3).float(), True),
        (F.one_hot(torch.arange(6) % 3).float() * 0.7 + 0.1, True),
        (torch.arange(6).float()[:, None] % 3, True),
    ],
)
def test_many_numbers_for_a_sample_are_not_its_label(wanted: Tensor, used: bool) -> None:
    use = Use(LOSSES["mse_loss"], F.mse_loss, torch.zeros_like(wanted), wanted, {})
    assert asked([use], (torch.arange(6) % 3).numpy()) == used


@pytest.mark.parametrize("ordered", [False, True])
def test_one_number_for_a_batch_of_mixed_classes_is_an_adversarys(ordered: bool) -> None:
    wanted = torch.ones(16, 1)
    names = torch.arange(48).numpy() // 16 if ordered else torch.arange(48).numpy() % 3
    use = Use(LOSSES["mse_loss"], F.mse_loss, torch.zeros_like(wanted), wanted, {})
    assert asked([use], names) == ordered


def test_one_sample_at_a_time_is_no_adversarys() -> None:
    names = [torch.tensor([[yes]]) for yes in (1.0, 0.0, 1.0)]
    uses = [Use(LOSSES["mse_loss"], F.mse_loss, torch.zeros_like(y), y, {}) for y in names]
    assert asked(uses, torch.cat(names).numpy())


def test_an_autoencoder_is_not_judged_by_the_labels_beside_its_samples() -> None:
    torch.manual_seed(0)
    x, y = plants()
    model = mlp(4, 2, 4)
    optimizer = sgd(model, 0.01)
    loader = DataLoader(TensorDataset(x, y), 32, shuffle=True)
    with (
        redirect_stderr(io.StringIO()) as printed,
        CollapseGuard(model, optimizer, loader),
    ):
        for rows, _ in [batch for _ in range(4) for batch in loader]:
            optimizer.zero_grad()
            F.mse_loss(model(rows), rows).backward()
            optimizer.step()
    assert printed.getvalue().startswith("note: CollapseGuard sees no classes told apart")
    assert "warning" not in printed.getvalue()


@pytest.mark.parametrize("together", [True, False])
def test_a_collate_function_that_sorts_samples_without_their_targets(together: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    words = [torch.randint(1, 99, (3 + n % 7,), generator=draw) for n in range(64)]
    data = [(row, n % 3) for n, row in enumerate(words)]

    def collate(batch: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
        ordered = sorted(batch, key=lambda pair: -len(pair[0]))
        targets = torch.tensor([y for _, y in (ordered if together else batch)])
        return pad_sequence([x for x, _ in ordered], batch_first=True), targets

    loader: Any = DataLoader(data, 16, collate_fn=collate)  # type: ignore[arg-type]
    model = nn.Sequential(nn.Embedding(99, 8), nn.AdaptiveAvgPool2d((1, 8)), nn.Flatten())
    causes = [cause.cause for cause in check(nn.Sequential(*model, nn.Linear(8, 3)), loader)]
    assert ("the collate function gives samples the targets of others" in causes) == (not together)


@pytest.mark.parametrize(
    ("shaped", "seen"),
    [
        (lambda x: x.view(len(x), -1), True),
        (lambda x: x.view(len(x), -1).double(), True),
        (lambda x: (x.view(len(x), -1) - 0.1) / 0.1, False),  # other samples: nothing is known
    ],
    ids=["flat", "of another type", "scaled"],
)
def test_samples_are_looked_at_in_the_shape_in_which_the_loop_gives_them(
    shaped: Callable[[Tensor], Tensor], seen: bool
) -> None:
    x, y = torch.rand(64, 1, 8, 8), torch.arange(64) % 3
    model = nn.Sequential(nn.Linear(64, 3), nn.Softmax(1)).to(shaped(x).dtype)
    optimizer = sgd(model, 0.01)
    with (
        redirect_stderr(io.StringIO()) as printed,
        CollapseGuard(model, optimizer, DataLoader(TensorDataset(x, y), 16), trials=False),
    ):
        optimizer.zero_grad()
        F.cross_entropy(model(shaped(x[:16])), y[:16]).backward()
        optimizer.step()
    assert ("softmax is applied twice" in printed.getvalue()) == seen
    assert ("cannot look into this training" in printed.getvalue()) != seen
