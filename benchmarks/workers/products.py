"""The matrix products of a training step and nothing else: what no loop around them can beat."""

import itertools
import time

import torch

from benchmarks.work import Work
from benchmarks.workers.bare import SIDE
from benchmarks.workers.serving import Prepared, serve


def prepare(work: Work) -> Prepared:
    """Operands of random numbers; zeros would be quicker on some devices."""
    torch.manual_seed(work.seed)
    device = torch.device("cuda" if work.accelerator == "gpu" else "cpu")
    widths = (SIDE * SIDE, *work.hidden, 10)
    values = [torch.randn(work.batch_size, width, device=device) for width in widths]
    gradients = [torch.randn_like(value) for value in values]
    layers = [
        (number, torch.randn(width, fan_in, device=device))
        for number, (fan_in, width) in enumerate(itertools.pairwise(widths))
    ]
    changes = [torch.empty_like(weight) for _, weight in layers]
    outputs = [torch.empty_like(value) for value in values]

    def step() -> None:
        for number, weight in layers:
            torch.mm(values[number], weight.T, out=outputs[number + 1])
        for number, weight in reversed(layers):
            torch.mm(gradients[number + 1].T, values[number], out=changes[number])
            if number:  # nobody asks for the gradient of the images
                torch.mm(gradients[number + 1], weight, out=outputs[number])

    def run() -> float:
        started = time.perf_counter()
        for _ in range(round(work.epochs * work.steps)):
            step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - started) / work.epochs

    return Prepared(run)


if __name__ == "__main__":
    serve(prepare)
