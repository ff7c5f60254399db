"""The loop that a fast person writes by hand: no framework, no metrics, nothing saved."""

import itertools
import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from benchmarks.work import AUGMENTATION, LOUDNESS, SMOOTHNESS, Work
from benchmarks.workers.serving import Prepared, serve

SIDE = 28
Augment = Callable[[Tensor], Tensor]
Learn = Callable[[nn.Module, torch.optim.Optimizer, Tensor, Tensor], None]


class Batches:
    """Mini-batches gathered into buffers that are used again.

    Args:
        images: uint8 [N, 784].
        labels: int64 [N].
        batch_size: Images in all but the last batch.
    """

    def __init__(self, images: Tensor, labels: Tensor, batch_size: int) -> None:
        self.images, self.labels, self.batch_size = images, labels, batch_size
        self.raw = images.new_empty(batch_size, images.shape[1])
        self.pixels = torch.empty_like(self.raw, dtype=torch.float32)
        self.targets = labels.new_empty(batch_size)

    def gather(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels float32 [B, 784] in [0, 1] and labels int64 [B] of the images `ids`."""
        count = len(ids)
        raw, pixels, targets = self.raw[:count], self.pixels[:count], self.targets[:count]
        torch.index_select(self.images, 0, ids, out=raw)
        torch.index_select(self.labels, 0, ids, out=targets)
        torch.div(raw, 255, out=pixels)
        return pixels, targets


def mlp(hidden: tuple[int, ...]) -> nn.Sequential:
    """784 pixels to 10 logits, ReLU between."""
    layers: list[nn.Module] = []
    for fan_in, width in itertools.pairwise((SIDE * SIDE, *hidden)):
        layers += [nn.Linear(fan_in, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear((SIDE * SIDE, *hidden)[-1], 10))


def train_images(work: Work, device: torch.device) -> tuple[Tensor, Tensor]:
    """Images uint8 [N, 784] and labels int64 [N] on `device`."""
    with np.load(work.data, allow_pickle=False) as arrays:
        images = torch.from_numpy(arrays["x_train"][: work.images].reshape(work.images, -1))
        labels = torch.from_numpy(arrays["y_train"][: work.images].astype(np.int64))
    return images.to(device), labels.to(device)


def learn(
    network: nn.Module, optimizer: torch.optim.Optimizer, pixels: Tensor, targets: Tensor
) -> None:
    """A step."""
    optimizer.zero_grad()
    F.cross_entropy(network(pixels), targets).backward()
    optimizer.step()


def mixed(precision: str, device: torch.device) -> Learn:
    """A step of ``bf16-mixed`` or ``16-mixed``, as Lightning calls them."""
    dtype = torch.bfloat16 if precision == "bf16-mixed" else torch.float16
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)

    def learn(
        network: nn.Module, optimizer: torch.optim.Optimizer, pixels: Tensor, targets: Tensor
    ) -> None:
        optimizer.zero_grad()
        with torch.autocast(device.type, dtype):
            loss = F.cross_entropy(network(pixels), targets)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return learn


def epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Batches,
    order: Tensor,
    augment: Augment | None = None,
    learn: Learn = learn,
) -> None:
    """A pass over the images in `order`, int64 [N]."""
    for ids in order.split(batches.batch_size):
        pixels, targets = batches.gather(ids)
        if augment is not None:
            pixels = augment(pixels.view(-1, SIDE, SIDE)).view(len(ids), -1)
        learn(network, optimizer, pixels, targets)


def prepare(work: Work, augmentation: Literal["ours", "kornia"] = "ours") -> Prepared:
    """Images on the device; every round has a network of its own, as each of ours has."""
    device = torch.device("cuda" if work.accelerator == "gpu" else "cpu")
    images, labels = train_images(work, device)
    batches = Batches(images, labels, work.batch_size)
    augment = AUGMENTS[augmentation](device) if work.augmented else None
    step = mixed(work.precision, device) if work.precision.endswith("-mixed") else learn
    torch.set_float32_matmul_precision("high" if work.precision == "tf32" else "highest")
    torch.set_flush_denormal(True)  # as ours and TensorFlow do: Adam's moments decay into them

    def run() -> float:
        torch.manual_seed(work.seed)
        network = mlp(work.hidden).to(device)
        optimizer = torch.optim.Adam(network.parameters(), lr=work.learning_rate, fused=True)
        started = time.perf_counter()
        for _ in range(round(work.epochs)):
            order = torch.randperm(len(labels), device=device)
            epoch(network, optimizer, batches, order, augment, step)
        if device.type == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - started) / round(work.epochs)

    return Prepared(run)


def _ours(device: torch.device) -> Augment:
    from lightning_mnist.augmentation import Augmentation
    from parity.augmentation import AugmentationConfig

    augmentation = Augmentation(AugmentationConfig(**AUGMENTATION)).to(device)
    generator = Generator(device).manual_seed(0)
    return lambda images: augmentation(images, generator)


def _kornia(device: torch.device) -> Augment:
    """Two resamplings: kornia's affine and elastic transforms are separate."""
    from kornia.augmentation import AugmentationSequential, RandomAffine

    shift = AUGMENTATION["shift"] / SIDE
    scale = 1 + AUGMENTATION["scale"]
    affine = RandomAffine(
        AUGMENTATION["rotation"], (shift, shift), (1 / scale, scale), AUGMENTATION["shear"], p=1
    )
    elastic: Any = kornia_elastic()
    chain = AugmentationSequential(affine, elastic).to(device)
    return lambda images: chain(images[:, None])[:, 0]


def kornia_elastic() -> nn.Module:
    """As strong and smooth as ours, on images [N, 1, 28, 28]."""
    from kornia.augmentation import RandomElasticTransform

    window = 6 * round(SMOOTHNESS) + 1
    alpha = AUGMENTATION["elastic"] * LOUDNESS / (SIDE / 2)  # displaces by so many half images
    elastic: nn.Module = RandomElasticTransform(
        (window, window), (SMOOTHNESS, SMOOTHNESS), (alpha, alpha), p=1
    )
    return elastic


AUGMENTS: dict[str, Callable[[torch.device], Augment]] = {"ours": _ours, "kornia": _kornia}

if __name__ == "__main__":
    serve(prepare)
