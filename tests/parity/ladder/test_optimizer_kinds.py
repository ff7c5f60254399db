"""Two plain torch programs that differ in how they update their weights: named right or not at all.

Both train the same tiny network on the same batches in float64; what one of them does otherwise is
planted, and the cause that the ladder names is compared with it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from parity.readings.optimizer import UNEXPLAINED, explain
from parity.readings.trace import Trace
from tests.conftest import mostly_slow

BATCH, STEPS = 16, 4
Parameters = list[nn.Parameter]
Make = Callable[[Parameters], torch.optim.Optimizer]
Hook = Callable[[dict[str, nn.Parameter], int], object]


def nothing(table: dict[str, nn.Parameter], step: int) -> None:
    """What a plain program does besides."""


class Program:
    """A training loop of one's own, which begins anew with each trace.

    Attributes:
        before: Called between the gradients and the step.
        after: Called after the step.
        zeroed: Gradients are zeroed before each batch.
        rate: Factor of the learning rate, by step counted from 0.
        takes: Whether a step is taken after this batch.
        steps: Batches.
    """

    def __init__(
        self,
        make: Make,
        *,
        before: Hook = nothing,
        after: Hook = nothing,
        rate: Callable[[int], float] = lambda step: 1.0,
        zeroed: bool = True,
        takes: Callable[[int], bool] = lambda step: True,
        steps: int = STEPS,
    ) -> None:
        self.make, self.before, self.after, self.rate = make, before, after, rate
        self.zeroed, self.takes, self.steps = zeroed, takes, steps

    def loss(self, step: int) -> torch.Tensor:
        rng = np.random.default_rng(step)
        images = torch.tensor(rng.normal(0, 1, (BATCH, 12)))
        labels = torch.tensor(rng.integers(0, 4, BATCH))
        return F.cross_entropy(self.network(images), labels)

    def trace(self) -> Trace:
        torch.manual_seed(0)
        self.network = nn.Sequential(
            nn.Linear(12, 10), nn.Tanh(), nn.Linear(10, 8), nn.Tanh(), nn.Linear(8, 4)
        ).double()
        self.table = dict(self.network.named_parameters())
        optimizer = self.make(list(self.table.values()))
        rates = [group["lr"] for group in optimizer.param_groups]
        trace = Trace([], [], [])
        for step in range(self.steps):
            trace.before.append(self.weights())
            loss = self.loss(step)
            parameters = list(self.table.values())
            found = torch.autograd.grad(loss, parameters)
            own = dict(zip(self.table, found, strict=True))
            trace.gradients.append({name: g.numpy().copy() for name, g in own.items()})
            for name, parameter in self.table.items():
                kept = parameter.grad if not self.zeroed and parameter.grad is not None else 0.0
                parameter.grad = own[name].clone() + kept
            self.before(self.table, step)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * self.rate(step)
            if self.takes(step):
                optimizer.step()
            with torch.no_grad():
                self.after(self.table, step)
            trace.after.append(self.weights())
        return trace

    def weights(self) -> dict[str, np.ndarray[Any, Any]]:
        return {n: p.detach().numpy().copy() for n, p in self.table.items()}


def sgd(**settings: Any) -> Make:
    return lambda parameters: torch.optim.SGD(parameters, **{"lr": 0.05, **settings})


def adam(**settings: Any) -> Make:
    return lambda parameters: torch.optim.Adam(parameters, **settings)


def made(name: str, **settings: Any) -> Make:
    return lambda parameters: getattr(torch.optim, name)(parameters, **settings)


def grouped(make: Make, **settings: tuple[float, float]) -> Make:
    """Matrices have the first value of a setting, vectors the second."""

    def build(parameters: Parameters) -> torch.optim.Optimizer:
        groups: Any = [
            {
                "params": [p for p in parameters if (p.ndim > 1) == (place == 0)],
                **{name: values[place] for name, values in settings.items()},
            }
            for place in range(2)
        ]
        return make(groups)

    return build


def one_layer(make: Make, which: int = 0, **settings: float) -> Make:
    """The layer of this number has settings of its own."""

    def build(parameters: Parameters) -> torch.optim.Optimizer:
        own = parameters[2 * which : 2 * which + 2]
        rest = [p for p in parameters if all(p is not q for q in own)]
        groups: Any = [{"params": rest}, {"params": own, **settings}]
        return make(groups)

    return build


def changing(change: Callable[[torch.Tensor], torch.Tensor]) -> Hook:
    """Every gradient is changed before the step."""

    def hook(table: dict[str, nn.Parameter], step: int) -> None:
        for parameter in table.values():
            assert parameter.grad is not None
            parameter.grad = change(parameter.grad)

    return hook


def limiting(change: Callable[[torch.Tensor], torch.Tensor]) -> Hook:
    """Every weight is changed after the step."""

    def hook(table: dict[str, nn.Parameter], step: int) -> None:
        for parameter in table.values():
            parameter.copy_(change(parameter))

    return hook


def averaging(keeps: float, every: int = 1) -> Hook:
    """An average of the weights is kept, and written back after some steps."""
    averages: dict[str, torch.Tensor] = {}

    def hook(table: dict[str, nn.Parameter], step: int) -> None:
        if step == 0:
            averages.clear()
        for name, parameter in table.items():
            last = averages.get(name, parameter.clone())
            averages[name] = keeps * last + (1 - keeps) * parameter
            if (step + 1) % every == 0:
                parameter.copy_(averages[name])

    return hook


def lookahead(every: int, share: float) -> dict[str, Any]:
    """Slow weights follow the fast ones, which go on from there."""
    slow: dict[str, torch.Tensor] = {}

    def before(table: dict[str, nn.Parameter], step: int) -> None:
        if step == 0:
            slow.update({name: p.detach().clone() for name, p in table.items()})

    def after(table: dict[str, nn.Parameter], step: int) -> None:
        if (step + 1) % every == 0:
            for name, parameter in table.items():
                slow[name] += share * (parameter - slow[name])
                parameter.copy_(slow[name])

    return {"before": before, "after": after}


def accumulating(every: int, mean: bool) -> dict[str, Any]:
    """Gradients of some batches are added up before a step."""

    def before(table: dict[str, nn.Parameter], step: int) -> None:
        for parameter in table.values() if mean and step % every == every - 1 else ():
            assert parameter.grad is not None
            parameter.grad /= every

    def after(table: dict[str, nn.Parameter], step: int) -> None:
        for parameter in table.values() if step % every == every - 1 else ():
            parameter.grad = None

    takes = {"takes": lambda step: step % every == every - 1, "zeroed": False}
    return {"before": before, "after": after, **takes}


def each_norm(limit: float) -> Hook:
    def hook(table: dict[str, nn.Parameter], step: int) -> None:
        for parameter in table.values():
            clip_grad_norm_([parameter], limit)

    return hook


class Lion(torch.optim.Optimizer):
    def __init__(self, parameters: Any, lr: float = 1e-3, betas: Any = (0.9, 0.99)) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"]:
                mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                one, two = group["betas"]
                p -= group["lr"] * torch.sign(one * mean + (1 - one) * p.grad)
                mean.mul_(two).add_(p.grad, alpha=1 - two)


class OwnAdam(torch.optim.Optimizer):
    """Adam written by hand, with the mistakes that are made in it."""

    def __init__(
        self, parameters: Any, first: int = 1, mean: bool = True, square: bool = True,
        inside: bool = False, belief: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(parameters, {"lr": 1e-3})
        self.t, self.mean, self.square = first - 1, mean, square
        self.inside, self.belief = inside, belief

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        self.t += 1
        for p in self.param_groups[0]["params"]:
            state = self.state[p]
            mean = state.setdefault("mean", torch.zeros_like(p))
            square = state.setdefault("square", torch.zeros_like(p))
            mean.mul_(0.9).add_(p.grad, alpha=0.1)
            seen = p.grad - mean if self.belief else p.grad
            square.mul_(0.999).add_(seen**2, alpha=0.001)
            m = mean / (1 - 0.9 ** max(self.t, 1)) if self.mean else mean
            v = square / (1 - 0.999 ** max(self.t, 1)) if self.square else square
            p -= 1e-3 * m / (torch.sqrt(v + 1e-8) if self.inside else torch.sqrt(v) + 1e-8)


class Fresh(torch.optim.Optimizer):
    """Built anew before each step."""

    def __init__(self, parameters: Any, make: Make) -> None:
        super().__init__(parameters, {"lr": 1.0})
        self.make = make

    def step(self, closure: Any = None) -> Any:
        self.make(self.param_groups[0]["params"]).step()


def random(size: float, seed: int = 1) -> Callable[[torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return lambda x: x + size * torch.randn(x.shape, generator=generator, dtype=x.dtype)


def keras_norm(w: torch.Tensor) -> torch.Tensor:
    """What `keras.constraints.MaxNorm` makes of kernels whose norms are smaller."""
    norms: torch.Tensor = torch.linalg.vector_norm(w, dim=1, keepdim=True)
    return w * norms / (norms + 1e-7)


SGD, MOMENTUM, ADAM = sgd(), sgd(momentum=0.9), adam()
ADAMW = made("AdamW", weight_decay=0.01)
MATRIX_NORM = limiting(lambda w: torch.renorm(w, 2, 0, 0.55) if w.ndim > 1 else w)
ROW_NORM = limiting(lambda w: torch.renorm(w, 2, 1, 0.5) if w.ndim > 1 else w)
TENSOR_NORM = limiting(lambda w: w * min(1.0, 1.5 / float(w.norm())))
ONE_NORM = limiting(lambda w: torch.renorm(w, 2, 0, 0.55) if len(w) == 10 != w.numel() else w)
UNREACHED = limiting(lambda w: keras_norm(w) if len(w) == 8 != w.numel() else w)
CLAMPED = limiting(lambda w: w.clamp(-0.2, 0.2))
NOT_NEGATIVE = limiting(lambda w: w.clamp(min=0) if len(w) == 10 != w.numel() else w)
BY_VALUE: Hook = lambda table, step: clip_grad_value_(table.values(), 0.02)  # noqa: E731
BY_ALL: Hook = lambda table, step: clip_grad_norm_(table.values(), 0.3)  # noqa: E731
P = Program
AVERAGE, LIMITED, ROUNDED = "average of the weights", "weights limited", "weights rounded"
CLIPPING, SIGN = "gradient clipping", "sign of the gradients"
ZEROED, LEFT_OUT, GATHERED = "gradients not zeroed", "steps left out", "accumulated batches"
OWN_RATE, OWN_DECAY = "learning rate of a tensor", "weight decay's tensors"
CORRECTION, COUNTER, SCHEDULE = "bias correction", "step counter", "learning-rate schedule"

KINDS: dict[str, tuple[Program, Program, str]] = {
    "Adamax": (P(ADAM), P(made("Adamax", lr=1e-3)), "optimiser"),
    "RAdam": (P(ADAM), P(made("RAdam")), "optimiser"),
    "RAdam for SGD": (P(SGD), P(made("RAdam", lr=0.05)), "optimiser"),
    "NAdam": (P(ADAM), P(made("NAdam", lr=1e-3)), "optimiser"),
    "RMSprop": (P(ADAM), P(made("RMSprop", lr=1e-3)), "optimiser"),
    "Adagrad": (P(ADAM), P(made("Adagrad", lr=1e-3)), "optimiser"),
    "Adadelta": (P(ADAM), P(made("Adadelta", lr=1e-3)), "optimiser"),
    "Lion": (P(ADAM), P(Lion), "optimiser"),
    "SGD for Adam": (P(ADAM), P(sgd(lr=1e-3)), "optimiser"),
    "AdamW for Adam": (P(adam(weight_decay=0.01)), P(ADAMW), "weight decay's place"),
    "decay": (P(ADAM), P(adam(weight_decay=1e-3)), "weight decay"),
    "decay of SGD": (P(MOMENTUM), P(sgd(momentum=0.9, weight_decay=1e-3)), "weight decay"),
    "Nesterov": (P(MOMENTUM), P(sgd(momentum=0.9, nesterov=True)), "Nesterov momentum"),
    "dampening": (P(MOMENTUM), P(sgd(momentum=0.9, dampening=0.1)), "dampening"),
    "momentum": (P(SGD), P(MOMENTUM), "momentum"),
    "epsilon": (P(ADAM), P(adam(eps=1e-5)), "epsilon's value"),
    "beta_1": (P(ADAM), P(adam(betas=(0.8, 0.999))), "beta_1"),
    "beta_2": (P(ADAM), P(adam(betas=(0.9, 0.99))), "beta_2"),
    "amsgrad": (P(ADAM), P(adam(amsgrad=True)), "amsgrad"),
    "rate": (P(SGD), P(sgd(lr=0.04)), "learning rate"),
    "uphill": (P(SGD), P(sgd(maximize=True)), "sign"),
    "counter from 2": (P(ADAM), P(lambda p: OwnAdam(p, first=2)), COUNTER),
    "counter from 0": (P(ADAM), P(lambda p: OwnAdam(p, first=0)), COUNTER),
    "uncorrected": (P(ADAM), P(lambda p: OwnAdam(p, mean=False, square=False)), CORRECTION),
    "mean corrected": (P(ADAM), P(lambda p: OwnAdam(p, square=False)), CORRECTION),
    "square corrected": (P(ADAM), P(lambda p: OwnAdam(p, mean=False)), CORRECTION),
    "epsilon inside": (P(ADAM), P(lambda p: OwnAdam(p, inside=True)), "epsilon's place"),
    "values clipped": (P(SGD), P(SGD, before=BY_VALUE), CLIPPING),
    "values clipped, Adam": (P(ADAM), P(ADAM, before=BY_VALUE), CLIPPING),
    "norm clipped": (P(MOMENTUM), P(MOMENTUM, before=BY_ALL), CLIPPING),
    "norm clipped, Adam": (P(ADAM), P(ADAM, before=BY_ALL), CLIPPING),
    "each norm clipped": (P(SGD), P(SGD, before=each_norm(0.1)), CLIPPING),
    "each norm clipped, Adam": (P(ADAM), P(ADAM, before=each_norm(0.1)), CLIPPING),
    "always clipped": (P(SGD), P(SGD, before=each_norm(1e-3)), CLIPPING),
    "unit gradients": (
        P(SGD), P(SGD, before=changing(lambda g: g / g.norm())), "normalised gradients",
    ),
    "signed": (P(SGD), P(SGD, before=changing(torch.sign)), SIGN),
    "signed, momentum": (P(MOMENTUM), P(MOMENTUM, before=changing(torch.sign)), SIGN),
    "signed, Adam": (P(ADAM), P(ADAM, before=changing(torch.sign)), SIGN),
    "scaled": (P(ADAM), P(ADAM, before=changing(lambda g: BATCH * g)), "gradient scale"),
    "never zeroed": (P(SGD), P(SGD, zeroed=False), ZEROED),
    "never zeroed, Adam": (P(ADAM), P(ADAM, zeroed=False), ZEROED),
    "first of two": (P(SGD), P(SGD, takes=lambda step: step % 2 == 0), LEFT_OUT),
    "last of two": (P(SGD), P(SGD, takes=lambda step: step % 2 == 1), LEFT_OUT),
    "first of two, Adam": (P(ADAM), P(ADAM, takes=lambda step: step % 2 == 0), LEFT_OUT),
    "mean of two": (P(SGD), P(SGD, **accumulating(2, mean=True)), GATHERED),
    "sum of two": (P(SGD), P(SGD, **accumulating(2, mean=False)), GATHERED),
    "mean of two, Adam": (P(ADAM), P(ADAM, **accumulating(2, mean=True)), GATHERED),
    "mean of three, momentum": (P(MOMENTUM), P(MOMENTUM, **accumulating(3, mean=True)), GATHERED),
    "new optimiser a step": (P(ADAM), P(lambda p: Fresh(p, ADAM)), "optimiser's memory"),
    "averaged": (P(ADAM), P(ADAM, after=averaging(0.9)), AVERAGE),
    "averaged, SGD": (P(SGD), P(SGD, after=averaging(0.9)), AVERAGE),
    "averaged, momentum": (P(MOMENTUM), P(MOMENTUM, after=averaging(0.99)), AVERAGE),
    "averaged by twos": (P(ADAM), P(ADAM, after=averaging(0.9, 2)), AVERAGE),
    "Lookahead": (P(SGD), P(SGD, **lookahead(2, 0.5)), AVERAGE),
    "Lookahead, Adam": (P(ADAM), P(ADAM, **lookahead(3, 0.8)), AVERAGE),
    "max norm": (P(SGD), P(SGD, after=MATRIX_NORM), LIMITED),
    "max norm, Adam": (P(ADAM), P(ADAM, after=MATRIX_NORM), LIMITED),
    "max norm of inputs": (P(SGD), P(SGD, after=ROW_NORM), LIMITED),
    "max norm of one": (P(SGD), P(SGD, after=ONE_NORM), LIMITED),
    "max norm that none reaches": (P(SGD), P(SGD, after=UNREACHED), LIMITED),
    "max norm of tensors": (P(SGD), P(SGD, after=TENSOR_NORM), LIMITED),
    "clamped": (P(ADAM), P(ADAM, after=CLAMPED), LIMITED),
    "not negative": (P(SGD), P(SGD, after=NOT_NEGATIVE), LIMITED),
    "bfloat16": (P(SGD), P(SGD, after=limiting(lambda w: w.bfloat16().double())), ROUNDED),
    "float16": (P(MOMENTUM), P(MOMENTUM, after=limiting(lambda w: w.half().double())), ROUNDED),
    "float32": (P(ADAM), P(ADAM, after=limiting(lambda w: w.float().double())), ROUNDED),
    "biases without decay": (P(ADAMW), P(grouped(ADAMW, weight_decay=(0.01, 0.0))), OWN_DECAY),
    "biases without L2": (
        P(adam(weight_decay=0.01)), P(grouped(ADAM, weight_decay=(0.01, 0.0))), OWN_DECAY,
    ),
    "one layer with decay": (P(ADAM), P(one_layer(ADAM, weight_decay=0.1)), "weight decay"),
    "frozen": (P(ADAM), P(lambda parameters: ADAM(parameters[2:])), "frozen tensor"),
    "biases faster": (P(SGD), P(grouped(SGD, lr=(0.05, 0.1))), OWN_RATE),
    "one layer slower": (P(ADAM), P(one_layer(ADAM, 1, lr=1e-4)), OWN_RATE),
    "warm-up": (P(ADAM), P(ADAM, rate=lambda step: (step + 1) / 100), SCHEDULE),
    "cosine": (P(SGD), P(SGD, rate=lambda step: 0.5 * (1 + np.cos(np.pi * step / 50))), SCHEDULE),
    "steep cosine": (
        P(SGD), P(SGD, rate=lambda step: 0.5 * (1 + np.cos(np.pi * step / 8))), SCHEDULE,
    ),
    "exponential": (P(MOMENTUM), P(MOMENTUM, rate=lambda step: 0.97**step), SCHEDULE),
}  # fmt: skip


def named(a: Program, b: Program) -> list[str]:
    return [cause.name for cause in explain(a.trace(), b.trace(), ("A", "B"), BATCH)]


FAST = {expected: kind for kind, (*_, expected) in KINDS.items()}.values()
"""One kind for each cause, the last."""


@pytest.mark.parametrize("kind", mostly_slow(KINDS, *FAST))
def test_what_one_program_does_otherwise_is_named_and_nothing_else(kind: str) -> None:
    a, b, expected = KINDS[kind]
    causes = explain(a.trace(), b.trace(), ("A", "B"), BATCH)
    assert [cause.name for cause in causes] == [expected], causes
    assert causes[0].gap < 1e-14


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Adamax", "averaged", "max norm", "biases faster", "last of two"])
def test_so_it_is_seen_from_the_other_side(kind: str) -> None:
    a, b, expected = KINDS[kind]
    assert named(b, a) == [expected]


def test_a_limit_is_named_beside_another_difference() -> None:
    a, b = Program(MOMENTUM, after=ONE_NORM), Program(sgd(momentum=0.9, nesterov=True))
    assert set(named(a, b)) == {LIMITED, "Nesterov momentum"}


@pytest.mark.parametrize(
    "a", [Program(SGD, before=BY_VALUE), Program(SGD, after=NOT_NEGATIVE)], ids=["clip", "limit"]
)
def test_a_side_without_limits_is_told_to_have_none(a: Program) -> None:
    (cause,) = explain(a.trace(), Program(SGD).trace(), ("A", "B"), BATCH)
    assert "none (B)" in cause.text


UNKNOWN: dict[str, tuple[Make, Hook, Hook]] = {
    "noisy gradients": (SGD, changing(random(1e-3)), nothing),
    "noisy weights": (ADAM, nothing, limiting(random(1e-4))),
    "rule of nobody": (SGD, changing(lambda g: g * g.abs().sqrt()), nothing),
}


@pytest.mark.parametrize("kind", mostly_slow(UNKNOWN, "rule of nobody"))
def test_what_no_known_rule_explains_is_said_to_be_unknown(kind: str) -> None:
    make, before, after = UNKNOWN[kind]
    b = Program(make, before=before, after=after)
    (cause,) = explain(Program(make).trace(), b.trace(), ("A", "B"), BATCH)
    assert cause.name == UNEXPLAINED
    assert "the sides part at step 1, in 0.bias, 0.weight, 2.bias, 2.weight" in cause.text


def test_rates_that_follow_no_plan_are_no_schedule() -> None:
    b = Program(SGD, rate=lambda step: (1.0, 0.737261, 1.312317, 0.213991)[step])
    (cause,) = explain(Program(SGD).trace(), b.trace(), ("A", "B"), BATCH)
    assert cause.name == UNEXPLAINED
    assert "with rates that follow no schedule it would be SGD(learning rate 0.05 0.0" in cause.text


HEALTHY: dict[str, tuple[Make, Make]] = {
    "SGD": (SGD, sgd(foreach=False)),
    "Adam": (ADAM, adam(foreach=False)),
    "Adam by hand": (ADAM, OwnAdam),
    "AdamW": (ADAMW, made("AdamW", weight_decay=0.01, foreach=False)),
    "RMSprop": (made("RMSprop"), made("RMSprop", foreach=False)),
    "Adamax": (made("Adamax"), made("Adamax", foreach=False)),
    "biases without decay": (grouped(ADAMW, weight_decay=(0.01, 0.0)),) * 2,
}


@pytest.mark.parametrize("kind", mostly_slow(HEALTHY, "SGD", "Adam by hand", "AdamW", "RMSprop"))
def test_the_same_rule_leaves_no_cause(kind: str) -> None:
    a, b = HEALTHY[kind]
    rounding = limiting(random(1e-17))
    assert named(Program(a), Program(b, after=rounding)) == []
