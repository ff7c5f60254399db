"""What a step of our optimisers costs beside torch's own: ``python -m benchmarks.optimizers``.

Both do their steps on the same gradients in one thread, in turn. Where memory happens to lie can
triple a time, so each round builds both anew; medians over the rounds.
"""

import argparse
import statistics
import time
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.optim import Optimizer

from lightning_mnist import optimizers
from lightning_mnist.network import MLP

NETWORKS: dict[str, list[int]] = {"784-128-10": [128], "784-512-512-10": [512, 512]}
DECAY = {"weight_decay": 0.004}
Case = tuple[str, type[Optimizer], dict[str, Any], type[Optimizer], dict[str, Any]]
CASES: list[Case] = [
    ("SGD", optimizers.KerasSGD, {}, torch.optim.SGD, {}),
    ("SGD, momentum", optimizers.KerasSGD, {"momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}),
    (
        "SGD, Nesterov",
        optimizers.KerasSGD,
        {"momentum": 0.9, "nesterov": True},
        torch.optim.SGD,
        {"momentum": 0.9, "nesterov": True},
    ),
    ("Adam", optimizers.KerasAdam, {}, torch.optim.Adam, {}),
    ("Adam, AMSGrad", optimizers.KerasAdam, {"amsgrad": True}, torch.optim.Adam, {"amsgrad": True}),
    ("AdamW", optimizers.KerasAdamW, DECAY, torch.optim.AdamW, DECAY),
    ("RMSprop", optimizers.KerasRMSprop, {}, torch.optim.RMSprop, {}),
    (
        "RMSprop, centred, momentum",
        optimizers.KerasRMSprop,
        {"centered": True, "momentum": 0.9},
        torch.optim.RMSprop,
        {"centered": True, "momentum": 0.9},
    ),
    ("Adagrad", optimizers.KerasAdagrad, {}, torch.optim.Adagrad, {}),
    ("Nadam", optimizers.KerasNadam, {}, torch.optim.NAdam, {}),
]
STEPS = 20
"""Steps timed together."""


def with_gradients(hidden: list[int]) -> nn.Module:
    """A network whose weights have random gradients."""
    torch.manual_seed(0)
    network = MLP(784, hidden, 10)
    for parameter in network.parameters():
        parameter.grad = torch.randn_like(parameter) / 100
    return network


def microseconds(optimizer: Optimizer) -> float:
    """Time of one step, after the first one, which builds the state."""
    optimizer.step()
    started = time.perf_counter()
    for _ in range(STEPS):
        optimizer.step()
    return (time.perf_counter() - started) / STEPS * 1e6


def compare(case: Case, hidden: list[int], rounds: int) -> tuple[float, float]:
    """Medians of ours and of torch's, in microseconds."""
    _, ours, our_settings, torchs, torch_settings = case
    kinds = ((ours, our_settings), (torchs, {"foreach": True, **torch_settings}))
    times = [
        [microseconds(kind(with_gradients(hidden).parameters(), **s)) for kind, s in kinds]
        for _ in range(rounds)
    ]
    mine, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    return mine, theirs


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    args = parser.parse_args()
    torch.set_num_threads(1)
    table = Table(title=f"microseconds a step, float32, one thread, {args.rounds} rounds")
    for heading in ("optimiser", "network", "ours", "torch's foreach", "ratio"):
        table.add_column(heading)
    for case in CASES:
        for name, hidden in NETWORKS.items():
            mine, theirs = compare(case, hidden, args.rounds)
            table.add_row(case[0], name, f"{mine:.0f}", f"{theirs:.0f}", f"{mine / theirs:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
