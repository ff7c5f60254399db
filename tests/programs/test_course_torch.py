"""What a program in torch does around its network, and what no gradient gets through; and kin."""

import io
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset, TensorDataset, WeightedRandomSampler

from parity.torch import CollapseGuard
from tests.programs.test_loops_torch import plants, sgd
from tests.programs.torch_programs import mlp

Loss = Callable[[Tensor, Tensor], Tensor]


def rows(count: int = 200) -> tuple[Tensor, Tensor]:
    """Two features that tell no from yes, [N, 2], and which it is."""
    x = torch.randn(count, 2, generator=torch.Generator().manual_seed(0))
    return x, (x.sum(dim=1) > 0).long()


def said(
    model: nn.Module,
    loss: Loss = F.cross_entropy,
    *,
    steps: int = 4,
    rate: float = 0.3,
    pair: Any = None,
    batch: int = 32,
    paired: bool = True,
    noise: float = 0.0,
    after: Callable[[int], object] = id,
    optimizer: Optimizer | None = None,
) -> str:
    """What a guard prints around a loop."""
    x, y = pair or rows()
    torch.manual_seed(0)
    own = optimizer or sgd(model, rate)
    with (
        redirect_stderr(io.StringIO()) as printed,
        CollapseGuard(model, own, x, y, reaction="warn"),
    ):
        for step in range(steps):
            picked = torch.randint(len(y), (batch,)) if batch < len(y) else torch.arange(len(y))
            targets = picked if paired else torch.randint(len(y), (batch,))
            own.zero_grad()
            fed = x[picked] + noise * torch.randn_like(x[picked]) if noise else x[picked]
            loss(model(fed), y[targets]).backward()
            own.step()
            after(step)
    return printed.getvalue()


def first(printed: str) -> str:
    found = (line for line in printed.splitlines() if line.startswith("  1. "))
    return next(found, "").removeprefix("  1. ")


def loader(sampler: Any = None, dataset: Any = None, steps: int = 4) -> str:
    """What a guard prints around a loop over a loader."""
    torch.manual_seed(0)
    model = mlp(2, 8, 2)
    optimizer = sgd(model, 0.3)
    batches = DataLoader(dataset or TensorDataset(*rows()), 32, sampler=sampler)
    with (
        redirect_stderr(io.StringIO()) as printed,
        CollapseGuard(model, optimizer, batches, reaction="warn"),
    ):
        for (x, y), _ in zip(batches, range(steps), strict=False):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    return first(printed.getvalue())


class Through(nn.Module):
    """Hands what is hidden, or what it answers, through a function."""

    def __init__(self, hidden: Callable[[Tensor], Tensor], bias: float = 0.0) -> None:
        super().__init__()
        self.body, self.head, self.hidden = nn.Linear(2, 8), nn.Linear(8, 2), hidden
        nn.init.constant_(self.body.bias, bias)

    def forward(self, x: Tensor) -> Any:
        return self.head(self.hidden(self.body(x)))


def test_what_a_program_adds_to_its_loss_is_named_where_the_loss_alone_is_learned() -> None:
    def penalised(strength: float) -> str:
        model = mlp(2, 8, 2)

        def loss(given: Tensor, y: Tensor) -> Tensor:
            penalty = torch.stack([(w**2).sum() for w in model.parameters()]).sum()
            return F.cross_entropy(given, y) + strength * penalty

        return said(model, loss, steps=210, rate=0.1)

    printed = penalised(1.0)
    assert first(printed).startswith("what is added to it outweighs CrossEntropyLoss")
    assert "tried: with CrossEntropyLoss alone in a plain loop the same network reads" in printed
    assert first(penalised(1e-4)) == ""


def test_samples_with_the_targets_of_others_are_named() -> None:
    cause = "samples and targets are not paired as they were given"
    assert first(said(mlp(2, 8, 2), steps=210, rate=0.1, paired=False)).startswith(cause)


def test_noise_that_drowns_the_samples_is_named() -> None:
    cause = "the network is fed other values than those that the guard was given"
    assert first(said(mlp(2, 8, 2), steps=64, noise=100.0)).startswith(cause)
    assert first(said(mlp(2, 8, 2), steps=210, noise=0.5)) == ""


def test_targets_that_have_nothing_to_do_with_the_samples_get_no_word() -> None:
    x, _ = rows()
    y = torch.randint(2, (len(x),), generator=torch.Generator().manual_seed(1))
    assert first(said(mlp(2, 8, 2), steps=210, rate=0.01, pair=(x, y))) == ""


@pytest.mark.parametrize(
    ("by", "cause"),
    [
        (1e-3, "the loss is made too small before backward(): it is called on 0.001"),
        (0.5, ""),
        (2.0**16, "the loss is made too large before backward(): it is called on 6.55e+04"),
    ],
)
def test_a_loss_that_is_multiplied_before_backward_is_named(by: float, cause: str) -> None:
    printed = said(mlp(2, 8, 2), lambda given, y: by * F.cross_entropy(given, y), rate=0.05)
    assert first(printed).startswith(cause)
    assert bool(cause) == bool(printed)


