"""A constant that one side rounds to float32 is no mistake; it hides none either."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from parity.ladder.constants import forgiven
from parity.ladder.together import Climbed, ladder
from parity.readings.cause import UNEXPLAINED, same_but_rounded

RNG = np.random.default_rng(8)
X, Y = RNG.normal(size=(24, 6)), RNG.integers(0, 3, 24)


def single(figure: float) -> float:
    """What TensorFlow makes of a figure."""
    return float(np.float32(figure))


class Net(nn.Module):
    """Scaled features, a layer norm, a leaky ReLU."""

    def __init__(self, slope: float = 0.2, scale: float = 1 / 255, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.one, self.norm, self.head = nn.Linear(6, 5), nn.LayerNorm(5, epsilon), nn.Linear(5, 3)
        self.slope, self.scale = slope, scale

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.one(self.scale * x))
        answer: Tensor = self.head(nn.functional.leaky_relu(x, self.slope))
        return answer


def side(momentum: float = 0.9, **figures: float) -> Any:
    """An entry."""
    net = Net(**figures)
    return net, torch.optim.SGD(net.parameters(), 0.1, momentum=momentum), nn.CrossEntropyLoss()


def climbed(a: Any, b: Any) -> Climbed:
    """All rungs in float64."""
    return ladder(a, b, X, Y, batch_size=8, keep_going=True)


def known(done: Climbed) -> dict[str, list[str]]:
    """The causes of broken rungs."""
    return {rung.name: [c.name for c in rung.causes] for rung in done.rungs if rung.causes}


@pytest.mark.parametrize(
    ("rounded", "rung", "said"),
    [
        ({"slope": single(0.2)}, "logits", "leaky_relu of slope 0.2 rounded to float32"),
        ({"momentum": single(0.9)}, "epoch, 3 steps", "0.9 rounded to float32"),
        ({"scale": single(1 / 255)}, "pixels", "rounded to float32 times"),
        ({"slope": single(0.2), "momentum": single(0.9)}, "epoch, 3 steps", "0.9 rounded"),
    ],
)
def test_a_rounded_constant_is_a_note(rounded: dict[str, float], rung: str, said: str) -> None:
    done = climbed(side(), side(**rounded))
    notes = {each.name: each.note for each in done.rungs}
    assert said in notes[rung]
    assert done.passed, str(done)


@pytest.mark.parametrize(
    ("wrong", "rung", "cause"),
    [
        ({"slope": single(0.3)}, "logits", "activation"),
        ({"slope": single(0.2), "epsilon": 1.1e-5}, "logits", "layer-norm epsilon"),
        ({"slope": single(0.2), "momentum": single(0.8)}, "epoch, 3 steps", "momentum"),
        ({"scale": single(1 / 256)}, "pixels", "scale of the features"),
    ],
)
def test_a_real_difference_breaks_its_rung(wrong: dict[str, float], rung: str, cause: str) -> None:
    done = climbed(side(), side(**wrong))
    assert known(done)[rung] == [cause]
    assert not done.passed


def test_what_nobody_explains_is_not_forgiven() -> None:
    broken = next(rung for rung in climbed(side(), side(slope=0.21)).rungs if rung.causes)
    near = tuple(type(t)(**{**vars(t), "absolute": 2 * t.limit}) for t in broken.tensors)
    cause = broken.causes[0]

    def of(**other: Any) -> Any:
        causes = (type(cause)(**{**vars(cause), **other}),)
        return type(broken)(**{**vars(broken), "tensors": near, "causes": causes})

    assert forgiven(of(rounds=True), "float64", follows=False).passed
    assert not forgiven(of(rounds=True), "float32", follows=False).passed
    assert not forgiven(of(), "float64", follows=True).passed
    assert not forgiven(of(name=UNEXPLAINED), "float64", follows=True).passed


class Clipped(torch.optim.SGD):
    """Clips by the norm of all gradients; Keras adds nothing to it, torch 1e-6."""

    added = 0.0

    def step(self, closure: Any = None) -> Any:
        grads = [p.grad for group in self.param_groups for p in group["params"]]
        norm = torch.stack([g.norm() for g in grads]).norm()
        for gradient in grads:
            gradient *= torch.clamp(0.05 / (norm + self.added), max=1)
        return super().step(closure)


class ClippedAsTorch(Clipped):
    """With what torch adds."""

    added = 1e-6


def test_what_torch_adds_to_a_norm_is_a_note() -> None:
    kinds = (Clipped, ClippedAsTorch)
    nets = [Net() for _ in kinds]
    pairs = zip(nets, kinds, strict=True)
    done = climbed(*((n, k(n.parameters(), 0.1), nn.CrossEntropyLoss()) for n, k in pairs))
    assert done.passed, str(done)
    assert any("(norm + 1e-06)" in rung.note for rung in done.rungs)


@pytest.mark.parametrize(("factor", "passed"), [(single(0.01), True), (0.010001, False)])
def test_a_rounded_penalty_is_a_note(factor: float, passed: bool) -> None:
    def penalised(by: float) -> Any:
        net, optimizer, loss = side()
        weight = net.one.weight
        return net, optimizer, lambda given, y: loss(given, y) + by * weight.square().sum()

    assert climbed(penalised(0.01), penalised(factor)).passed is passed


def test_words_are_the_same_but_for_the_rounding() -> None:
    assert same_but_rounded("gelu (exact)", "gelu (exact, its constant rounded to float32)")
    assert same_but_rounded("exact", "betas rounded to float32")
    assert same_but_rounded("0.9", "0.9 rounded to float32")
    assert not same_but_rounded("0.8", "0.9 rounded to float32")
    assert not same_but_rounded("exact", "none")
    assert not same_but_rounded("gelu (tanh approximation)", "gelu (exact)")
