"""Gradients without a graph are autograd's; where they might not be, autograd computes them."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW

from lightning_mnist.data.batches import Batch
from lightning_mnist.module import DigitClassifier
from lightning_mnist.network import MLP, Activation
from lightning_mnist.optimization import parameter_groups
from lightning_mnist.preprocessing import Preprocessing
from lightning_mnist.steps import execution, layers_backward, whole_steps, without_graph
from lightning_mnist.steps.without_graph import WithoutGraph, compiled, is_known
from tests.lightning_mnist.training.test_execution import assert_same, state, train

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")

networks = st.fixed_dictionaries({
    "hidden": st.lists(st.integers(1, 40), max_size=3),
    "activation": st.sampled_from(get_args(Activation)),
    "dropout": st.sampled_from([0.0, 0.3]),
    "input_dropout": st.sampled_from([0.0, 0.2]),
    "batch_norm": st.sampled_from([False, True, "keras"]),
})  # fmt: skip


def smoothed(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels, label_smoothing=0.2)


@settings(max_examples=60)
@given(
    shape=networks,
    dtype=st.sampled_from([torch.float32, torch.float64]),
    sizes=st.lists(st.integers(2, 50), min_size=1, max_size=3),
    criterion=st.sampled_from([F.cross_entropy, smoothed]),
    seed=st.integers(0, 2**31),
)
def test_gradients_are_autograds_to_the_bit(
    shape: dict[str, Any],
    dtype: torch.dtype,
    sizes: list[int],
    criterion: Callable[[Tensor, Tensor], Tensor],
    seed: int,
) -> None:
    torch.manual_seed(seed)
    network = MLP(20, classes=5, **shape).to(dtype)
    assert is_known(network)
    twin = copy.deepcopy(network)
    direct = WithoutGraph(twin, criterion)
    for size in sizes:
        pixels, labels = torch.randn(size, 20, dtype=dtype), torch.randint(0, 5, (size,))
        before = torch.get_rng_state()
        network.zero_grad()
        logits = network(pixels)
        loss = criterion(logits, labels)
        torch.autograd.backward(loss)
        torch.set_rng_state(before)
        found, answers = direct(pixels, labels)
        assert torch.equal(found, loss)
        assert torch.equal(answers, logits)
        for one, other in zip(network.parameters(), twin.parameters(), strict=True):
            assert one.grad is not None
            assert other.grad is not None
            assert torch.equal(one.grad, other.grad)
        assert_same(network.state_dict(), twin.state_dict())


def test_what_it_gives_is_the_callers_to_keep() -> None:
    direct = WithoutGraph(MLP(20, [8], 5), F.cross_entropy)
    first = direct(torch.rand(4, 20), torch.zeros(4, dtype=torch.int64))
    kept = [value.clone() for value in first]
    direct(torch.rand(4, 20), torch.ones(4, dtype=torch.int64))
    assert_same(list(first), kept)


def frozen(network: MLP) -> None:
    network[0].weight.requires_grad_(False)


def hooked(network: MLP) -> None:
    network[0].register_forward_hook(lambda *_: None)


def squashed(network: MLP) -> None:
    network.append(nn.Softmax(dim=1))


def rectified(network: MLP) -> None:
    network.append(nn.ReLU())


def normalised(network: MLP) -> None:
    network[0] = nn.utils.parametrizations.weight_norm(nn.Linear(20, 8))


def of_another_kind(network: MLP) -> None:
    network[1] = nn.PReLU()


@pytest.mark.parametrize(
    "change", [frozen, hooked, squashed, rectified, normalised, of_another_kind]
)
def test_what_it_does_not_know_is_left_to_autograd(change: Callable[[MLP], None]) -> None:
    network = MLP(20, [8], 5)
    assert is_known(network)
    change(network)
    assert not is_known(network)


def without_activation(kind: str, g: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return g


def with_a_kernel_that_is_gone(kind: str, g: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return torch.ops.aten.no_such_kernel(g)  # type: ignore[no-any-return]


@pytest.mark.parametrize("kernel", [without_activation, with_a_kernel_that_is_gone])
def test_a_torch_with_other_kernels_is_noticed(
    kernel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = MLP(20, [8], 5, activation="gelu")
    assert is_known(network)
    monkeypatch.setattr(without_graph, "compiled", lambda function: function)
    assert is_known(network)
    monkeypatch.setattr(layers_backward, "activation_backward", kernel)
    assert not is_known(network)


@pytest.mark.parametrize("function", [layers_backward.step, whole_steps.steps])
def test_as_long_as_torch_has_torchscript_it_is_used(function: Any) -> None:
    assert isinstance(compiled(function), torch.jit.ScriptFunction)


def test_without_torchscript_a_function_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.jit, "script")
    assert compiled.__wrapped__(layers_backward.step) is layers_backward.step


@pytest.mark.parametrize("model", [{"standardize": "dataset"}, {"invert": True}, {}], ids=str)
def test_a_training_is_the_same_in_plain_python(
    model: dict[str, Any], tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = state(train(tiny_npz, 4, model=model, max_epochs=2))
    for module in (without_graph, whole_steps):
        monkeypatch.setattr(module, "compiled", lambda function: function)
    assert_same(usual, state(train(tiny_npz, 4, model=model, max_epochs=2)))


@pytest.mark.parametrize(
    "model", [{}, {"batch_norm": "keras", "label_smoothing": 0.1, "activation": "silu"}], ids=str
)
def test_a_training_is_the_same_without_a_graph(model: dict[str, Any], tiny_npz: Path) -> None:
    def trained(steps: str) -> Any:
        trainer = train(tiny_npz, 4, model=model | {"steps": steps}, max_epochs=2)
        module = trainer.lightning_module
        assert isinstance(module, DigitClassifier)
        assert (module.execution._without_graph is None) == (steps == "graph")
        return state(trainer)

    assert_same(trained("graph"), trained("auto"))


def two_groups(model: DigitClassifier) -> Any:
    groups = list(parameter_groups(model, "matrices"))
    groups[1]["weight_decay"] = 0.0
    return AdamW(groups, lr=2e-3, weight_decay=0.1, fused=True)


def test_whole_steps_spare_what_weight_decay_is_to_spare(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def counted(*given: Any) -> Any:
        def learn(batches: list[Batch]) -> Any:
            taken.append(len(batches))
            return whole(batches)

        whole: Any = whole_steps.whole_steps(*given)
        return whole and learn

    monkeypatch.setattr(execution, "whole_steps", counted)
    flags: dict[str, Any] = {"configure": two_groups, "max_epochs": 2}
    by_autograd = state(train(tiny_npz, 4, model={"steps": "graph"}, **flags))
    assert not taken
    assert_same(by_autograd, state(train(tiny_npz, 4, **flags)))
    assert max(taken) == 4


def test_pixels_of_ones_own_are_learned(tiny_npz: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that are taken together would not ask for them."""
    blank = state(train(tiny_npz, 4, max_epochs=1))
    monkeypatch.setattr(Preprocessing, "normalize", lambda self, images: 0 * images.flatten(1))
    trainer = train(tiny_npz, 4, max_epochs=1)
    first = trainer.lightning_module.network[0].weight  # type: ignore[index, union-attr]
    torch.manual_seed(0)
    untrained = DigitClassifier(hidden=[16]).network[0].weight
    assert torch.equal(first, untrained)  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        assert_same(blank, state(trainer))


def test_a_loss_of_ones_own_is_used(tiny_npz: Path) -> None:
    """Of a class that overrides the whole loss, or the part that looks at logits."""

    class Doubled(DigitClassifier):
        def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
            return 2 * super().criterion(logits, targets)

    class Zero(DigitClassifier):
        def loss(self, pixels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
            loss, logits = super().loss(pixels, targets)
            return 0 * loss, logits

    losses = {}
    for kind in (DigitClassifier, Doubled, Zero):
        trainer = train(tiny_npz, 1, kind=kind, max_steps=1, max_epochs=1)
        losses[kind] = trainer.callback_metrics["train_loss"].item()
    assert losses[Doubled] == pytest.approx(2 * losses[DigitClassifier])
    assert losses[Zero] == 0


def test_hooks_and_mixed_precision_are_left_to_autograd(tiny_npz: Path) -> None:
    module: Any = train(tiny_npz, 1, max_steps=1, precision="bf16-mixed").lightning_module
    assert module.execution._without_graph is None