def test_a_loss_whose_gradients_are_divided_again_is_not_too_large() -> None:
    model, scaler, (x, y) = mlp(2, 8, 2), torch.amp.GradScaler("cpu"), rows()
    optimizer = sgd(model, 0.05)
    with (
        redirect_stderr(io.StringIO()) as printed,
        CollapseGuard(model, optimizer, x, y, reaction="warn"),
    ):
        for _ in range(4):
            optimizer.zero_grad()
            scaler.scale(F.cross_entropy(model(x), y)).backward()
            scaler.step(optimizer)
            scaler.update()
    assert printed.getvalue() == ""


def test_gradients_of_many_batches_for_one_step_are_not_a_small_loss() -> None:
    model = mlp(2, 8, 2)
    optimizer, (x, y) = sgd(model, 0.003), rows()
    with (
        redirect_stderr(io.StringIO()) as printed,
        CollapseGuard(model, optimizer, x, y, reaction="warn"),
    ):
        for batch in range(32):
            (F.cross_entropy(model(x[batch : batch + 8]), y[batch : batch + 8]) / 32).backward()
            if batch % 32 == 31:
                optimizer.step()
                optimizer.zero_grad()
    assert "too small" not in printed.getvalue()


@pytest.mark.parametrize(
    ("hidden", "bias", "cause"),
    [
        (lambda h: torch.clamp(h, 0, 1), -9.0, "clamp lets no gradient through"),
        (lambda h: h.clamp(min=0), 1.0, ""),
        (lambda h: h + (torch.sign(h) - h).detach(), 0.0, ""),
        (lambda h: torch.round(4 * h).detach() + h, 0.0, ""),
    ],
    ids=["shut", "open", "straight through", "beside"],
)
def test_a_clamp_that_is_shut_is_named_and_tried_without(
    hidden: Any, bias: float, cause: str
) -> None:
    printed = said(Through(hidden, bias))
    assert first(printed).startswith(cause)
    assert bool(first(printed)) == bool(cause)
    assert not cause or "tried: without clamp the same network reads" in printed


