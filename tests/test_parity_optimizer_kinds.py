"""Two plain torch programs that differ in how they update their weights: named right or not at all.

Both train the same tiny network on the same batches in float64; what one of them does otherwise is
planted, and the cause that the ladder names is compared with it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_

from parity.readings.trace import Trace

BATCH, STEPS = 16, 4
Parameters = list[nn.Parameter]
Make = Callable[[Parameters], torch.optim.Optimizer]
Hook = Callable[[dict[str, nn.Parameter], int], object]


def nothing(table: dict[str, nn.Parameter], step: int) -> None:
    """What a plain program does besides."""


class Program:
    """A training loop of one's own.

    Attributes:
        before: Called between the gradients and the step.
        after: Called after the step.
        zeroed: Gradients are zeroed before each batch.
        each: Batches for each step.
        takes: Of these the ones, counted from 0, that a step is taken after; None for the last.
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
        torch.manual_seed(0)
        self.network = nn.Sequential(
            nn.Linear(12, 10), nn.Tanh(), nn.Linear(10, 8), nn.Tanh(), nn.Linear(8, 4)
        ).double()
        self.table = dict(self.network.named_parameters())
        self.make, self.before, self.after, self.rate = make, before, after, rate
        self.zeroed, self.takes, self.steps = zeroed, takes, steps

    def loss(self, step: int) -> torch.Tensor:
        rng = np.random.default_rng(step)
        images = torch.tensor(rng.normal(0, 1, (BATCH, 12)))
        labels = torch.tensor(rng.integers(0, 4, BATCH))
        return F.cross_entropy(self.network(images), labels)

    def trace(self) -> Trace:
        optimizer = self.make(list(self.table.values()))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate)
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
            if self.takes(step):
                optimizer.step(lambda step=step: self.loss(step).item())
            with torch.no_grad():
                self.after(self.table, step)
            schedule.step()
            trace.after.append(self.weights())
        return trace

    def weights(self) -> dict[str, np.ndarray[Any, Any]]:
        # As the ladder's sides have them: kernels [in, out].
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


def averaging(keeps: Callable[[int], float], every: int = 1, slow: float | None = None) -> Hook:
    """An average of the weights is kept, and written back after some steps."""
    averages: dict[str, torch.Tensor] = {}

    def hook(table: dict[str, nn.Parameter], step: int) -> None:
        for name, parameter in table.items():
            last = averages.get(name, parameter.clone())
            averages[name] = keeps(step) * last + (1 - keeps(step)) * parameter
            if (step + 1) % every == 0:
                parameter.copy_(averages[name])

    return hook


def lookahead(every: int, share: float) -> Hook:
    slow: dict[str, torch.Tensor] = {}

    def before(table: dict[str, nn.Parameter], step: int) -> None:
        for name, parameter in table.items():
            slow.setdefault(name, parameter.detach().clone())

    def after(table: dict[str, nn.Parameter], step: int) -> None:
        if (step + 1) % every == 0:
            for name, parameter in table.items():
                slow[name] += share * (parameter - slow[name])
                parameter.copy_(slow[name])

    return before, after


def centred(axes: str) -> Callable[[torch.Tensor], torch.Tensor]:
    def change(gradient: torch.Tensor) -> torch.Tensor:
        if axes == "all":
            return gradient - gradient.mean()
        return gradient - gradient.mean(1, keepdim=True) if gradient.ndim > 1 else gradient

    return change


def each_norm(limit: float) -> Hook:
    def hook(table: dict[str, nn.Parameter], step: int) -> None:
        for parameter in table.values():
            clip_grad_norm_([parameter], limit)

    return hook


class Lion(torch.optim.Optimizer):
    def __init__(self, parameters: Any, lr: float = 1e-3, betas: Any = (0.9, 0.99)) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
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
    def step(self, closure: Any = None) -> None:
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

    def step(self, closure: Any = None) -> None:
        self.make(self.param_groups[0]["params"]).step()
