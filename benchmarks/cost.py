"""What an epoch costs, from three numbers of a machine: ``python -m benchmarks.cost``.

A step takes so long for its products, for the bytes that pass through memory, and for its calls;
several devices exchange gradients besides. The numbers are fitted to measured steps, and each step
is predicted from the others alone: what the model says of sizes that nobody has measured is worth
no more than that.
"""

import itertools
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.optimize import nnls

from lightning_mnist.data.batches import Batch
from lightning_mnist.network import MLP
from lightning_mnist.preprocessing import Preprocessing
from lightning_mnist.steps.whole_steps import whole_steps
from lightning_mnist.steps.without_graph import WithoutGraph

PIXELS, CLASSES, FLOAT = 784, 10, 4
"""Of an image, of the data, and bytes of a number."""
SAMPLES = 9
"""Of each measured step; whatever else the machine does makes them longer, never shorter."""
DEVICES = (1, 8, 64, 512)
IN_A_NODE = 8


@dataclass(frozen=True)
class Step:
    """A step of an MLP: widths of its hidden layers, and images of a batch."""

    hidden: tuple[int, ...]
    batch: int

    @property
    def _widths(self) -> list[tuple[int, int]]:
        return list(itertools.pairwise((PIXELS, *self.hidden, CLASSES)))

    @property
    def weights(self) -> int:
        """Numbers that are learned."""
        return sum(a * b + b for a, b in self._widths)

    @property
    def operations(self) -> float:
        """Multiplications and additions: forward, and backward to weights and to inputs."""
        first = PIXELS * self._widths[0][1]  # nobody asks for the gradient of the pixels
        return 2.0 * self.batch * (3 * sum(a * b for a, b in self._widths) - first)

    @property
    def bytes(self) -> float:
        """That are read and written beside the products.

        Of each weight Adam reads four numbers and writes three, and its gradient is written; of
        each unit the sum is written, rectified and read, and its gradient likewise; a pixel is
        read as a byte, written, divided, and read for two products.
        """
        units = sum(b for _, b in self._widths)
        return FLOAT * (8.0 * self.weights + 8.0 * self.batch * units + 5.25 * self.batch * PIXELS)


@dataclass(frozen=True)
class Machine:
    """Seconds of an operation, of a byte, and of a step whatever its size."""

    operation: float
    byte: float
    step: float

    @classmethod
    def fitted(cls, steps: Sequence[Step], seconds: Sequence[float]) -> "Machine":
        """By least squares of the relative errors, with no number below 0."""
        costs = np.array([[step.operations, step.bytes, 1.0] for step in steps])
        measured = np.array(seconds)
        scale = costs.max(axis=0)
        found, _ = nnls(costs / scale / measured[:, None], np.ones(len(measured)))
        return cls(*(float(number) for number in found / scale))

    def seconds(self, step: Step) -> float:
        """Of a step on one device."""
        return self.operation * step.operations + self.byte * step.bytes + self.step


@dataclass(frozen=True)
class Link:
    """What devices exchange gradients over: seconds of a byte, and of a message."""

    byte: float
    message: float

    def seconds(self, weights: int, devices: int) -> float:
        """Of a ring that adds up a gradient (Patarasuk & Yuan, 2009)."""
        rounds = 2 * (devices - 1)
        return rounds * (FLOAT * weights / devices * self.byte + self.message)


def epoch(machine: Machine, step: Step, images: int, link: Link | None, devices: int) -> float:
    """Seconds of an epoch with a global batch that devices share; exchange waits for backward."""
    own = Step(step.hidden, -(-step.batch // devices))
    exchanged = link.seconds(step.weights, devices) if link and devices > 1 else 0.0
    return -(-images // step.batch) * (machine.seconds(own) + exchanged)


def measured(step: Step) -> float:
    """Seconds of the processor that a step takes on one thread."""
    torch.manual_seed(0)
    network = MLP(PIXELS, step.hidden, CLASSES)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    images = torch.randint(0, 256, (step.batch, 28, 28), dtype=torch.uint8)
    labels = torch.randint(0, CLASSES, (step.batch,))
    batch = Batch(images, labels, torch.arange(step.batch))
    without_graph = WithoutGraph(network, torch.nn.functional.cross_entropy)
    without_graph(images.flatten(1) / 255, labels)
    optimizer.step()
    whole = whole_steps(without_graph, optimizer, Preprocessing())
    assert whole is not None
    count = max(1, int(2e9 / step.operations))
    seconds = []
    for _ in range(SAMPLES):
        started = time.process_time()
        whole([batch] * min(count, 64))
        seconds.append((time.process_time() - started) / min(count, 64))
    return min(seconds)


def left_out(steps: Sequence[Step], seconds: Sequence[float]) -> list[float]:
    """What the model says of each step when it is fitted to the others."""
    predicted = []
    for number, step in enumerate(steps):
        others = [k for k in range(len(steps)) if k != number]
        machine = Machine.fitted([steps[k] for k in others], [seconds[k] for k in others])
        predicted.append(machine.seconds(step))
    return predicted


MEASURED = (
    *(Step((width,), 128) for width in (32, 128, 512, 1024, 2048)),
    *(Step((128,), batch) for batch in (32, 64, 256, 512, 1024)),
    *(Step((512, 512), 128), Step((1024,) * 2, 256), Step((1024,) * 3, 500)),
)
GPU = Machine(operation=1 / (0.5 * 67e12), byte=1 / (0.5 * 3.35e12), step=100e-6)
"""Half of what NVIDIA's data sheet says of an H100 SXM in float32, and 20 launches of 5 us."""
NODE = Link(byte=1 / (0.5 * 450e9), message=10e-6)
"""Half of NVLink 4's 450 GB/s each way; the latency is assumed."""
NETWORK = Link(byte=1 / (0.5 * 50e9), message=20e-6)
"""Half of 400 Gbit/s for each GPU; the latency is assumed."""
COMPUTED = (
    Step((128,), 128),
    Step((1024,) * 3, 500),
    Step((4096,) * 4, 8192),
    Step((18_000,) * 4, 8192),
)


def main() -> int:
    """Measure, predict each step from the others, and say what follows for many GPUs."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    seconds = [measured(step) for step in MEASURED]
    console = Console()
    table = Table("hidden", "batch", "measured us", "predicted us", "off by")
    for step, found, said in zip(MEASURED, seconds, left_out(MEASURED, seconds), strict=True):
        off = f"{said / found - 1:+.0%}"
        table.add_row(
            _words(step), f"{step.batch:,}", f"{found * 1e6:,.0f}", f"{said * 1e6:,.0f}", off
        )
    console.print(table)
    machine = Machine.fitted(MEASURED, seconds)
    console.print(
        f"this processor: {1e-9 / machine.operation:.0f} GFLOP/s, {1e-9 / machine.byte:.0f} GB/s, "
        f"{machine.step * 1e6:.0f} us a step, on one thread"
    )
    table = Table("hidden", "batch", "weights", *(f"{count:,}" for count in DEVICES))
    for step in COMPUTED:
        epochs = [
            epoch(GPU, step, 55_000, NODE if count <= IN_A_NODE else NETWORK, count)
            for count in DEVICES
        ]
        cells = (f"{value:.3g}" for value in epochs)
        table.add_row(_words(step), f"{step.batch:,}", f"{step.weights:,}", *cells)
    console.print(table)
    console.print(
        "seconds an epoch of 55,000 images on so many GPUs: from data sheets, not measured"
    )
    return 0


def _words(step: Step) -> str:
    return f"{len(step.hidden)} x {step.hidden[0]}"


if __name__ == "__main__":
    sys.exit(main())