def test_answers_that_are_rounded_before_the_loss_are_named() -> None:
    def rounded(given: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy(given[:, 0].sigmoid().round(), y.float())

    cause = "round lets no gradient through: what comes before it cannot learn"
    assert first(said(mlp(2, 8, 1), rounded)).startswith(cause)


def test_a_sampler_with_weights_of_classes_or_for_one_class_is_named() -> None:
    _, y = rows()
    few = WeightedRandomSampler([0.5, 0.5], 200)
    assert loader(few).startswith("the sampler draws the same few samples again and again")
    one = WeightedRandomSampler(torch.tensor([1.0, 1e-4])[y].tolist(), 200)
    assert loader(one).startswith("the sampler draws hardly any class but 0")
    balanced = WeightedRandomSampler((1 / torch.bincount(y))[y].tolist(), 200)
    assert loader(balanced) == ""


@pytest.mark.parametrize(("turns", "named"), [(True, True), (False, False)])
def test_a_data_set_with_other_targets_each_time_is_named(turns: bool, named: bool) -> None:
    class Turning(Dataset[Any]):
        def __init__(self) -> None:
            (self.x, self.y), self.read = rows(), 0

        def __len__(self) -> int:
            return len(self.x)

        def __getitem__(self, place: int) -> Any:
            self.read += 1
            augmented = 0.01 * torch.randn(2)  # what is drawn anew need not have the same target
            return (self.x[place], self.read % 2) if turns else (self.x[place] + augmented, 0)

    found = loader(dataset=Turning())
    assert found.startswith("the data set gives the same sample another target") == named


def test_adam_in_float16_is_named_and_sgd_is_not() -> None:
    x, y = rows()

    def halves(make: Any) -> str:
        model = mlp(2, 8, 2).half()
        return first(said(model, pair=(x.half(), y), optimizer=make(model.parameters(), 1e-3)))

    assert halves(torch.optim.Adam).startswith("Adam cannot work in float16")
    assert halves(torch.optim.SGD) == ""


class Masked(nn.Module):
    """Attends to words [N, L] but for the padding, or to the padding alone."""

    def __init__(self, turned: bool) -> None:
        super().__init__()
        self.table, self.head, self.turned = nn.Embedding(9, 8), nn.Linear(8, 2), turned
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Any:
        h, mask = self.table(x), (x != 0) if self.turned else (x == 0)
        return self.head(self.attention(h, h, h, key_padding_mask=mask)[0].mean(dim=1))


@pytest.mark.parametrize("turned", [True, False])
def test_a_padding_mask_the_wrong_way_round_is_named(turned: bool) -> None:
    x = torch.randint(1, 9, (64, 6), generator=torch.Generator().manual_seed(0))
    x[:, 4:] = 0
    printed = said(Masked(turned), pair=(x, (x[:, 0] > 4).long()), rate=0.01)
    assert first(printed).startswith("the padding mask leaves out the words") == turned


@pytest.mark.parametrize(("logs", "named"), [(True, True), (False, False)])
def test_an_exponential_before_a_loss_that_applies_it_is_named(logs: bool, named: bool) -> None:
    class Rates(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = mlp(2, 8, 1)

        def forward(self, x: Tensor) -> Any:
            return self.body(x).exp()

    pair = rows()[0], rows()[1].float()[:, None]
    loss = nn.PoissonNLLLoss(log_input=logs)
    printed = said(Rates(), loss, pair=pair, rate=0.01)
    assert first(printed).startswith("the exponential is applied twice") == named


def test_weights_in_plain_tensors_are_named() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = torch.randn(2, 8).requires_grad_()
            self.head = nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Any:
            return self.head(torch.tanh(x @ self.kernel))

    assert first(said(Plain())).startswith("layers are not registered")


def test_an_own_loss_that_learns_the_opposite_or_nothing_is_named() -> None:
    def probability(given: Tensor, y: Tensor) -> Tensor:
        return given.gather(1, y[:, None]).mean()

    printed = said(mlp(2, 8, 2, last=nn.Softmax(1)), probability, steps=210, rate=0.5)
    assert first(printed).startswith("the network learns the opposite of its targets")
    turned = said(mlp(2, 8, 2, last=nn.Softmax(1)), lambda *to: 1 - probability(*to), steps=210)
    assert first(turned) == ""


def test_weights_that_are_nearly_set_back_each_epoch_are_named_and_a_mean_is_not() -> None:
    def averaged(decay: float) -> str:
        model = mlp(2, 16, 2)
        kept = {name: values.clone() for name, values in model.state_dict().items()}

        def after(step: int) -> None:
            for name, values in model.state_dict().items():
                kept[name].mul_(decay).add_(values, alpha=1 - decay)
            if step % 8 == 7:
                model.load_state_dict(kept)

        return first(said(model, steps=20, after=after))

    assert averaged(0.9999).startswith("the weights are set back during the training")
    assert averaged(0.5) == ""


def test_few_steps_of_whole_epochs_are_named_and_a_first_try_is_not() -> None:
    x, y = rows(600)
    model = mlp(2, 8, 2)
    printed = first(said(model, steps=10, rate=0.02, pair=(x, y), batch=600))
    assert printed.startswith("the training is too short: it took 10 steps")
    assert first(said(mlp(2, 8, 2), steps=10, rate=1e-3, pair=(x, y))) == ""


def test_steps_that_a_scaler_skips_are_not_called_forgotten() -> None:
    x, y = rows()
    model = mlp(2, 8, 2)
    optimizer, scaler = sgd(model, 0.1), torch.amp.GradScaler("cpu", init_scale=1e38)
    with (
        redirect_stderr(io.StringIO()) as printed,
        CollapseGuard(model, optimizer, x, y, reaction="warn"),
    ):
        for _ in range(4):
            optimizer.zero_grad()
            scaler.scale(1e4 * F.cross_entropy(model(x), y)).backward()
            scaler.step(optimizer)
            scaler.update()
    assert first(printed.getvalue()).startswith("every step is skipped")


def test_of_two_losses_that_which_asks_for_the_targets_is_judged_by_them() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.name, self.size = nn.Linear(2, 8), nn.Linear(8, 2), nn.Linear(8, 1)

        def forward(self, x: Tensor) -> Any:
            return self.name(h := torch.tanh(self.body(x))), self.size(h)

    x, y = rows()
    sizes, places = x[:, :1] * 0.7, iter([y[:32]] * 8)

    def both(given: Any, wanted: Tensor) -> Tensor:
        return F.cross_entropy(given[0], next(places)) + F.mse_loss(given[1], wanted)

    assert first(said(Two(), both, pair=(x, sizes), rate=0.01)) == ""


def test_a_frozen_head_after_a_table_is_named() -> None:
    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.head = nn.Embedding(9, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Any:
            return self.head(self.table(x).mean(dim=1))

    x = torch.randint(1, 9, (128, 3), generator=torch.Generator().manual_seed(0))
    model = Bag()
    model.head.requires_grad_(False).weight.mul_(0.01)
    printed = said(model, pair=(x, (x.sum(dim=1) > 13).long()), rate=0.5)
    assert first(printed).startswith("the last layer is not trained")


def test_plants_are_learned_without_a_word() -> None:
    assert first(said(mlp(4, 16, 3), pair=plants(), steps=70, rate=0.02)) == ""
